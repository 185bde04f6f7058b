// Tests of the rules of orders placed here: every refusal in the order of the enum, then the recorded events.
#include "services/checkout/order/commands.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/test_builders.h"
#include "services/checkout/return_lines.h"

namespace halles::checkout::order {
namespace {

const std::string kMost = "9223372036854775807";

template <class Request>
Request At(int64_t version, Request request) {
  request.set_expected_version(version);
  return request;
}

v1::CancelOrderRequest CancelOrder() { return Of<v1::CancelOrderRequest>(); }
v1::PrepareFulfilmentRequest Prepare(const std::string& id) { return OfFulfilment<v1::PrepareFulfilmentRequest>(id); }
v1::ReadyFulfilmentRequest Ready(const std::string& id) { return OfFulfilment<v1::ReadyFulfilmentRequest>(id); }
v1::CollectFulfilmentRequest Collect(const std::string& id) { return OfFulfilment<v1::CollectFulfilmentRequest>(id); }
v1::ShipFulfilmentRequest Ship(const std::string& id) { return OfFulfilment<v1::ShipFulfilmentRequest>(id); }
v1::CompleteFulfilmentRequest Complete(const std::string& id) {
  return OfFulfilment<v1::CompleteFulfilmentRequest>(id);
}
v1::CancelFulfilmentRequest CancelPart(const std::string& id) { return OfFulfilment<v1::CancelFulfilmentRequest>(id); }
v1::DelayFulfilmentRequest Delay(const std::string& id, const std::string& cause) {
  v1::DelayFulfilmentRequest request = OfFulfilment<v1::DelayFulfilmentRequest>(id);
  request.set_cause(cause);
  return request;
}

TEST(Orders, AreRefusedWhenMalformed) {
  const GivenOrder given = Placed();
  given.When(v1::PlaceOrderRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(v1::CancelOrderRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Prepare("")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Ready("")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Collect("")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Complete("")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Delay("f1", "")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(MoveTo("f1", "")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::ShipFulfilmentRequest ship = Ship("f1");
  ship.set_tracking_reference(std::string(65, 't'));
  given.When(ship).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::CancelFulfilmentRequest cancel = CancelPart("f1");
  cancel.set_cause(std::string(201, 'c'));
  given.When(cancel).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(Returns, AreRefusedWhenMalformedAndNameTheField) {
  const GivenOrder given = HandedOver();
  given.When(TakeBack("r1", {})).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::ReturnedLine line = BackOf("a", 1);
  line.clear_disposition();
  const auto outcome = given.When(TakeBack("r1", {line}));
  outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  EXPECT_EQ(outcome.Metadata("field"), "lines[0].disposition");
  v1::ExchangeLinesRequest swap = Swap("x1", BackOf("a", 1), "n", "1.00");
  *swap.add_new_lines() = swap.new_lines(0);
  given.When(swap).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  swap.mutable_new_lines()->RemoveLast();
  swap.clear_delivery();
  given.When(swap).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(PlaceOrder, IsRefusedWithoutACart) { GivenOrder().When(Place()).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN); }

TEST(PlaceOrder, IsRefusedWhileTheCartIsMerging) {
  GivenOrder given({CartLineOf("a")}, ShipFrom({"paris"}));
  given.Record(MergeInto(kOrderId, "c-2"));
  given.When(Place()).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
}

TEST(Orders, AreRefusedWhenUnknown) {
  const GivenOrder given({CartLineOf("a")}, ShipFrom({"paris"}));
  given.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
  given.When(Prepare("f1")).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
  given.When(MoveTo("f1", "lyon")).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
  given.When(TakeBack("r1", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
  given.When(Swap("x1", BackOf("a", 1), "n", "1.00")).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
}

TEST(Orders, AreRefusedUnlessConfirmed) {
  GivenOrder placing({CartLineOf("a")}, ShipFrom({"paris"}));
  placing.Record(Place());
  placing.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_NOT_CONFIRMED);
  GivenOrder cancelled = Placed();
  cancelled.Record(CancelOrder());
  cancelled.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_NOT_CONFIRMED);
  cancelled.When(Ship("f1")).ThenRejected(v1::REJECT_REASON_ORDER_NOT_CONFIRMED);
  cancelled.When(TakeBack("r1", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_ORDER_NOT_CONFIRMED);
}

TEST(Orders, AreRefusedForAnotherVersion) {
  GivenOrder given = Placed();
  const int64_t version = given.Order().version();
  given.When(At(version - 1, CancelOrder())).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(At(version + 1, Ship("f1"))).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(At(version - 1, MoveTo("f1", "lyon"))).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  EXPECT_EQ(given.Record(At(version, Ship("f1"))).response().version(), version + 1);
  EXPECT_EQ(given.Order().version(), version + 1);
  GivenOrder open({CartLineOf("a")}, ShipFrom({"paris"}));
  open.When(At(1, Place())).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
}

TEST(Orders, AreRefusedWhileAnExchangeOrARerouteIsUnderWay) {
  GivenOrder moving = Placed();
  moving.Record(MoveTo("f1", "lyon"));
  moving.When(Ship("f1")).ThenRejected(v1::REJECT_REASON_ORDER_BUSY);
  moving.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_BUSY);
  moving.When(MoveTo("f1", "lyon")).ThenRejected(v1::REJECT_REASON_ORDER_BUSY);
  GivenOrder exchanging = HandedOver();
  exchanging.Record(Swap("x1", BackOf("a", 1), "n", "1.00"));
  exchanging.When(Swap("x2", BackOf("a", 1), "m", "1.00")).ThenRejected(v1::REJECT_REASON_ORDER_BUSY);
}

TEST(ExchangeLines, IsRefusedWhenTheLineExists) {
  HandedOver().When(Swap("x1", BackOf("a", 1), "b", "1.00")).ThenRejected(v1::REJECT_REASON_LINE_EXISTS);
}

TEST(Returns, AreRefusedForAnUnknownLine) {
  const GivenOrder given = HandedOver();
  given.When(TakeBack("r1", {BackOf("z", 1)})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
  given.When(Swap("x1", BackOf("z", 1), "n", "1.00")).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
  v1::ReturnedLine other = BackOf("a", 1);
  other.set_sku("hat");
  given.When(TakeBack("r1", {other})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
}

TEST(PlaceOrder, IsRejectedWithAProblemForEachFault) {
  GivenOrder given;
  given.Record(Add(kOrderId, {CartLineOf("a")}));
  given.Record(Change(kOrderId, "a", 0));
  v1::PlaceOrderRequest request = Place();
  *request.mutable_expected_total() = Pence(255);
  const auto outcome = given.When(request);
  outcome.ThenRejected(v1::REJECT_REASON_PLACEMENT_REJECTED);
  EXPECT_EQ(outcome.Metadata("problems"), "3");
  v1::OrderProblems problems;
  const auto payload = outcome.status().GetPayload("type.googleapis.com/halles.checkout.v1.OrderProblems");
  ASSERT_TRUE(payload.has_value());
  ASSERT_TRUE(problems.ParseFromString(std::string(*payload)));
  ASSERT_EQ(problems.problems_size(), 3);
  EXPECT_EQ(problems.problems(0).kind(), v1::PROBLEM_KIND_TOTAL_CHANGED);
  EXPECT_EQ(problems.problems(1).kind(), v1::PROBLEM_KIND_DELIVERY_MISSING);
  EXPECT_EQ(problems.problems(2).kind(), v1::PROBLEM_KIND_CART_EMPTY);
}

TEST(PlaceOrder, IsRejectedWithMoreSkusThanOneSagaCanHold) {
  std::vector<v1::CartLine> lines;
  GivenOrder given({CartLineOf("first")}, ShipFrom({"paris"}));
  for (int i = 0; i < 127; ++i) {
    given.Record(Add(kOrderId, {CartLineOf(absl::StrCat("l", i), 1, "1.00", absl::StrCat("sku-", i))}));
  }
  given.When(Place()).ThenRejected(v1::REJECT_REASON_PLACEMENT_REJECTED);
  given.Record(Change(kOrderId, "first", 0));
  EXPECT_EQ(given.When(Place()).calls().size(), 127u);
}

TEST(CancelOrder, IsRefusedOnceGoodsWereHandedOver) {
  HandedOver().When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_HANDED_OVER);
  GivenOrder shipped = Placed();
  shipped.Record(Ship("f1"));
  shipped.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_HANDED_OVER);
}

TEST(Fulfilments, AreRefusedWhenUnknown) {
  const GivenOrder given = Placed();
  given.When(Prepare("f2")).ThenRejected(v1::REJECT_REASON_FULFILMENT_UNKNOWN);
  given.When(MoveTo("f2", "lyon")).ThenRejected(v1::REJECT_REASON_FULFILMENT_UNKNOWN);
}

TEST(Fulfilments, AreRefusedWhenTheirStateForbidsIt) {
  const GivenOrder given = Placed();
  const auto outcome = given.When(Collect("f1"));
  outcome.ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  EXPECT_EQ(outcome.Metadata("state"), "FULFILMENT_STATE_RESERVED");
  given.When(Ready("f1")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  given.When(Complete("f1")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  const GivenOrder done = HandedOver();
  done.When(Prepare("f1")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  done.When(CancelPart("f1")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  done.When(Delay("f1", "snow")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
  done.When(MoveTo("f1", "lyon")).ThenRejected(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS);
}

TEST(RerouteFulfilment, IsRejectedWhenTheOtherLocationHasTooFewUnits) {
  GivenOrder given = Placed();
  const v1::RerouteFulfilmentResponse begun = given.Record(MoveTo("f1", "lyon")).response();
  given.Refuse("c-1/r1/s1", Insufficient("0", "0"));
  given.AnswerAll();
  EXPECT_EQ(given.Fulfilment("f1").fulfilment().location_id(), "paris");
  const auto outcome = given.AnswerTo(begun);
  EXPECT_EQ(v1::REJECT_REASON_REROUTE_REJECTED, 26);
  EXPECT_EQ(ReasonOf(outcome.status()), "REROUTE_REJECTED");
  const auto kept = kUndertakings.Get(given.rows(), {OrderId::FromString(kOrderId), begun.reroute()});
  ASSERT_EQ(kept->problems_size(), 1);
  EXPECT_EQ(kept->problems(0).line_id(), "b");
}

TEST(Returns, AreRefusedWhenTheIdIsTaken) {
  GivenOrder given = HandedOver();
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  given.When(TakeBack("r1", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
  given.When(Swap("r1", BackOf("a", 1), "n", "1.00")).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
  given.Record(Swap("x1", BackOf("a", 1), "n", "1.00"));
  given.When(TakeBack("x1", {BackOf("b", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
}

TEST(Returns, AreRefusedBeforeTheGoodsWereHandedOver) {
  const GivenOrder given = Placed();
  given.When(TakeBack("r1", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_NOT_HANDED_OVER);
  given.When(Swap("x1", BackOf("a", 1), "n", "1.00")).ThenRejected(v1::REJECT_REASON_NOT_HANDED_OVER);
}

TEST(Returns, AreRefusedBeyondTheUnitsBought) {
  GivenOrder given = HandedOver();
  given.When(TakeBack("r1", {BackOf("a", 4)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.When(TakeBack("r1", {BackOf("a", 2), BackOf("a", 2)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.Record(TakeBack("r1", {BackOf("a", 2)}));
  const auto outcome = given.When(TakeBack("r2", {BackOf("a", 2)}));
  outcome.ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(outcome.Metadata("returnable_units"), "1");
}

TEST(ExchangeLines, IsRejectedAndChangesNothingWhenInventoryRefuses) {
  GivenOrder given = HandedOver();
  const v1::ExchangeLinesRequest swap = Swap("x1", BackOf("a", 1), "n", "12.00");
  const v1::ExchangeLinesResponse begun = given.Record(swap).response();
  EXPECT_FALSE(given.AnswerTo(begun)->has_value());
  given.Refuse("c-1/x1/s0", Insufficient("0", "0"));
  given.AnswerAll();
  EXPECT_EQ(v1::REJECT_REASON_EXCHANGE_REJECTED, 30);
  EXPECT_EQ(ReasonOf(given.AnswerTo(begun).status()), "EXCHANGE_REJECTED");
  EXPECT_EQ(given.LineOf("a").returned_units(), 0);
  EXPECT_EQ(given.Order().lines_size(), 2);
  given.When(CancelOrder()).ThenRejected(v1::REJECT_REASON_ORDER_HANDED_OVER);
}

TEST(CancelOrder, EndsEveryFulfilmentAndReversesTheSale) {
  GivenOrder given = Placed(ShipFrom({"paris", "lyon"}));
  const auto outcome = given.Record(CancelOrder());
  const v1::OrderCancelled& cancelled = outcome.FactAt<v1::OrderEvent>(0).order_cancelled();
  ASSERT_EQ(cancelled.fulfilments_size(), 1);
  EXPECT_EQ(cancelled.reversal().net().minor_units(), -1500);
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CANCELLED);
  EXPECT_EQ(given.LineOf("a").cancelled_units(), 3);
}

// If one key named both a return and an exchange, or two outcomes, one of the two would never end.
TEST(Orders, AreNeverFoldedWithAnIdOrANumberThatIsTaken) {
  const auto broken = [](GivenOrder given, v1::OrderEvent event) {
    const absl::Status status = given.TryEvolve({{kOrderId, event, std::nullopt}});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    return std::string(status.message());
  };
  GivenOrder given = HandedOver();
  v1::OrderEvent returned;
  returned.mutable_goods_returned()->set_return_id("x1");
  given.Record(Swap("x1", BackOf("a", 1), "n", "1.00"));
  EXPECT_THAT(broken(given, returned), ::testing::HasSubstr("an exchange under way has its id"));
  given.AnswerAll(2);
  v1::OrderEvent started;
  started.mutable_exchange_started()->set_exchange_id("x1");
  EXPECT_THAT(broken(given, started), ::testing::HasSubstr("the exchange is recorded already"));

  v1::OrderEvent moving;
  moving.mutable_reroute_started()->set_fulfilment_id("f2");
  for (const uint32_t number : {0, 1, 3}) {
    moving.mutable_reroute_started()->set_reroute(number);
    EXPECT_THAT(broken(given, moving), ::testing::HasSubstr("miscounts its exchanges and reroutes")) << number;
  }
  moving.mutable_reroute_started()->set_reroute(2);
  EXPECT_EQ(given.TryEvolve({{kOrderId, moving, std::nullopt}}), absl::OkStatus());
}

TEST(Fulfilments, CompleteTheOrderWhenAllHaveEnded) {
  GivenOrder given = Placed();
  given.Record(Prepare("f1"));
  given.Record(Ship("f1"));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  given.Record(Complete("f1"));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_COMPLETED);
  EXPECT_EQ(given.LineOf("a").handed_over_units(), 3);
}

TEST(Fulfilments, CancelTheOrderWhenAllEndWithoutAHandover) {
  GivenOrder given = Placed();
  given.Record(CancelPart("f1"));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CANCELLED);
}

TEST(DelayFulfilment, RecordsTheCauseAndTheNewTime) {
  GivenOrder given = Placed();
  v1::DelayFulfilmentRequest request = Delay("f1", "snow");
  *request.mutable_promised_time() = Day(2030, 1, 2);
  given.Record(request);
  EXPECT_EQ(given.Fulfilment("f1").delay_cause(), "snow");
  EXPECT_EQ(given.Fulfilment("f1").promised_time().seconds(), Day(2030, 1, 2).seconds());
}

TEST(ReadyFulfilment, ExpiresWhenNotCollectedInTime) {
  GivenOrder given = Placed(PickUp("paris"));
  given.Record(Ready("f1"));
  given.Wait(kCollectWithinSeconds * 1'000'000 - 1);
  given.TimerDue("f1").ThenNothing();
  given.Wait(1);
  const auto outcome = given.TimerDue("f1");
  EXPECT_EQ(outcome.FactAt<v1::OrderEvent>(0).fulfilment_ended().state(), v1::FULFILMENT_STATE_EXPIRED);
  EXPECT_EQ(outcome.FactAt<v1::OrderEvent>(0).fulfilment_ended().reversal().net().minor_units(), -1500);
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CANCELLED);
  given.TimerDue("f1").ThenNothing();
}

TEST(ReadyFulfilment, DoesNotExpireOnceCollected) {
  GivenOrder given = Placed(PickUp("paris"));
  given.Record(Ready("f1"));
  given.Record(Collect("f1"));
  given.Wait(kCollectWithinSeconds * 2'000'000);
  given.TimerDue("f1").ThenNothing();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_COMPLETED);
}

TEST(Returns, AreRefusedWhenTheOrderHasTheMaximumOfReturns) {
  GivenOrder given({CartLineOf("a", 5'000, "3.333", "shoe")}, TakeAlong("paris"));
  given.Record(Place());
  given.AnswerAll();
  given.Record(Collect("f1"));
  for (int i = 1; i < kReturnsMax; ++i) given.Record(TakeBack(absl::StrCat("r", i), {BackOf("a", 1)}));
  given.Record(Swap("x1", BackOf("a", 1), "n", "1.00"));
  given.When(TakeBack("more", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
  given.AnswerAll(2);
  const auto outcome = given.When(TakeBack("more", {BackOf("a", 1)}));
  outcome.ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
  EXPECT_EQ(outcome.Metadata("returns"), "1000");
  given.When(Swap("x2", BackOf("a", 1), "m", "1.00")).ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
  v1::ExchangeLinesRequest overflowing = Swap("x2", BackOf("a", 1), "m", kMost);
  overflowing.mutable_new_lines(0)->set_units(1000);
  given.When(overflowing).ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
}

TEST(ExchangeLines, IsRefusedWhenAnAmountOverflows) {
  v1::ExchangeLinesRequest swap = Swap("x1", BackOf("a", 1), "n", kMost);
  swap.mutable_new_lines(0)->set_units(1000);
  HandedOver().When(swap).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(RerouteFulfilment, MovesEveryHoldAndStartsAgainAtReserved) {
  GivenOrder given = Placed(PickUp("paris"));
  given.Record(Ready("f1"));
  EXPECT_EQ(given.Record(MoveTo("f1", "lyon")).calls().size(), 2u);
  given.AnswerAll();
  EXPECT_EQ(given.Fulfilment("f1").fulfilment().location_id(), "lyon");
  EXPECT_EQ(given.Fulfilment("f1").fulfilment().delivery().pickup().location_id(), "lyon");
  EXPECT_EQ(given.Fulfilment("f1").state(), v1::FULFILMENT_STATE_RESERVED);
  given.TimerDue("f1").ThenNothing();
}

TEST(RerouteFulfilment, ChangesNothingWhenTheLocationIsTheSame) {
  GivenOrder given = Placed(PickUp("paris"));
  given.Record(Ready("f1"));
  const int64_t version = given.Order().version();
  const size_t rows = given.rows().rows().size();
  for (int i = 0; i < 3; ++i) {
    const auto outcome = given.Record(MoveTo("f1", "paris"));
    outcome.ThenNothing();
    EXPECT_TRUE(outcome.calls().empty());
    EXPECT_FALSE(outcome.answer_is_final()) << "a late copy would move it back";
    const auto answer = given.AnswerTo(outcome.response());
    ASSERT_TRUE(answer.ok() && answer->has_value());
    EXPECT_FALSE((*answer)->has_order());
  }
  EXPECT_EQ(given.rows().rows().size(), rows) << "whoever asks often fills the disk";
  EXPECT_EQ(given.Order().version(), version);
  EXPECT_EQ(given.Fulfilment("f1").state(), v1::FULFILMENT_STATE_READY);
  EXPECT_EQ(given.Record(MoveTo("f1", "lyon")).response().reroute(), 1u);
}

TEST(RerouteFulfilment, AnswersARepeatWithTheOutcome) {
  GivenOrder given = Placed();
  const v1::RerouteFulfilmentResponse to_lyon = given.Record(MoveTo("f1", "lyon")).response();
  EXPECT_FALSE(given.AnswerTo(to_lyon)->has_value());
  given.AnswerAll();
  const std::string answer = (*given.AnswerTo(to_lyon))->SerializeAsString();
  const v1::RerouteFulfilmentResponse refused = given.Record(MoveTo("f1", "nice")).response();
  given.Refuse("c-1/r2/s0", Insufficient("0", "0"));
  given.AnswerAll();
  const v1::RerouteFulfilmentResponse to_nice = given.Record(MoveTo("f1", "nice")).response();
  EXPECT_FALSE(given.AnswerTo(to_nice)->has_value());
  EXPECT_EQ((*given.AnswerTo(to_lyon))->SerializeAsString(), answer) << "another reroute is under way";
  given.AnswerAll();
  given.Record(Ship("f1"));
  EXPECT_EQ((*given.AnswerTo(to_lyon))->SerializeAsString(), answer);
  EXPECT_EQ((*given.AnswerTo(to_lyon))->order().fulfilments(0).fulfilment().location_id(), "lyon");
  EXPECT_EQ(ReasonOf(given.AnswerTo(refused).status()), "REROUTE_REJECTED");
  EXPECT_EQ((*given.AnswerTo(to_nice))->order().fulfilments(0).fulfilment().location_id(), "nice");
}

}  // namespace
}  // namespace halles::checkout::order
