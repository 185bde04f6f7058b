// Tests of the carts and placed orders in the view "customers".
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

// The kinds of the timeline entries, newest first.
std::vector<int> KindsOf(const GivenCustomers& given, const common::v1::Identifier& who) {
  v1::ListTimelineRequest request;
  *request.mutable_customer() = Named(who);
  const auto page = ListTimeline(given.view(), request);
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<int> kinds;
  for (const v1::TimelineEntry& entry : page->entries()) kinds.push_back(entry.kind());
  return kinds;
}

checkout::v1::CartEvent Empty(void (*fill)(checkout::v1::CartEvent*)) {
  checkout::v1::CartEvent event;
  fill(&event);
  return event;
}
checkout::v1::CartEvent DeliverySet() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_delivery_set(); });
}
checkout::v1::CartEvent Given() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_given(); });
}
checkout::v1::CartEvent Merged() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_merged()->set_into_cart_id("c-2"); });
}
checkout::v1::CartEvent Started() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_checkout_started(); });
}
checkout::v1::CartEvent Rejected() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_checkout_failed(); });
}
checkout::v1::CartEvent CartOrdered() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_ordered(); });
}
checkout::v1::CartEvent Abandoned() {
  return Empty([](checkout::v1::CartEvent* event) { event->mutable_cart_abandoned(); });
}
checkout::v1::CartEvent Taken(const std::string& from, const std::vector<checkout::v1::CartLine>& lines) {
  checkout::v1::CartEvent event;
  event.mutable_cart_taken()->set_from_cart_id(from);
  for (const auto& line : lines) *event.mutable_cart_taken()->add_lines() = line;
  return event;
}
checkout::v1::CartEvent Undone(const std::string& from) {
  checkout::v1::CartEvent event;
  event.mutable_cart_merge_undone()->set_from_cart_id(from);
  return event;
}
checkout::v1::CartEvent Reopened(const std::vector<checkout::v1::CartLine>& lines) {
  checkout::v1::CartEvent event;
  event.mutable_cart_reopened()->set_replaces_lines(!lines.empty());
  for (const auto& line : lines) *event.mutable_cart_reopened()->add_lines() = line;
  return event;
}

// Ann's cart of three lines.
GivenCustomers Shopping() {
  GivenCustomers given;
  given.Records("c-1", {Opened(), LinesAdded({CartLine("l1", 3, 333), CartLine("l2", 1, 1000)}),
                        CustomerSet({Customer("a"), Email("m")}), LinesAdded({CartLine("l3", 2, 1)}), DeliverySet()});
  return given;
}

// Ann's order of 20.00 for two locations.
GivenCustomers Ordered() {
  GivenCustomers given = Shopping();
  given.Records("c-1",
                {Started(),
                 Confirmed({.id = "c-1", .identifiers = {Customer("a")}, .pence = 2000, .minute = 10}, 7,
                           {Planned("f1", "shop-1", 2), Planned("f2", "depot", 1)}),
                 CartOrdered()},
                10);
  return given;
}

TEST(CustomerCart, IsInTheViewOfItsCustomer) {
  const v1::CustomerView view = Shopping().ViewOf(Named(Email("m")));
  ASSERT_EQ(view.carts_size(), 1);
  const v1::CustomerCart& cart = view.carts(0);
  EXPECT_EQ(cart.cart_id(), "c-1");
  EXPECT_EQ(cart.state(), checkout::v1::CART_STATE_OPEN);
  EXPECT_EQ(cart.version(), 5);
  EXPECT_EQ(cart.channel(), common::v1::CHANNEL_WEB);
  EXPECT_EQ(cart.site_id(), "web");
  EXPECT_EQ(cart.lines(), 3);
  EXPECT_EQ(cart.total().minor_units(), 2001);
  EXPECT_EQ(cart.event(), "checkout/17@4#0");
  EXPECT_EQ(view.orders(), 0);
  EXPECT_EQ(view.net_size(), 0) << "nothing was bought";
}

TEST(CustomerCart, CountsTheEventsOfOneRecordOnce) {
  store::MemoryRows view;
  partition::FactContext context{.slot = SlotId{ServiceId::kCheckout, 1}, .position = 9, .aggregate_id = "c-1"};
  view.set_position(9);
  for (const auto& event : {Opened(), LinesAdded({CartLine("l1", 1, 1)}), CustomerSet({Customer("a")})}) {
    ASSERT_TRUE(Project(view, event, context).ok());
    ++context.index;
  }
  const auto cart = kCarts.Get(view, {OrderId::FromString("c-1"), context.slot});
  EXPECT_EQ(cart->version(), 1);
  EXPECT_EQ(cart->event_index(), 2u);
}

TEST(CustomerCart, ChangesWithItsLines) {
  GivenCustomers given = Shopping();
  given.Records("c-1", {LineChanged("l1", 1, 333), LineChanged("l2", 0, 0)});
  const v1::CustomerCart cart = given.ViewOf(Named(Customer("a"))).carts(0);
  EXPECT_EQ(cart.lines(), 2);
  EXPECT_EQ(cart.total().minor_units(), 335);
}

TEST(CustomerCart, FollowsItsCustomerFromOneIdentifierToAnother) {
  GivenCustomers given;
  given.Records("c-1", {Opened(), CustomerSet({Phone("p")})}).Records("c-1", {CustomerSet({Customer("a")})}, 5);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts_size(), 1);
  EXPECT_THAT(KindsOf(given, Customer("a")), ElementsAre(v1::TIMELINE_KIND_CART_OPENED));
  EXPECT_EQ(given.ViewOf(Named(Phone("p"))).carts_size(), 0);
  EXPECT_TRUE(KindsOf(given, Phone("p")).empty());
}

TEST(CustomerCart, MovesItsLinesInAMergeAndBackInItsUndo) {
  GivenCustomers given = Shopping();
  given.Records("c-2", {Opened(), CustomerSet({Customer("a")}), LinesAdded({CartLine("x", 1, 5)})}, 1);
  given.Records("c-1", {Given()}, 2);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts(1).state(), checkout::v1::CART_STATE_MERGING);
  given.Records("c-2", {Taken("c-1", {CartLine("y", 3, 333, "c-1"), CartLine("z", 1, 1000, "c-1")})}, 3);
  given.Records("c-1", {Merged()}, 4);
  v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  ASSERT_EQ(view.carts_size(), 1);
  EXPECT_EQ(view.carts(0).cart_id(), "c-2");
  EXPECT_EQ(view.carts(0).lines(), 3);
  EXPECT_EQ(view.carts(0).total().minor_units(), 2004);
  EXPECT_THAT(KindsOf(given, Customer("a")),
              ElementsAre(v1::TIMELINE_KIND_CART_MERGED, v1::TIMELINE_KIND_CART_OPENED, v1::TIMELINE_KIND_CART_OPENED));
  given.Records("c-2", {Undone("c-1")}, 5)
      .Records("c-1", {Reopened({CartLine("l1", 3, 333), CartLine("l2", 1, 1000)})}, 5);
  view = given.ViewOf(Named(Customer("a")));
  ASSERT_EQ(view.carts_size(), 2);
  EXPECT_EQ(view.carts(0).total().minor_units(), 5) << "newest first";
  EXPECT_EQ(view.carts(1).total().minor_units(), 1999);
}

TEST(CustomerCart, IsOpenAndUnchangedWhenTheOtherCartDeclines) {
  GivenCustomers given = Shopping();
  given.Records("c-1", {Given(), Reopened({})});
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts(0).state(), checkout::v1::CART_STATE_OPEN);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts(0).total().minor_units(), 2001);
}

TEST(CustomerCart, LeavesOnlyTimelineEntriesWhenAbandoned) {
  GivenCustomers given = Shopping();
  given.Records("c-1", {Abandoned()}, 60);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts_size(), 0);
  EXPECT_THAT(KindsOf(given, Customer("a")),
              ElementsAre(v1::TIMELINE_KIND_CART_ABANDONED, v1::TIMELINE_KIND_CART_OPENED));
  int lines = 0;
  kCartLines.ForEach(given.view(), [&](const CartLineKey&, const rows::CartLineRow&, Position) { return ++lines > 0; });
  EXPECT_EQ(lines, 0);
}

TEST(CustomerCart, IsInCheckoutUntilItIsOrderedOrOpenAgain) {
  GivenCustomers given = Shopping();
  given.Records("c-1", {Started()});
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts(0).state(), checkout::v1::CART_STATE_IN_CHECKOUT);
  given.Records("c-1", {Rejected()});
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).carts(0).state(), checkout::v1::CART_STATE_OPEN);
  EXPECT_EQ(Ordered().ViewOf(Named(Customer("a"))).carts_size(), 0);
}

TEST(CustomerCart, IsInNoViewWithoutACustomer) {
  GivenCustomers given;
  given.Records("c-1", {Opened(), LinesAdded({CartLine("l1", 1, 1)}), Started(),
                        Confirmed({.id = "c-1", .identifiers = {}}, 1, {Planned("f1", "shop-1")}), CartOrdered(),
                        Advanced("f1", checkout::v1::FULFILMENT_STATE_READY)});
  EXPECT_EQ(given.view().size(), 0u);
  EXPECT_TRUE(given.TakeTopics().empty());
}

TEST(PlacedOrder, CountsLikeAnImportedOrder) {
  GivenCustomers given = Ordered();
  given.Happens(Order({.id = "1", .identifiers = {Customer("a")}, .pence = 100, .minute = 20}));
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")), /*include_events=*/true);
  EXPECT_EQ(view.orders(), 2);
  EXPECT_EQ(view.net(0).money().minor_units(), 2100);
  EXPECT_THAT(view.net(0).events(), ElementsAre("checkout/17@8#0", "checkout/17@6#0"));
  EXPECT_EQ(view.first_purchase().event(), "checkout/17@6#0");
  EXPECT_EQ(view.last_purchase().event(), "checkout/17@8#0");
  EXPECT_THAT(KindsOf(given, Customer("a")),
              ElementsAre(v1::TIMELINE_KIND_ORDER, v1::TIMELINE_KIND_ORDER, v1::TIMELINE_KIND_CART_OPENED));
}

TEST(PlacedOrder, IsSortedAmongImportedOrdersOfTheSameTimeByExternalId) {
  GivenCustomers given;
  for (const std::string id : {"b", "d"})
    given.Happens(Order({.id = id, .identifiers = {Customer("a")}, .minute = 10}));
  for (const std::string id : {"a", "c"}) {
    given.Records(id, {Confirmed({.id = id, .identifiers = {Customer("a")}, .minute = 10}, 1, {})}, 10);
  }
  v1::ListTimelineRequest request;
  *request.mutable_customer() = Named(Customer("a"));
  std::vector<std::string> sources;
  std::string ids;
  const auto page = ListTimeline(given.view(), request).value();
  for (const auto& entry : page.entries()) {
    ids += entry.external().external_id();
    sources.push_back(entry.external().source());
  }
  EXPECT_EQ(ids, "abcd");
  EXPECT_THAT(sources, ElementsAre("halles", "uci", "halles", "uci"));
}

TEST(PlacedOrder, ShowsTheFulfilmentOfEachLocation) {
  GivenCustomers given = Ordered();
  checkout::v1::OrderEvent delayed;
  delayed.mutable_fulfilment_delayed()->set_fulfilment_id("f2");
  delayed.mutable_fulfilment_delayed()->set_cause("snow");
  delayed.mutable_fulfilment_delayed()->mutable_promised_time()->set_seconds(5);
  checkout::v1::OrderEvent rerouted;
  rerouted.mutable_fulfilment_rerouted()->set_fulfilment_id("f2");
  rerouted.mutable_fulfilment_rerouted()->set_from_location_id("depot");
  rerouted.mutable_fulfilment_rerouted()->set_to_location_id("shop-9");
  given.Records("c-1", {Advanced("f1", checkout::v1::FULFILMENT_STATE_PREPARED)}, 11);
  given.Records("c-1", {Advanced("f1", checkout::v1::FULFILMENT_STATE_READY)}, 12);
  given.Records("c-1", {delayed}, 13).Records("c-1", {rerouted}, 14);
  const v1::CustomerOrder order = given.ViewOf(Named(Customer("a"))).placed_orders(0);
  EXPECT_EQ(order.number(), 7);
  EXPECT_EQ(order.state(), checkout::v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(order.total().minor_units(), 2000);
  EXPECT_EQ(order.event(), "checkout/17@6#0");
  ASSERT_EQ(order.fulfilments_size(), 2);
  EXPECT_EQ(order.fulfilments(0).state(), checkout::v1::FULFILMENT_STATE_READY);
  EXPECT_EQ(order.fulfilments(0).units(), 2);
  EXPECT_EQ(order.fulfilments(0).event(), "checkout/17@9#0");
  EXPECT_EQ(order.fulfilments(1).location_id(), "shop-9");
  EXPECT_EQ(order.fulfilments(1).delay_cause(), "snow");
  EXPECT_EQ(order.fulfilments(1).promised_time().seconds(), 5);
  EXPECT_THAT(KindsOf(given, Customer("a")),
              ElementsAre(v1::TIMELINE_KIND_FULFILMENT_REROUTED, v1::TIMELINE_KIND_FULFILMENT_DELAYED,
                          v1::TIMELINE_KIND_FULFILMENT_READY, v1::TIMELINE_KIND_FULFILMENT_PREPARED,
                          v1::TIMELINE_KIND_ORDER, v1::TIMELINE_KIND_CART_OPENED));
}

TEST(PlacedOrder, IsCompletedWhenAllFulfilmentsHaveEnded) {
  GivenCustomers given = Ordered();
  const auto state = [&] { return given.ViewOf(Named(Customer("a"))).placed_orders(0).state(); };
  given.Records("c-1", {HandedOver("f1", checkout::v1::FULFILMENT_STATE_COLLECTED),
                        HandedOver("f2", checkout::v1::FULFILMENT_STATE_SHIPPED)});
  EXPECT_EQ(state(), checkout::v1::ORDER_STATE_CONFIRMED) << "still on its way";
  given.Records("c-1", {Advanced("f2", checkout::v1::FULFILMENT_STATE_COMPLETED)});
  EXPECT_EQ(state(), checkout::v1::ORDER_STATE_COMPLETED);
  EXPECT_THAT(KindsOf(given, Customer("a")), Contains(v1::TIMELINE_KIND_FULFILMENT_SHIPPED));
}

TEST(PlacedOrder, SubtractsAnExpiredFulfilmentFromTheSiteOfTheOrder) {
  GivenCustomers given = Ordered();
  given.Records(
      "c-1", {Ended("f1", checkout::v1::FULFILMENT_STATE_EXPIRED, {.id = "c-1", .pence = -500, .site = "shop-1"})}, 30);
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(view.net(0).money().minor_units(), 1500);
  EXPECT_EQ(view.cancellations(), 1);
  EXPECT_EQ(view.orders(), 1);
  EXPECT_EQ(view.lines(), 2);
  ASSERT_EQ(view.places_size(), 1);
  EXPECT_EQ(view.places(0).net(0).money().minor_units(), 1500);
  EXPECT_THAT(KindsOf(given, Customer("a")), Contains(v1::TIMELINE_KIND_FULFILMENT_EXPIRED));
}

TEST(PlacedOrder, AddsNothingToTheNetOnceCancelled) {
  GivenCustomers given = Ordered();
  checkout::v1::OrderEvent cancelled;
  cancelled.mutable_order_cancelled()->set_cause("changed her mind");
  *cancelled.mutable_order_cancelled()->add_fulfilments() = Planned("f1", "shop-1");
  *cancelled.mutable_order_cancelled()->mutable_reversal() = PlacedSale({.id = "c-1", .pence = -2000});
  given.Records("c-1", {cancelled}, 30);
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(view.net(0).money().minor_units(), 0);
  EXPECT_EQ(view.cancellations(), 1);
  EXPECT_EQ(view.placed_orders(0).state(), checkout::v1::ORDER_STATE_CANCELLED);
  EXPECT_EQ(view.placed_orders(0).fulfilments(0).state(), checkout::v1::FULFILMENT_STATE_CANCELLED);
  EXPECT_EQ(view.placed_orders(0).event(), "checkout/17@8#0");
}

TEST(ReturnTakenHere, IsSubtractedFromTheNet) {
  GivenCustomers given = Ordered();
  given.Records(
      "c-1", {GoodsReturned("r1", {.id = "c-1/r1", .identifiers = {Customer("a")}, .pence = -300, .minute = 40})}, 40);
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(view.returns(), 1);
  EXPECT_EQ(view.net(0).money().minor_units(), 1700);
  EXPECT_EQ(KindsOf(given, Customer("a")).front(), v1::TIMELINE_KIND_RETURN);
}

TEST(ReturnTakenHere, BelongsToTheCustomerOfTheImportedOrder) {
  GivenCustomers given;
  given.Happens(Order({.id = "1", .identifiers = {Customer("a")}, .pence = 1000}));
  given.Records("ord-1", {GoodsReturned<checkout::v1::ImportEvent>(
                             "r1", {.id = "ord-1/r1", .identifiers = {Customer("a")}, .pence = -300, .minute = 40})});
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  EXPECT_EQ(view.returns(), 1);
  EXPECT_EQ(view.net(0).money().minor_units(), 700);
  EXPECT_EQ(view.placed_orders_size(), 0);
}

TEST(Timeline, NamesTheSiteThatSoldAndTheLocationOfTheGoods) {
  GivenCustomers given = Ordered();
  given.Records("c-1", {HandedOver("f1", checkout::v1::FULFILMENT_STATE_COLLECTED)}, 20);
  given.Records(
      "c-1", {GoodsReturned("r1", {.id = "c-1/r1", .identifiers = {Customer("a")}, .pence = -300, .minute = 40})}, 40);
  v1::ListTimelineRequest request;
  *request.mutable_customer() = Named(Customer("a"));
  const auto page = ListTimeline(given.view(), request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries_size(), 4);
  EXPECT_EQ(page->entries(0).kind(), v1::TIMELINE_KIND_RETURN);
  EXPECT_EQ(page->entries(0).site_id(), "shop-1");
  EXPECT_EQ(page->entries(0).location_id(), "back-room");
  EXPECT_EQ(page->entries(1).kind(), v1::TIMELINE_KIND_FULFILMENT_COLLECTED);
  EXPECT_EQ(page->entries(1).site_id(), "");
  EXPECT_EQ(page->entries(1).location_id(), "shop-1");
  EXPECT_EQ(page->entries(2).location_id(), "");
  EXPECT_EQ(page->entries(3).site_id(), "web");
}

TEST(Exchange, CountsItsDifferenceOnceAndShowsItsNewFulfilments) {
  GivenCustomers given = Ordered();
  checkout::v1::OrderEvent event;
  checkout::v1::ExchangeCommitted& exchange = *event.mutable_exchange_committed();
  exchange.set_exchange_id("x1");
  *exchange.mutable_returned()->mutable_sale() =
      PlacedSale({.id = "c-1/x1", .identifiers = {Customer("a")}, .pence = -1000});
  *exchange.mutable_sale() = PlacedSale({.id = "c-1/x1", .identifiers = {Customer("a")}, .pence = 1400, .minute = 50});
  exchange.mutable_difference()->set_currency_code("GBP");
  exchange.mutable_difference()->set_minor_units(400);
  *exchange.add_fulfilments() = Planned("f3", "shop-1");
  given.Records("c-1", {event}, 50);
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")), true);
  EXPECT_EQ(view.net(0).money().minor_units(), 2400);
  EXPECT_EQ(view.net(0).event_count(), 2);
  EXPECT_EQ(view.exchanges(), 1);
  EXPECT_EQ(view.returns(), 0);
  EXPECT_EQ(view.orders(), 1);
  EXPECT_EQ(view.placed_orders(0).fulfilments_size(), 3);
}

TEST(CartAndOrderEvents, TouchTheirCustomerEvenIfTheyDoNotNameOne) {
  GivenCustomers given = Ordered();
  given.TakeTopics();
  given.Records("c-1", {Advanced("f1", checkout::v1::FULFILMENT_STATE_READY)});
  EXPECT_THAT(given.TakeTopics(), ElementsAre(TopicOf(Customer("a"))));
  given = Shopping();
  given.TakeTopics();
  given.Records("c-1", {LineChanged("l1", 9, 333)});
  EXPECT_THAT(given.TakeTopics(), ElementsAre(TopicOf(Customer("a"))));
}

TEST(CartAndOrderEvents, AreReportedToWatchers) {
  GivenCustomers given = Ordered();
  TokenPositions seen = given.Seen();
  EXPECT_FALSE(NextUpdate(given.view(), Named(Customer("a")), seen)->has_value());
  given.Records("c-1", {Advanced("f1", checkout::v1::FULFILMENT_STATE_READY)}, 15);
  auto update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
  ASSERT_TRUE(update.has_value() && update->has_change());
  EXPECT_EQ(update->change().entries(0).kind(), v1::TIMELINE_KIND_FULFILMENT_READY);
  seen = given.Seen();
  given.Records("c-9", {Opened(), CustomerSet({Customer("a")})}, 20);
  seen = given.Seen();
  given.Records("c-9", {LinesAdded({CartLine("l1", 1, 70)})}, 21);
  update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
  ASSERT_TRUE(update.has_value() && update->has_change()) << "no entry in the timeline, but a change";
  EXPECT_EQ(update->change().entries_size(), 0);
  EXPECT_EQ(update->change().view().carts(0).total().minor_units(), 70);
}

TEST(CartAndOrderEvents, CannotBeProjectedForAnUnknownCart) {
  store::MemoryRows view;
  EXPECT_EQ(ReasonOf(Project(view, LinesAdded({CartLine("l1", 1, 1)}), {})), "EVENT_CANNOT_BE_PROJECTED");
}

}  // namespace
}  // namespace halles::customer_identity
