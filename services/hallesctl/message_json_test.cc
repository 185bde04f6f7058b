// Tests of messages as JSON.
#include "services/hallesctl/message_json.h"

#include "gtest/gtest.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"

namespace halles::hallesctl {
namespace {

std::string Json(const google::protobuf::Message& message) {
  JsonWriter json;
  WriteMessage(message, &json);
  return json.text();
}

TEST(MessageJson, WritesEveryFieldUnderItsName) {
  inventory::v1::GetAvailabilityResponse answer;
  answer.set_sku("boots");
  inventory::v1::StockLevel& level = *answer.add_levels();
  level.set_location_id("shop-a");
  level.set_on_hand_units(3'000'000'000);
  level.set_short_units(-1);
  EXPECT_EQ(Json(answer),
            R"({"sku":"boots","levels":[{"location_id":"shop-a","on_hand_units":3000000000,"held_units":0,)"
            R"("committed_units":0,"in_transit_units":0,"backorder_units":0,"available_units":0,"short_units":-1}],)"
            R"("available_units":0,"as_of":"","consistency_token":""})");
}

TEST(MessageJson, LeavesOutAbsentMessages) {
  inventory::v1::Hold hold;
  EXPECT_EQ(Json(hold), R"({"hold_id":"","sku":"","state":"","purpose":"","allocations":[],"order_id":""})");
  hold.set_state(inventory::v1::HOLD_STATE_COMMITTED);
  hold.set_purpose(inventory::v1::HOLD_PURPOSE_DATED_PICKUP);
  hold.mutable_expire_time()->set_seconds(0);
  EXPECT_EQ(Json(hold), R"({"hold_id":"","sku":"","state":"committed","purpose":"dated_pickup","allocations":[],)"
                        R"("expire_time":"1970-01-01T00:00:00Z","order_id":""})");
}

TEST(MessageJson, WritesMoneyDecimalsAndBytesAsWords) {
  checkout::v1::PricedLine line;
  line.mutable_unit_price()->set_unscaled(2550);
  line.mutable_unit_price()->set_scale(3);
  line.mutable_amount()->set_currency_code("EUR");
  line.mutable_amount()->set_minor_units(-255);
  const std::string json = Json(line);
  EXPECT_NE(json.find(R"("unit_price":"2.550")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("amount":{"currency":"EUR","minor_units":-255,"amount":"-2.55"})"), std::string::npos) << json;
  checkout::v1::PriceSnapshot snapshot;
  snapshot.set_hash("\x01\xff");
  EXPECT_NE(Json(snapshot).find(R"("hash":"01ff")"), std::string::npos) << Json(snapshot);
}

TEST(MessageJson, WritesOnlyTheOneofFieldThatIsSet) {
  checkout::v1::Delivery delivery;
  delivery.mutable_carry_out()->set_location_id("shop-a");
  EXPECT_EQ(Json(delivery), R"({"carry_out":{"location_id":"shop-a"}})");
}

TEST(EnumWord, IsTheNameWithoutItsPrefix) {
  EXPECT_EQ(WordOf(checkout::v1::PROBLEM_KIND_STOCK_UNREACHABLE), "stock_unreachable");
  EXPECT_EQ(WordOf(checkout::v1::PROBLEM_KIND_UNSPECIFIED), "");
  EXPECT_EQ(WordOf(static_cast<checkout::v1::ProblemKind>(77)), "");
}

}  // namespace
}  // namespace halles::hallesctl
