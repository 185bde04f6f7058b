// Tests of the rules of carts: every refusal in the order of the enum, then the recorded events.
#include "services/checkout/cart/commands.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "services/checkout/cart/queries.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::cart {
namespace {

const std::string kMostPrice = std::to_string(std::numeric_limits<int64_t>::max());

GivenCarts GivenCart(const std::string& cart_id, const std::vector<v1::CartLine>& lines) {
  GivenCarts given;
  given.Record(Add(cart_id, lines));
  return given;
}

// Two carts: b was merged into a, and is empty.
GivenCarts GivenMerged() {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  given.Record(Add("b", {CartLineOf("1", 3), CartLineOf("2", 4)}));
  given.Settle(MergeInto("b", "a"));
  return given;
}

template <class Request>
Request For(Request request, int64_t version) {
  request.set_expected_version(version);
  return request;
}

TEST(AddCartLines, IsRefusedWithPersonalDataInClear) {
  v1::AddCartLinesRequest request = Add("a", {CartLineOf("1")});
  request.add_identifiers()->set_value("ann@example.com");
  GivenCarts().When(request).ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
}

TEST(SetCartCustomer, IsRefusedWithPersonalDataInClear) {
  v1::SetCartCustomerRequest request = SetCustomerOf("a", Customer('a'));
  request.mutable_identifiers(0)->set_value("ann@example.com");
  GivenCarts().When(request).ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
}

TEST(AddCartLines, IsRefusedWhenMalformedAndNamesTheField) {
  const auto refused = [](const v1::AddCartLinesRequest& request) {
    const auto outcome = GivenCarts().When(request);
    outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
    return outcome.Metadata("field");
  };
  EXPECT_EQ(refused(v1::AddCartLinesRequest()), "request_id");
  EXPECT_EQ(refused(Add("ord-1", {CartLineOf("1")})), "cart_id");
  EXPECT_EQ(refused(Add("a/b", {CartLineOf("1")})), "cart_id");
  EXPECT_EQ(refused(Add("a", {})), "lines");
  EXPECT_EQ(refused(Add("a", {CartLineOf("1"), CartLineOf("1")})), "lines[1].line_id");
  EXPECT_EQ(refused(Add("a", {CartLineOf("1", 0)})), "lines[0].units");
  EXPECT_EQ(refused(Add("a", {CartLineOf("1", 1, "-1")})), "lines[0].unit_price");
  v1::CartLine taken = CartLineOf("1");
  taken.add_origins();
  EXPECT_EQ(refused(Add("a", {taken})), "lines[0].origins");
  EXPECT_EQ(refused(Add("a", {Priced(CartLineOf("1"))})), "lines[0].amount");
  v1::AddCartLinesRequest request = Add("a", {CartLineOf("1")});
  request.mutable_origin()->clear_channel();
  EXPECT_EQ(refused(request), "origin.channel");
  EXPECT_EQ(refused(For(Add("a", {CartLineOf("1")}), -1)), "expected_version");
}

TEST(SetCartDelivery, IsRefusedWhenMalformedAndNamesTheField) {
  const auto refused = [](const v1::SetCartDeliveryRequest& request) {
    const auto outcome = GivenCarts().When(request);
    outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
    return outcome.Metadata("field");
  };
  v1::SetCartDeliveryRequest request = PickUpAt("a", "");
  EXPECT_EQ(refused(request), "delivery.pickup.location_id");
  request.mutable_delivery()->mutable_carry_out();
  EXPECT_EQ(refused(request), "delivery.carry_out.location_id");
  v1::Shipment& shipment = *request.mutable_delivery()->mutable_shipment();
  EXPECT_EQ(refused(request), "delivery.shipment.address_token");
  shipment.set_address_token("token");
  EXPECT_EQ(refused(request), "delivery.shipment.source_location_ids");
  shipment.add_source_location_ids("lyon");
  shipment.add_source_location_ids("lyon");
  EXPECT_EQ(refused(request), "delivery.shipment.source_location_ids[1]");
  request.clear_delivery();
  EXPECT_EQ(refused(request), "delivery");
}

TEST(CartCommands, AreRefusedWhenMalformed) {
  const GivenCarts given;
  given.When(Change("a", "1", -1)).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(v1::SetCartCustomerRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(MergeInto("a", "a")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(UndoMerge("a", "")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(v1::TakeCartRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(v1::SettleMergeRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::SettleMergeRequest nothing;
  nothing.set_cart_id("a");
  GivenCart("a", {CartLineOf("1")}).When(nothing).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(CartCommands, AreRefusedForAnUnknownCart) {
  const GivenCarts given;
  given.When(Change("a", "1", 2)).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN);
  given.When(PickUpAt("a", "lyon")).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN);
  given.When(SetCustomerOf("a", Customer('a'))).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN);
  given.When(MergeInto("a", "b")).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN);
  given.When(UndoMerge("a", "b")).ThenRejected(v1::REJECT_REASON_CART_UNKNOWN);
}

TEST(CartCommands, AreRefusedWhenTheCartIsNotOpen) {
  const GivenCarts given = GivenMerged();
  const auto outcome = given.When(Add("b", {CartLineOf("9")}));
  outcome.ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  EXPECT_EQ(outcome.Metadata("state"), "CART_STATE_MERGED");
  EXPECT_EQ(outcome.Metadata("into_cart_id"), "a");
  given.When(Change("b", "1", 2)).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  given.When(PickUpAt("b", "lyon")).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  given.When(SetCustomerOf("b", Customer('a'))).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  given.When(MergeInto("b", "c")).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  given.When(UndoMerge("b", "a")).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
}

TEST(CartCommands, AreRefusedWhenTheVersionChanged) {
  const GivenCarts given = GivenCart("a", {CartLineOf("1")});
  const auto outcome = given.When(For(Add("a", {CartLineOf("2")}), 0));
  outcome.ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  EXPECT_EQ(outcome.Metadata("version"), "1");
  GivenCarts().When(For(Add("a", {CartLineOf("2")}), 1)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(For(Change("a", "1", 2), 2)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(For(PickUpAt("a", "lyon"), 2)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(For(SetCustomerOf("a", Customer('a')), 2)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(For(MergeInto("a", "b"), 2)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  given.When(For(UndoMerge("a", "b"), 2)).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
}

TEST(AddCartLines, IsRefusedForAnotherCurrency) {
  v1::AddCartLinesRequest request = Add("a", {CartLineOf("2")});
  request.set_currency_code("EUR");
  const auto outcome = GivenCart("a", {CartLineOf("1")}).When(request);
  outcome.ThenRejected(v1::REJECT_REASON_CURRENCY_DIFFERS);
  EXPECT_EQ(outcome.Metadata("currency_code"), "GBP");
}

TEST(AddCartLines, IsRefusedWhenTheLineExists) {
  const auto outcome = GivenCart("a", {CartLineOf("1")}).When(Add("a", {CartLineOf("2"), CartLineOf("1", 5)}));
  outcome.ThenRejected(v1::REJECT_REASON_LINE_EXISTS);
  EXPECT_EQ(outcome.Metadata("line_id"), "1");
}

TEST(ChangeCartLine, IsRefusedWhenTheLineIsUnknown) {
  GivenCart("a", {CartLineOf("1")}).When(Change("a", "2", 1)).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
}

std::vector<v1::CartLine> ManyLines(int first, int count) {
  std::vector<v1::CartLine> lines;
  for (int i = first; i < first + count; ++i) lines.push_back(CartLineOf(std::to_string(i)));
  return lines;
}

TEST(AddCartLines, IsRefusedWhenTheCartIsFull) {
  GivenCarts given;
  for (int i = 0; i < kLinesMax; i += kLinesAddedMax) {
    given.Record(Add("a", ManyLines(i, kLinesAddedMax)));
  }
  given.When(Add("a", {CartLineOf("one more")})).ThenRejected(v1::REJECT_REASON_CART_FULL);
  given.Record(Change("a", "7", 0));
  given.When(Add("a", {CartLineOf("one more")}));
}

TEST(AddCartLines, IsRefusedWhenTheLinesAreTooLarge) {
  GivenCarts given;
  for (int i = 0;; i += kLinesAddedMax) {
    std::vector<v1::CartLine> lines = ManyLines(i, kLinesAddedMax);
    for (v1::CartLine& line : lines) {
      for (int c = 0; c < 120; ++c) *line.mutable_description() += "\xf0\x9f\x91\x9f";  // a running shoe
    }
    ASSERT_LT(i, kLinesMax);
    if (given.When(Add("a", lines)).status().ok()) {
      given.Record(Add("a", lines));
      continue;
    }
    given.When(Add("a", lines)).ThenRejected(v1::REJECT_REASON_CART_FULL);
    *lines[0].mutable_unit_price() = Exact(kMostPrice);
    lines[0].set_units(2);
    given.When(Add("a", lines)).ThenRejected(v1::REJECT_REASON_CART_FULL);  // before its amounts are added up
    break;
  }
}

TEST(UndoMergeCarts, IsRefusedWhenNothingWasMerged) {
  GivenCarts given = GivenMerged();
  given.When(UndoMerge("a", "c")).ThenRejected(v1::REJECT_REASON_NOT_MERGED);
  given.Settle(UndoMerge("a", "b"));
  given.When(UndoMerge("a", "b")).ThenRejected(v1::REJECT_REASON_NOT_MERGED);
}

TEST(MergeCarts, IsRefusedWhenTheOtherCartDeclined) {
  GivenCarts given = GivenMerged();
  given.Record(Add("c", {CartLineOf("1", 7)}));
  const auto begun = given.Settle(MergeInto("c", "b"));
  const auto outcome = MergeOutcome(given.rows(), OrderId::FromString("c"), begun.response().merge());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ("REJECT_REASON_" + ReasonOf(*outcome), RejectReason_Name(v1::REJECT_REASON_MERGE_DECLINED));
  EXPECT_EQ(MetadataOf(*outcome, "into_cart_id"), "b");
  EXPECT_EQ(given.Cart("c").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Lines("c"), "1:7");
}

TEST(AddCartLines, IsRefusedWhenTheTotalOverflows) {
  GivenCarts().When(Add("a", {CartLineOf("1", 2, kMostPrice)})).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
  const v1::CartLine most = CartLineOf("1", 1, kMostPrice.substr(0, 17));
  v1::CartLine other = most;
  other.set_units(9);
  other.set_line_id("2");
  GivenCart("a", {most}).When(Add("a", {other})).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(ChangeCartLine, IsRefusedWhenTheTotalOverflows) {
  GivenCart("a", {CartLineOf("1", 1, kMostPrice.substr(0, 17))})
      .When(Change("a", "1", 1000))
      .ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(AddCartLines, AnswersReasonsInTheOrderOfTheEnum) {
  GivenCarts given = GivenMerged();
  v1::AddCartLinesRequest request = For(Add("b", {CartLineOf("1", 0)}), 7);
  request.set_currency_code("EUR");
  given.When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  request.mutable_lines(0)->set_units(1);
  given.When(request).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
  request.set_cart_id("a");
  given.When(request).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED);
  request.clear_expected_version();
  given.When(request).ThenRejected(v1::REJECT_REASON_CURRENCY_DIFFERS);
  request.set_currency_code("GBP");
  given.When(request).ThenRejected(v1::REJECT_REASON_LINE_EXISTS);
  *request.mutable_lines() = Add("a", {CartLineOf("new", 2, kMostPrice)}).lines();
  given.When(request).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(AddCartLines, OpensTheCartAndAddsUpItsLines) {
  GivenCarts given;
  v1::AddCartLinesRequest request = Add("a", {CartLineOf("1", 3, "0.335"), CartLineOf("2", 1, "1")});
  *request.add_identifiers() = Customer('c');
  const auto outcome = given.Record(request);
  ASSERT_EQ(outcome.facts().size(), 3u);
  EXPECT_TRUE(outcome.facts()[0].event.has_cart_opened());
  EXPECT_TRUE(outcome.facts()[1].event.has_cart_customer_set());
  EXPECT_TRUE(outcome.facts()[2].event.has_cart_lines_added());
  EXPECT_EQ(outcome.response().version(), 1);
  EXPECT_EQ(outcome.response().total().minor_units(), 101 + 100);  // 1.005 is rounded up
  EXPECT_EQ(given.Cart("a").version(), 1);
  EXPECT_EQ(given.Cart("a").total_minor_units(), 201);
  EXPECT_EQ(given.Lines("a"), "1:3 2:1");
}

TEST(AddCartLines, LetsTwoDevicesAddWithoutOverwriting) {
  GivenCarts given = GivenCart("a", {CartLineOf("phone-1", 1)});
  given.Record(Add("a", {CartLineOf("till-1", 2)}));
  given.Record(For(Add("a", {CartLineOf("phone-2", 3)}), 2));
  EXPECT_EQ(given.Lines("a"), "phone-1:1 till-1:2 phone-2:3");
}

TEST(ChangeCartLine, CountsAVersionOnlyForAChange) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2, "1"), CartLineOf("2", 1, "5")});
  const auto same = given.When(Change("a", "1", 2));
  same.ThenNothing();
  EXPECT_EQ(same.response().version(), 1);
  EXPECT_EQ(given.Record(Change("a", "1", 4)).response().total().minor_units(), 900);
  const auto gone = given.Record(Change("a", "2", 0));
  EXPECT_EQ(gone.response().total().minor_units(), 400);
  EXPECT_EQ(gone.response().version(), 3);
  EXPECT_EQ(given.Lines("a"), "1:4");
}

TEST(SetCartDelivery, SetsTheCustomerToo) {
  GivenCarts given = GivenCart("a", {CartLineOf("1")});
  v1::SetCartDeliveryRequest request = PickUpAt("a", "lyon");
  *request.add_identifiers() = Customer('c');
  EXPECT_EQ(given.Record(request).facts().size(), 2u);
  EXPECT_EQ(given.Cart("a").delivery().pickup().location_id(), "lyon");
  EXPECT_EQ(given.Cart("a").identifiers(0).keyed_hash(), Customer('c').keyed_hash());
  EXPECT_EQ(given.Cart("a").version(), 2);
  given.When(request).ThenNothing();
  request.clear_identifiers();
  given.When(request).ThenNothing();
}

TEST(SetCartCustomer, PutsTheStrongestIdentifierFirst) {
  GivenCarts given = GivenCart("a", {CartLineOf("1")});
  v1::SetCartCustomerRequest request = SetCustomerOf("a", Phone('p'));
  *request.add_identifiers() = Customer('c');
  given.Record(request);
  EXPECT_EQ(given.Cart("a").identifiers(0).type(), common::v1::IDENTIFIER_TYPE_EXTERNAL_ID);
  given.When(request).ThenNothing();
}

TEST(MergeCarts, GivesEveryLineAUniqueId) {
  const GivenCarts given = GivenMerged();
  EXPECT_EQ(given.Lines("a"), "1:2 b/1:3 2:4");
  EXPECT_EQ(given.Lines("b"), "");
  EXPECT_EQ(given.Cart("b").state(), v1::CART_STATE_MERGED);
  EXPECT_EQ(given.Cart("a").total_minor_units(), 9 * 255);
  EXPECT_TRUE(MergeOutcome(given.rows(), OrderId::FromString("b"), 1)->ok());
}

TEST(MergeCarts, OpensTheOtherCartIfItDoesNotExist) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  given.Record(SetCustomerOf("a", Customer('c')));
  given.Settle(MergeInto("a", "account"));
  EXPECT_EQ(given.Lines("account"), "1:2");
  EXPECT_EQ(given.Cart("account").version(), 1);
  EXPECT_EQ(given.Cart("account").identifiers_size(), 1);
  EXPECT_EQ(given.Cart("account").origin().site_id(), "web");
}

TEST(MergeCarts, KeepsTheCustomerOfTheOtherCart) {
  GivenCarts given = GivenCart("a", {CartLineOf("1")});
  given.Record(SetCustomerOf("a", Customer('a')));
  given.Record(Add("b", {CartLineOf("1")}));
  given.Record(SetCustomerOf("b", Customer('b')));
  given.Settle(MergeInto("b", "a"));
  ASSERT_EQ(given.Cart("a").identifiers_size(), 1);
  EXPECT_EQ(given.Cart("a").identifiers(0).keyed_hash(), Customer('a').keyed_hash());
}

TEST(MergeCarts, DoesNothingWhenTwoDevicesSeeTheSameLogin) {
  GivenCarts given = GivenMerged();
  const auto again = given.When(For(MergeInto("b", "a"), 1));
  again.ThenNothing();
  EXPECT_EQ(again.response().merge(), 1);
}

TEST(MergeCarts, AnswersARepeatWithTheOutcomeOfItsOwnMerge) {
  GivenCarts given = GivenMerged();
  given.Record(Add("c", {CartLineOf("1", 7)}));
  given.Settle(MergeInto("c", "b"));
  given.Settle(MergeInto("c", "a"));
  const OrderId a = OrderId::FromString("a");
  const OrderId c = OrderId::FromString("c");
  EXPECT_EQ(ReasonOf(*MergeOutcome(given.rows(), c, 1)), "MERGE_DECLINED") << "later merges do not change it";
  EXPECT_EQ(MetadataOf(*MergeOutcome(given.rows(), c, 1), "into_cart_id"), "b");
  const std::string taken = FindTaking(given.rows(), a, c, 2)->SerializeAsString();
  given.Settle(UndoMerge("a", "c"));
  given.Record(Add("a", {CartLineOf("9", 1)}));
  EXPECT_TRUE(MergeOutcome(given.rows(), c, 2)->ok());
  EXPECT_TRUE(MergeIsUndone(given.rows(), c, 2));
  EXPECT_EQ(FindTaking(given.rows(), a, c, 2)->SerializeAsString(), taken);
  EXPECT_EQ(FindTaking(given.rows(), a, c, 2)->lines_size(), 4);
}

TEST(MergeCarts, SaysWhyTheOtherCartDeclined) {
  GivenCarts given = GivenMerged();
  v1::AddCartLinesRequest dollars = Add("c", {CartLineOf("1", 7)});
  dollars.set_currency_code("USD");
  given.Record(dollars);
  given.Settle(MergeInto("c", "b"));
  given.Settle(MergeInto("c", "a"));
  EXPECT_EQ(MetadataOf(*MergeOutcome(given.rows(), OrderId::FromString("c"), 1), "cause"),
            "cart b declined: it is not open: CART_STATE_MERGED");
  EXPECT_EQ(MetadataOf(*MergeOutcome(given.rows(), OrderId::FromString("c"), 2), "cause"),
            "cart a declined: it has another currency");
}

TEST(MergeCarts, DeclinesBothWhenTwoCartsMergeIntoEachOther) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  given.Record(Add("b", {CartLineOf("1", 3)}));
  const auto a_given = given.Record(MergeInto("a", "b"));
  const auto b_given = given.Record(MergeInto("b", "a"));
  EXPECT_FALSE(MergeOutcome(given.rows(), OrderId::FromString("a"), 1).has_value());
  const auto at_b = given.Record(TakeCarts(a_given.facts()[0].event, {.aggregate_id = "a"}).at(0));
  const auto at_a = given.Record(TakeCarts(b_given.facts()[0].event, {.aggregate_id = "b"}).at(0));
  given.Deliver(at_b.facts()[0].event, "b");
  given.Deliver(at_a.facts()[0].event, "a");
  EXPECT_EQ(given.Cart("a").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Cart("b").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Lines("a"), "1:2");
  EXPECT_EQ(given.Lines("b"), "1:3");
}

TEST(TakeCart, DoesNothingWhenRepeatedOrLate) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  given.Record(Add("b", {CartLineOf("1", 3)}));
  const auto given_away = given.Record(MergeInto("b", "a"));
  const v1::TakeCartRequest take = TakeCarts(given_away.facts()[0].event, {.aggregate_id = "b"}).at(0);
  given.Settle(take);
  given.When(take).ThenNothing();
  given.Settle(UndoMerge("a", "b"));
  given.When(take).ThenNothing();
  EXPECT_EQ(given.Lines("b"), "1:3");
}

TEST(TakeCart, DeclinesAnotherCurrencyAndTooManyLines) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  v1::AddCartLinesRequest euros = Add("b", {CartLineOf("1")});
  euros.set_currency_code("EUR");
  given.Record(euros);
  given.Settle(MergeInto("b", "a"));
  EXPECT_EQ(given.Cart("b").state(), v1::CART_STATE_OPEN);
  for (int i = 0; i < kLinesMax; i += kLinesAddedMax) {
    given.Record(Add("c", ManyLines(i, kLinesAddedMax)));
  }
  given.Settle(MergeInto("c", "a"));
  EXPECT_EQ(given.Cart("c").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Cart("c").lines(), kLinesMax);
  EXPECT_EQ(given.Lines("a"), "1:2");
}

TEST(TakeCart, DeclinesALineThatWasInTooManyCarts) {
  GivenCarts given = GivenCart("0", {CartLineOf("1")});
  for (int i = 0; i < kOriginsMax; ++i) given.Settle(MergeInto(std::to_string(i), std::to_string(i + 1)));
  const std::string last = std::to_string(kOriginsMax);
  EXPECT_EQ(given.Lines(last), "1:1");
  given.Settle(MergeInto(last, "onemore"));
  EXPECT_EQ(given.Lines(last), "1:1");
  EXPECT_FALSE(Find(given.rows(), OrderId::FromString("onemore")).has_value());
}

TEST(TakeCart, MakesLongIdsUnique) {
  const std::string id(64, 'x');
  GivenCarts given = GivenCart("a", {CartLineOf(id, 1)});
  given.Record(Add("b", {CartLineOf(id, 2)}));
  given.Settle(MergeInto("b", "a"));
  EXPECT_EQ(given.Cart("a").lines(), 2);
  given.Settle(UndoMerge("a", "b"));
  EXPECT_EQ(given.Lines("b"), id + ":2");
}

TEST(UndoMergeCarts, ReturnsTheLinesAsTheyAreNow) {
  GivenCarts given = GivenMerged();
  given.Record(Change("a", "b/1", 7));
  given.Record(Change("a", "2", 0));
  given.Record(Add("a", {CartLineOf("9", 9)}));
  const auto undone = given.Settle(UndoMerge("a", "b"));
  EXPECT_EQ(undone.response().lines(), 1);
  EXPECT_EQ(given.Lines("a"), "1:2 9:9");
  EXPECT_EQ(given.Lines("b"), "1:7");
  EXPECT_EQ(given.Cart("b").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Cart("b").total_minor_units(), 7 * 255);
  EXPECT_TRUE(MergeIsUndone(given.rows(), OrderId::FromString("b"), 1));
}

TEST(UndoMergeCarts, UndoesAChainOfMergesStepByStep) {
  GivenCarts given = GivenMerged();
  given.Record(Add("c", {CartLineOf("1", 5)}));
  given.Settle(MergeInto("a", "c"));
  EXPECT_EQ(given.Lines("c"), "1:5 a/1:2 b/1:3 2:4");
  given.When(UndoMerge("c", "b")).ThenRejected(v1::REJECT_REASON_NOT_MERGED);
  given.Settle(UndoMerge("c", "a"));
  EXPECT_EQ(given.Lines("a"), "1:2 b/1:3 2:4");
  given.Settle(UndoMerge("a", "b"));
  EXPECT_EQ(given.Lines("a"), "1:2");
  EXPECT_EQ(given.Lines("b"), "1:3 2:4");
}

TEST(UndoMergeCarts, AllowsTheCartToMergeAgain) {
  GivenCarts given = GivenMerged();
  given.Settle(UndoMerge("a", "b"));
  given.Record(Add("b", {CartLineOf("3", 5)}));
  given.Settle(MergeInto("b", "a"));
  EXPECT_EQ(given.Lines("a"), "1:2 b/1:3 2:4 3:5");
  EXPECT_TRUE(MergeIsUndone(given.rows(), OrderId::FromString("b"), 1));
  EXPECT_FALSE(MergeIsUndone(given.rows(), OrderId::FromString("b"), 2));
}

TEST(SettleMerge, AcceptsTheUndoBeforeTheMerge) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  given.Record(Add("b", {CartLineOf("1", 3)}));
  const auto away = given.Record(MergeInto("b", "a"));
  const auto taken = given.Record(TakeCarts(away.facts()[0].event, {.aggregate_id = "b"}).at(0));
  const auto undone = given.Record(UndoMerge("a", "b"));
  given.Deliver(undone.facts()[0].event, "a");
  given.Deliver(taken.facts()[0].event, "a");
  EXPECT_EQ(given.Cart("b").state(), v1::CART_STATE_OPEN);
  EXPECT_EQ(given.Lines("b"), "1:3");
  EXPECT_EQ(given.Lines("a"), "1:2");
}

TEST(SettleMerge, DoesNothingForAnUnknownCart) {
  v1::SettleMergeRequest request;
  request.set_cart_id("a");
  request.mutable_merged()->set_merge(1);
  GivenCarts().When(request).ThenNothing();
}

TEST(AddCartLines, RecordsTheAmountOfEachLine) {
  GivenCarts given;
  const auto added = given.Record(Add("a", {CartLineOf("1", 3, "0.335")}));
  EXPECT_EQ(added.facts().at(1).event.cart_lines_added().lines(0).amount().minor_units(), 101);
  EXPECT_EQ(added.response().total().minor_units(), 101);
  const auto changed = given.Record(Change("a", "1", 1));
  EXPECT_EQ(changed.facts().at(0).event.cart_line_changed().amount().minor_units(), 34);
  EXPECT_EQ(given.Record(Change("a", "1", 0)).facts().at(0).event.cart_line_changed().amount().minor_units(), 0);
}

TEST(TakeCart, IsRefusedWhenALineHasNoPriceInTheCurrencyOfTheCart) {
  GivenCarts given = GivenCart("a", {CartLineOf("1", 2)});
  v1::TakeCartRequest take = TakeCarts(given.When(MergeInto("a", "b")).facts()[0].event, {.aggregate_id = "a"}).at(0);
  take.mutable_given()->mutable_lines(0)->clear_amount();
  EXPECT_EQ(given.When(take).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND).Metadata("field"), "given");
}

v1::CartTimerDueRequest TimerOf(const std::string& cart_id) {
  v1::CartTimerDueRequest request;
  request.set_cart_id(cart_id);
  return request;
}

TEST(CartTimer, AbandonsAnUnchangedCart) {
  GivenCarts given = GivenCart("a", {CartLineOf("1")});
  const rows::CartRow row = given.Cart("a");
  EXPECT_GT(row.abandon_us(), row.last_change_us() + kLifeSeconds * 1'000'000);
  given.Wait(row.abandon_us() - 1 - given.now());
  given.When(TimerOf("a")).ThenNothing();
  given.Wait(1);
  given.Record(TimerOf("a"));
  EXPECT_EQ(given.Cart("a").state(), v1::CART_STATE_ABANDONED);
  EXPECT_EQ(given.Cart("a").abandon_us(), 0);
  given.When(TimerOf("a")).ThenNothing();
  given.When(Add("a", {CartLineOf("2")})).ThenRejected(v1::REJECT_REASON_CART_NOT_OPEN);
}

TEST(CartTimer, DoesNothingForAnUnknownCart) { GivenCarts().When(TimerOf("a")).ThenNothing(); }

}  // namespace
}  // namespace halles::checkout::cart
