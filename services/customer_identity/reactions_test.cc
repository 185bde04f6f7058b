// Tests of the reactions of customer identity to events of checkout.
#include "services/customer_identity/reactions.h"

#include "gtest/gtest.h"
#include "services/customer_identity/test_builders.h"

namespace halles::customer_identity {
namespace {

TEST(React, ObservesTheIdentifiersOfOrdersAndReturns) {
  for (const auto& event : {Order({"1", {Customer("a"), Phone("p")}}), Return({"1", {Customer("a"), Phone("p")}})}) {
    const auto requests = React(event, {});
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].DebugString(), Observe({Customer("a"), Phone("p")}).DebugString());
  }
}

TEST(React, IgnoresSalesWithoutACustomer) {
  EXPECT_TRUE(React(Order({"1", {}}), {}).empty());
  EXPECT_TRUE(React(Return({"1", {}}), {}).empty());
}

TEST(React, IgnoresAllOtherEvents) {
  checkout::v1::ImportEvent awaited;
  awaited.mutable_return_awaited();
  EXPECT_TRUE(React(awaited, {}).empty());
  EXPECT_TRUE(React(LinkedTo(Customer("a"), {"C1", {}}), {}).empty());
  EXPECT_TRUE(React(checkout::v1::CartEvent(), {}).empty());
  EXPECT_TRUE(React(checkout::v1::OrderEvent(), {}).empty());
  EXPECT_TRUE(React(checkout::v1::ImportEvent(), {}).empty());
}

}  // namespace
}  // namespace halles::customer_identity
