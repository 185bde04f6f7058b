// Tests of consistency tokens.
#include "libs/base/token.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
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

const TokenIssuer kIssuer(Install(1), "the key of a test");

std::string ReasonFor(absl::string_view token) { return ReasonOf(kIssuer.Read(token).status()); }

// The first `slots` slots of each service, at positions from `first` on.
TokenPositions Positions(std::initializer_list<ServiceId> services, uint32_t slots, Position first) {
  TokenPositions positions;
  for (const ServiceId service : services) {
    for (uint32_t slot = 0; slot < slots; ++slot) positions[{service, static_cast<uint16_t>(slot)}] = first + slot;
  }
  return positions;
}

TEST(Token, RoundTrips) {
  for (const TokenPositions& positions :
       {TokenPositions{{kOrders, 4712}, {kRealm, ~Position{0}}}, TokenPositions{{kOrders, 0}},
        TokenPositions{{{ServiceId::kInventory, 65'535}, 127}, {{ServiceId::kInventory, 0}, 128}},
        Positions({ServiceId::kCheckout, ServiceId::kInventory}, 8, 1), Positions({ServiceId::kCheckout}, 9, 1'000'000),
        Positions({ServiceId::kCheckout}, 65'536, 1)}) {
    const std::string token = kIssuer.Issue(positions);
    EXPECT_EQ(kIssuer.Read(token).value(), positions);
    EXPECT_EQ(ContentOfToken(token)->positions, positions);
    EXPECT_EQ(token.find_first_of("+/=. "), std::string::npos) << token;
    EXPECT_LE(token.size(), kTokenCharsMax);
  }
}

TEST(Token, RequiresNothingWhenEmpty) {
  EXPECT_TRUE(kIssuer.Read("").value().empty());
  EXPECT_TRUE(kIssuer.Read(kIssuer.Issue({})).value().empty());
}

TEST(Token, IsSmall) {
  constexpr Position kLarge = (Position{1} << 35) - 100;
  const auto services = {ServiceId::kCheckout, ServiceId::kCustomerIdentity, ServiceId::kInventory};
  EXPECT_LE(kIssuer.Issue(Positions(services, 8, kLarge)).size(), 200u) << "24 slots";
  const size_t more = kIssuer.Issue(Positions(services, 64, 1 << 27)).size();
  EXPECT_LE(more, 200u + 3 * 56 * 6) << "six characters for each slot more";
}

TEST(Token, OfSeveralRequiresWhatEachRequires) {
  const std::string joined =
      absl::StrCat(kIssuer.Issue({{kOrders, 5}}), ".", kIssuer.Issue({{kOrders, 4}, {kRealm, 2}}));
  EXPECT_EQ(kIssuer.Read(joined).value(), (TokenPositions{{kOrders, 5}, {kRealm, 2}}));
  EXPECT_EQ(ReasonFor(absl::StrCat(joined, ".")), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(absl::StrCat(joined, ".", TokenIssuer(Install(2), "key").Issue({{kOrders, 1}}))),
            "FOREIGN_TOKEN");
}

TEST(Token, IsForeignToAnotherInstall) {
  const absl::Status status = TokenIssuer(Install(2), "the key of a test").Read(kIssuer.Issue({{kOrders, 1}})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "FOREIGN_TOKEN");
  EXPECT_EQ(MetadataOf(status, "install"), Install(2).Hex());
}

TEST(Token, ForgedWithAnotherKeyIsMalformed) {
  EXPECT_EQ(ReasonFor(TokenIssuer(Install(1), "the key of an attacker").Issue({{kOrders, 1}})), "MALFORMED_TOKEN");
}

TEST(Token, IsMalformedWithAnyByteChanged) {
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(kIssuer.Issue({{kOrders, 4712}, {kRealm, 5}}), &bytes));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const bool issuer = i >= 1 && i <= 8;
      EXPECT_EQ(ReasonFor(absl::WebSafeBase64Escape(damaged)), issuer ? "FOREIGN_TOKEN" : "MALFORMED_TOKEN")
          << i << " " << bit;
    }
    EXPECT_EQ(ReasonFor(absl::WebSafeBase64Escape(bytes.substr(0, i))), i == 0 ? "" : "MALFORMED_TOKEN");
  }
}

TEST(Token, IsRefusedWithAnyCharacterChanged) {
  const std::string token = kIssuer.Issue({{kOrders, 4712}});
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char other : absl::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.")) {
      std::string damaged = token;
      damaged[i] = other;
      if (damaged != token) {
        EXPECT_NE(ReasonFor(damaged), "") << damaged;
      }
    }
  }
}

TEST(Token, IsMalformedWhenItIsSomethingElse) {
  EXPECT_EQ(ReasonFor("not a token"), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(std::string(10'000'000, 'A')), "MALFORMED_TOKEN");
  EXPECT_EQ(ReasonFor(std::string(kTokenCharsMax, '.')), "MALFORMED_TOKEN");
}

TEST(Token, OfAnotherVersionIsNamed) {
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(kIssuer.Issue({{kOrders, 4712}}), &bytes));
  bytes[0] = 1;
  const absl::Status status = kIssuer.Read(absl::WebSafeBase64Escape(bytes)).status();
  EXPECT_EQ(ReasonOf(status), "MALFORMED_TOKEN");
  EXPECT_EQ(status.message(), "the consistency token has version 1, this build reads version 2; ask without a token");
}

// Clients read tokens that they cannot verify.
TEST(ContentOfToken, IsNeverReadBeyondTheToken) {
  SeededRandom random(7);
  std::string head;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(kIssuer.Issue({}), &head));
  head.resize(9);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = head;
    for (uint64_t n = 8 + random.Next64() % 40; n > 0; --n) bytes.push_back(static_cast<char>(random.Next64()));
    const auto content = ContentOfToken(absl::WebSafeBase64Escape(bytes));
    if (!content.ok()) {
      EXPECT_EQ(ReasonOf(content.status()), "MALFORMED_TOKEN");
    }
  }
}

TEST(ContentOfToken, NamesTheIssuer) {
  const std::string issuer = ContentOfToken(kIssuer.Issue({{kOrders, 10}}))->issuer;
  EXPECT_EQ(ContentOfToken(kIssuer.Issue({{kRealm, 1}}))->issuer, issuer);
  EXPECT_NE(ContentOfToken(TokenIssuer(Install(2), "key").Issue({{kRealm, 1}}))->issuer, issuer);
  EXPECT_EQ(ReasonOf(ContentOfToken("").status()), "MALFORMED_TOKEN");
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
