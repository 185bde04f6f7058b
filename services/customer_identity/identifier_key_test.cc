// Tests of keys of identifiers and of the party ids derived from them.
#include "services/customer_identity/identifier_key.h"

#include <string>

#include "gtest/gtest.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

TEST(KeyOf, AcceptsHashedIdentifiersOnly) {
  EXPECT_TRUE(KeyOf(Customer("a")).has_value());
  common::v1::Identifier identifier = Customer("a");
  identifier.set_keyed_hash("short");
  EXPECT_FALSE(KeyOf(identifier).has_value());
  identifier = Customer("a");
  identifier.clear_type();
  EXPECT_FALSE(KeyOf(identifier).has_value());
  identifier.set_type(static_cast<common::v1::IdentifierType>(31));
  EXPECT_FALSE(KeyOf(identifier).has_value());
}

TEST(PartyIdOf, SortsStrongestFirst) {
  EXPECT_LT(IdOf(Customer("z")), IdOf(Email("a")));
  EXPECT_LT(IdOf(Email("z")), IdOf(Phone("a")));
  EXPECT_LT(IdOf(Customer("a")), IdOf(Customer("b")));
  EXPECT_EQ(IdOf(Customer("a")).ToString().size(), 30u);
}

TEST(PartyIdOf, NeverChanges) {
  IdentifierKey key{1, {}};
  for (size_t i = 0; i < 32; ++i) key.hash.bytes[i] = static_cast<uint8_t>(i * 8 + 1);
  EXPECT_EQ(PartyIdOf(key).ToString(), "pty-1044h269154rkjga9a5cp2tbhf");
}

TEST(LeastKeyOf, FindsTheIdentifierOfAPartyId) {
  for (const std::string name : {"a", "b", "c", "longer name"}) {
    const IdentifierKey key = *KeyOf(Phone(name));
    const std::optional<IdentifierKey> least = LeastKeyOf(PartyIdOf(key).ToString());
    ASSERT_TRUE(least.has_value());
    EXPECT_LE(*least, key);
    EXPECT_EQ(PartyIdOf(*least), PartyIdOf(key));
  }
}

TEST(LeastKeyOf, RefusesInvalidPartyIds) {
  const std::string good = IdOf(Customer("a")).ToString();
  EXPECT_TRUE(LeastKeyOf(good).has_value());
  std::string no_type = good;
  no_type[4] = '0';
  std::string other_type = good;
  other_type[4] = 'z';
  std::string no_digit = good;
  no_digit[10] = 'u';
  for (const std::string& bad : {std::string(), std::string("pty-"), good.substr(0, 29), good + "0", no_type,
                                 other_type, no_digit, "ord-" + good.substr(4)}) {
    EXPECT_FALSE(LeastKeyOf(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace halles::customer_identity
