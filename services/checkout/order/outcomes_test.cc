// Tests of placing an order: it ends with a number, or the cart is open again.
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/saga/saga.h"
#include "services/checkout/order/plan.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout::order {
namespace {

constexpr size_t kRecordBytes = size_t{512} << 10;  // what the log takes

GivenOrder GivenPlacing() {
  GivenOrder given({CartLineOf("a", 3, "3.333", "shoe"), CartLineOf("b", 1, "5.00", "hat")}, ShipFrom({"paris"}));
  given.Record(Place());
  return given;
}

TEST(PlaceOrder, FreezesTheCartAndSendsOneCallPerSku) {
  GivenOrder given({CartLineOf("a", 3, "3.333", "shoe"), CartLineOf("b", 1, "5.00", "hat"), CartLineOf("c")},
                   ShipFrom({"paris"}));
  const auto outcome = given.Record(Place());
  ASSERT_EQ(outcome.facts().size(), 3u);
  EXPECT_EQ(outcome.FactAt<v1::CartEvent>(2).cart_checkout_started().attempt(), 1u);
  EXPECT_EQ(outcome.FactAt<v1::OrderEvent>(0).checkout_started().snapshot().total().minor_units(), 1755);
  ASSERT_EQ(outcome.calls().size(), 2u);
  EXPECT_EQ(outcome.calls()[0].aggregate_key, "shoe");
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_IN_CHECKOUT);
  given.When(Add(kOrderId, {CartLineOf("z")})).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
}

TEST(PlaceOrder, AnswersAllRequestsWithTheSameOrder) {
  GivenOrder given = GivenPlacing();
  const auto joined = given.When(Place());
  EXPECT_EQ(joined.ThenNothing().response().attempt(), 1u);
  EXPECT_FALSE(joined.answer_is_final()) << "a late copy would begin another attempt";
  EXPECT_FALSE(given.AnswerTo(joined.response())->has_value());
  given.AnswerAll(7);
  EXPECT_EQ((*given.AnswerTo(joined.response()))->order().number(), 7);
  EXPECT_EQ(given.When(Place()).ThenNothing().response().attempt(), 1u);
}

TEST(PlaceOrder, AnswersARepeatWithTheOutcomeOfItsOwnAttempt) {
  GivenOrder given({CartLineOf("a", 3, "3.333", "shoe"), CartLineOf("b", 1, "5.00", "hat")}, TakeAlong("paris"));
  const v1::PlaceOrderResponse first = given.Record(Place()).response();
  given.Refuse("c-1/1/s0", Insufficient("0", "2"));
  given.AnswerAll();
  const v1::PlaceOrderResponse second = given.Record(Place()).response();
  EXPECT_EQ(second.attempt(), 2u);
  EXPECT_EQ(ReasonOf(given.AnswerTo(first).status()), "PLACEMENT_REJECTED");
  given.AnswerAll();
  const std::string confirmed = (*given.AnswerTo(second))->SerializeAsString();
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f1"));
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  EXPECT_EQ(ReasonOf(given.AnswerTo(first).status()), "PLACEMENT_REJECTED");
  EXPECT_EQ((*given.AnswerTo(second))->SerializeAsString(), confirmed);
}

TEST(PlaceOrder, RequestsTheNumberOnlyOnceAllStockIsHeld) {
  GivenOrder given = GivenPlacing();
  const saga::v1::Saga saga = given.Saga();
  EXPECT_TRUE(given.Succeed("c-1/1/s0", GivenOrder::ResponseTo(saga.plan().steps(0), 1)).calls().empty());
  const auto second = given.Succeed("c-1/1/s1", GivenOrder::ResponseTo(saga.plan().steps(1), 1));
  ASSERT_EQ(second.calls().size(), 1u);
  EXPECT_EQ(second.calls()[0].aggregate_key, "numbers/web");
  EXPECT_EQ(given.Order().number(), 0);
}

TEST(PlaceOrder, ConfirmsInTheRecordOfTheNumber) {
  GivenOrder given = Placed(ShipFrom({"paris", "lyon"}));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_ORDERED);
  EXPECT_EQ(given.Saga().steps_size(), 0);
  const v1::OrderFulfilment fulfilment = given.Fulfilment("f1");
  EXPECT_EQ(fulfilment.fulfilment().location_id(), "paris");
  ASSERT_EQ(fulfilment.fulfilment().lines_size(), 2);
  EXPECT_EQ(fulfilment.fulfilment().lines(0).hold_id(), "c-1/1");
}

TEST(PlaceOrder, RejectsWithTheRefusalOfInventoryAndReopensTheCart) {
  GivenOrder given = GivenPlacing();
  given.Refuse("c-1/1/s0", Insufficient("0", "2"));
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_REJECTED);
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_OPEN);
  ASSERT_EQ(given.Cart().problems_size(), 1);
  const v1::Problem problem = given.Cart().problems(0);
  EXPECT_EQ(problem.kind(), v1::PROBLEM_KIND_INSUFFICIENT_STOCK);
  EXPECT_EQ(problem.line_id(), "a");
  EXPECT_EQ(problem.asked_units(), 3);
  EXPECT_EQ(problem.available_units(), 2);
  v1::PlaceOrderResponse begun;
  begun.set_attempt(1);
  EXPECT_EQ(ReasonOf(given.AnswerTo(begun).status()), "PLACEMENT_REJECTED");
}

TEST(PlaceOrder, BeginsANewAttemptAfterARejection) {
  GivenOrder given = GivenPlacing();
  given.Refuse("c-1/1/s0", Insufficient("0", "2"));
  given.AnswerAll();
  given.Record(Change(kOrderId, "a", 2));
  given.Record(Place());
  EXPECT_EQ(given.Saga().plan().saga_id(), "c-1/2");
  given.Refuse("c-1/1/s0", Insufficient("0", "2")).ThenNothing();  // a late outcome of the first attempt
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  EXPECT_TRUE(given.Order().problems().empty());
}

TEST(PlaceOrder, GivesUpWhenInventoryDoesNotAnswer) {
  GivenOrder given = GivenPlacing();
  given.Succeed("c-1/1/s0", GivenOrder::ResponseTo(given.Saga().plan().steps(0), 1));
  given.Wait(saga::kGiveUpMicros);
  given.TimerDue("saga");
  EXPECT_EQ(given.Saga().state(), saga::v1::SAGA_STATE_BACKWARD);
  given.AnswerAll();
  ASSERT_EQ(given.Cart().problems_size(), 1);
  EXPECT_EQ(given.Cart().problems(0).kind(), v1::PROBLEM_KIND_STOCK_UNREACHABLE);
  EXPECT_EQ(given.Cart().problems(0).line_id(), "b");
}

TEST(PlaceOrder, RepeatsCallsWithoutAnAnswer) {
  GivenOrder given = GivenPlacing();
  given.TimerDue("saga").ThenNothing();
  given.Wait(saga::kFirstRetryMicros);
  EXPECT_EQ(given.TimerDue("saga").calls().size(), 2u);
}

TEST(PlaceOrder, RepeatsWhatIsNotAnsweredForLongWithoutARecord) {
  GivenOrder given = GivenPlacing();
  given.Wait(saga::kGiveUpMicros);
  size_t records = 0;
  for (; given.Saga().attempt() < saga::kRecordedRetries; ++records) {
    EXPECT_EQ(given.TimerDue("saga").calls().size(), 2u);
    given.Wait(saga::kMaxRetryMicros);
  }
  EXPECT_EQ(records, saga::kRecordedRetries + 1);
  for (int i = 0; i < 3; ++i) {
    const auto outcome = given.TimerDue("saga");
    EXPECT_TRUE(outcome.facts().empty());
    ASSERT_EQ(outcome.calls().size(), 2u);
    EXPECT_EQ(outcome.calls()[0].reply_tag, "c-1/1/s0/cancel");
    given.Wait(int64_t{3600} * 1'000'000);
  }
  given.AnswerAll();
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_OPEN);
}

TEST(PlaceOrder, ReplacesEachHoldOfTheCartInItsOwnStep) {
  std::vector<v1::CartLine> lines = {CartLineOf("a"), CartLineOf("b"), CartLineOf("c")};
  lines[0].set_hold_id("h1");
  lines[2].set_hold_id("h2");
  GivenOrder given(lines, ShipFrom({"paris"}));
  given.Record(Place());
  const saga::v1::Saga saga = given.Saga();
  ASSERT_EQ(saga.steps_size(), 3);
  inventory::v1::ReserveStockRequest first;
  inventory::v1::ReserveStockRequest second;
  ASSERT_TRUE(first.ParseFromString(saga.plan().steps(0).request()));
  ASSERT_TRUE(second.ParseFromString(saga.plan().steps(1).request()));
  EXPECT_EQ(first.replaces_hold_id(), "h1");
  EXPECT_EQ(first.lines_size(), 2);
  EXPECT_EQ(first.hold_id(), "c-1/1");
  EXPECT_EQ(second.replaces_hold_id(), "h2");
  EXPECT_EQ(second.lines_size(), 1);
  EXPECT_EQ(second.hold_id(), "c-1/1/2");
}

TEST(PlaceOrder, NamesTheLineThatLostItsHold) {
  std::vector<v1::CartLine> lines = {CartLineOf("a"), CartLineOf("b")};
  lines[1].set_hold_id("h1");
  GivenOrder given(lines, ShipFrom({"paris"}));
  given.Record(Place());
  given.Refuse("c-1/1/s0", Reject(inventory::v1::REJECT_REASON_HOLD_UNKNOWN, "there is no such hold"));
  given.AnswerAll();
  ASSERT_EQ(given.Cart().problems_size(), 1);
  EXPECT_EQ(given.Cart().problems(0).kind(), v1::PROBLEM_KIND_HOLD_LOST);
  EXPECT_EQ(given.Cart().problems(0).line_id(), "b");
}

TEST(PlaceOrder, SpreadsALineOverSeveralLocations) {
  GivenOrder given({CartLineOf("a", 3), CartLineOf("b", 2)}, ShipFrom({"paris", "lyon"}));
  given.Record(Place());
  inventory::v1::ReserveStockResponse response;
  const auto add = [](inventory::v1::LinePlan* plan, const std::string& location, int64_t units) {
    inventory::v1::Allocation& allocation = *plan->add_allocations();
    allocation.set_location_id(location);
    allocation.set_units(units);
  };
  inventory::v1::LinePlan* plan = response.add_line_plans();
  add(plan, "paris", 2);
  add(plan, "lyon", 1);
  add(response.add_line_plans(), "lyon", 2);
  given.Succeed("c-1/1/s0", response.SerializeAsString());
  given.AnswerAll();
  EXPECT_EQ(given.Fulfilment("f1").fulfilment().location_id(), "paris");
  EXPECT_EQ(given.Fulfilment("f1").fulfilment().lines(0).units(), 2);
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().location_id(), "lyon");
  ASSERT_EQ(given.Fulfilment("f2").fulfilment().lines_size(), 2);
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().lines(0).units(), 1);
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().lines(1).units(), 2);
}

// Locations whose ids are as long as they may be.
std::vector<std::string> LongLocations() {
  std::vector<std::string> locations;
  for (int i = 10; i < 74; ++i) {
    std::string location = std::to_string(i);
    for (int j = 0; j < 62; ++j) location += "\u00e9";
    locations.push_back(location);
  }
  return locations;
}

// One unit of each line from every location.
std::string OneFromEach(const std::vector<std::string>& locations, int lines) {
  inventory::v1::ReserveStockResponse response;
  for (int line = 0; line < lines; ++line) {
    inventory::v1::LinePlan& plan = *response.add_line_plans();
    for (const std::string& location : locations) {
      inventory::v1::Allocation& allocation = *plan.add_allocations();
      allocation.set_location_id(location);
      allocation.set_units(1);
    }
  }
  return response.SerializeAsString();
}

template <class Outcome>
size_t BytesIn(const Outcome& outcome) {
  size_t bytes = 0;
  for (const auto& fact : outcome.facts()) {
    bytes += std::visit([](const auto& event) { return event.ByteSizeLong(); }, fact.event);
  }
  return bytes;
}

TEST(PlaceOrder, ConfirmsInOneRecordFromAsManyLocationsAsADeliveryNames) {
  const std::vector<std::string> locations = LongLocations();
  GivenOrder given({CartLineOf("a", 64, "1.00", "shoe")}, ShipFrom(locations));
  given.Record(Place());
  given.Succeed("c-1/1/s0", OneFromEach(locations, 1));
  v1::AssignOrderNumberResponse number;
  number.set_number(1);
  const auto confirmed = given.Succeed("c-1/1/number", number.SerializeAsString());
  EXPECT_LT(BytesIn(confirmed), kRecordBytes);
  ASSERT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  ASSERT_EQ(given.Order().fulfilments_size(), 64);
  EXPECT_EQ(given.Fulfilment("f64").fulfilment().location_id(), locations.back());
  EXPECT_EQ(given.Fulfilment("f64").fulfilment().delivery().shipment().address_token(), "token");
  EXPECT_TRUE(given.Fulfilment("f64").fulfilment().delivery().shipment().source_location_ids().empty());
  const auto cancelled = given.Record(Of<v1::CancelOrderRequest>());
  EXPECT_LT(BytesIn(cancelled), kRecordBytes);
  const v1::SaleRecord& reversal = cancelled.FactAt<v1::OrderEvent>(0).order_cancelled().reversal();
  EXPECT_EQ(reversal.lines_size(), 1);
  EXPECT_EQ(reversal.net().minor_units(), -6400);
}

std::vector<std::string> ShortLocations() {
  std::vector<std::string> locations;
  for (int i = 10; i < 74; ++i) locations.push_back(std::to_string(i));
  return locations;
}

// 100 lines of 64 units that may come from 64 locations.
GivenOrder GivenScattered() {
  std::vector<v1::CartLine> lines;
  for (int i = 10; i < 110; ++i) {
    lines.push_back(CartLineOf(std::to_string(i) + std::string(60, 'l'), 64, "1.00", "shoe"));
  }
  GivenOrder given(lines, ShipFrom(ShortLocations()));
  given.Record(Place());
  return given;
}

TEST(PlaceOrder, TurnsBackBeforeItsNumberWhenOneRecordCannotConfirmIt) {
  GivenOrder given = GivenScattered();
  const auto outcome = given.Succeed("c-1/1/s0", OneFromEach(ShortLocations(), 100));
  ASSERT_EQ(outcome.calls().size(), 1u);
  EXPECT_EQ(outcome.calls()[0].request_id, "saga@1700000000000/c-1/1/s0/cancel");
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_REJECTED);
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_OPEN);
  ASSERT_EQ(given.Cart().problems_size(), 1);
  EXPECT_EQ(given.Cart().problems(0).kind(), v1::PROBLEM_KIND_TOO_LARGE);
  EXPECT_EQ(given.Cart().problems(0).message(), kEndTooLarge);
}

TEST(PlaceOrder, ConfirmsTheSameOrderWhenItComesFromFewLocations) {
  GivenOrder given = GivenScattered();
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
}

TEST(PlaceOrder, SaysThatItIsTooLargeWhenStockCannotRecordItsHold) {
  GivenOrder given = GivenPlacing();
  given.Refuse("c-1/1/s0",
               Failure(absl::StatusCode::kInvalidArgument, "RECORD_TOO_LARGE", "a record of 600,000 bytes"));
  given.AnswerAll();
  ASSERT_EQ(given.Cart().problems_size(), 1);
  EXPECT_EQ(given.Cart().problems(0).kind(), v1::PROBLEM_KIND_TOO_LARGE);
}

TEST(PlaceOrder, RejectsInOneRecordHoweverManyLinesHaveAProblem) {
  std::string sku;
  for (int i = 0; i < 64; ++i) sku += "\xf0\x9f\x91\x9f";  // a running shoe
  GivenOrder given({CartLineOf("first", 1, "1.00", sku)}, ShipFrom({"paris"}));
  for (int add = 0; add < 4; ++add) {
    std::vector<v1::CartLine> lines;
    for (int i = 0; i < 100; ++i) lines.push_back(CartLineOf(std::to_string(add * 100 + i), 1, "1.00", sku));
    given.Record(Add(kOrderId, lines));
  }
  given.Record(Place());
  given.Refuse("c-1/1/s0", Reject(inventory::v1::REJECT_REASON_MALFORMED_COMMAND, sku + sku));
  const auto rejected = given.Succeed("c-1/1/s0/cancel", "");
  EXPECT_LT(BytesIn(rejected), kRecordBytes);
  EXPECT_EQ(given.Cart().problems_size(), static_cast<int>(kProblemsMax));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_REJECTED);
}

TEST(PlaceOrder, LearnsFromAnswersInSeveralRecordsWhenOneCannotHoldThem) {
  GivenOrder given = GivenPlacing();
  const saga::v1::Saga asked = given.Saga();
  v1::RecordOutcomesRequest request;
  request.set_order_id(kOrderId);
  for (const int step : {0, 1}) {
    inventory::v1::ReserveStockResponse response;
    ASSERT_TRUE(response.ParseFromString(GivenOrder::ResponseTo(asked.plan().steps(step), 1)));
    response.mutable_hold()->set_hold_id(std::string(size_t{300} << 10, 'h'));
    v1::CallOutcome& outcome = *request.add_outcomes();
    outcome.set_tag("c-1/1/" + asked.plan().steps(step).name());
    outcome.set_succeeded(true);
    outcome.set_response(response.SerializeAsString());
  }
  EXPECT_LT(BytesIn(given.Record(request)), kRecordBytes);
  given.Wait(saga::kFirstRetryMicros);
  const auto again = given.TimerDue("saga");
  ASSERT_EQ(again.calls().size(), 1u);
  EXPECT_EQ(again.calls()[0].request_id, "saga@1700000000000/c-1/1/s1");
  request.mutable_outcomes()->DeleteSubrange(0, 1);
  EXPECT_LT(BytesIn(given.Record(request)), kRecordBytes);
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
}

TEST(ExchangeLines, TurnsBackBeforeItsNumberWhenOneRecordCannotCompleteIt) {
  GivenOrder given = HandedOver();
  v1::ExchangeLinesRequest swap = Swap("x1", BackOf("a", 1), "n", "1.00");
  *swap.mutable_delivery() = ShipFrom(ShortLocations());
  const v1::ExchangeLine one = swap.new_lines(0);
  swap.clear_new_lines();
  for (int i = 10; i < 110; ++i) {
    *swap.add_new_lines() = one;
    swap.mutable_new_lines(i - 10)->set_line_id(std::to_string(i) + std::string(60, 'l'));
    swap.mutable_new_lines(i - 10)->set_units(64);
  }
  const v1::ExchangeLinesResponse begun = given.Record(swap).response();
  const auto outcome = given.Succeed("c-1/x1/s0", OneFromEach(ShortLocations(), 100));
  ASSERT_EQ(outcome.calls().size(), 1u);
  EXPECT_EQ(outcome.calls()[0].request_id, "saga@1700000000000/c-1/x1/s0/cancel");
  given.AnswerAll(2);
  const auto kept = kUndertakings.Get(given.rows(), {OrderId::FromString(kOrderId), begun.exchange()});
  ASSERT_EQ(kept->problems_size(), 1);
  EXPECT_EQ(kept->problems(0).kind(), v1::PROBLEM_KIND_TOO_LARGE);
  EXPECT_EQ(given.LineOf("a").returned_units(), 0);
}

}  // namespace
}  // namespace halles::checkout::order
