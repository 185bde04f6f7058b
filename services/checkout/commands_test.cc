// Tests of the rules that concern several aggregates: one record changes a cart and its order together.
#include "services/checkout/commands.h"

#include <string>

#include "gtest/gtest.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout {
namespace {

using order::GivenOrder;

GivenOrder GivenCart() { return GivenOrder({CartLineOf("a", 3, "3.333", "shoe")}, order::ShipFrom({"paris"})); }

TEST(OrderAndCart, BeginAnAttemptInOneRecord) {
  GivenOrder given = GivenCart();
  const int64_t version = given.Cart().version();
  const auto outcome = given.Record(order::Place());
  ASSERT_EQ(outcome.facts().size(), 3u);
  EXPECT_EQ(outcome.FactAt<v1::OrderEvent>(0).checkout_started().attempt(), 1u);
  EXPECT_TRUE(outcome.FactAt<v1::OrderEvent>(1).has_saga_advanced());
  EXPECT_EQ(outcome.FactAt<v1::CartEvent>(2).cart_checkout_started().attempt(), 1u);
  EXPECT_EQ(given.Cart().version(), version + 1);
  EXPECT_EQ(given.Order().version(), 1);
}

TEST(OrderAndCart, EndAFailedAttemptInOneRecord) {
  GivenOrder given = GivenCart();
  given.Record(order::Place());
  EXPECT_EQ(given.Refuse("c-1/1/s0", order::Insufficient("0", "1")).facts().size(), 1u);
  const auto outcome = given.Succeed("c-1/1/s0/cancel", "");
  ASSERT_EQ(outcome.facts().size(), 3u);
  EXPECT_TRUE(outcome.FactAt<v1::OrderEvent>(1).has_order_rejected());
  const v1::CartCheckoutFailed& failed = outcome.FactAt<v1::CartEvent>(2).cart_checkout_failed();
  EXPECT_EQ(failed.attempt(), 1u);
  EXPECT_EQ(failed.problems_size(), outcome.FactAt<v1::OrderEvent>(1).order_rejected().problems_size());
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_OPEN);
  given.Record(order::Place());
  EXPECT_EQ(given.Order().attempt(), 2u);
  EXPECT_EQ(given.Order().version(), 3);
}

TEST(OrderAndCart, EndASuccessfulAttemptInOneRecord) {
  GivenOrder given = GivenCart();
  given.Record(order::Place());
  given.AnswerAll();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(given.Cart().state(), v1::CART_STATE_ORDERED);
  const int64_t version = given.Cart().version();
  const auto collected = given.Record(order::OfFulfilment<v1::ShipFulfilmentRequest>("f1"));
  EXPECT_EQ(collected.facts().size(), 1u);
  EXPECT_EQ(given.Cart().version(), version);
}

TEST(ImportedOrder, IsRefusedByCommandsForOrdersPlacedHere) {
  GivenOrder given = order::Placed();
  const std::string imported = given.Record(ImportOrder("536365", {Sold("a", "2")})).response().order_id();
  const auto expect_refused = [&](auto request) {
    request.clear_order_id();
    given.When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
    request.set_order_id(imported);
    const auto outcome = given.When(request);
    outcome.ThenRejected(v1::REJECT_REASON_ORDER_IMPORTED);
    EXPECT_EQ(outcome.Metadata("order_id"), imported);
    request.set_order_id("ord-unknown");
    given.When(request).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
  };
  expect_refused(Of<v1::CancelOrderRequest>());
  expect_refused(order::Swap("x1", BackOf("a", 1), "n", "1.00"));
  expect_refused(order::OfFulfilment<v1::PrepareFulfilmentRequest>("f1"));
  expect_refused(order::OfFulfilment<v1::ReadyFulfilmentRequest>("f1"));
  expect_refused(order::OfFulfilment<v1::CollectFulfilmentRequest>("f1"));
  expect_refused(order::OfFulfilment<v1::ShipFulfilmentRequest>("f1"));
  expect_refused(order::OfFulfilment<v1::CompleteFulfilmentRequest>("f1"));
  expect_refused(order::OfFulfilment<v1::CancelFulfilmentRequest>("f1"));
  expect_refused(order::MoveTo("f1", "lyon"));
  v1::DelayFulfilmentRequest delay = order::OfFulfilment<v1::DelayFulfilmentRequest>("f1");
  delay.set_cause("late");
  expect_refused(delay);
}

TEST(ReturnLines, AcceptsReturnsOfPlacedAndImportedOrders) {
  GivenOrder given = order::HandedOver();
  EXPECT_TRUE(given.Record(TakeBack("r1", {BackOf("a", 1)})).FactAt<v1::OrderEvent>(0).has_goods_returned());
  v1::ReturnLinesRequest request = TakeBack("r1", {BackOf("1", 1)});
  request.set_order_id(given.Record(ImportOrder("536365", {Sold("a", "2")})).response().order_id());
  EXPECT_TRUE(given.Record(request).FactAt<v1::ImportEvent>(0).has_goods_returned());
}

TEST(ReturnLines, IsRefusedForAnUnknownOrder) {
  GivenOrder().When(TakeBack("r1", {BackOf("a", 1)})).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
}

}  // namespace
}  // namespace halles::checkout
