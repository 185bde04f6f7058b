// Tests of the rule of the identity graph: every refusal in the order of the enum, then the recorded events.
#include "services/customer_identity/commands.h"

#include "gtest/gtest.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

constexpr auto kStrong = common::v1::EVIDENCE_STRENGTH_STRONG;
constexpr auto kWeak = common::v1::EVIDENCE_STRENGTH_WEAK;

GivenRealm GivenNothing() { return GivenRealm(kRealmSlot); }

TEST(ObserveIdentifiers, IsRefusedWithPersonalDataInClear) {
  common::v1::Identifier clear;
  clear.set_value("ann@example.com");
  const auto outcome = GivenNothing().When(Observe({Customer("a"), clear}));
  outcome.ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
  EXPECT_EQ(outcome.Metadata("field"), "identifiers[1].value");
  EXPECT_EQ(outcome.status().message().find("ann"), absl::string_view::npos);
}

TEST(ObserveIdentifiers, IsRefusedWhenMalformed) {
  GivenNothing().When(Observe({})).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  common::v1::Identifier short_hash = Customer("a");
  short_hash.set_keyed_hash("short");
  const auto outcome = GivenNothing().When(Observe({short_hash}));
  outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  EXPECT_EQ(outcome.Metadata("field"), "identifiers[0].keyed_hash");
}

TEST(ObserveIdentifiers, AcceptsAtMostEightIdentifiers) {
  Identifiers identifiers;
  for (char c = 'a'; c < 'a' + 8; ++c) identifiers.push_back(Customer(std::string(1, c)));
  EXPECT_EQ(GivenNothing().When(Observe(identifiers)).facts().size(), 8u + 7u);
  identifiers.push_back(Customer("z"));
  GivenNothing().When(Observe(identifiers)).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ObserveIdentifiers, RecordsAnIdentifierOnce) {
  GivenNothing().When(Observe({Customer("a")})).ThenEvents({Observed(Customer("a"))});
  GivenRealm(kRealmSlot, {Observed(Customer("a"))}).When(Observe({Customer("a")})).ThenNothing();
}

TEST(ObserveIdentifiers, LinksTheStrongestToEachOfTheOthers) {
  GivenNothing()
      .When(Observe({Phone("p"), Email("m"), Customer("a")}))
      .ThenEvents({Observed(Customer("a")), Observed(Email("m")), Observed(Phone("p")),
                   Linked(Customer("a"), Email("m"), kStrong), Linked(Customer("a"), Phone("p"), kWeak)});
}

TEST(ObserveIdentifiers, RecordsOnlyWhatIsNew) {
  GivenRealm(kRealmSlot, {Observed(Customer("a")), Observed(Email("m")), Linked(Customer("a"), Email("m"), kStrong)})
      .When(Observe({Customer("a"), Email("m"), Phone("p")}))
      .ThenEvents({Observed(Phone("p")), Linked(Customer("a"), Phone("p"), kWeak)});
}

TEST(ObserveIdentifiers, LinksTwoPhonesWeakly) {
  GivenRealm(kRealmSlot, {Observed(Phone("p")), Observed(Phone("q"))})
      .When(Observe({Phone("q"), Phone("p")}))
      .ThenEvents({Linked(Phone("p"), Phone("q"), kWeak)});
}

TEST(ObserveIdentifiers, IgnoresADuplicateIdentifier) {
  GivenNothing().When(Observe({Customer("a"), Customer("a")})).ThenEvents({Observed(Customer("a"))});
}

TEST(ObserveIdentifiers, RecordsEverythingForTheRealm) {
  EXPECT_EQ(GivenNothing().When(Observe({Customer("a")})).facts()[0].aggregate_id, kRealm);
}

}  // namespace
}  // namespace halles::customer_identity
