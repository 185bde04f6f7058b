// Tests of returns and exchanges: values, imported orders, both halves as one.
#include "services/checkout/order/returns.h"

#include <string>

#include "gtest/gtest.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout::order {
namespace {

// An imported order of 3 shoes for 10.00 in all and 2.5 litres of oil for 5.00.
const std::string kImported = OrderIdOf("", Ref("536365")).ToString();
GivenOrder GivenImported() {
  GivenOrder given;
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

TEST(ReturnLines, GivesBackExactlyTheLineInWhicheverPieces) {
  GivenOrder given = HandedOver();
  EXPECT_EQ(given.Record(TakeBack("r1", {BackOf("a", 1)})).response().net().minor_units(), -333);
  EXPECT_EQ(given.Record(TakeBack("r2", {BackOf("a", 1), BackOf("a", 1)})).response().net().minor_units(), -667);
  EXPECT_EQ(given.LineOf("a").returned_units(), 3);
}

TEST(ReturnLines, RecordsADocumentInTheFormOfAnImport) {
  GivenOrder given = HandedOver();
  const auto outcome = given.Record(TakeBack("r1", {BackOf("b", 1)}));
  const v1::GoodsReturned& returned = outcome.facts().at(0).event.goods_returned();
  EXPECT_EQ(returned.location_id(), "nice");
  EXPECT_EQ(returned.lines(0).sku(), "hat");
  EXPECT_EQ(returned.sale().external().external_id(), "c-1/r1");
  EXPECT_EQ(returned.sale().site_id(), "nice");
  ASSERT_EQ(returned.sale().lines_size(), 1);
  EXPECT_EQ(returned.sale().lines(0).kind(), v1::LINE_KIND_RETURN);
  EXPECT_EQ(returned.sale().lines(0).quantity().unscaled(), -1);
  EXPECT_EQ(returned.sale().net().minor_units(), -500);
  const v1::Order order = FindOrder(given.rows(), kSlot, OrderId::FromString(kOrderId)).value();
  ASSERT_EQ(order.returns_size(), 1);
  EXPECT_FALSE(order.returns(0).event().empty());
}

TEST(ReturnLines, TakesBackFromAnImportedOrder) {
  GivenOrder given = GivenImported();
  const auto outcome = given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  EXPECT_EQ(outcome.response().net().minor_units(), -333);
  EXPECT_EQ(outcome.facts().at(0).event.goods_returned().sale().identifiers_size(), 1);
  EXPECT_EQ(given.Record(TakeBackImported("r2", {BackOf("1", 2)})).response().net().minor_units(), -667);
  given.When(TakeBackImported("r3", {BackOf("1", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.When(TakeBackImported("r1", {BackOf("2", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
  given.When(TakeBackImported("r3", {BackOf("3", 1)})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
  given.When(TakeBackImported("r3", {BackOf("01", 1)})).ThenRejected(v1::REJECT_REASON_LINE_UNKNOWN);
}

TEST(ReturnLines, TakesWholePiecesOfAMeasure) {
  GivenOrder given = GivenImported();
  EXPECT_EQ(given.Record(TakeBackImported("r1", {BackOf("2", 2)})).response().net().minor_units(), -400);
  given.When(TakeBackImported("r2", {BackOf("2", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
}

TEST(ReturnLines, CountsWhatImportsTookBackOfAnImportedOrder) {
  GivenOrder given = GivenImported();
  given.Record(LinkOf(Record("C1", {Back("shoe", "2")}), "536365"));
  given.When(TakeBackImported("r1", {BackOf("1", 2)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.Record(TakeBackImported("r1", {BackOf("1", 1)}));
  const auto link = given.When(LinkOf(Record("C2", {Back("shoe", "1")}), "536365"));
  EXPECT_TRUE(link.facts().at(0).event.return_linked().excess());
}

TEST(ReturnLines, GoesOnWhileAnExchangeIsUnderWayAndLeavesItWhatItTakes) {
  GivenOrder given = HandedOver();
  given.Record(Swap("x1", BackOf("a", 2), "n", "12.00"));
  given.When(TakeBack("r1", {BackOf("a", 2)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  given.AnswerAll();
  EXPECT_EQ(given.LineOf("a").returned_units(), 3);
}

TEST(ExchangeLines, RecordsBothHalvesAsOne) {
  GivenOrder given = HandedOver();
  given.Record(Swap("x1", BackOf("a", 1), "n", "12.00"));
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_COMPLETED);
  given.AnswerAll(2);
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(given.LineOf("a").returned_units(), 1);
  EXPECT_EQ(given.LineOf("n").exchange_id(), "x1");
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().location_id(), "nice");
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().lines(0).hold_id(), "c-1/x1");
  const auto outcome = OutcomeOf(given.rows(), kSlot, Swap("x1", BackOf("a", 1), "n", "12.00"));
  ASSERT_TRUE(outcome.ok() && outcome->has_value());
  EXPECT_EQ((*outcome)->difference().minor_units(), 1200 - 333);
  given.When(Swap("x1", BackOf("a", 1), "m", "1.00")).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
}

TEST(ExchangeLines, LetsTheNewLineComeBackToo) {
  GivenOrder given = HandedOver();
  given.Record(Swap("x1", BackOf("a", 1), "n", "12.00"));
  given.AnswerAll(2);
  given.When(TakeBack("r1", {BackOf("n", 1)})).ThenRejected(v1::REJECT_REASON_NOT_HANDED_OVER);
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f2"));
  EXPECT_EQ(given.Record(TakeBack("r1", {BackOf("n", 1)})).response().net().minor_units(), -1200);
}

}  // namespace
}  // namespace halles::checkout::order
