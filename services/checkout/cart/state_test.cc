// Tests of the fold of carts: the rows that it keeps, versions, and the events that it cannot evolve.
#include "services/checkout/cart/state.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::cart {
namespace {

using Facts = std::vector<partition::Fact<v1::CartEvent>>;

GivenCarts GivenCart() {
  GivenCarts given;
  given.Record(Add("a", {CartLineOf("1", 2)}));
  return given;
}

Facts Of(const std::string& cart_id, const v1::CartEvent& event) { return {{cart_id, event}}; }

void ExpectCannotBeEvolved(GivenCarts given, const v1::CartEvent& event, const std::string& why) {
  const std::string before = given.Cart("a").DebugString() + given.Lines("a");
  const absl::Status status = given.TryEvolve(Of("a", event));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << event.DebugString();
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_EVOLVED");
  EXPECT_NE(status.message().find(why), absl::string_view::npos) << status;
  EXPECT_EQ(given.Cart("a").DebugString() + given.Lines("a"), before);
}

v1::CartEvent Added(const std::vector<v1::CartLine>& lines) {
  v1::CartEvent event;
  for (const v1::CartLine& line : lines) *event.mutable_cart_lines_added()->add_lines() = Priced(line);
  return event;
}

v1::CartEvent Given(int64_t merge, const std::vector<v1::CartLine>& lines) {
  v1::CartEvent event;
  event.mutable_cart_given()->set_into_cart_id("b");
  event.mutable_cart_given()->set_merge(merge);
  for (const v1::CartLine& line : lines) *event.mutable_cart_given()->add_lines() = line;
  return event;
}

TEST(EvolveCart, CountsTheEventsOfARecordOnce) {
  GivenCarts given;
  v1::AddCartLinesRequest request = Add("a", {CartLineOf("1")});
  *request.add_identifiers() = Customer('c');
  EXPECT_EQ(given.Record(request).facts().size(), 3u);
  EXPECT_EQ(given.Cart("a").version(), 1);
  given.Record(Change("a", "1", 2));
  EXPECT_EQ(given.Cart("a").version(), 2);
}

v1::CartEvent CheckoutStarted(uint32_t attempt) {
  v1::CartEvent event;
  event.mutable_cart_checkout_started()->set_attempt(attempt);
  return event;
}
v1::CartEvent CheckoutFailed(uint32_t attempt) {
  v1::CartEvent event;
  event.mutable_cart_checkout_failed()->set_attempt(attempt);
  event.mutable_cart_checkout_failed()->add_problems()->set_line_id("1");
  return event;
}
v1::CartEvent Ordered() {
  v1::CartEvent event;
  event.mutable_cart_ordered();
  return event;
}

TEST(EvolveCart, FreezesLinesInCheckoutAndKeepsItsProblems) {
  GivenCarts given = GivenCart();
  ASSERT_TRUE(given.TryEvolve(Of("a", CheckoutStarted(1))).ok());
  EXPECT_EQ(given.Cart("a").abandon_us(), 0);
  ExpectCannotBeEvolved(given, Added({CartLineOf("2")}), "must be CART_STATE_OPEN");
  ASSERT_TRUE(given.TryEvolve(Of("a", CheckoutFailed(1))).ok());
  EXPECT_EQ(given.Cart("a").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Cart("a").problems_size(), 1);
  EXPECT_GT(given.Cart("a").abandon_us(), 0);
  ASSERT_TRUE(given.TryEvolve(Of("a", CheckoutStarted(2))).ok());
  EXPECT_EQ(given.Cart("a").problems_size(), 0);
  ASSERT_TRUE(given.TryEvolve(Of("a", Ordered())).ok());
  EXPECT_EQ(given.Cart("a").state(), v1::CART_STATE_ORDERED);
  EXPECT_EQ(given.Lines("a"), "1:2");
  EXPECT_EQ(given.Cart("a").version(), 5);
}

TEST(EvolveCart, StopsAtAnAttemptWithTheWrongNumber) {
  GivenCarts given = GivenCart();
  ExpectCannotBeEvolved(given, CheckoutStarted(2), "the attempt has the wrong number");
  ExpectCannotBeEvolved(given, CheckoutFailed(1), "must be CART_STATE_IN_CHECKOUT");
  ExpectCannotBeEvolved(given, Ordered(), "must be CART_STATE_IN_CHECKOUT");
  ASSERT_TRUE(given.TryEvolve(Of("a", CheckoutStarted(1))).ok());
  ExpectCannotBeEvolved(given, CheckoutStarted(2), "must be CART_STATE_OPEN");
  ExpectCannotBeEvolved(given, CheckoutFailed(2), "another attempt");
}

TEST(EvolveCart, MovesItsTimerOnlyWhenNecessary) {
  GivenCarts given = GivenCart();
  const rows::CartRow row = given.Cart("a");
  EXPECT_EQ(row.abandon_us(), row.last_change_us() + (kLifeSeconds + kLifeSlackSeconds) * 1'000'000);
  store::MemoryRows rows = given.rows();
  const size_t count = rows.size();
  v1::CartEvent changed;
  changed.mutable_cart_line_changed()->set_line_id("1");
  changed.mutable_cart_line_changed()->set_units(3);
  *changed.mutable_cart_line_changed()->mutable_amount() = MoneyOf("GBP", 765);
  partition::FactContext context;
  context.slot = kSlot;
  context.aggregate_id = "a";
  context.position = given.next_position();
  context.logical_time = row.last_change_us() + kLifeSlackSeconds * 1'000'000;
  ASSERT_TRUE(Evolve(rows, changed, context).ok());
  EXPECT_EQ(CartIn(rows, "a").abandon_us(), row.abandon_us());
  context.logical_time += 1;
  ASSERT_TRUE(Evolve(rows, changed, context).ok());
  EXPECT_GT(CartIn(rows, "a").abandon_us(), row.abandon_us());
  EXPECT_EQ(rows.size(), count);
}

TEST(EvolveCart, StopsAtInvalidLines) {
  ExpectCannotBeEvolved(GivenCart(), Added({CartLineOf("2"), CartLineOf("1")}), "has the line already");
  ExpectCannotBeEvolved(GivenCart(), Added({CartLineOf("2"), CartLineOf("2")}), "comes twice");
  ExpectCannotBeEvolved(GivenCarts(), Added({CartLineOf("2")}), "the cart must be CART_STATE_OPEN and is unknown");
  std::vector<v1::CartLine> many;
  for (int i = 0; i < kLinesMax; ++i) many.push_back(CartLineOf("l" + std::to_string(i)));
  ExpectCannotBeEvolved(GivenCart(), Added(many), "too many lines");
  v1::CartEvent unpriced;
  *unpriced.mutable_cart_lines_added()->add_lines() = CartLineOf("2");
  ExpectCannotBeEvolved(GivenCart(), unpriced, "another currency");
  v1::CartEvent changed;
  changed.mutable_cart_line_changed()->set_line_id("2");
  ExpectCannotBeEvolved(GivenCart(), changed, "no such line");
}

TEST(EvolveCart, StopsAtACartOpenedTwice) {
  v1::CartEvent event;
  event.mutable_cart_opened()->set_currency_code("GBP");
  ExpectCannotBeEvolved(GivenCart(), event, "open already");
}

TEST(EvolveCart, StopsAtAMergeWithTheWrongNumberOrLines) {
  ExpectCannotBeEvolved(GivenCart(), Given(2, {CartLineOf("1", 2)}), "the merge has the wrong number");
  ExpectCannotBeEvolved(GivenCart(), Given(1, {}), "all its lines");
}

TEST(EvolveCart, StopsAtTheEndOfAMergeThatIsNotInProgress) {
  v1::CartEvent merged;
  merged.mutable_cart_merged()->set_merge(1);
  ExpectCannotBeEvolved(GivenCart(), merged, "must be CART_STATE_MERGING");
  v1::CartEvent reopened;
  reopened.mutable_cart_reopened()->set_merge(1);
  ExpectCannotBeEvolved(GivenCart(), reopened, "must be CART_STATE_MERGING");
  GivenCarts merging = GivenCart();
  merging.Record(MergeInto("a", "b"));
  merged.mutable_cart_merged()->set_merge(2);
  ExpectCannotBeEvolved(merging, merged, "another merge");
  reopened.mutable_cart_reopened()->set_merge(2);
  ExpectCannotBeEvolved(merging, reopened, "another merge");
}

TEST(EvolveCart, StopsAtARepeatedAnswer) {
  GivenCarts given = GivenCart();
  given.Record(Add("b", {CartLineOf("1")}));
  given.Settle(MergeInto("b", "a"));
  v1::CartEvent taken;
  taken.mutable_cart_taken()->set_from_cart_id("b");
  taken.mutable_cart_taken()->set_merge(1);
  ExpectCannotBeEvolved(given, taken, "answered before");
  v1::CartEvent declined;
  declined.mutable_cart_declined()->set_from_cart_id("b");
  declined.mutable_cart_declined()->set_merge(1);
  ExpectCannotBeEvolved(given, declined, "answered before");
  v1::CartEvent undone;
  undone.mutable_cart_merge_undone()->set_from_cart_id("b");
  undone.mutable_cart_merge_undone()->set_merge(1);
  ExpectCannotBeEvolved(given, undone, "not all lines");
  undone.mutable_cart_merge_undone()->set_merge(2);
  ExpectCannotBeEvolved(given, undone, "not here");
}

TEST(EvolveCart, StopsAtAnUnknownEvent) {
  store::MemoryRows rows;
  EXPECT_EQ(Evolve(rows, v1::CartEvent(), {}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace halles::checkout::cart
