// Tests of checkout's reactions to its own events.
#include "services/checkout/reactions.h"

#include "gtest/gtest.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout {
namespace {

partition::FactContext Context() {
  partition::FactContext context;
  context.aggregate_id = "ret-1";
  context.tenant = "acme";
  return context;
}

TEST(LinkReturns, RequestsTheLinkOfAReturnThatNamesItsOrder) {
  v1::ImportRecord record = Record("C1", {Back("a", "2"), Line(v1::LINE_KIND_SERVICE, "D", "-1", "5")}, 3);
  *record.add_identifiers() = Customer('a');
  const auto requests = LinkReturns(ReturnImported(record, "536365"), Context());
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].order_id(), imports::OrderIdOf("acme", Ref("536365")).ToString());
  const v1::LinkedReturn& linked_return = requests[0].linked_return();
  EXPECT_EQ(linked_return.return_id(), "ret-1");
  EXPECT_EQ(linked_return.external().external_id(), "C1");
  EXPECT_EQ(linked_return.recorded_time().seconds(), Minute(3).seconds());
  EXPECT_EQ(linked_return.items_size(), 1);
  EXPECT_EQ(linked_return.lines(), 2u);
  EXPECT_EQ(linked_return.net().minor_units(), -1010);
  EXPECT_TRUE(linked_return.names_customer());
}

TEST(LinkReturns, IgnoresAReturnWithoutAnOrder) {
  EXPECT_TRUE(LinkReturns(ReturnImported(Record("C1", {Back("a", "2")})), Context()).empty());
}

TEST(LinkReturns, IgnoresAllOtherEvents) {
  const v1::LinkReturnRequest link = LinkOf(Record("C1", {Back("a", "1")}), "536365");
  EXPECT_TRUE(LinkReturns(OrderImported(Record("536365", {Sold("a", "1")})), Context()).empty());
  EXPECT_TRUE(LinkReturns(ReturnAwaited(link), Context()).empty());
  EXPECT_TRUE(LinkReturns(ReturnLinked(link), Context()).empty());
  v1::ImportEvent returned;
  returned.mutable_goods_returned();
  EXPECT_TRUE(LinkReturns(returned, Context()).empty());
  EXPECT_TRUE(LinkReturns(v1::ImportEvent(), Context()).empty());
}

partition::FactContext OfCart(absl::string_view cart_id) {
  partition::FactContext context;
  context.aggregate_id = cart_id;
  return context;
}

TEST(TakeCarts, AsksTheOtherCartToTakeTheLines) {
  v1::CartEvent event;
  event.mutable_cart_given()->set_into_cart_id("account");
  event.mutable_cart_given()->set_merge(3);
  event.mutable_cart_given()->add_lines()->set_line_id("1");
  const auto requests = TakeCarts(event, OfCart("guest"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].cart_id(), "account");
  EXPECT_EQ(requests[0].from_cart_id(), "guest");
  EXPECT_EQ(requests[0].given().DebugString(), event.cart_given().DebugString());
  EXPECT_TRUE(SettleMerges(event, OfCart("guest")).empty());
}

TEST(SettleMerges, AnswersTheCartThatGaveItsLines) {
  v1::CartEvent taken;
  taken.mutable_cart_taken()->set_from_cart_id("guest");
  taken.mutable_cart_taken()->set_merge(3);
  v1::CartEvent declined;
  declined.mutable_cart_declined()->set_from_cart_id("guest");
  declined.mutable_cart_declined()->set_merge(3);
  v1::CartEvent undone;
  undone.mutable_cart_merge_undone()->set_from_cart_id("guest");
  undone.mutable_cart_merge_undone()->set_merge(3);
  undone.mutable_cart_merge_undone()->add_lines()->set_line_id("1");
  for (const v1::CartEvent& event : {taken, declined, undone}) {
    const auto requests = SettleMerges(event, OfCart("account"));
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].cart_id(), "guest");
    EXPECT_EQ(requests[0].into_cart_id(), "account");
    EXPECT_TRUE(TakeCarts(event, OfCart("account")).empty());
  }
  EXPECT_EQ(SettleMerges(taken, OfCart("account"))[0].merged().merge(), 3);
  EXPECT_FALSE(SettleMerges(declined, OfCart("account"))[0].reopened().replaces_lines());
  const v1::SettleMergeRequest back = SettleMerges(undone, OfCart("account"))[0];
  EXPECT_TRUE(back.reopened().replaces_lines());
  EXPECT_EQ(back.reopened().lines_size(), 1);
}

}  // namespace
}  // namespace halles::checkout
