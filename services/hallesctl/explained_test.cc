// Tests of reading the value of an event from its JSON.
#include "services/hallesctl/explained.h"

#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/status.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::ImportEvent;
using checkout::v1::OrderEvent;

std::string Json(const google::protobuf::Message& event) {
  google::protobuf::util::JsonPrintOptions names;
  names.preserve_proto_field_names = true;
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(event, &json, names).ok());
  return json;
}

TEST(ValueOfEvent, ReadsAnOrder) {
  ImportEvent event;
  checkout::v1::SaleRecord& sale = *event.mutable_order_imported()->mutable_sale();
  sale.mutable_external()->set_external_id("536365");
  sale.mutable_net()->set_currency_code("GBP");
  sale.mutable_net()->set_minor_units(9007199254740993);
  const EventValue value = ValueOfEvent(Json(event)).value();
  EXPECT_EQ(value.type, "order_imported");
  EXPECT_EQ(value.external_id, "536365");
  EXPECT_EQ(value.net.currency_code(), "GBP");
  EXPECT_EQ(value.net.minor_units(), 9007199254740993);
}

TEST(ValueOfEvent, ReadsReturnsOfBothKinds) {
  ImportEvent event;
  event.mutable_return_imported()->mutable_sale()->mutable_net()->set_minor_units(-5);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), -5);
  event.mutable_return_linked()->mutable_linked_return()->mutable_net()->set_minor_units(-7);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), -7);
}

TEST(ValueOfEvent, ReadsOrdersPlacedHere) {
  OrderEvent event;
  event.mutable_order_confirmed()->mutable_sale()->mutable_net()->set_minor_units(11);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), 11);
  event.mutable_order_cancelled()->mutable_reversal()->mutable_net()->set_minor_units(-11);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), -11);
  event.mutable_fulfilment_ended()->mutable_reversal()->mutable_net()->set_minor_units(-4);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), -4);
  event.mutable_goods_returned()->mutable_sale()->mutable_net()->set_minor_units(-3);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), -3);
}

TEST(ValueOfEvent, ReadsTheDifferenceOfAnExchange) {
  OrderEvent event;
  checkout::v1::ExchangeCommitted& exchange = *event.mutable_exchange_committed();
  exchange.mutable_returned()->mutable_sale()->mutable_net()->set_minor_units(-10);
  exchange.mutable_sale()->mutable_net()->set_minor_units(14);
  exchange.mutable_sale()->mutable_external()->set_external_id("c-1/x1");
  exchange.mutable_difference()->set_minor_units(4);
  EXPECT_EQ(ValueOfEvent(Json(event))->net.minor_units(), 4);
  EXPECT_EQ(ValueOfEvent(Json(event))->external_id, "c-1/x1");
}

TEST(ValueOfEvent, FindsTheEventInARecordAndReadsZero) {
  ImportEvent event;
  event.mutable_order_imported()->mutable_sale()->mutable_net()->set_currency_code("GBP");
  const EventValue value = ValueOfEvent("{\"type\":1,\"event\":" + Json(event) + "}").value();
  EXPECT_EQ(value.net.minor_units(), 0);
}

TEST(ValueOfEvent, RefusesEventsThatMoveNoMoney) {
  EXPECT_EQ(ReasonOf(ValueOfEvent("{\"identifier_observed\":{}}").status()), "NOT_A_SALE");
  EXPECT_EQ(ReasonOf(ValueOfEvent("no json").status()), "NOT_A_SALE");
}

TEST(IndentJson, PutsEachMemberOnALine) {
  EXPECT_EQ(IndentJson(R"({"a":1,"b":["x,y\"",{}],"c":{"d":null}})"),
            "{\n  \"a\": 1,\n  \"b\": [\n    \"x,y\\\"\",\n    {}\n  ],\n  \"c\": {\n    \"d\": null\n  }\n}");
}

}  // namespace
}  // namespace halles::hallesctl
