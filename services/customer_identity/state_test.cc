// Tests of the fold of the identity graph: two sets that do not depend on the order of events.
#include "services/customer_identity/state.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

constexpr auto kStrong = common::v1::EVIDENCE_STRENGTH_STRONG;
constexpr auto kWeak = common::v1::EVIDENCE_STRENGTH_WEAK;

void ExpectCannotBeEvolved(const std::vector<v1::IdentityEvent>& before, const v1::IdentityEvent& event) {
  const absl::Status status = GivenRealm(kRealmSlot, before).TryEvolve({{kRealm, event}});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_EVOLVED");
}

TEST(Evolve, KeepsIdentifiersAndLinks) {
  const GivenRealm given(kRealmSlot,
                         {Observed(Customer("a")), Observed(Phone("p")), Linked(Customer("a"), Phone("p"), kWeak)});
  EXPECT_EQ(kObserved.Get(given.rows(), ObservedKeyOf(*KeyOf(Phone("p"))))->DebugString(), Phone("p").DebugString());
  EXPECT_EQ(kLinks.Get(given.rows(), LinkKeyOf(*KeyOf(Customer("a")), *KeyOf(Phone("p"))))->strength(), kWeak);
}

TEST(Evolve, StopsAtAnUnknownEvent) { ExpectCannotBeEvolved({}, v1::IdentityEvent()); }

TEST(Evolve, StopsAtAnIdentifierInClear) {
  common::v1::Identifier clear = Customer("a");
  clear.set_value("17850");
  ExpectCannotBeEvolved({}, Observed(clear));
  ExpectCannotBeEvolved({}, Observed(common::v1::Identifier()));
}

TEST(Evolve, StopsAtARepeatedEvent) {
  ExpectCannotBeEvolved({Observed(Customer("a"))}, Observed(Customer("a")));
  const auto link = Linked(Customer("a"), Email("m"), kStrong);
  ExpectCannotBeEvolved({Observed(Customer("a")), Observed(Email("m")), link}, link);
}

TEST(Evolve, StopsAtAnInvalidLink) {
  const std::vector<v1::IdentityEvent> before = {Observed(Customer("a")), Observed(Email("m"))};
  ExpectCannotBeEvolved(before, Linked(Email("m"), Customer("a"), kStrong));
  ExpectCannotBeEvolved(before, Linked(Customer("a"), Customer("a"), kStrong));
  ExpectCannotBeEvolved(before, Linked(Customer("a"), Email("m"), kWeak));
  ExpectCannotBeEvolved(before, Linked(Customer("a"), Email("unseen"), kStrong));
}

TEST(Evolve, GivesTheSameRowsInEveryOrderOfObservations) {
  std::vector<Identifiers> observations = {{Customer("a"), Email("m"), Phone("p")},
                                           {Customer("b"), Phone("p")},
                                           {Email("m"), Email("n")},
                                           {Phone("p"), Phone("q")},
                                           {Card("k"), Customer("b")},
                                           {Phone("q")}};
  const auto fold = [&observations] {
    GivenRealm given(kRealmSlot);
    for (const Identifiers& identifiers : observations) given.Record(Observe(identifiers));
    return given.rows();
  };
  const store::MemoryRows first = fold();
  SeededRandom random(11);
  for (int round = 0; round < 100; ++round) {
    for (size_t i = observations.size(); i > 1; --i) std::swap(observations[i - 1], observations[random.Uniform(i)]);
    ASSERT_TRUE(store::SameContent(first, fold())) << "round " << round;
  }
}

}  // namespace
}  // namespace halles::customer_identity
