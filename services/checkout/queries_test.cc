// Tests of checkout's queries: one order, and pages of totals.
#include "services/checkout/queries.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "halles/checkout/v1/checkout_service.limits.h"
#include "halles/checkout/v1/order_service.limits.h"
#include "libs/base/status.h"
#include "services/checkout/order/test_builders.h"
#include "services/checkout/projection.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout {
namespace {

using ::testing::ElementsAre;

// Orders of a few shops over two months, spread over slots.
class Totals : public ::testing::Test {
 protected:
  void Add(const std::string& site, common::v1::Channel channel, int month, const std::string& price,
           const std::string& currency = "GBP") {
    v1::ImportRecord record = Record(std::to_string(next_), {Sold("a", "1", price)});
    record.set_site_id(site);
    record.set_channel(channel);
    record.set_currency_code(currency);
    *record.mutable_recorded_time() = Day(2017, month, 3);
    partition::FactContext context;
    context.slot = SlotId{ServiceId::kCheckout, static_cast<uint16_t>(next_ % 3)};
    context.position = next_++;
    ASSERT_TRUE(Project(rows_, OrderImported(record), context).ok());
  }

  void AddShops() {
    Add("s1", common::v1::CHANNEL_SHOP, 1, "1.00");
    Add("s1", common::v1::CHANNEL_SHOP, 2, "2.00");
    Add("s2", common::v1::CHANNEL_SHOP, 2, "4.00");
    Add("s2", common::v1::CHANNEL_SHOP, 2, "8.00");
    Add("s2", common::v1::CHANNEL_WEB, 2, "16.00");
    Add("s3", common::v1::CHANNEL_WEB, 1, "32.00");
  }

  static v1::GetTotalsRequest By(std::vector<v1::TotalsDimension> dimensions) {
    v1::GetTotalsRequest request;
    for (const v1::TotalsDimension dimension : dimensions) request.add_group_by(dimension);
    return request;
  }

  v1::GetTotalsResponse Ask(const v1::GetTotalsRequest& request) const { return QueryTotals(rows_, request).value(); }

  // One text per row, such as "GBP SHOP s1 2017-01: orders/net/sites", with the fields that the request groups by.
  std::vector<std::string> Lines(const v1::GetTotalsResponse& response) const {
    std::vector<std::string> lines;
    for (const v1::TotalsRow& row : response.rows()) {
      std::string line = row.currency_code();
      if (row.channel() != 0) line += " " + common::v1::Channel_Name(row.channel()).substr(8);
      if (!row.site_id().empty()) line += " " + row.site_id();
      if (!row.month().empty()) line += " " + row.month();
      line += ": " + std::to_string(row.totals().orders()) + "/" + std::to_string(row.totals().net_minor_units()) +
              "/" + std::to_string(row.sites());
      lines.push_back(line);
    }
    return lines;
  }
  std::vector<std::string> LinesOf(const v1::GetTotalsRequest& request) const { return Lines(Ask(request)); }
  // The field that an error of the door or of the query names; "" if there is no error.
  std::string FieldOf(const v1::GetTotalsRequest& request) const {
    const absl::Status checked = CheckLimits(request);
    return MetadataOf(checked.ok() ? QueryTotals(rows_, request).status() : checked, "field");
  }

  store::MemoryRows rows_;
  uint64_t next_ = 0;
};

TEST_F(Totals, AreEmptyWhenNothingIsRecorded) { EXPECT_EQ(Ask(By({})).rows_size(), 0); }

TEST_F(Totals, HaveOneRowPerCurrencyWhenNotGrouped) {
  AddShops();
  Add("s9", common::v1::CHANNEL_SHOP, 1, "1.00", "EUR");
  EXPECT_THAT(LinesOf(By({})), ElementsAre("EUR: 1/100/1", "GBP: 6/6300/3"));
}

TEST_F(Totals, AreGroupedByChannel) {
  AddShops();
  EXPECT_THAT(LinesOf(By({v1::TOTALS_DIMENSION_CHANNEL})), ElementsAre("GBP SHOP: 4/1500/2", "GBP WEB: 2/4800/2"));
}

TEST_F(Totals, AreGroupedByMonthAndCountEachSiteOnce) {
  AddShops();
  EXPECT_THAT(LinesOf(By({v1::TOTALS_DIMENSION_MONTH})), ElementsAre("GBP 2017-01: 2/3300/2", "GBP 2017-02: 4/3000/2"));
}

TEST_F(Totals, AreGroupedBySite) {
  AddShops();
  EXPECT_THAT(LinesOf(By({v1::TOTALS_DIMENSION_SITE})),
              ElementsAre("GBP s1: 2/300/1", "GBP s2: 3/2800/1", "GBP s3: 1/3200/1"));
}

TEST_F(Totals, AreGroupedByAllDimensionsInOrder) {
  AddShops();
  EXPECT_THAT(
      LinesOf(By({v1::TOTALS_DIMENSION_MONTH, v1::TOTALS_DIMENSION_SITE, v1::TOTALS_DIMENSION_CHANNEL})),
      ElementsAre("GBP SHOP s1 2017-01: 1/100/1", "GBP SHOP s1 2017-02: 1/200/1", "GBP SHOP s2 2017-02: 2/1200/1",
                  "GBP WEB s2 2017-02: 1/1600/1", "GBP WEB s3 2017-01: 1/3200/1"));
}

TEST_F(Totals, AreFiltered) {
  AddShops();
  v1::GetTotalsRequest request = By({});
  request.set_channel(common::v1::CHANNEL_SHOP);
  EXPECT_THAT(LinesOf(request), ElementsAre("GBP: 4/1500/2"));
  request.set_month("2017-02");
  EXPECT_THAT(LinesOf(request), ElementsAre("GBP: 3/1400/2"));
  request.set_site_id("s2");
  EXPECT_THAT(LinesOf(request), ElementsAre("GBP: 2/1200/1"));
  request.clear_channel();
  EXPECT_THAT(LinesOf(request), ElementsAre("GBP: 3/2800/1"));
  request.set_site_id("nowhere");
  EXPECT_THAT(LinesOf(request), ElementsAre());
}

TEST_F(Totals, ComeInPages) {
  AddShops();
  v1::GetTotalsRequest request = By({v1::TOTALS_DIMENSION_SITE, v1::TOTALS_DIMENSION_MONTH});
  const std::vector<std::string> all = LinesOf(request);
  std::vector<std::string> paged;
  request.set_page_size(1);
  for (size_t pages = 1; pages <= all.size(); ++pages) {
    const v1::GetTotalsResponse response = Ask(request);
    EXPECT_EQ(response.rows_size(), 1);
    paged.push_back(Lines(response).at(0));
    if (response.next_page_token().empty()) {
      EXPECT_EQ(pages, all.size());
      break;
    }
    request.set_page_token(response.next_page_token());
  }
  EXPECT_EQ(paged, all);
}

TEST_F(Totals, RefuseAPageTokenOfAnotherRequest) {
  AddShops();
  v1::GetTotalsRequest request = By({v1::TOTALS_DIMENSION_SITE});
  request.set_page_size(1);
  request.set_page_token(Ask(request).next_page_token());
  request.set_page_size(2);
  EXPECT_EQ(FieldOf(request), "");
  request.set_month("2017-01");
  EXPECT_EQ(FieldOf(request), "page_token");
  request.set_page_token("nonsense");
  EXPECT_EQ(FieldOf(request), "page_token");
}

TEST_F(Totals, NameTheInvalidField) {
  EXPECT_EQ(FieldOf(By({v1::TOTALS_DIMENSION_MONTH, v1::TOTALS_DIMENSION_MONTH})), "group_by[1]");
  EXPECT_EQ(FieldOf(By({v1::TOTALS_DIMENSION_UNSPECIFIED})), "group_by[0]");
  for (const std::string month : {"2017", "2017-13", "2017-00", "2017/01", "x017-01", "2017-01-01"}) {
    v1::GetTotalsRequest request;
    request.set_month(month);
    EXPECT_EQ(FieldOf(request), "month") << month;
  }
  v1::GetTotalsRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(FieldOf(request), "page_size");
  request.set_page_size(5000);
  EXPECT_EQ(FieldOf(request), "");
  request.set_channel(static_cast<common::v1::Channel>(77));
  EXPECT_EQ(FieldOf(request), "channel");
}

TEST_F(Totals, FailWhenASumOverflows) {
  Add("s1", common::v1::CHANNEL_SHOP, 1, "90000000000000000");
  Add("s2", common::v1::CHANNEL_SHOP, 1, "90000000000000000");
  EXPECT_EQ(QueryTotals(rows_, By({})).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Ask(By({v1::TOTALS_DIMENSION_SITE})).rows_size(), 2);
}

TEST_F(Totals, FailWhenRowsCannotBeRead) {
  rows_.FailReads(absl::DataLossError("damaged"));
  EXPECT_EQ(QueryTotals(rows_, By({})).status().code(), absl::StatusCode::kDataLoss);
}

TEST(FindOrder, ReturnsAnImportedOrderWithTheEventsBehindIt) {
  GivenImports given(kSlot);
  given.Record(LinkOf(Record("C1", {Back("85123A", "7")}), "536365"));                  // 0
  const auto imported = given.Record(Import(Record("536365", {Sold("85123A", "6")})));  // 1
  given.Record(LinkOf(Record("A0", {Back("85123A", "1")}, -5), "536365"));              // 2
  const OrderId id = OrderId::FromString(imported.response().order_id());
  const v1::GetOrderResponse found = FindOrder(given.rows(), kSlot, id).value();
  ASSERT_TRUE(found.has_imported());
  const v1::ImportedOrder& order = found.imported();
  EXPECT_EQ(order.order_id(), id.ToString());
  EXPECT_EQ(order.event(), "checkout/17@1#0");
  EXPECT_EQ(order.sale().net().minor_units(), 1530);
  EXPECT_EQ(order.version(), 2) << "the waiting return was linked by the record of the import";
  ASSERT_EQ(order.returns_size(), 2);
  EXPECT_EQ(order.returns(0).event(), "checkout/17@1#1");
  EXPECT_TRUE(order.returns(0).excess());
  EXPECT_EQ(order.returns(1).elsewhere().external().external_id(), "A0");
  EXPECT_EQ(order.returns(1).event(), "checkout/17@2#0");
}

TEST(FindOrder, ShowsTheReturnsOfAnImportedOrderTakenHere) {
  GivenImports given(kSlot);
  v1::ReturnLinesRequest request = TakeBack("r1", {BackOf("1", 2)});
  request.set_order_id(given.Record(ImportOrder("536365", {Sold("85123A", "6")})).response().order_id());  // 0
  EXPECT_EQ(given.Record(request).response().version(), 2);                                                // 1
  given.Record(LinkOf(Record("C1", {Back("85123A", "1")}), "536365"));                                     // 2
  const v1::ImportedOrder order =
      FindOrder(given.rows(), kSlot, OrderId::FromString(request.order_id())).value().imported();
  ASSERT_EQ(order.returns_size(), 2);
  EXPECT_EQ(order.returns(0).here().return_id(), "r1");
  EXPECT_EQ(order.returns(0).here().location_id(), "nice-stock");
  EXPECT_EQ(order.returns(0).here().sale().net().minor_units(), -510);
  EXPECT_EQ(order.returns(0).event(), "checkout/17@1#0");
  EXPECT_EQ(order.returns(1).elsewhere().external().external_id(), "C1");
  EXPECT_EQ(order.version(), 3);
}

TEST(FindOrder, ReturnsAPlacedOrder) {
  order::GivenOrder given = order::HandedOver();
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  const v1::GetOrderResponse found = FindOrder(given.rows(), kSlot, OrderId::FromString(kOrderId)).value();
  ASSERT_TRUE(found.has_placed());
  EXPECT_EQ(found.placed().order_id(), kOrderId);
  EXPECT_EQ(found.placed().returns(0).returned().return_id(), "r1");
  EXPECT_EQ(found.placed().version(), 4);  // placing, confirmed, collected, returned
}

TEST(FindOrder, FailsWithNotFoundWhenOnlyAReturnIsKnown) {
  GivenImports given(kSlot);
  given.Record(LinkOf(Record("C1", {Back("85123A", "7")}), "536365"));
  const absl::Status status = FindOrder(given.rows(), kSlot, imports::OrderIdOf("", Ref("536365"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "ORDER_UNKNOWN");
}

TEST(FindOrder, FailsWhenRowsCannotBeRead) {
  store::MemoryRows rows;
  rows.FailReads(absl::DataLossError("damaged"));
  EXPECT_EQ(FindOrder(rows, kSlot, OrderId::FromString("a")).status().code(), absl::StatusCode::kDataLoss);
}

TEST(NameOfOrder, AcceptsAnIdOrAnExternalId) {
  v1::GetOrderRequest request;
  EXPECT_EQ(MetadataOf(NameOfOrder("", request).status(), "field"), "order_id");
  request.set_order_id(std::string(65, 'a'));
  EXPECT_EQ(MetadataOf(CheckLimits(request), "field"), "order_id");
  request.set_order_id("ord-1");
  EXPECT_EQ(NameOfOrder("", request).value().ToString(), "ord-1");
  *request.mutable_external() = Ref("536365");
  EXPECT_EQ(NameOfOrder("t", request).value(), imports::OrderIdOf("t", Ref("536365")));
  request.mutable_external()->set_source("halles");
  EXPECT_EQ(NameOfOrder("t", request).value().ToString(), "536365");
  request.mutable_external()->set_source("?");
  EXPECT_EQ(MetadataOf(CheckLimits(request), "field"), "external.source");
}

}  // namespace
}  // namespace halles::checkout
