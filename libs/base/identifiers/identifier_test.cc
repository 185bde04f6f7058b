// Tests of identifiers: normalised, checked, hashed.
#include "libs/base/identifiers/identifier.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"

namespace halles {
namespace {

using common::v1::Identifier;
using google::protobuf::RepeatedPtrField;

IdentifierKeys Keys() {
  IdentifierKeys keys;
  EXPECT_TRUE(keys.Add(1, std::string(32, 'k')).ok());
  return keys;
}

Identifier Make(common::v1::IdentifierType type, const std::string& value, const std::string& issuer = "") {
  Identifier identifier;
  identifier.set_type(type);
  identifier.set_issuer(issuer);
  identifier.set_value(value);
  return identifier;
}
Identifier Phone(const std::string& value) { return Make(common::v1::IDENTIFIER_TYPE_PHONE, value); }
Identifier Email(const std::string& value) { return Make(common::v1::IDENTIFIER_TYPE_EMAIL, value); }
Identifier Fingerprint(const std::string& value) { return Make(common::v1::IDENTIFIER_TYPE_CARD_FINGERPRINT, value); }
Identifier External(const std::string& value, const std::string& issuer = "uci") {
  return Make(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID, value, issuer);
}

absl::Status Hash(Identifier identifier) { return HashIdentifier(Keys(), "customer", &identifier); }
std::string HashOf(Identifier identifier) {
  EXPECT_TRUE(HashIdentifier(Keys(), "customer", &identifier).ok());
  return identifier.keyed_hash();
}
std::string FieldOf(const absl::Status& status) { return MetadataOf(status, "field"); }

TEST(HashIdentifier, ReplacesTheValueByItsHash) {
  Identifier identifier = Email("a@example.com");
  ASSERT_TRUE(HashIdentifier(Keys(), "customer", &identifier).ok());
  EXPECT_EQ(identifier.value(), "");
  EXPECT_EQ(identifier.keyed_hash().size(), 32u);
  EXPECT_EQ(identifier.key_id(), 1u);
  EXPECT_FALSE(absl::StrContains(identifier.SerializeAsString(), "example"));
  EXPECT_TRUE(CheckHashed("customer", identifier).ok());
}

TEST(HashIdentifier, HashesTypeIssuerAndValueWithTheirLengths) {
  const std::string input = std::string("\x01\0\0\0\3uci\0\0\0\5", 12) + "17850";
  EXPECT_EQ(HashOf(External("17850")), std::string(HmacSha256(std::string(32, 'k'), input).view()));
}

TEST(HashIdentifier, DistinguishesTypesAndIssuers) {
  EXPECT_NE(HashOf(External("1", "a")), HashOf(External("1", "b")));
  EXPECT_NE(HashOf(External("1", "ab")), HashOf(External("b1", "a")));
  EXPECT_NE(HashOf(External("1", "a")), HashOf(Make(common::v1::IDENTIFIER_TYPE_LOYALTY_CARD, "1", "a")));
}

TEST(HashIdentifier, DependsOnTheKey) {
  IdentifierKeys keys = Keys();
  ASSERT_TRUE(keys.Add(2, std::string(32, 'x')).ok());
  Identifier identifier = External("1");
  ASSERT_TRUE(HashIdentifier(keys, "customer", &identifier).ok());
  EXPECT_EQ(identifier.key_id(), 2u);
  EXPECT_NE(identifier.keyed_hash(), HashOf(External("1")));
}

TEST(HashIdentifier, NormalisesPhonesToE164) {
  for (const std::string same :
       {"+33612345678", "+33 6 12 34 56 78", "0033 6-12.34.56.78", "+(33) 612345678", " +33612345678 "}) {
    EXPECT_EQ(HashOf(Phone(same)), HashOf(Phone("+33612345678"))) << same;
  }
  EXPECT_TRUE(Hash(Phone("+12345678")).ok());
  EXPECT_TRUE(Hash(Phone("+123456789012345")).ok());
}

TEST(HashIdentifier, RefusesPhonesWithoutACountry) {
  for (const std::string bad : {"0612345678", "+1234567", "+1234567890123456", "+33x12345678", "++33612345678", "+",
                                "+0612345678", "000612345678"}) {
    EXPECT_EQ(FieldOf(Hash(Phone(bad))), "customer.value") << bad;
  }
}

TEST(HashIdentifier, ConvertsEmailAddressesToLowerCase) {
  EXPECT_EQ(HashOf(Email(" Ann@Example.COM ")), HashOf(Email("ann@example.com")));
}

TEST(HashIdentifier, RefusesMalformedEmailAddresses) {
  for (const std::string bad : {"ann", "@example.com", "ann@", "a@b@c", "a b@example.com"}) {
    EXPECT_EQ(FieldOf(Hash(Email(bad))), "customer.value") << bad;
  }
}

TEST(HashIdentifier, RefusesCardNumbersAsFingerprints) {
  for (const std::string card : {"4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"}) {
    EXPECT_EQ(ReasonOf(Hash(Fingerprint(card))), "CARD_NUMBER_REFUSED");
  }
  EXPECT_TRUE(Hash(Fingerprint("4111111111111112")).ok());
  EXPECT_TRUE(Hash(Fingerprint("Xt5EWLLDS7FJjR1c")).ok());
}

TEST(HashIdentifier, NeverRepeatsTheValueInAnError) {
  for (const Identifier& bad : {Phone("0612345678"), Email("ann.secret"), Fingerprint("4111111111111111")}) {
    EXPECT_FALSE(absl::StrContains(Hash(bad).ToString(), bad.value())) << bad.type();
  }
}

TEST(HashIdentifier, RequiresAnIssuerOnlyForTypesThatHaveOne) {
  EXPECT_EQ(FieldOf(Hash(External("1", ""))), "customer.issuer");
  EXPECT_EQ(FieldOf(Hash(External("1", std::string(65, 'x')))), "customer.issuer");
  EXPECT_EQ(FieldOf(Hash(Make(common::v1::IDENTIFIER_TYPE_EMAIL, "a@b", "x"))), "customer.issuer");
  EXPECT_TRUE(Hash(External("1", std::string(64, 'x'))).ok());
}

TEST(HashIdentifier, RefusesEmptyLongAndUnprintableValues) {
  EXPECT_EQ(FieldOf(Hash(External(""))), "customer.value");
  EXPECT_EQ(FieldOf(Hash(External("  "))), "customer.value");
  EXPECT_EQ(FieldOf(Hash(External("a\nb"))), "customer.value");
  EXPECT_EQ(FieldOf(Hash(External(std::string(255, 'x')))), "customer.value");
  EXPECT_TRUE(Hash(External(std::string(254, 'x'))).ok());
}

TEST(HashIdentifier, RefusesUnknownTypes) {
  EXPECT_EQ(FieldOf(Hash(Make(common::v1::IDENTIFIER_TYPE_UNSPECIFIED, "x"))), "customer.type");
  EXPECT_EQ(FieldOf(Hash(Make(static_cast<common::v1::IdentifierType>(77), "x"))), "customer.type");
}

TEST(HashIdentifier, RefusesAHashFromTheClient) {
  Identifier hashed = External("1");
  hashed.set_keyed_hash("x");
  EXPECT_EQ(FieldOf(Hash(hashed)), "customer.keyed_hash");
  Identifier keyed = External("1");
  keyed.set_key_id(1);
  EXPECT_EQ(FieldOf(Hash(keyed)), "customer.key_id");
}

TEST(HashIdentifier, FailsWithoutAKey) {
  Identifier identifier = External("1");
  EXPECT_EQ(HashIdentifier(IdentifierKeys(), "customer", &identifier).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(HashIdentifiers, SortsByStrengthAndRemovesDuplicates) {
  RepeatedPtrField<Identifier> identifiers;
  for (const Identifier& one : {Phone("+33612345678"), Email("A@b.c"), External("1"), Email("a@b.c")})
    *identifiers.Add() = one;
  ASSERT_TRUE(HashIdentifiers(Keys(), "order.identifiers", &identifiers).ok());
  ASSERT_EQ(identifiers.size(), 3);
  EXPECT_EQ(identifiers[0].type(), common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
  EXPECT_EQ(identifiers[1].type(), common::v1::IDENTIFIER_TYPE_EMAIL);
  EXPECT_EQ(identifiers[2].type(), common::v1::IDENTIFIER_TYPE_PHONE);
}

TEST(HashIdentifiers, NamesTheInvalidIdentifier) {
  RepeatedPtrField<Identifier> identifiers;
  for (const Identifier& one : {External("1"), Phone("none")}) *identifiers.Add() = one;
  EXPECT_EQ(FieldOf(HashIdentifiers(Keys(), "order.identifiers", &identifiers)), "order.identifiers[1].value");
}

TEST(HashIdentifiers, AcceptsAtMostEight) {
  RepeatedPtrField<Identifier> identifiers;
  for (int i = 0; i < 9; ++i) *identifiers.Add() = External(std::to_string(i));
  EXPECT_EQ(FieldOf(HashIdentifiers(Keys(), "order.identifiers", &identifiers)), "order.identifiers");
  identifiers.RemoveLast();
  EXPECT_TRUE(HashIdentifiers(Keys(), "order.identifiers", &identifiers).ok());
}

TEST(CheckHashed, RefusesClearAndPartlyHashedIdentifiers) {
  EXPECT_EQ(FieldOf(CheckHashed("customer", External("1"))), "customer.value");
  Identifier identifier = External("");
  identifier.set_keyed_hash("short");
  EXPECT_EQ(FieldOf(CheckHashed("customer", identifier)), "customer.keyed_hash");
}

TEST(IdentifierKeys, RefusesInvalidKeys) {
  IdentifierKeys keys;
  EXPECT_FALSE(keys.Add(0, std::string(32, 'k')).ok());
  EXPECT_FALSE(keys.Add(1, "short").ok());
  EXPECT_TRUE(keys.Add(1, std::string(32, 'k')).ok());
  EXPECT_FALSE(keys.Add(1, std::string(32, 'x')).ok());
}

TEST(IsStrong, IsTrueForAllButPhones) {
  EXPECT_TRUE(IsStrong(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID));
  EXPECT_TRUE(IsStrong(common::v1::IDENTIFIER_TYPE_CARD_FINGERPRINT));
  EXPECT_FALSE(IsStrong(common::v1::IDENTIFIER_TYPE_PHONE));
  EXPECT_FALSE(IsStrong(common::v1::IDENTIFIER_TYPE_UNSPECIFIED));
}

}  // namespace
}  // namespace halles
