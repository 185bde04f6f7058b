// Tests of consistency tokens.
#include "libs/base/token.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"

namespace halles {
namespace {

constexpr SlotId kOrders{ServiceId::kCheckout, 17};
constexpr SlotId kRealm{ServiceId::kCustomerIdentity, 3};

InstallId Install(uint64_t seed) {
  SeededRandom random(seed);
  return InstallId::Random(random);
}

std::string ReasonFor(absl::string_view token) { return ReasonOf(DecodeToken(Install(1), token).status()); }

// A token made of these bytes with a valid checksum.
std::string WithChecksum(std::string bytes) {
  const uint32_t crc = MaskCrc(Crc32c(bytes));
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(crc >> (8 * i)));
  return absl::WebSafeBase64Escape(bytes);
}

TEST(Token, RoundTrips) {
  const TokenPositions positions = {{kOrders, 4712}, {kRealm, ~Position{0}}};
  const std::string token = EncodeToken(Install(1), positions);
  EXPECT_EQ(DecodeToken(Install(1), token).value(), positions);
  EXPECT_EQ(token.find_first_of("+/= "), std::string::npos) << token;
}

TEST(Token, RequiresNothingWhenEmpty) {
  EXPECT_TRUE(DecodeToken(Install(1), "").value().empty());
  EXPECT_TRUE(DecodeToken(Install(1), EncodeToken(Install(1), {})).value().empty());
}

TEST(Token, IsForeignToAnotherInstall) {
  const absl::Status status = DecodeToken(Install(2), EncodeToken(Install(1), {{kOrders, 1}})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "FOREIGN_TOKEN");
  EXPECT_EQ(MetadataOf(status, "install"), Install(2).Hex());
}

TEST(Token, IsMalformedWithAnyByteChanged) {
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(EncodeToken(Install(1), {{kOrders, 4712}, {kRealm, 5}}), &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_EQ(ReasonFor(absl::WebSafeBase64Escape(damaged)), "MALFORMED_TOKEN") << i << " " << bit;
    }
    EXPECT_EQ(ReasonFor(absl::WebSafeBase64Escape(bytes.substr(0, i))), i == 0 ? "" : "MALFORMED_TOKEN");
  }
}

TEST(Token, IsMalformedWithAnyCharacterChanged) {
  const std::string token = EncodeToken(Install(1), {{kOrders, 4712}});
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char other : absl::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")) {
      std::string damaged = token;
      damaged[i] = other;
      if (damaged != token) {
        EXPECT_EQ(ReasonFor(damaged), "MALFORMED_TOKEN") << damaged;
      }
    }
  }
}

TEST(Token, IsMalformedWhenItIsSomethingElse) {
  EXPECT_EQ(ReasonFor("not a token"), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(std::string(10'000'000, 'A')), "MALFORMED_TOKEN");
}

TEST(Token, IsMalformedInAnUnknownVersionOrOutOfOrder) {
  const std::string head = "\x01" + std::string(Install(1).view());
  const std::string first(
      "\x01\x01\x00"
      "\x05\0\0\0\0\0\0\0",
      11);
  const std::string second(
      "\x01\x02\x00"
      "\x05\0\0\0\0\0\0\0",
      11);
  EXPECT_EQ(ReasonFor(WithChecksum(head + first + second)), "");
  EXPECT_EQ(ReasonFor(WithChecksum(head + second + first)), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(WithChecksum(head + first + first)), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(WithChecksum("\x02" + std::string(Install(1).view()) + first)), "MALFORMED_TOKEN");
}

TEST(InstallOfToken, NamesTheIssuer) {
  EXPECT_EQ(InstallOfToken(EncodeToken(Install(1), {{kOrders, 10}})).value(), Install(1));
  EXPECT_EQ(ReasonOf(InstallOfToken("not a token").status()), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonOf(InstallOfToken("").status()), "MALFORMED_TOKEN");
}

TEST(MergeToken, KeepsTheHighestPositions) {
  TokenPositions into = {{kOrders, 10}};
  MergeToken({{kOrders, 9}, {kRealm, 2}}, &into);
  EXPECT_EQ(into, (TokenPositions{{kOrders, 10}, {kRealm, 2}}));
  MergeToken({{kOrders, 11}}, &into);
  EXPECT_EQ(into.at(kOrders), 11u);
}

}  // namespace
}  // namespace halles
