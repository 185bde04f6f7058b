// Tests of tables and of numbers for people.
#include "services/hallesctl/table.h"

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"store"}, {"net", true}});
  table.Add({"store-1", "1.00"});
  table.Add({"s", "1,234.50"});
  EXPECT_EQ(table.Render(80), "STORE         NET\nstore-1      1.00\ns        1,234.50\n");
}

TEST(Table, IsNeverWiderThanTheTerminal) {
  Table table({{"id", false, true}, {"what", false, true}, {"net", true}});
  table.Add({"0123456789012345678901234567890123456789", std::string(50, '\xC3') + "x", "1.00"});
  table.Add({"\xC2\xA3\xC2\xA3", "b", "2.00"});
  for (int width : {10, 14, 20, 40, 79, 80, 200}) {
    for (absl::string_view line : absl::StrSplit(table.Render(width), '\n')) {
      size_t characters = 0;
      for (char c : line) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      EXPECT_LE(characters, static_cast<size_t>(width)) << line;
    }
  }
}

TEST(Table, CutsFlexibleColumnsFirst) {
  Table table({{"id"}, {"text", false, true}});
  table.Add({"0123456789", "abcdefghijklmnop"});
  EXPECT_EQ(table.Render(24), "ID          TEXT\n0123456789  abcdefghijk~\n");
}

TEST(Table, LeavesOutDispensableColumnsBeforeItCutsNumbers) {
  Table table({{"net", true}, {"returned", true, false, 1}, {"discounts", true, false, 2}, {"id", false, true}});
  table.Add({"4,596,039.58", "1.00", "2.00", "abcdefghijklmnop"});
  EXPECT_EQ(table.Render(40), "         NET  RETURNED  ID\n4,596,039.58      1.00  abcdefghijklmnop\n");
  EXPECT_EQ(table.Render(36), "         NET  RETURNED  ID\n4,596,039.58      1.00  abcdefghijk~\n");
  EXPECT_EQ(table.Render(31), "         NET  ID\n4,596,039.58  abcdefghijklmnop\n");
}

TEST(Thousands, HasCommas) {
  EXPECT_EQ(Thousands(0), "0");
  EXPECT_EQ(Thousands(999), "999");
  EXPECT_EQ(Thousands(1469307), "1,469,307");
  EXPECT_EQ(Thousands(-1000), "-1,000");
  EXPECT_EQ(Thousands(INT64_MIN), "-9,223,372,036,854,775,808");
}

TEST(AmountText, HasTheDecimalsOfItsCurrency) {
  EXPECT_EQ(AmountText(459603958, "USD"), "4,596,039.58");
  EXPECT_EQ(AmountText(-123, "GBP"), "-1.23");
  EXPECT_EQ(AmountText(-123456, "GBP"), "-1,234.56");
  EXPECT_EQ(AmountText(1990, "JPY"), "1,990");
  EXPECT_EQ(AmountDecimal(5, "USD"), "0.05");
}

TEST(Channel, HasAWord) {
  EXPECT_EQ(ChannelText(common::v1::CHANNEL_SHOP), "shop");
  EXPECT_EQ(ParseChannel("web"), common::v1::CHANNEL_WEB);
  EXPECT_EQ(ParseChannel("moon"), common::v1::CHANNEL_UNSPECIFIED);
  EXPECT_EQ(ChannelList(), "shop, web, app, phone, kiosk, social, catalogue, email, sms, chat");
}

TEST(TimeText, IsUtc) { EXPECT_EQ(TimeText(1483271606), "2017-01-01 11:53:26"); }

}  // namespace
}  // namespace halles::hallesctl
