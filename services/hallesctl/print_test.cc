// Tests of messages as JSON and as tables.
#include "services/hallesctl/print.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

using ::testing::HasSubstr;

checkout::v1::ImportedOrder ThreeLines() {
  checkout::v1::ImportedOrder order;
  order.set_order_id("ord-1");
  order.set_version(7);
  order.mutable_sale()->mutable_net()->set_currency_code("GBP");
  for (const char* sku : {"shoe", "hat", "oil"}) {
    checkout::v1::RecordedLine& line = *order.mutable_sale()->add_lines();
    line.set_kind(checkout::v1::LINE_KIND_SALE);
    line.set_sku(sku);
  }
  return order;
}

TEST(ImportedOrder, ShowsItsVersionAndTheIdsOfItsLines) {
  const std::string text = ImportedOrderText(ThreeLines(), 120);
  EXPECT_THAT(text, HasSubstr("\nVersion    7\n"));
  EXPECT_THAT(text, HasSubstr("\nLINE  KIND"));
  EXPECT_THAT(text, HasSubstr("\n3     sale"));
}

TEST(ImportedOrder, NamesTheSameInJson) {
  JsonWriter json;
  WriteImportedOrder(ThreeLines(), &json);
  EXPECT_THAT(json.text(), HasSubstr(R"("order_id":"ord-1","version":7,)"));
  EXPECT_THAT(json.text(), HasSubstr(R"({"line_id":"1","kind":"sale","sku":"shoe")"));
  EXPECT_THAT(json.text(), HasSubstr(R"({"line_id":"3","kind":"sale","sku":"oil")"));
}

}  // namespace
}  // namespace halles::hallesctl
