// Tests of the holds in the view "customers".
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

using ::testing::ElementsAre;

std::vector<int> KindsOf(const GivenCustomers& given) {
  v1::ListTimelineRequest request;
  *request.mutable_customer() = Named(Customer("a"));
  std::vector<int> kinds;
  const auto page = ListTimeline(given.view(), request);
  EXPECT_TRUE(page.ok()) << page.status();
  for (const v1::TimelineEntry& entry : page->entries()) kinds.push_back(entry.kind());
  return kinds;
}

GivenCustomers Holding() {
  GivenCustomers given;
  given.Observe({Customer("a"), Phone("p")});
  given.Stocks("shoe-42", {Held("h1", {Customer("a")}, 3)}, 1);
  return given;
}

inventory::v1::StockEvent Expired(const std::string& hold_id) {
  inventory::v1::StockEvent event;
  event.mutable_hold_expired()->set_hold_id(hold_id);
  *event.mutable_hold_expired()->mutable_customer() = Customer("a");
  return event;
}
inventory::v1::StockEvent Committed(const std::string& hold_id) {
  inventory::v1::StockEvent event;
  event.mutable_hold_committed()->set_hold_id(hold_id);
  *event.mutable_hold_committed()->mutable_customer() = Customer("a");
  return event;
}
inventory::v1::StockEvent Released(const std::string& hold_id, int64_t units, bool ended) {
  inventory::v1::StockEvent event;
  inventory::v1::HoldReleased& released = *event.mutable_hold_released();
  released.set_hold_id(hold_id);
  released.set_ended(ended);
  released.add_allocations()->set_location_id("shop-1");
  released.mutable_allocations(0)->set_units(units);
  *released.mutable_customer() = Customer("a");
  return event;
}
inventory::v1::StockEvent Moved(const std::string& hold_id, int64_t units, const std::string& to) {
  inventory::v1::StockEvent event;
  inventory::v1::HoldMoved& moved = *event.mutable_hold_moved();
  moved.set_hold_id(hold_id);
  moved.add_from()->set_location_id("shop-1");
  moved.mutable_from(0)->set_units(units);
  moved.add_to()->set_location_id(to);
  moved.mutable_to(0)->set_units(units);
  *moved.mutable_customer() = Customer("a");
  return event;
}

TEST(Hold, IsInTheViewOfItsCustomer) {
  const v1::CustomerView view = Holding().ViewOf(Named(Phone("p")));
  ASSERT_EQ(view.holds_size(), 1);
  EXPECT_EQ(view.holds(0).sku(), "shoe-42");
  EXPECT_EQ(view.holds(0).hold_id(), "h1");
  EXPECT_EQ(view.holds(0).units(), 3);
  EXPECT_EQ(view.holds(0).allocations(0).location_id(), "shop-1");
  EXPECT_EQ(view.holds(0).purpose(), inventory::v1::HOLD_PURPOSE_DATED_PICKUP);
  EXPECT_EQ(view.holds(0).owner_ref(), "cart/c-1");
  EXPECT_EQ(view.holds(0).event(), "inventory/5@0#0");
  EXPECT_THAT(KindsOf(Holding()), ElementsAre(v1::TIMELINE_KIND_HOLD_PLACED));
}

TEST(Hold, CanBeMovedReducedAndExtended) {
  GivenCustomers given = Holding();
  inventory::v1::StockEvent extended;
  extended.mutable_hold_extended()->set_hold_id("h1");
  extended.mutable_hold_extended()->mutable_expire_time()->set_seconds(77);
  *extended.mutable_hold_extended()->mutable_customer() = Customer("a");
  given.Stocks("shoe-42", {Moved("h1", 2, "depot"), Released("h1", 1, false), extended}, 2);
  const v1::CustomerView view = given.ViewOf(Named(Customer("a")));
  const v1::CustomerHold& hold = view.holds(0);
  ASSERT_EQ(hold.allocations_size(), 1) << "a location without units is removed";
  EXPECT_EQ(hold.allocations(0).location_id(), "depot");
  EXPECT_EQ(hold.units(), 2);
  EXPECT_EQ(hold.expire_time().seconds(), 77);
  EXPECT_EQ(hold.event(), "inventory/5@3#0");
}

TEST(Hold, IsRemovedWhenItEndsAndTheTimelineSaysHow) {
  const struct {
    inventory::v1::StockEvent event;
    v1::TimelineKind kind;
  } ends[] = {{Expired("h1"), v1::TIMELINE_KIND_HOLD_EXPIRED},
              {Released("h1", 3, true), v1::TIMELINE_KIND_HOLD_RELEASED},
              {Committed("h1"), v1::TIMELINE_KIND_HOLD_COMMITTED}};
  for (const auto& end : ends) {
    GivenCustomers given = Holding();
    given.Stocks("shoe-42", {end.event, end.event}, 5);
    EXPECT_EQ(given.ViewOf(Named(Customer("a"))).holds_size(), 0);
    EXPECT_THAT(KindsOf(given), ElementsAre(end.kind, v1::TIMELINE_KIND_HOLD_PLACED));
  }
}

inventory::v1::StockEvent Sent(const std::string& hold_id, int64_t units) {
  inventory::v1::StockEvent event;
  inventory::v1::TransferSent& sent = *event.mutable_transfer_sent();
  sent.set_transfer_id("t");
  sent.set_hold_id(hold_id);
  sent.set_from_location_id("shop-1");
  sent.set_to_location_id("shop-2");
  sent.set_units(units);
  return event;
}

TEST(Hold, IsRemovedWhenItsGoodsAreSentToAnotherLocation) {
  GivenCustomers given = Holding();
  given.Stocks("shoe-42", {Sent("h1", 2), Sent("", 7), Sent("of-nobody", 1)}, 2);
  const v1::CustomerView before = given.ViewOf(Named(Customer("a")));
  ASSERT_EQ(before.holds_size(), 1);
  EXPECT_EQ(before.holds(0).units(), 1);
  EXPECT_EQ(before.holds(0).event(), "inventory/5@1#0");
  given.Stocks("shoe-42", {Sent("h1", 1)}, 9);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).holds_size(), 0);
  EXPECT_THAT(KindsOf(given), ElementsAre(v1::TIMELINE_KIND_HOLD_SENT, v1::TIMELINE_KIND_HOLD_PLACED));
}

TEST(Hold, IsNotInTheTimelineWhenItBelongsToAnOrder) {
  GivenCustomers given;
  given.Observe({Customer("a")});
  given.Stocks("shoe-42", {Held("o1", {Customer("a")}, 1, inventory::v1::HOLD_PURPOSE_CHECKOUT)});
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).holds_size(), 1);
  given.Stocks("shoe-42", {Committed("o1")});
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).holds_size(), 0);
  EXPECT_TRUE(KindsOf(given).empty());
}

TEST(Hold, IsRemovedWhenAnotherHoldReplacesIt) {
  GivenCustomers given = Holding();
  given.Stocks("shoe-42", {Held("o1", {}, 3, inventory::v1::HOLD_PURPOSE_CHECKOUT, "h1")}, 2);
  EXPECT_EQ(given.ViewOf(Named(Customer("a"))).holds_size(), 0);
  EXPECT_THAT(KindsOf(given), ElementsAre(v1::TIMELINE_KIND_HOLD_PLACED));
}

TEST(Hold, IsInNoViewWithoutACustomer) {
  GivenCustomers given;
  inventory::v1::StockEvent expired = Expired("h1");
  expired.mutable_hold_expired()->clear_customer();
  given.Stocks("shoe-42", {Held("h1", {}, 3), expired});
  EXPECT_EQ(given.view().size(), 0u);
}

TEST(Hold, IsReportedToWatchersWhenItBeginsAndWhenItEnds) {
  GivenCustomers given = Holding();
  for (const auto& event : {Held("o1", {Customer("a")}, 1, inventory::v1::HOLD_PURPOSE_CHECKOUT), Committed("o1")}) {
    const TokenPositions seen = given.Seen();
    given.TakeTopics();
    given.Stocks("shoe-42", {event}, 3);
    const auto update = NextUpdate(given.view(), Named(Customer("a")), seen).value();
    ASSERT_TRUE(update.has_value() && update->has_change());
    EXPECT_FALSE(given.TakeTopics().empty());
  }
}

TEST(Hold, StopsAtACustomerInClear) {
  common::v1::Identifier clear;
  clear.set_value("17850");
  store::MemoryRows view;
  EXPECT_EQ(ReasonOf(Project(view, Held("h1", {clear}, 1), {})), "EVENT_CANNOT_BE_PROJECTED");
  EXPECT_EQ(ReasonOf(Project(view, inventory::v1::StockEvent(), {})), "EVENT_CANNOT_BE_PROJECTED");
}

}  // namespace
}  // namespace halles::customer_identity
