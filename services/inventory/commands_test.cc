// Tests of the stock rules: every refusal in the order of the enum, then the decisions on stock.
#include "services/inventory/commands.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

using ::testing::ElementsAre;

const UnitsList kThreeAtA = {{"A", 3}};

TEST(Decide, RefusesMalformedCommandsAndNamesTheField) {
  const auto field = [](const auto& request) {
    const auto outcome = Given().When(request);
    outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
    return outcome.Metadata("field");
  };
  EXPECT_EQ(field(v1::ReceiveStockRequest()), "request_id");
  EXPECT_EQ(field(Receive("A", 0)), "units");
  EXPECT_EQ(field(Count("A", -1)), "counted_units");
  EXPECT_EQ(field(Adjust("A", 0)), "delta_units");
  EXPECT_EQ(field(Allow("", 1)), "location_id");
  EXPECT_EQ(field(Reserve("h", {}, {"A"})), "lines");
  EXPECT_EQ(field(Reserve("h", {1, 0}, {"A"})), "lines[1].units");
  EXPECT_EQ(field(Reserve("h", {1}, {})), "lines[0].candidate_location_ids");
  EXPECT_EQ(field(Reserve("h", {1}, std::vector<std::string>(1, std::string(65, 'a')))), "candidate_location_ids[0]");
  EXPECT_EQ(field(Replacing("h", Reserve("h", {1}, {"A"}))), "replaces_hold_id");
  EXPECT_EQ(field(Extend("", 1)), "hold_id");
  EXPECT_EQ(field(Move("h", "A", {})), "candidate_location_ids");
  EXPECT_EQ(field(Release("h", {{"A", 1}, {"A", 1}})), "allocations[1].location_id");
  EXPECT_EQ(field(Commit("h", "")), "order_id");
  EXPECT_EQ(field(Ship("h", {{"A", 0}})), "allocations[0].units");
  EXPECT_EQ(field(Cancel("h", "")), "cancelled_request_id");
  EXPECT_EQ(field(Return("A", 0, 0)), "unusable_units");
  EXPECT_EQ(field(Send("t", "A", "A", 1)), "to_location_id");
  EXPECT_EQ(field(Arrive("t", 0, 0)), "lost_units");
}

TEST(ReserveStock, IsRefusedWithTooManyLocations) {
  v1::ReserveStockRequest request = Reserve("h", {1, 1}, {});
  for (int i = 0; i < 65; ++i) request.mutable_lines(i % 2)->add_candidate_location_ids("L" + std::to_string(i));
  Given().When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ReserveStock, IsRefusedWithoutAnExpiryUnlessItsOwnerEndsIt) {
  v1::ReserveStockRequest request = Reserve("h", {1}, {"A"});
  request.set_purpose(v1::HOLD_PURPOSE_CART);
  const auto outcome = Given({Received("A", 1)}).When(request);
  outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  EXPECT_EQ(outcome.Metadata("field"), "expire_time");
  Given({Received("A", 1)}).When(Until(401 * 24 * kHour, request)).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ReserveStock, IsRefusedWithACustomerInClear) {
  v1::ReserveStockRequest request = Reserve("h", {1}, {"A"});
  request.mutable_owner()->mutable_customer()->set_value("ann@example.com");
  Given({Received("A", 1)}).When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ReserveStock, IsRefusedWhenItsCancellationArrivedFirst) {
  Given({Received("A", 1), Cancelled("h", "do-h")})
      .When(Reserve("h", {1}, {"A"}))
      .ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(ReserveStock, IsRefusedWhenItsRequestIdWasCancelledForAnotherHold) {
  Given({Received("A", 1), Cancelled("other", "do-h")})
      .When(Reserve("h", {1}, {"A"}))
      .ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(MoveHold, IsRefusedWhenItsReversalArrivedFirst) {
  Given({Received("A", 1), Held("h", {{"A", 1}}), MoveCancelled("h", "move")})
      .When(Move("h", "A", {"B"}))
      .ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(ReserveStock, IsRefusedWhenTheHoldExists) {
  const GivenStock given =
      Given({Received("A", 9), Held("h", {{"A", 1}}), Held("gone", {{"A", 1}}), Released("gone", {{"A", 1}})});
  given.When(Reserve("h", {1}, {"A"})).ThenRejected(v1::REJECT_REASON_HOLD_EXISTS);
  given.When(Reserve("gone", {1}, {"A"})).ThenRejected(v1::REJECT_REASON_HOLD_EXISTS);
}

TEST(Decide, RefusesAnUnknownHold) {
  const GivenStock given = Given({Received("A", 9)});
  given.When(Replacing("x", Reserve("h", {1}, {"A"}))).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Extend("x", 60)).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Move("x", "A", {"B"})).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Release("x")).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Commit("x")).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Ship("x")).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
  given.When(Send("t", "A", "B", 1, "x")).ThenRejected(v1::REJECT_REASON_HOLD_UNKNOWN);
}

TEST(Decide, RefusesAHoldThatHasEnded) {
  const GivenStock given = Given({Received("A", 9), Held("h", kThreeAtA), Released("h", kThreeAtA)});
  given.When(Extend("h", 60)).ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
  given.When(Move("h", "A", {"B"})).ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
  given.When(Commit("h")).ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
  given.When(Ship("h")).ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
  given.When(Send("t", "A", "B", 1, "h")).ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
}

TEST(ReserveStock, IsRefusedAsAReplacementOfASale) {
  Given({Received("A", 9), Held("sold", kThreeAtA), Committed("sold", kThreeAtA)})
      .When(Replacing("sold", Reserve("h", {3}, {"A"})))
      .ThenRejected(v1::REJECT_REASON_HOLD_ENDED);
}

TEST(ReserveStock, IsRefusedAsAReplacementOfAnothersHold) {
  Given({Received("A", 9), HeldFor(v1::HOLD_PURPOSE_CART, "cart/x", "cart", kThreeAtA)})
      .When(Replacing("cart", Reserve("h", {3}, {"A"})))
      .ThenRejected(v1::REJECT_REASON_HOLD_NOT_OWNED);
  v1::ReserveStockRequest merged = Replacing("cart", Reserve("h", {3}, {"A"}));
  merged.set_replaces_owner_id("y");
  Given({Received("A", 9), HeldFor(v1::HOLD_PURPOSE_CART, "cart/x", "cart", kThreeAtA)})
      .When(merged)
      .ThenRejected(v1::REJECT_REASON_HOLD_NOT_OWNED);
  Given({Received("A", 9), HeldFor(v1::HOLD_PURPOSE_OFFLINE_ALLOTMENT, "till/o", "till", kThreeAtA)})
      .When(Replacing("till", Reserve("h", {3}, {"A"})))
      .ThenRejected(v1::REJECT_REASON_HOLD_NOT_OWNED);
}

TEST(CommitHold, IsRefusedForTheSaleOfAnotherOrder) {
  Given({Received("A", 9), Held("h", kThreeAtA), Committed("h", kThreeAtA)})
      .When(Commit("h", "another"))
      .ThenRejected(v1::REJECT_REASON_HOLD_NOT_OWNED);
}

TEST(SendTransfer, IsRefusedFromAHoldForAnotherPurpose) {
  Given({Received("A", 9), Held("h", kThreeAtA)})
      .When(Send("t", "A", "B", 3, "h"))
      .ThenRejected(v1::REJECT_REASON_HOLD_NOT_OWNED);
}

TEST(ShipStock, IsRefusedBeforeTheHoldIsASale) {
  Given({Received("A", 9), Held("h", kThreeAtA)}).When(Ship("h")).ThenRejected(v1::REJECT_REASON_HOLD_NOT_COMMITTED);
}

TEST(Decide, RefusesToTakeMoreThanIsHeldThere) {
  const GivenStock held = Given({Received("A", 9), Held("h", kThreeAtA)});
  held.When(Move("h", "B", {"A"})).ThenRejected(v1::REJECT_REASON_NOT_HELD_THERE);
  held.When(Move("h", "A", {"B"}, 4)).ThenRejected(v1::REJECT_REASON_NOT_HELD_THERE);
  held.When(Release("h", {{"A", 4}})).ThenRejected(v1::REJECT_REASON_NOT_HELD_THERE);
  Given({Received("A", 9), Held("h", kThreeAtA), Committed("h", kThreeAtA)})
      .When(Ship("h", {{"A", 3}, {"B", 1}}))
      .ThenRejected(v1::REJECT_REASON_NOT_HELD_THERE);
  Given({Received("A", 9), HeldFor(v1::HOLD_PURPOSE_TRANSFER, "transfer/t", "h", kThreeAtA)})
      .When(Send("t", "A", "B", 4, "h"))
      .ThenRejected(v1::REJECT_REASON_NOT_HELD_THERE);
}

TEST(Decide, RefusesAnExpiryInThePast) {
  const GivenStock given = Given({Received("A", 9), HeldUntil(kHour, "h", kThreeAtA)});
  given.When(Until(0, Reserve("new", {1}, {"A"}))).ThenRejected(v1::REJECT_REASON_EXPIRY_IN_THE_PAST);
  given.When(Extend("h", 0)).ThenRejected(v1::REJECT_REASON_EXPIRY_IN_THE_PAST);
}

TEST(SendTransfer, IsRefusedWhenItExistsWithOtherContent) {
  Given({Received("A", 9), Sent("t", "A", "B", 1)})
      .When(Send("t", "A", "B", 2))
      .ThenRejected(v1::REJECT_REASON_TRANSFER_EXISTS);
}

TEST(ReceiveTransfer, IsRefusedWhenNothingWasSent) {
  Given().When(Arrive("t", 1)).ThenRejected(v1::REJECT_REASON_TRANSFER_UNKNOWN);
}

TEST(ReceiveTransfer, IsRefusedBeyondTheUnitsSent) {
  GivenStock given = Given({Received("A", 9), Sent("t", "A", "B", 4)});
  given.When(Arrive("t", 4, 1)).ThenRejected(v1::REJECT_REASON_TRANSFER_EXCEEDED);
  given.Record(Arrive("t", 2, 1));
  const auto outcome = given.When(Arrive("t", 2));
  outcome.ThenRejected(v1::REJECT_REASON_TRANSFER_EXCEEDED);
  EXPECT_EQ(outcome.Metadata("left_units"), "1");
}

TEST(CountStock, IsRefusedWhenTheRecordedStockHasChanged) {
  v1::CountStockRequest request = Count("A", 8);
  request.set_expected_units(10);
  const auto outcome = Given({Received("A", 9)}).When(request);
  outcome.ThenRejected(v1::REJECT_REASON_COUNT_IS_STALE);
  EXPECT_EQ(outcome.Metadata("on_hand_units"), "9");
}

TEST(AllowBackorder, IsRefusedBelowThePromisedUnits) {
  GivenStock given = Given({Received("A", 1), Backordered("A", 5), Held("h", kThreeAtA)});
  given.When(Allow("A", 1)).ThenRejected(v1::REJECT_REASON_BACKORDER_IN_USE);
  given.When(Allow("A", 2)).ThenEvents({Backordered("A", 2, 5)});
}

TEST(AdjustStock, IsRefusedBelowZero) {
  Given({Received("A", 9)}).When(Adjust("A", -10)).ThenRejected(v1::REJECT_REASON_ON_HAND_WOULD_BE_NEGATIVE);
}

TEST(ShipStock, IsRefusedBeyondTheUnitsOnHand) {
  Given({Received("A", 1), Backordered("A", 5), Held("h", kThreeAtA), Committed("h", kThreeAtA)})
      .When(Ship("h"))
      .ThenRejected(v1::REJECT_REASON_ON_HAND_WOULD_BE_NEGATIVE);
}

TEST(Decide, RefusesUnitsBeyondTheRange) {
  const GivenStock given = Given({Received("A", kUnitsMax), Received("B", 2), Sent("t", "B", "A", 1)});
  given.When(Receive("A", 1)).ThenRejected(v1::REJECT_REASON_UNITS_OVERFLOW);
  given.When(Adjust("A", 1)).ThenRejected(v1::REJECT_REASON_UNITS_OVERFLOW);
  given.When(Return("A", 1)).ThenRejected(v1::REJECT_REASON_UNITS_OVERFLOW);
  given.When(Arrive("t", 1)).ThenRejected(v1::REJECT_REASON_UNITS_OVERFLOW);
  given.When(Arrive("t", 0, 1)).response();
  Given({Received("A", kUnitsMax), Sent("t", "A", "B", kUnitsMax), Received("A", 1)})
      .When(Send("u", "A", "B", 1))
      .ThenRejected(v1::REJECT_REASON_UNITS_OVERFLOW);
}

TEST(ReserveStock, IsRefusedBeyondTheAvailableUnitsAndStatesThem) {
  const auto outcome = Given({Received("A", 2), Received("B", 1)}).When(Reserve("h", {3}, {"A", "B"}));
  outcome.ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
  EXPECT_EQ(outcome.Metadata("lines"), "0");
  EXPECT_EQ(outcome.Metadata("line_0_asked_units"), "3");
  EXPECT_EQ(outcome.Metadata("line_0_available_units"), "3");
  EXPECT_EQ(outcome.Metadata("line_0_largest_units"), "2");
}

TEST(ReserveStock, DecidesOnAllLinesTogether) {
  const auto outcome = Given({Received("A", 3)}).When(Reserve("h", {2, 2, 1}, {"A"}));
  outcome.ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
  EXPECT_EQ(outcome.Metadata("lines"), "1");
  EXPECT_EQ(outcome.Metadata("line_1_available_units"), "1");
}

TEST(ReserveStock, NamesAtMostTwentyFailingLines) {
  const auto outcome = Given().When(Reserve("h", std::vector<int64_t>(100, 1), {"A"}));
  outcome.ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
  EXPECT_EQ(outcome.Metadata("line_19_asked_units"), "1");
  EXPECT_EQ(outcome.Metadata("line_20_asked_units"), "");
}

TEST(MoveHold, IsRefusedWhenTheDestinationHasTooFewUnits) {
  Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA), Held("other", {{"B", 1}})})
      .When(Move("h", "A", {"B"}))
      .ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
}

TEST(SendTransfer, IsRefusedForPromisedUnits) {
  const auto outcome =
      Given({Received("A", 4), Backordered("A", 9), Held("h", kThreeAtA)}).When(Send("t", "A", "B", 2));
  outcome.ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
  EXPECT_EQ(outcome.Metadata("available_units"), "1");
}

// Decisions on stock --------------------------------------------------------------------------------------------------

TEST(ReceiveStock, AddsToTheUnitsOnHand) {
  const auto outcome = Given({Received("A", 2)}).When(Receive("A", 3));
  outcome.ThenEvents({Received("A", 3)});
  EXPECT_EQ(outcome.facts()[0].aggregate_id, kSku);
  EXPECT_EQ(outcome.response().level().on_hand_units(), 5);
  EXPECT_EQ(outcome.response().level().available_units(), 5);
}

TEST(CountStock, StatesTheRecordedStock) {
  const auto outcome = Given({Received("A", 5)}).When(Count("A", 4));
  outcome.ThenEvents({Counted("A", 4, 5)});
  EXPECT_EQ(outcome.response().expected_units(), 5);
}

TEST(CountStock, IsRecordedEvenWithoutADifference) {
  Given({Received("A", 5)}).When(Count("A", 5)).ThenEvents({Counted("A", 5, 5)});
}

TEST(CountStock, NamesTheYoungestHoldsThatItBreaks) {
  const GivenStock given =
      Given({Received("A", 6), Held("old", {{"A", 2}}), Held("young", {{"A", 2}}), Held("elsewhere", {{"A", 1}}),
             Moved("elsewhere", {{"A", 1}}, {}), Held("youngest", {{"A", 1}})});
  const auto outcome = given.When(Count("A", 3));
  outcome.ThenEvents({Counted("A", 3, 6), Broken("A", 2, {"youngest", "young"})});
  EXPECT_EQ(outcome.response().level().short_units(), 2);
  EXPECT_EQ(outcome.response().level().available_units(), 0);
}

TEST(CountStock, NamesABrokenHoldOnce) {
  GivenStock given = Given({Received("A", 4), Held("old", {{"A", 2}}), Held("young", {{"A", 2}})});
  given.Record(Count("A", 2)).ThenEvents({Counted("A", 2, 4), Broken("A", 2, {"young"})});
  given.Record(Count("A", 2)).ThenEvents({Counted("A", 2, 2)});
  given.Record(Count("A", 1)).ThenEvents({Counted("A", 1, 2), Broken("A", 3, {"old"})});
  given.Record(Count("A", 9)).ThenEvents({Counted("A", 9, 1)});
}

TEST(AdjustStock, NamesTheHoldsThatItBreaks) {
  v1::StockEvent adjusted;
  adjusted.mutable_stock_adjusted()->set_location_id("A");
  adjusted.mutable_stock_adjusted()->set_delta_units(-1);
  adjusted.mutable_stock_adjusted()->set_reason(v1::ADJUST_REASON_DAMAGED);
  Given({Received("A", 3), Held("h", kThreeAtA)}).When(Adjust("A", -1)).ThenEvents({adjusted, Broken("A", 1, {"h"})});
}

TEST(AllowBackorder, DoesNothingWithoutAChange) { Given({Backordered("A", 2)}).When(Allow("A", 2)).ThenNothing(); }

TEST(ReturnStock, RecordsUnusableUnitsButDoesNotAddThem) {
  const auto outcome = Given({Received("A", 1)}).When(Return("A", 2, 3));
  EXPECT_EQ(outcome.facts()[0].event.stock_returned().unusable_units(), 3);
  EXPECT_EQ(outcome.response().level().on_hand_units(), 3);
}

TEST(SendTransfer, MovesUnitsFromOnHandIntoTransit) {
  const auto outcome = Given({Received("A", 5)}).When(Send("t", "A", "B", 2));
  outcome.ThenEvents({Sent("t", "A", "B", 2)});
  EXPECT_EQ(outcome.response().from_level().on_hand_units(), 3);
  EXPECT_EQ(outcome.response().to_level().in_transit_units(), 2);
  EXPECT_EQ(outcome.response().to_level().available_units(), 0);
}

TEST(SendTransfer, DoesNothingWhenRepeated) {
  Given({Received("A", 5), Sent("t", "A", "B", 2)}).When(Send("t", "A", "B", 2)).ThenNothing();
}

TEST(SendTransfer, TakesUnitsFromAHold) {
  GivenStock given = Given({Received("A", 3), HeldFor(v1::HOLD_PURPOSE_TRANSFER, "transfer/t", "h", kThreeAtA)});
  given.Record(Send("t", "A", "B", 2, "h")).ThenEvents({Sent("t", "A", "B", 2, "h")});
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 1);
  given.Record(Send("u", "A", "B", 1, "h"));
  EXPECT_EQ(LevelIn(given.rows(), "A").on_hand(), 0);
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_SHIPPED);
}

TEST(ReceiveTransfer, AddsReceivedUnitsAndDropsLostOnes) {
  GivenStock given = Given({Received("A", 5), Sent("t", "A", "B", 4)});
  const auto outcome = given.Record(Arrive("t", 2, 1));
  EXPECT_EQ(outcome.response().level().on_hand_units(), 2);
  EXPECT_EQ(outcome.response().level().in_transit_units(), 1);
  given.Record(Arrive("t", 1));
  EXPECT_EQ(LevelIn(given.rows(), "B").on_hand(), 3);
  EXPECT_EQ(LevelIn(given.rows(), "B").in_transit(), 0);
}

TEST(Decide, ReportsRowsThatCannotBeRead) {
  store::MemoryRows rows;
  rows.FailReads(absl::DataLossError("damaged"));
  Decide(rows, Receive("A", 1), partition::CommandContext()).IgnoreError();
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace halles::inventory
