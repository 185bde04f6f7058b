// Tests of the view "customers": where facts are stored, and that the order between sources does not matter.
#include "services/customer_identity/projection.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

template <class Event>
absl::Status ProjectAlone(const Event& event) {
  store::MemoryRows view;
  partition::FactContext context;
  context.slot = SlotId{ServiceId::kCheckout, 17};
  context.position = 4711;
  return Project(view, event, context);
}

// The facts stored under the identifier, as "kind external lines event".
std::vector<std::string> FiledUnder(const GivenCustomers& given, const common::v1::Identifier& identifier) {
  std::vector<std::string> filed;
  const IdentifierKey key = *KeyOf(identifier);
  kFacts.ForEach(
      given.view(),
      [&](const FactKey& fact, const rows::FactRow& row, Position position) {
        filed.push_back((row.kind() == v1::TIMELINE_KIND_ORDER ? "order " : "return ") + row.external().external_id() +
                        " " + std::to_string(row.lines()) + " " +
                        EventRef{fact.source, position, row.event_index()}.ToString());
        return true;
      },
      key.type, key.hash);
  return filed;
}

TEST(Project, StoresAFactUnderItsStrongestIdentifierOnly) {
  GivenCustomers given;
  given.Happens(Order({"1", {Customer("a"), Phone("p")}}));
  EXPECT_EQ(FiledUnder(given, Customer("a")), (std::vector<std::string>{"order 1 1 checkout/17@0#0"}));
  EXPECT_TRUE(FiledUnder(given, Phone("p")).empty());
}

TEST(Project, StoresFactsNewestFirst) {
  GivenCustomers given;
  given.Happens(Order({.id = "1", .identifiers = {Customer("a")}, .minute = 1}));
  given.Happens(Return({.id = "2", .identifiers = {Customer("a")}, .minute = 9, .lines = 3}));
  given.Happens(Order({.id = "0", .identifiers = {Customer("a")}, .minute = 1}));
  EXPECT_EQ(FiledUnder(given, Customer("a")),
            (std::vector<std::string>{"return 2 3 checkout/17@1#0", "order 0 1 checkout/17@2#0",
                                      "order 1 1 checkout/17@0#0"}));
}

TEST(Project, SkipsAnonymousFacts) {
  GivenCustomers given;
  given.Happens(Order({"1", {}})).Happens(Return({"2", {}}));
  EXPECT_EQ(given.view().size(), 0u);
}

TEST(Project, StoresALinkedReturnUnderTheCustomerOfItsOrder) {
  GivenCustomers given;
  given.Happens(LinkedTo(Customer("a"), {.id = "C1", .lines = 2}));
  EXPECT_EQ(FiledUnder(given, Customer("a")), (std::vector<std::string>{"return C1 2 checkout/17@0#0"}));
}

TEST(Project, SkipsALinkOfAReturnThatNamesItsCustomer) {
  checkout::v1::ImportEvent linked = LinkedTo(Customer("a"), {"C1", {}});
  linked.mutable_return_linked()->clear_customer();
  checkout::v1::ImportEvent awaited;
  awaited.mutable_return_awaited();
  GivenCustomers given;
  given.Happens(linked).Happens(awaited);
  EXPECT_EQ(given.view().size(), 0u);
}

TEST(Project, MirrorsEachLinkFromBothSides) {
  const GivenCustomers given({{Customer("a"), Phone("p")}});
  const IdentifierKey a = *KeyOf(Customer("a"));
  const IdentifierKey p = *KeyOf(Phone("p"));
  EXPECT_EQ(kNeighbours.Get(given.view(), {a.type, a.hash, p.type, p.hash, kRealmSlot})->strength(),
            common::v1::EVIDENCE_STRENGTH_WEAK);
  EXPECT_TRUE(kNeighbours.Contains(given.view(), {p.type, p.hash, a.type, a.hash, kRealmSlot}));
  EXPECT_EQ(kSeen.Get(given.view(), {p.type, p.hash, kRealmSlot})->DebugString(), Phone("p").DebugString());
}

TEST(Project, StopsAtAnUnknownEvent) {
  const absl::Status status = ProjectAlone(checkout::v1::OrderEvent());
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_PROJECTED");
  EXPECT_EQ(MetadataOf(status, "event"), "checkout/17@4711#0");
  EXPECT_EQ(ReasonOf(ProjectAlone(checkout::v1::CartEvent())), "EVENT_CANNOT_BE_PROJECTED");
  EXPECT_EQ(ReasonOf(ProjectAlone(checkout::v1::ImportEvent())), "EVENT_CANNOT_BE_PROJECTED");
  store::MemoryRows view;
  EXPECT_EQ(ReasonOf(Project(view, v1::IdentityEvent(), {})), "EVENT_CANNOT_BE_PROJECTED");
}

TEST(Project, StopsAtAnIdentifierInClear) {
  common::v1::Identifier clear;
  clear.set_value("17850");
  EXPECT_EQ(ReasonOf(ProjectAlone(Order({"1", {clear}}))), "EVENT_CANNOT_BE_PROJECTED");
  store::MemoryRows view;
  EXPECT_EQ(ReasonOf(Project(view, Observed(clear), {})), "EVENT_CANNOT_BE_PROJECTED");
}

// Logs of a few slots of checkout: orders of a family and of others, returns with and without a customer, and links in
// random slots, long before or after their returns.
std::vector<std::vector<checkout::v1::ImportEvent>> FamilyLogs(uint64_t seed, size_t events) {
  SeededRandom random(seed);
  std::vector<std::vector<checkout::v1::ImportEvent>> logs(5);
  const auto anybody = [&random]() -> Identifiers {
    Identifiers identifiers;
    const std::string name(1, static_cast<char>('a' + random.Uniform(5)));
    if (random.Uniform(4) > 0) identifiers.push_back(Customer(name));
    if (random.Uniform(3) == 0) identifiers.push_back(Email(name));
    if (random.Uniform(2) == 0)
      identifiers.push_back(Phone(std::string(1, static_cast<char>('p' + random.Uniform(3)))));
    return identifiers;
  };
  for (size_t i = 0; i < events; ++i) {
    const Sale sale{.id = std::to_string(i),
                    .identifiers = anybody(),
                    .pence = static_cast<int64_t>(random.Uniform(1000)),
                    .minute = static_cast<int>(random.Uniform(40)),
                    .site = "shop-" + std::to_string(random.Uniform(3))};
    std::vector<checkout::v1::ImportEvent>& log = logs[random.Uniform(logs.size())];
    switch (random.Uniform(5)) {
      case 0:
        log.push_back(Return(sale));
        break;
      case 1:
        log.push_back(LinkedTo(Customer(std::string(1, static_cast<char>('a' + random.Uniform(5)))), sale));
        break;
      default:
        log.push_back(Order(sale));
    }
  }
  return logs;
}

// Projects and reacts in an order that the seed determines. Projection and reaction of one log advance independently,
// as their cursors do.
GivenCustomers Interleave(const std::vector<std::vector<checkout::v1::ImportEvent>>& logs, uint64_t seed) {
  SeededRandom random(seed);
  GivenCustomers given;
  std::vector<size_t> projected(logs.size());
  std::vector<size_t> reacted(logs.size());
  size_t left = 0;
  for (const auto& log : logs) left += 2 * log.size();
  while (left > 0) {
    const size_t slot = random.Uniform(logs.size());
    const bool project = random.Uniform(2) == 0;
    size_t& next = project ? projected[slot] : reacted[slot];
    if (next == logs[slot].size()) continue;
    if (project) {
      given.Project(logs[slot][next], static_cast<uint16_t>(slot), next);
    } else {
      given.React(logs[slot][next]);
    }
    ++next;
    --left;
  }
  return given;
}

TEST(Project, GivesTheSameRowsInEveryInterleavingOfTheSources) {
  const auto logs = FamilyLogs(20, 150);
  const GivenCustomers first = Interleave(logs, 0);
  const v1::CustomerView view = first.ViewOf(Named(Customer("a")), /*include_events=*/true);
  EXPECT_GT(view.orders() + view.returns(), 0);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const GivenCustomers other = Interleave(logs, seed);
    ASSERT_TRUE(store::SameContent(first.view(), other.view())) << "seed " << seed;
    ASSERT_TRUE(store::SameContent(first.realm().rows(), other.realm().rows())) << "seed " << seed;
    ASSERT_EQ(view.DebugString(), other.ViewOf(Named(Customer("a")), true).DebugString()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace halles::customer_identity
