// Tests of the parsers of fields.
#include "services/hallesctl/import/fields.h"

#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

TEST(ParseTime, ReadsTimesAsUtc) {
  EXPECT_EQ(ParseTime("1970-01-01 00:00:00"), 0);
  EXPECT_EQ(ParseTime("2010-12-01 08:26:00"), 1291191960);
  EXPECT_EQ(ParseTime("2010-12-01T08:26"), 1291191960);
  EXPECT_EQ(ParseTime("2016-02-29 23:59:59"), 1456790399);
}

TEST(ParseTime, RefusesInvalidTimes) {
  for (const char* text :
       {"", "2010-12-01", "2010-02-30 08:26:00", "2010-12-01 24:00:00", "1969-12-31 23:59:59", "2200-01-01 00:00:00",
        "01/12/2010 08:26:00", "2010-12-01 08:26:xx", "2010-12-01x08:26:00"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(ParseWireDecimal, KeepsTheScale) {
  EXPECT_EQ(ParseWireDecimal(" 2.550 ")->ToString(), "2.550");
  EXPECT_EQ(ParseWireDecimal("-6")->ToString(), "-6");
}

TEST(ParseWireDecimal, RefusesNumbersThatTheApiCannotCarry) {
  for (const char* text : {"", "1e5", "1,5", "abc", "--1", "0.1234567890", "9223372036854775808"}) {
    EXPECT_FALSE(ParseWireDecimal(text).has_value()) << text;
  }
}

TEST(ToUtf8, KeepsUtf8AndReadsTheRestAsLatin1) {
  EXPECT_EQ(ToUtf8(" caf\xC3\xA9 "), "caf\xC3\xA9");
  EXPECT_EQ(ToUtf8("\xA3"
                   "40"),
            "\xC2\xA3"
            "40");
  EXPECT_EQ(ToUtf8("\xC3"), "\xC3\x83");
  EXPECT_EQ(ToUtf8("two\nlines \x92"), "two lines  ");
}

TEST(IsWord, CountsCharactersNotBytes) {
  EXPECT_TRUE(
      IsWord("\xC2\xA3"
             "40",
             3));
  EXPECT_FALSE(
      IsWord("\xC2\xA3"
             "400",
             3));
  EXPECT_FALSE(IsWord("", 3));
  EXPECT_FALSE(IsWord("a\tb", 3));
}

TEST(Columns, NamesMissingColumns) {
  CsvRecord header;
  header.line = 1;
  header.fields = {"b", "x"};
  const absl::string_view names[] = {"a", "b", "c"};
  const auto columns = Columns::FromHeader(header, names, "f.csv");
  ASSERT_FALSE(columns.ok());
  EXPECT_EQ(columns.status().message(), "f.csv:1: the header has no column a, c; expected are a,b,c");
}

TEST(Columns, FindsColumnsInAnyOrder) {
  CsvRecord header;
  header.fields = {"b", "x", "a"};
  const absl::string_view names[] = {"a", "b"};
  const Columns columns = Columns::FromHeader(header, names, "f.csv").value();
  CsvRecord record;
  record.fields = {"1", "2", "3"};
  EXPECT_EQ(columns.Get(record, 0), "3");
  EXPECT_EQ(columns.Get(record, 1), "1");
}

}  // namespace
}  // namespace halles::hallesctl
