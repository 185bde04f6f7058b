// Tests of returns of imported orders taken here: every refusal in the order of the enum, then the recorded events.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::imports {
namespace {

constexpr int64_t kHuge = 9'000'000'000'000'000'000;

// An imported order of 3 shoes for 10.00 in total and 2.5 litres of oil for 5.00.
const std::string kImported = OrderIdOf("", Ref("536365")).ToString();
GivenImports GivenImported() {
  GivenImports given(kSlot);
  v1::ImportRecord record = Record("536365", {Sold("shoe", "3", "3.333"), Sold("oil", "2.5", "2.00")});
  *record.add_identifiers() = Customer('a');
  given.Record(Import(record));
  return given;
}
v1::ReturnLinesRequest TakeBackImported(const std::string& return_id, const std::vector<v1::ReturnedLine>& lines) {
  v1::ReturnLinesRequest request = TakeBack(return_id, lines);
  request.set_order_id(kImported);
  return request;
}
template <class Outcome>
int64_t NetOf(const Outcome& outcome) {
  EXPECT_EQ(outcome.status(), absl::OkStatus());
  return outcome.response().net().minor_units();
}

TEST(ReturnOfAnImport, IsRefusedWhenMalformed) {
  GivenImports given = GivenImported();
  const auto field_of = [&](const v1::ReturnLinesRequest& request) {
    const auto outcome = given.When(request);
    outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
    return outcome.Metadata("field");
  };
  v1::ReturnLinesRequest request = TakeBackImported("r1", {BackOf("1", 1)});
  request.clear_location_id();
  EXPECT_EQ(field_of(request), "location_id");
  EXPECT_EQ(field_of(TakeBackImported("", {BackOf("1", 1)})), "return_id");
  EXPECT_EQ(field_of(TakeBackImported("r1", {})), "lines");
  EXPECT_EQ(field_of(TakeBackImported("r1", {BackOf("1", 0)})), "lines[0].units");
}

TEST(ReturnOfAnImport, IsRefusedWhenTheOrderIsUnknown) {
  GivenImports(kSlot).When(TakeBackImported("r1", {BackOf("1", 1)})).ThenRejected(v1::REJECT_REASON_ORDER_UNKNOWN);
}

TEST(ReturnOfAnImport, IsRefusedWhenTheOrderHasAnotherVersion) {
  GivenImports given = GivenImported();
  v1::ReturnLinesRequest request = TakeBackImported("r1", {BackOf("1", 1)});
  request.set_expected_version(2);
  EXPECT_EQ(given.When(request).ThenRejected(v1::REJECT_REASON_VERSION_CHANGED).Metadata("version"), "1");
  request.set_expected_version(1);
  EXPECT_EQ(given.Record(request).response().version(), 2);
  given.Record(LinkOf(Record("C1", {Back("shoe", "1")}), "536365"));
  EXPECT_EQ(CountsOf(given.rows(), OrderId::FromString(kImported)).version(), 3);
}

TEST(ReturnOfAnImport, IsRefusedForAnUnknownLine) {
  GivenImports given = GivenImported();
  for (const char* line : {"0", "3", "01", "x", "-1"}) {
    given.When(TakeBackImported("r1", {BackOf(line, 1)})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
  }
  v1::ReturnedLine other = BackOf("1", 1);
  other.set_sku("oil");
  given.When(TakeBackImported("r1", {other})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
}

TEST(ReturnOfAnImport, IsRefusedWhenTheIdIsTaken) {
  GivenImports given = GivenImported();
  given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  given.When(TakeBackImported("r1", {BackOf("2", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
}

TEST(ReturnOfAnImport, IsRefusedBeyondTheUnitsBoughtAndNamesEarlierReturns) {
  GivenImports given = GivenImported();
  given.Record(TakeBackImported("r1", {BackOf("1", 2)}));
  given.Record(TakeBackImported("r2", {BackOf("2", 1)}));
  const auto outcome = given.When(TakeBackImported("r3", {BackOf("1", 1), BackOf("1", 1)}));
  outcome.ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(outcome.Metadata("returnable_units"), "1");
  EXPECT_EQ(outcome.Metadata("return_ids"), "r1");
  EXPECT_NE(outcome.status().message().find("r1"), absl::string_view::npos);
}

// The door refuses such an order. If a log contains one, nothing overflows and the refund is at most its net.
TEST(ReturnOfAnImport, RefundsAtMostTheNetWhenTheSumOfTheGoodsOverflows) {
  GivenImports given(kSlot);
  v1::ImportEvent recorded = OrderImported(Record("536365", {Sold("a", "1"), Sold("b", "2"), Sold("c", "1")}));
  v1::SaleRecord& sale = *recorded.mutable_order_imported()->mutable_sale();
  for (v1::RecordedLine& line : *sale.mutable_lines()) line.mutable_amount()->set_minor_units(kHuge);
  sale.mutable_net()->set_minor_units(kHuge);
  ASSERT_TRUE(given.TryEvolve({partition::Fact<v1::ImportEvent>{kImported, recorded}}).ok());
  given.Record(LinkOf(Record("C1", {Back("b", "1", "1.00"), Back("c", "1", "1.00")}), "536365"));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1), BackOf("2", 1)}))), -kHuge + 200);
}

TEST(ReturnOfAnImport, RefundsExactlyTheAmountOfTheLineHoweverItIsSplit) {
  GivenImports given = GivenImported();
  const auto outcome = given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  EXPECT_EQ(outcome.response().net().minor_units(), -333);
  EXPECT_EQ(given.Record(TakeBackImported("r2", {BackOf("1", 2)})).response().net().minor_units(), -667);
}

TEST(ReturnOfAnImport, RecordsADocumentThatNamesTheCustomerOfTheOrder) {
  GivenImports given = GivenImported();
  const auto outcome = given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  ASSERT_EQ(outcome.facts().size(), 1u);
  EXPECT_EQ(outcome.facts()[0].aggregate_id, kImported);
  const v1::GoodsReturned& returned = outcome.facts()[0].event.goods_returned();
  EXPECT_EQ(returned.location_id(), "nice-stock");
  EXPECT_EQ(returned.lines(0).sku(), "shoe");
  EXPECT_EQ(returned.sale().external().source(), "halles");
  EXPECT_EQ(returned.sale().external().external_id(), kImported + "/r1");
  EXPECT_EQ(returned.sale().site_id(), "nice");
  ASSERT_EQ(returned.sale().identifiers_size(), 1);
  EXPECT_EQ(returned.sale().identifiers(0).keyed_hash(), Customer('a').keyed_hash());
}

TEST(ReturnOfAnImport, AcceptsWholeUnitsOfAFractionalQuantity) {
  GivenImports given = GivenImported();
  EXPECT_EQ(given.Record(TakeBackImported("r1", {BackOf("2", 2)})).response().net().minor_units(), -400);
  given.When(TakeBackImported("r2", {BackOf("2", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
}

TEST(ReturnOfAnImport, CountsImportedReturns) {
  GivenImports given = GivenImported();
  const v1::LinkReturnRequest link = LinkOf(Record("C1", {Back("shoe", "2")}), "536365");
  given.Record(link);
  const auto outcome = given.When(TakeBackImported("r1", {BackOf("1", 2)}));
  outcome.ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(outcome.Metadata("return_ids"), link.linked_return().return_id());
  given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  const auto excess = given.When(LinkOf(Record("C2", {Back("shoe", "1")}), "536365"));
  EXPECT_TRUE(excess.facts().at(0).event.return_linked().excess());
}

// Goods for 30.00 and 22.00, postage of 4.00, and 5.00 off the whole order.
GivenImports GivenReduced() {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "30.00"), Line(v1::LINE_KIND_SERVICE, "D", "-1", "5.00"),
                                      Sold("hat", "2", "11.00"), Line(v1::LINE_KIND_SERVICE, "POST", "1", "4.00")}));
  return given;
}

TEST(ReturnOfAnImport, SubtractsTheShareOfDiscountsOnTheWholeOrder) {
  GivenImports given = GivenReduced();
  EXPECT_EQ(given.When(TakeBackImported("r1", {BackOf("1", 1), BackOf("3", 2)})).response().net().minor_units(), -4700);
  EXPECT_EQ(given.Record(TakeBackImported("r1", {BackOf("1", 1)})).response().net().minor_units(), -2712);
  EXPECT_EQ(given.Record(TakeBackImported("r2", {BackOf("3", 1)})).response().net().minor_units(), -994);
  EXPECT_EQ(given.Record(TakeBackImported("r3", {BackOf("3", 1)})).response().net().minor_units(), -994);
}

TEST(ReturnOfAnImport, RefundsInFullWhenAChargeWasWaived) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "30.00"), Line(v1::LINE_KIND_SERVICE, "POST", "1", "4.00"),
                                      Line(v1::LINE_KIND_SERVICE, "POST", "-1", "4.00")}));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), -3000);
}

TEST(ReturnOfAnImport, RefundsNothingWhenACorrectionReversedTheSale) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "30.00"), Line(v1::LINE_KIND_ADJUSTMENT, "B", "-1", "30.00")}));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), 0);
}

TEST(ReturnOfAnImport, CountsReturnsWithinTheOrderItself) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "30.00"), Back("coat", "1", "30.00"), Sold("hat", "2", "10.00"),
                                      Back("hat", "1", "10.00")}));
  const auto outcome = given.When(TakeBackImported("r1", {BackOf("1", 1)}));
  outcome.ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(outcome.Metadata("returnable_units"), "0");
  EXPECT_EQ(NetOf(given.Record(TakeBackImported("r1", {BackOf("3", 1)}))), -1000);
  given.When(TakeBackImported("r2", {BackOf("3", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
}

TEST(ReturnOfAnImport, RefundsAtMostWhatTheOrderCost) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "50.00"), Back("boot", "1", "30.00")}));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), -2000);
}

TEST(ReturnOfAnImport, IsRefusedWhenTheOrderHasTheMaximumOfReturns) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("shoe", "5000", "3.333")}));
  for (int i = 0; i < kReturnsMax; ++i) given.Record(TakeBackImported("r" + std::to_string(i), {BackOf("1", 1)}));
  const auto outcome = given.When(TakeBackImported("more", {BackOf("1", 1)}));
  outcome.ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
  EXPECT_EQ(outcome.Metadata("order_id"), kImported);
  given.When(TakeBackImported("r7", {BackOf("1", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
}

TEST(ReturnOfAnImport, ReportsNoReturnableUnitsAfterAnExcess) {
  GivenImports given = GivenImported();
  given.Record(LinkOf(Record("C1", {Back("shoe", "4")}), "536365"));
  const auto outcome = given.When(TakeBackImported("r1", {BackOf("1", 1)}));
  outcome.ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(outcome.Metadata("returnable_units"), "0");
}

// A SKU at two prices, with other goods.
GivenImports GivenTwoPrices() {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("shirt", "1", "100.00"), Sold("shirt", "1", "10.00"),
                                      Sold("hat", "1", "50.00"), Sold("sock", "1", "90.00")}));
  return given;
}

TEST(ReturnOfAnImport, RefundsTheRestOfASkuAfterAnImportedReturn) {
  GivenImports dear = GivenTwoPrices();
  dear.Record(LinkOf(Record("C1", {Back("shirt", "1", "100.00")}), "536365"));
  EXPECT_EQ(NetOf(dear.When(TakeBackImported("r1", {BackOf("1", 1)}))), -1000);
  EXPECT_EQ(NetOf(dear.When(TakeBackImported("r1", {BackOf("2", 1)}))), -1000);
  GivenImports cheap = GivenTwoPrices();
  cheap.Record(LinkOf(Record("C1", {Back("shirt", "1", "10.00")}), "536365"));
  EXPECT_EQ(NetOf(cheap.When(TakeBackImported("r1", {BackOf("1", 1)}))), -10000);
}

TEST(ReturnOfAnImport, SplitsTheRefundOfAnImportedReturnOverItsSkus) {
  for (const auto& [price, rest] : {std::pair("100.00", -1000), std::pair("10.00", -10000)}) {
    GivenImports given = GivenTwoPrices();
    given.Record(LinkOf(Record("C1", {Back("shirt", "1", price), Back("hat", "1", "50.00")}), "536365"));
    EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), rest) << price;
  }
  GivenImports fee = GivenTwoPrices();
  fee.Record(LinkOf(Record("C1", {Back("shirt", "2", "55.00"), Back("hat", "1", "50.00"),
                                  Line(v1::LINE_KIND_SERVICE, "FEE", "1", "155.00")}),
                    "536365"));
  EXPECT_EQ(NetOf(fee.When(TakeBackImported("r1", {BackOf("4", 1)}))), -9000);
}

TEST(ReturnOfAnImport, DoesNotCountRefundedPostageAgainstTheGoods) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "2", "30.00"), Line(v1::LINE_KIND_SERVICE, "POST", "1", "4.00")}));
  given.Record(
      LinkOf(Record("C1", {Back("coat", "1", "30.00"), Line(v1::LINE_KIND_SERVICE, "POST", "-1", "4.00")}), "536365"));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), -3000);
}

TEST(ReturnOfAnImport, DoesNotRoundUpTwice) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("glove", "2", "0.505")}));
  given.Record(LinkOf(Record("C1", {Back("glove", "1", "0.51")}), "536365"));
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r1", {BackOf("1", 1)}))), -50);
}

TEST(ReturnOfAnImport, RefundsAtMostTheValueOfTheSkuOverSeveralReturns) {
  GivenImports given = GivenTwoPrices();
  given.Record(LinkOf(Record("C1", {Back("shirt", "0.5", "180.00")}), "536365"));
  given.When(TakeBackImported("r1", {BackOf("1", 1), BackOf("2", 1)}))
      .ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  EXPECT_EQ(NetOf(given.Record(TakeBackImported("r1", {BackOf("1", 1)}))), -6000);
  EXPECT_EQ(NetOf(given.When(TakeBackImported("r2", {BackOf("3", 1), BackOf("4", 1)}))), -10000);
}

TEST(ReturnOfAnImport, RefundsNothingWhenDiscountsExceedTheGoods) {
  GivenImports given(kSlot);
  given.Record(ImportOrder("536365", {Sold("coat", "1", "30.00"), Line(v1::LINE_KIND_SERVICE, "D", "-1", "40.00")}));
  EXPECT_EQ(given.Record(TakeBackImported("r1", {BackOf("1", 1)})).response().net().minor_units(), 0);
}

}  // namespace
}  // namespace halles::checkout::imports
