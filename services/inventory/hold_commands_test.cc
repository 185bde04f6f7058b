// Tests of decisions on holds: locations, replacement, ends, and late copies without effect.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/request_id.h"
#include "libs/partition/runtime_tables.h"
#include "services/inventory/commands.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const UnitsList kThreeAtA = {{"A", 3}};

TEST(ReserveStock, TakesTheFirstCandidateWithAllUnits) {
  const auto outcome =
      Given({Received("A", 2), Received("B", 3), Received("C", 9)}).When(Reserve("h", {3}, {"A", "B", "C"}));
  outcome.ThenEvents({Held("h", {{"B", 3}})});
  EXPECT_EQ(outcome.response().hold().state(), v1::HOLD_STATE_HELD);
  EXPECT_THAT(ListOf(outcome.response().line_plans(0).allocations()), ElementsAre(Units("B", 3)));
}

TEST(ReserveStock, SplitsInOrderOfPreferenceWhenAllowed) {
  const auto outcome = Given({Received("A", 2), Received("B", 3)}).When(ReserveSplit("h", {4}, {"B", "A"}));
  outcome.ThenEvents({Held("h", {{"A", 1}, {"B", 3}})});
  EXPECT_THAT(ListOf(outcome.response().line_plans(0).allocations()), ElementsAre(Units("B", 3), Units("A", 1)));
}

TEST(ReserveStock, TriesOtherPlacementsWhenTheFirstChoiceFails) {
  v1::ReserveStockRequest request = Reserve("h", {2, 2}, {"A", "B"});
  request.mutable_lines(1)->add_candidate_location_ids("A");
  const auto outcome = Given({Received("A", 2), Received("B", 2)}).When(request);
  outcome.ThenEvents({Held("h", {{"A", 2}, {"B", 2}})});
  EXPECT_THAT(ListOf(outcome.response().line_plans(0).allocations()), ElementsAre(Units("B", 2)));
  EXPECT_THAT(ListOf(outcome.response().line_plans(1).allocations()), ElementsAre(Units("A", 2)));
}

TEST(ReserveStock, MayPromiseUpToTheAllowedBackorder) {
  const GivenStock given = Given({Received("A", 1), Backordered("A", 2)});
  given.When(Reserve("h", {3}, {"A"})).ThenEvents({Held("h", kThreeAtA)});
  given.When(Reserve("h", {4}, {"A"})).ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
}

TEST(ReserveStock, CountsTheReplacedHoldAsFree) {
  const GivenStock given = Given({Received("A", 3), HeldFor(v1::HOLD_PURPOSE_CART, "cart/o", "cart", {{"A", 2}})});
  v1::StockEvent held = Held("h", kThreeAtA);
  held.mutable_stock_held()->set_replaced_hold_id("cart");
  *held.mutable_stock_held()->mutable_replaced_allocations() = At({{"A", 2}});
  given.When(Replacing("cart", Reserve("h", {3}, {"A"}))).ThenEvents({held});
  GivenStock after = given;
  after.Record(Replacing("cart", Reserve("h", {3}, {"A"})));
  EXPECT_EQ(LevelIn(after.rows(), "A").held(), 3);
  EXPECT_EQ(HoldIn(after.rows(), "cart").state(), v1::HOLD_STATE_RELEASED);
}

TEST(ReserveStock, ReplacesTheHoldOfACartThatWasMerged) {
  v1::ReserveStockRequest request = Replacing("guest", Reserve("h", {3}, {"A"}));
  request.set_replaces_owner_id("g");
  GivenStock given = Given({Received("A", 3), HeldFor(v1::HOLD_PURPOSE_CART, "cart/g", "guest", {{"A", 2}})});
  given.Record(request);
  EXPECT_EQ(HoldIn(given.rows(), "guest").state(), v1::HOLD_STATE_RELEASED);
}

TEST(ReserveStock, IgnoresAReplacedHoldThatHasEnded) {
  const GivenStock given = Given({Received("A", 3), HeldUntil(-1, "cart", {{"A", 2}}), Expired("cart", {{"A", 2}})});
  given.When(Replacing("cart", Reserve("h", {3}, {"A"}))).ThenEvents({Held("h", kThreeAtA)});
}

TEST(ReserveStock, KeepsTheOldHoldWhenItIsRefused) {
  const GivenStock given = Given({Received("A", 3), HeldFor(v1::HOLD_PURPOSE_CART, "cart/o", "cart", {{"A", 2}})});
  given.When(Replacing("cart", Reserve("h", {4}, {"A"}))).ThenRejected(v1::REJECT_REASON_INSUFFICIENT_STOCK);
}

TEST(ReserveStock, WritesThreeRowsWithAnExpiry) {
  GivenStock given = Given({Received("A", 3)});
  const size_t before = given.rows().size();
  given.Record(Until(kHour, Reserve("h", {3}, {"A"})));
  EXPECT_EQ(given.rows().size() - before, 2u);  // hold and timer; the level existed before
}

TEST(ExtendHold, ChangesTheExpiry) {
  GivenStock given = Given({Received("A", 3), HeldUntil(60, "h", kThreeAtA)});
  const auto outcome = given.Record(Extend("h", kHour));
  EXPECT_EQ(outcome.response().hold().expire_time().seconds(), After(kHour).seconds());
  EXPECT_EQ(HoldIn(given.rows(), "h").expire_us(), kNow + kHour * 1'000'000);
  given.When(Extend("h", kHour)).ThenNothing();
}

TEST(ExtendHold, DoesNothingToAHoldWithoutExpiry) {
  Given({Received("A", 3), Held("h", kThreeAtA)}).When(Extend("h", kHour)).ThenNothing();
  Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA)}).When(Extend("h", kHour)).ThenNothing();
}

TEST(ExpireHold, ReleasesTheUnitsOfAnExpiredHold) {
  GivenStock given = Given({Received("A", 3), HeldUntil(0, "h", kThreeAtA)});
  given.Record(Expire("h")).ThenEvents({Expired("h", kThreeAtA)});
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_EXPIRED);
  given.When(Expire("h")).ThenNothing();
}

TEST(ExpireHold, DoesNothingBeforeTheExpiryOrToASale) {
  Given({Received("A", 3), HeldUntil(1, "h", kThreeAtA)}).When(Expire("h")).ThenNothing();
  Given({Received("A", 3), HeldUntil(0, "h", kThreeAtA), Committed("h", kThreeAtA)}).When(Expire("h")).ThenNothing();
  Given().When(Expire("h")).ThenNothing();
  Given().When(v1::ExpireHoldRequest()).ThenNothing();
}

TEST(CommitHold, TurnsAHoldIntoASaleThatNeverExpires) {
  GivenStock given = Given({Received("A", 3), HeldUntil(60, "h", kThreeAtA)});
  const auto outcome = given.Record(Commit("h"));
  outcome.ThenEvents({Committed("h", kThreeAtA)});
  EXPECT_FALSE(outcome.response().hold().has_expire_time());
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(LevelIn(given.rows(), "A").committed(), 3);
  given.When(Commit("h")).ThenNothing();
}

TEST(CommitHold, DoesNothingAfterTheGoodsHaveLeft) {
  Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA), Shipped("h", kThreeAtA)})
      .When(Commit("h"))
      .ThenNothing();
}

TEST(ReleaseHold, ReleasesAHoldOrASaleInWholeOrInPart) {
  GivenStock given = Given({Received("A", 9), Held("h", kThreeAtA), Held("s", kThreeAtA), Committed("s", kThreeAtA)});
  given.Record(Release("h", {{"A", 1}})).ThenEvents({Released("h", {{"A", 1}}, /*ended=*/false)});
  given.Record(Release("h")).ThenEvents({Released("h", {{"A", 2}})});
  given.When(Release("h")).ThenNothing();
  given.Record(Release("s")).ThenEvents({Released("s", kThreeAtA, /*ended=*/true, /*committed=*/true)});
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(LevelIn(given.rows(), "A").committed(), 0);
}

TEST(ShipStock, ReducesTheSaleAndTheUnitsOnHand) {
  GivenStock given = Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA)});
  given.Record(Ship("h", {{"A", 1}})).ThenEvents({Shipped("h", {{"A", 1}}, /*ended=*/false)});
  given.Record(Ship("h"));
  EXPECT_EQ(LevelIn(given.rows(), "A").on_hand(), 0);
  EXPECT_EQ(LevelIn(given.rows(), "A").committed(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_SHIPPED);
}

TEST(MoveHold, HoldsThereAndReleasesHereInOneEvent) {
  GivenStock given = Given({Received("A", 3), Received("B", 2), Received("C", 3), Held("h", kThreeAtA)});
  const auto outcome = given.Record(Move("h", "A", {"B", "C"}));
  outcome.ThenEvents({Moved("h", kThreeAtA, {{"C", 3}}, "move")});
  EXPECT_THAT(ListOf(outcome.response().hold().allocations()), ElementsAre(Units("C", 3)));
  EXPECT_THAT(ListOf(outcome.response().moved_to()), ElementsAre(Units("C", 3)));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(LevelIn(given.rows(), "C").held(), 3);
}

TEST(MoveHold, MovesPartOrAllOfIt) {
  const GivenStock given = Given({Received("A", 2), Received("B", 3), Held("h", {{"A", 2}, {"B", 1}})});
  given.When(Move("h", "A", {"B"}, 1)).ThenEvents({Moved("h", {{"A", 1}}, {{"B", 1}}, "move")});
  given.When(Move("h", "", {"B"})).ThenEvents({Moved("h", {{"A", 2}}, {{"B", 2}}, "move")});
  given.When(Move("h", "B", {"B"})).ThenNothing();
}

TEST(MoveHold, MovesASale) {
  GivenStock given = Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA)});
  given.Record(Move("h", "A", {"B"}));
  EXPECT_EQ(LevelIn(given.rows(), "B").committed(), 3);
  EXPECT_EQ(LevelIn(given.rows(), "A").committed(), 0);
}

TEST(MoveHold, ReversesAnotherMove) {
  GivenStock given = Given({Received("A", 3), Received("B", 5), Held("h", {{"A", 3}, {"B", 1}})});
  given.Record(Move("h", "A", {"B"}));
  given.Record(TakeBack("h")).ThenEvents({Moved("h", {{"B", 3}}, {{"A", 3}}), MoveCancelled("h", "move")});
  EXPECT_THAT(ListOf(HoldIn(given.rows(), "h").allocations()), ElementsAre(Units("A", 3), Units("B", 1)));
  given.When(TakeBack("h")).ThenNothing();
  given.When(Move("h", "A", {"B"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(MoveHold, ReversesAMoveThatHasNotArrived) {
  GivenStock given = Given({Received("A", 3), Received("B", 5), Held("h", {{"A", 3}, {"B", 1}})});
  given.Record(TakeBack("h")).ThenEvents({MoveCancelled("h", "move")});
  given.When(Move("h", "A", {"B"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(MoveHold, StaysWhenTheOldLocationIsFull) {
  GivenStock given = Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA)});
  given.Record(Move("h", "A", {"B"}));
  given.Record(Reserve("quick", {1}, {"A"}));
  const auto outcome = given.Record(TakeBack("h"));
  outcome.ThenEvents({MoveCancelled("h", "move")});
  EXPECT_THAT(outcome.response().moved_to(), IsEmpty());
  EXPECT_THAT(ListOf(outcome.response().hold().allocations()), ElementsAre(Units("B", 3)));
}

// A saga asks until the move is reversed. The hold may have ended without it.
TEST(MoveHold, ReversesAMoveOfAHoldThatHasEnded) {
  GivenStock given = Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA)});
  given.Record(Move("h", "A", {"B"}));
  given.Record(Release("h"));
  const auto outcome = given.Record(TakeBack("h"));
  outcome.ThenEvents({MoveCancelled("h", "move")});
  EXPECT_THAT(outcome.response().moved_to(), IsEmpty());
  EXPECT_EQ(outcome.response().hold().state(), v1::HOLD_STATE_RELEASED);
  given.When(TakeBack("h")).ThenNothing();
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_RELEASED);
  EXPECT_EQ(LevelIn(given.rows(), "A").held() + LevelIn(given.rows(), "B").held(), 0);
  given.When(Move("h", "A", {"B"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(MoveHold, ReversesAMoveOfAnUnknownHoldAndLeavesTheHoldToCome) {
  GivenStock given = Given({Received("A", 3)});
  const auto outcome = given.Record(TakeBack("h"));
  outcome.ThenEvents({MoveCancelled("h", "move")});
  EXPECT_FALSE(outcome.response().has_hold());
  given.When(TakeBack("h")).ThenNothing();
  given.Record(Reserve("h", {3}, {"A"}));
  given.When(Move("h", "A", {"B"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(MoveHold, ReversesAMoveEvenIfTheReversalWasCancelledItself) {
  GivenStock given = Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA), MoveCancelled("h", "take-back")});
  given.Record(Move("h", "A", {"B"}));
  given.Record(TakeBack("h")).ThenEvents({Moved("h", {{"B", 3}}, {{"A", 3}}), MoveCancelled("h", "move")});
}

TEST(MoveHold, RemembersOnlyItsLastMoves) {
  GivenStock given = Given({Received("A", 3), Received("B", 3), Held("h", kThreeAtA)});
  for (int i = 0; i <= kMovesKept; ++i) {
    v1::MoveHoldRequest move = i % 2 == 0 ? Move("h", "A", {"B"}) : Move("h", "B", {"A"});
    move.set_request_id("move-" + std::to_string(i));
    given.Record(move);
  }
  EXPECT_EQ(HoldIn(given.rows(), "h").moves_size(), kMovesKept);
  EXPECT_EQ(HoldIn(given.rows(), "h").moves(0).request_id(), "move-1");
}

TEST(CancelReservation, ReleasesTheHoldOfTheRequest) {
  GivenStock given = Given({Received("A", 3), Held("h", kThreeAtA)});
  const auto outcome = given.Record(Cancel("h"));
  outcome.ThenEvents({Cancelled("h", "do-h", kThreeAtA)});
  EXPECT_TRUE(outcome.response().released());
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  given.When(Cancel("h")).ThenNothing();
  given.When(Reserve("h", {3}, {"A"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(CancelReservation, ReleasesASaleToo) {
  GivenStock given = Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA)});
  given.Record(Cancel("h")).ThenEvents({Cancelled("h", "do-h", kThreeAtA, /*committed=*/true)});
  EXPECT_EQ(LevelIn(given.rows(), "A").committed(), 0);
}

TEST(CancelReservation, MakesALaterRequestIneffective) {
  GivenStock given = Given({Received("A", 3)});
  const auto outcome = given.Record(Cancel("h"));
  outcome.ThenEvents({Cancelled("h", "do-h")});
  EXPECT_FALSE(outcome.response().released());
  given.When(Reserve("h", {3}, {"A"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
}

// A tombstone stays as long as a late copy of the request can be executed, and no longer.
TEST(CancelReservation, IsForgottenOnceNoLateCopyCanCome) {
  GivenStock given = Given({Received("A", 10), Held("made", kThreeAtA)});
  const auto step = [start = given.now()](const std::string& hold) { return StepRequestId(start, hold, "s0"); };
  const auto tombstones = [&given] {
    size_t count = 0;
    kCancelled.ForEach(given.rows(), [&count](const CancelledKey&, const rows::CancelledRow&, Position) {
      ++count;
      return true;
    });
    return count;
  };
  given.Record(Cancel("for ever"));
  given.Record(Cancel("made", step("made")));
  for (int i = 0; i < 10; ++i) given.Record(Cancel(absl::StrCat("never-", i), step(absl::StrCat("never-", i))));
  EXPECT_EQ(tombstones(), 12u);

  given.Wait(kSagaLifeMicros - 1);
  given.Record(Cancel("x", StepRequestId(given.now(), "x", "s0")));
  EXPECT_EQ(tombstones(), 13u);
  v1::ReserveStockRequest late = Reserve("never-0", {3}, {"A"});
  late.set_request_id(step("never-0"));
  given.When(late).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);

  given.Wait(1);
  for (int i = 0; i < 3; ++i) {
    const std::string hold = absl::StrCat("y-", i);
    given.Record(Cancel(hold, StepRequestId(given.now(), hold, "s0")));
  }
  EXPECT_EQ(tombstones(), 5u) << "eleven went with three records";
  EXPECT_EQ(HoldIn(given.rows(), "never-0").state(), v1::HOLD_STATE_UNSPECIFIED) << "it never was";
  EXPECT_EQ(HoldIn(given.rows(), "made").state(), v1::HOLD_STATE_HELD) << "of another request";
  given.When(Reserve("for ever", {1}, {"A"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(CancelReservation, OfARequestThatIsOverLeavesNothingBehind) {
  GivenStock given = Given({Received("A", 3)});
  const size_t before = given.rows().size();
  const std::string over = StepRequestId(given.now(), "saga", "s0");
  given.Wait(kSagaLifeMicros);
  given.Record(Cancel("h", over)).ThenEvents({Cancelled("h", over)});
  given.Record(Cancel("h", over)).ThenEvents({Cancelled("h", over)});
  EXPECT_EQ(given.rows().size(), before);
}

TEST(CancelReservation, DoesNotChangeAHoldThatHasEnded) {
  GivenStock given =
      Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA), Shipped("h", kThreeAtA)});
  given.Record(Cancel("h")).ThenEvents({Cancelled("h", "do-h")});
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_SHIPPED);
  given.When(Reserve("h", {1}, {"A"})).ThenRejected(v1::REJECT_REASON_RESERVATION_CANCELLED);
}

TEST(CancelReservation, DoesNotReleaseTheHoldOfAnotherRequest) {
  GivenStock given = Given({Received("A", 3), Held("h", kThreeAtA)});
  const auto outcome = given.Record(Cancel("h", "do-another"));
  EXPECT_FALSE(outcome.response().released());
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 3);
  EXPECT_EQ(HoldIn(given.rows(), "h").state(), v1::HOLD_STATE_HELD);
}

TEST(CancelReservation, RestoresTheReplacedHold) {
  GivenStock given = Given({Received("A", 2), Received("B", 5)});
  given.Record(Until(60, Reserve("cart", {2}, {"A"})));
  given.Record(Replacing("cart", Reserve("order", {3}, {"B"})));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  given.Record(Cancel("order"));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 2);
  EXPECT_EQ(LevelIn(given.rows(), "B").held(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "cart").state(), v1::HOLD_STATE_HELD);
  EXPECT_EQ(HoldIn(given.rows(), "order").state(), v1::HOLD_STATE_CANCELLED);
  given.Record(Replacing("cart", Reserve("order-2", {2}, {"A"})));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 2);
}

TEST(CancelReservation, DoesNotRestoreAHoldWhoseUnitsAreGone) {
  GivenStock given = Given({Received("A", 2), Received("B", 5)});
  given.Record(Until(60, Reserve("cart", {2}, {"A"})));
  given.Record(Replacing("cart", Reserve("order", {3}, {"B"})));
  given.Record(Reserve("another", {1}, {"A"}));
  given.Record(Cancel("order"));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 1);
  EXPECT_EQ(HoldIn(given.rows(), "cart").state(), v1::HOLD_STATE_RELEASED);
}

TEST(CancelReservation, DoesNotRestoreAHoldThatWasCancelledItself) {
  GivenStock given = Given({Received("A", 2)});
  given.Record(Until(60, Reserve("cart", {2}, {"A"})));
  given.Record(Replacing("cart", Reserve("order", {2}, {"A"})));
  given.Record(Cancel("cart"));
  given.Record(Cancel("order"));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0) << "held for nobody";
}

TEST(CancelReservation, DoesNotRestoreAHoldThatWasCancelledLongAgo) {
  GivenStock given = Given({Received("A", 2)});
  v1::ReserveStockRequest cart = Until(90 * 86'400, Reserve("cart", {2}, {"A"}));
  cart.set_request_id(StepRequestId(given.now(), "cart", "s0"));
  given.Record(cart);
  given.Record(Replacing("cart", Reserve("order", {2}, {"A"})));
  given.Record(Cancel("cart", cart.request_id()));
  given.Wait(kSagaLifeMicros);
  given.Record(Cancel("another", StepRequestId(given.now(), "another", "s0")));  // drops what is over
  given.Record(Cancel("order"));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "cart").state(), v1::HOLD_STATE_CANCELLED);
}

TEST(CancelReservation, DoesNotRestoreAnExpiredHold) {
  GivenStock given = Given({Received("A", 2)});
  given.Record(Until(60, Reserve("cart", {2}, {"A"})));
  given.Record(Replacing("cart", Reserve("order", {2}, {"A"})));
  given.Wait(60'000'000);
  given.Record(Cancel("order"));
  EXPECT_EQ(LevelIn(given.rows(), "A").held(), 0);
  EXPECT_EQ(HoldIn(given.rows(), "cart").state(), v1::HOLD_STATE_RELEASED);
}

TEST(Decide, NamesTheCustomerInEveryChangeOfAHold) {
  v1::ReserveStockRequest request = Reserve("h", {3}, {"A"});
  *request.mutable_owner()->mutable_customer() = Customer('c');
  GivenStock given = Given({Received("A", 3), Received("B", 3)});
  given.Record(request);
  const std::string hash = Customer('c').keyed_hash();
  EXPECT_EQ(given.When(Move("h", "A", {"B"})).facts()[0].event.hold_moved().customer().keyed_hash(), hash);
  EXPECT_EQ(given.When(Release("h")).facts()[0].event.hold_released().customer().keyed_hash(), hash);
  EXPECT_EQ(given.When(Cancel("h")).facts()[0].event.reservation_cancelled().customer().keyed_hash(), hash);
  EXPECT_EQ(given.Record(Commit("h")).facts()[0].event.hold_committed().customer().keyed_hash(), hash);
  EXPECT_EQ(given.When(Ship("h")).facts()[0].event.stock_shipped().customer().keyed_hash(), hash);
}

TEST(Evolve, KeepsOneTimerPerHoldWithAnExpiry) {
  const auto timers = [](const GivenStock& given) {
    size_t count = 0;
    const std::string service_tables(1, '\xff');  // the tables of the runtime begin here
    given.rows().Scan(service_tables, "", [&](absl::string_view, const store::Row&) { return ++count > 0; });
    return count;
  };
  GivenStock given = Given({Received("A", 9)});
  given.Record(Until(60, Reserve("h", {3}, {"A"})));
  given.Record(Until(60, Reserve("g", {3}, {"A"})));
  EXPECT_EQ(timers(given), 2u);
  given.Record(Extend("h", kHour));
  EXPECT_EQ(timers(given), 2u);
  given.Record(Commit("h"));
  EXPECT_EQ(timers(given), 1u);
  given.Record(Release("g"));
  EXPECT_EQ(timers(given), 0u);
}

}  // namespace
}  // namespace halles::inventory
