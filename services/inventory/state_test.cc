// Tests of the fold of stock events: the rows it keeps, and the events that cannot be evolved.
#include "services/inventory/state.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

const UnitsList kThreeAtA = {{"A", 3}};

// Expects that `event` cannot be evolved and that the error names it.
void ExpectCannotBeEvolved(GivenStock given, const v1::StockEvent& event) {
  const absl::Status status = given.TryEvolve({{kSku, event}});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status << "\n" << event.DebugString();
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_EVOLVED");
}

TEST(Evolve, KeepsSkusApart) {
  GivenStock given = Given({Received("A", 3)});
  ASSERT_TRUE(given.TryEvolve({{"other", Received("A", 4)}}).ok());
  EXPECT_EQ(LevelIn(given.rows(), "A").on_hand(), 3);
}

TEST(Evolve, KeepsEndedHoldsInATableOfTheirOwn) {
  const GivenStock given = Given({Received("A", 9), Held("h", kThreeAtA), Released("h", kThreeAtA)});
  const HoldKey key{Sku::FromString(kSku), "h"};
  EXPECT_FALSE(kHolds.Contains(given.rows(), key));
  EXPECT_EQ(kEnded.Get(given.rows(), key)->state(), v1::HOLD_STATE_RELEASED);
  EXPECT_EQ(HoldOf(key, *FindHold(given.rows(), key)).owner().ref(), "order/o");
}

TEST(Evolve, KeepsAllocationsSortedByLocation) {
  const GivenStock given = Given({Received("A", 9), Received("B", 9), Received("C", 9), Held("h", {{"A", 1}, {"C", 1}}),
                                  Moved("h", {{"A", 1}}, {{"B", 1}})});
  EXPECT_EQ(ListOf(HoldIn(given.rows(), "h").allocations()), (UnitsList{{"B", 1}, {"C", 1}}));
}

TEST(Evolve, RefusesAnUnknownEvent) {
  GivenStock given = Given();
  const absl::Status status = given.TryEvolve({{kSku, v1::StockEvent()}});
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_EVOLVED");
  EXPECT_EQ(MetadataOf(status, "event"), "inventory/17@0#0");
}

TEST(Evolve, RefusesUnitsOutOfRange) {
  ExpectCannotBeEvolved(Given({Received("A", kUnitsMax)}), Received("A", 1));
  ExpectCannotBeEvolved(Given({Received("A", 2)}), Sent("t", "A", "B", 3));
  ExpectCannotBeEvolved(Given({Received("A", 2)}), Counted("A", 1, 3));
  ExpectCannotBeEvolved(Given(), Backordered("A", -1));
}

TEST(Evolve, RefusesAHoldBeyondTheAvailableUnits) {
  ExpectCannotBeEvolved(Given({Received("A", 2)}), Held("h", kThreeAtA));
  ExpectCannotBeEvolved(Given({Received("A", 3), Held("h", kThreeAtA)}), Moved("h", kThreeAtA, {{"B", 3}}));
  ExpectCannotBeEvolved(Given({Received("A", 3), Held("h", kThreeAtA)}), Sent("t", "A", "B", 1));
  ExpectCannotBeEvolved(Given({Received("A", 1), Backordered("A", 2), Held("h", kThreeAtA)}), Backordered("A", 1, 2));
}

TEST(Evolve, RefusesASecondHoldOfTheSameId) {
  ExpectCannotBeEvolved(Given({Received("A", 9), Held("h", kThreeAtA)}), Held("h", kThreeAtA));
  ExpectCannotBeEvolved(Given({Received("A", 9), Held("h", kThreeAtA), Released("h", kThreeAtA)}),
                        Held("h", kThreeAtA));
  ExpectCannotBeEvolved(Given({Received("A", 9), Cancelled("h", "do-h")}), Held("h", kThreeAtA));
}

TEST(Evolve, RefusesEventsThatDoNotFitTheHold) {
  const GivenStock held = Given({Received("A", 9), Held("h", kThreeAtA), Held("g", {{"A", 6}})});
  ExpectCannotBeEvolved(held, Committed("x", kThreeAtA));
  ExpectCannotBeEvolved(held, Committed("h", {{"A", 2}}));
  ExpectCannotBeEvolved(held, Released("h", {{"A", 4}}));
  ExpectCannotBeEvolved(held, Released("h", {{"A", 2}}, /*ended=*/true));
  ExpectCannotBeEvolved(held, Released("h", kThreeAtA, /*ended=*/false));
  ExpectCannotBeEvolved(held, Expired("h", {{"A", 2}}));
  ExpectCannotBeEvolved(held, Cancelled("h", "do-h", {{"A", 2}}));
  ExpectCannotBeEvolved(held, Sent("t", "A", "B", 4, "h"));
  v1::StockEvent replacing = Held("r", kThreeAtA);
  replacing.mutable_stock_held()->set_replaced_hold_id("h");
  *replacing.mutable_stock_held()->mutable_replaced_allocations() = At({{"A", 4}});
  ExpectCannotBeEvolved(held, replacing);
  const GivenStock sold =
      Given({Received("A", 9), Held("h", kThreeAtA), Committed("h", kThreeAtA), Held("g", {{"A", 6}})});
  ExpectCannotBeEvolved(sold, Expired("h", kThreeAtA));
  ExpectCannotBeEvolved(sold, Committed("h", kThreeAtA));
  ExpectCannotBeEvolved(sold, Released("h", kThreeAtA));
  ExpectCannotBeEvolved(sold, Shipped("h", {{"A", 4}}));
  ExpectCannotBeEvolved(sold, Shipped("h", {{"A", 1}}, /*ended=*/true));
}

TEST(Evolve, RefusesASecondCancellation) {
  ExpectCannotBeEvolved(Given({Cancelled("h", "do-h")}), Cancelled("h", "do-h"));
}

TEST(Evolve, RefusesTransfersThatDoNotFit) {
  const GivenStock sent = Given({Received("A", 9), Sent("t", "A", "B", 2)});
  ExpectCannotBeEvolved(sent, Sent("t", "A", "B", 2));
  v1::StockEvent arrived;
  arrived.mutable_transfer_received()->set_transfer_id("t");
  arrived.mutable_transfer_received()->set_units(3);
  arrived.mutable_transfer_received()->set_to_location_id("B");
  ExpectCannotBeEvolved(sent, arrived);
  arrived.mutable_transfer_received()->set_units(1);
  arrived.mutable_transfer_received()->set_to_location_id("C");
  ExpectCannotBeEvolved(sent, arrived);
}

// Counts the rows that are read and written.
class CountingRows final : public store::Rows {
 public:
  explicit CountingRows(store::Rows* rows) : rows_(*rows) {}
  std::optional<store::Row> Get(absl::string_view key) const override {
    ++touched_;
    return rows_.Get(key);
  }
  void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override {
    rows_.Scan(prefix, start, [&](absl::string_view key, const store::Row& row) {
      ++touched_;
      return visit(key, row);
    });
  }
  absl::Status status() const override { return rows_.status(); }
  void Fail(absl::Status status) const override { rows_.Fail(std::move(status)); }
  void Put(absl::string_view key, std::string value) override {
    ++touched_;
    rows_.Put(key, std::move(value));
  }
  void Delete(absl::string_view key) override {
    ++touched_;
    rows_.Delete(key);
  }

  // Decides and evolves; returns the number of rows touched.
  template <class Command>
  int Cost(const Command& command) {
    touched_ = 0;
    partition::CommandContext context;
    context.now = kNow;
    const auto decision = Decide(*this, command, context);
    EXPECT_TRUE(decision.ok()) << decision.status();
    partition::FactContext at;
    at.aggregate_id = kSku;
    for (const auto& fact : decision->facts) EXPECT_TRUE(Evolve(*this, fact.event, at).ok());
    return touched_;
  }

 private:
  store::Rows& rows_;
  mutable int touched_ = 0;
};

// The costs of the commands of one hold, in a SKU with `holds` others.
std::vector<int> CostsBeside(int holds) {
  store::MemoryRows memory;
  CountingRows rows(&memory);
  rows.Cost(Receive("A", 1'000'000));
  rows.Cost(Receive("B", 10));
  for (int i = 0; i < holds; ++i) rows.Cost(Until(kHour, Reserve("other-" + std::to_string(i), {1}, {"A"})));
  for (int i = 0; i < holds; ++i) rows.Cost(Release("other-" + std::to_string(i), {}));
  for (int i = 0; i < holds; ++i) rows.Cost(Until(kHour, Reserve("active-" + std::to_string(i), {1}, {"A"})));
  std::vector<int> costs = {rows.Cost(Until(kHour, Reserve("h", {1, 1}, {"A", "B"}))),
                            rows.Cost(Extend("h", 2 * kHour)),
                            rows.Cost(Move("h", "A", {"B"})),
                            rows.Cost(Commit("h")),
                            rows.Cost(Ship("h", {{"B", 1}})),
                            rows.Cost(Release("h")),
                            rows.Cost(Reserve("c", {1}, {"A"})),
                            rows.Cost(Cancel("c")),
                            rows.Cost(Cancel("never")),
                            rows.Cost(Count("A", 900'000)),
                            rows.Cost(Send("t", "A", "B", 1)),
                            rows.Cost(Arrive("t", 1))};
  return costs;
}

TEST(Decide, CostsTheSameForAnyNumberOfHolds) {
  const std::vector<int> costs = CostsBeside(0);
  EXPECT_EQ(CostsBeside(2000), costs);
  EXPECT_LE(*std::max_element(costs.begin(), costs.end()), 16);
}

TEST(ReserveStock, WritesItsLevelItsHoldAndItsTimer) {
  store::MemoryRows memory;
  CountingRows rows(&memory);
  rows.Cost(Receive("A", 3));
  const size_t before = memory.size();
  // Four reads to decide (hold, ended hold, cancelled request, level), three to evolve, three writes.
  EXPECT_EQ(rows.Cost(Until(kHour, Reserve("h", {3}, {"A"}))), 4 + 3 + 3);
  EXPECT_EQ(memory.size() - before, 2u);  // the level existed before
}

TEST(StateSchema, NamesItsRows) {
  EXPECT_EQ(StateSchema().Describe(kLevels.Encode({Sku::FromString("boot"), LocationId::FromString("A")})),
            "levels sku=boot location=A");
}

}  // namespace
}  // namespace halles::inventory
