// Tests of what checkout does about its own facts.
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

TEST(LinkReturns, AsksToLinkAReturnThatNamesItsOrder) {
  v1::ImportRecord record = Record("C1", {Back("a", "2"), Line(v1::LINE_KIND_SERVICE, "D", "-1", "5")}, 3);
  *record.add_identifiers() = Customer('a');
  const auto requests = LinkReturns(ReturnImported(record, "536365"), Context());
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].order_id(), OrderIdOf("acme", Ref("536365")).ToString());
  const v1::LinkedReturn& linked_return = requests[0].linked_return();
  EXPECT_EQ(linked_return.return_id(), "ret-1");
  EXPECT_EQ(linked_return.external().external_id(), "C1");
  EXPECT_EQ(linked_return.recorded_time().seconds(), Minute(3).seconds());
  EXPECT_EQ(linked_return.items_size(), 1);
  EXPECT_EQ(linked_return.lines(), 2u);
  EXPECT_EQ(linked_return.net().minor_units(), -1010);
  EXPECT_TRUE(linked_return.names_customer());
}

TEST(LinkReturns, LeavesAReturnWithoutOrderAlone) {
  EXPECT_TRUE(LinkReturns(ReturnImported(Record("C1", {Back("a", "2")})), Context()).empty());
}

TEST(LinkReturns, LeavesEverythingElseAlone) {
  const v1::LinkReturnRequest link = LinkOf(Record("C1", {Back("a", "1")}), "536365");
  EXPECT_TRUE(LinkReturns(OrderImported(Record("536365", {Sold("a", "1")})), Context()).empty());
  EXPECT_TRUE(LinkReturns(ReturnAwaited(link), Context()).empty());
  EXPECT_TRUE(LinkReturns(ReturnLinked(link), Context()).empty());
  EXPECT_TRUE(LinkReturns(v1::OrderEvent(), Context()).empty());
}

}  // namespace
}  // namespace halles::checkout
