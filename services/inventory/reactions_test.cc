// Tests of inventory's reactions to events of orders, and of contradictions.
#include "services/inventory/reactions.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

using checkout::v1::OrderEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const UnitsList kThreeAtA = {{"A", 3}};

struct Line {
  std::string sku;
  std::string hold;
  int64_t units = 0;
};

void AddFulfilment(const std::string& location, const std::vector<Line>& lines, checkout::v1::Fulfilment* fulfilment) {
  fulfilment->set_location_id(location);
  for (const Line& line : lines) {
    checkout::v1::FulfilmentLine& added = *fulfilment->add_lines();
    added.set_sku(line.sku);
    added.set_hold_id(line.hold);
    added.set_units(line.units);
  }
}

void AddReturned(const std::string& sku, int64_t units, checkout::v1::Disposition disposition,
                 checkout::v1::GoodsReturned* returned) {
  checkout::v1::ReturnedLine& line = *returned->add_lines();
  line.set_sku(sku);
  line.set_units(units);
  line.set_disposition(disposition);
}

// "COMMIT boot h A 3" for each request.
template <class Event>
std::vector<std::string> Asked(const Event& event) {
  partition::FactContext context;
  context.aggregate_id = "o";
  std::vector<std::string> lines;
  for (const v1::ApplyOrderFactRequest& request : React(event, context)) {
    EXPECT_EQ(request.order_id(), "o");
    std::string line = v1::OrderFactKind_Name(request.kind()).substr(std::string("ORDER_FACT_KIND_").size());
    line += " " + request.sku() + " " + request.hold_id() + " " + request.location_id() + " " +
            std::to_string(request.units());
    if (request.kind() == v1::ORDER_FACT_KIND_RETURN) {
      line += "+" + std::to_string(request.unusable_units()) + " " + request.reference();
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(React, CommitsEachHoldOnceWhenAnOrderIsConfirmed) {
  OrderEvent event;
  AddFulfilment("A", {{"boot", "o/boot", 1}, {"coat", "o/coat", 1}},
                event.mutable_order_confirmed()->add_fulfilments());
  AddFulfilment("B", {{"boot", "o/boot", 1}}, event.mutable_order_confirmed()->add_fulfilments());
  EXPECT_THAT(Asked(event), ElementsAre("COMMIT boot o/boot  0", "COMMIT coat o/coat  0"));
}

TEST(React, ShipsGoodsThatAreHandedOver) {
  OrderEvent event;
  AddFulfilment("A", {{"boot", "h", 1}, {"boot", "h", 2}},
                event.mutable_fulfilment_handed_over()->mutable_fulfilment());
  EXPECT_THAT(Asked(event), ElementsAre("SHIP boot h A 3"));
}

TEST(React, ReleasesGoodsThatWillNotBeHandedOver) {
  OrderEvent ended;
  AddFulfilment("A", {{"boot", "h", 1}}, ended.mutable_fulfilment_ended()->mutable_fulfilment());
  EXPECT_THAT(Asked(ended), ElementsAre("RELEASE boot h A 1"));
  OrderEvent cancelled;
  AddFulfilment("A", {{"boot", "h", 1}}, cancelled.mutable_order_cancelled()->add_fulfilments());
  AddFulfilment("B", {{"boot", "h", 2}}, cancelled.mutable_order_cancelled()->add_fulfilments());
  EXPECT_THAT(Asked(cancelled), ElementsAre("RELEASE boot h A 1", "RELEASE boot h B 2"));
}

TEST(React, ReturnsGoodsToTheLocationThatReceivedThem) {
  OrderEvent event;
  checkout::v1::GoodsReturned& returned = *event.mutable_goods_returned();
  returned.set_return_id("r");
  returned.set_location_id("C");
  AddReturned("boot", 1, checkout::v1::DISPOSITION_RESTOCK, &returned);
  AddReturned("boot", 2, checkout::v1::DISPOSITION_UNUSABLE, &returned);
  EXPECT_THAT(Asked(event), ElementsAre("RETURN boot  C 1+2 order/o/return/r"));
}

TEST(React, ReturnsGoodsOfAnImportedOrder) {
  checkout::v1::ImportEvent event;
  checkout::v1::GoodsReturned& returned = *event.mutable_goods_returned();
  returned.set_return_id("r");
  returned.set_location_id("C");
  AddReturned("boot", 1, checkout::v1::DISPOSITION_RESTOCK, &returned);
  EXPECT_THAT(Asked(event), ElementsAre("RETURN boot  C 1+0 order/o/return/r"));
  EXPECT_EQ(ReactedImportFields().size(), 1u);
  event.mutable_order_imported();
  EXPECT_THAT(Asked(event), IsEmpty());
}

TEST(React, TreatsAnExchangeAsAReturnAndASale) {
  OrderEvent event;
  checkout::v1::ExchangeCommitted& exchange = *event.mutable_exchange_committed();
  exchange.mutable_returned()->set_return_id("x");
  exchange.mutable_returned()->set_location_id("C");
  AddReturned("boot", 1, checkout::v1::DISPOSITION_RESTOCK, exchange.mutable_returned());
  AddFulfilment("A", {{"boot", "o/x/boot", 1}}, exchange.add_fulfilments());
  EXPECT_THAT(Asked(event), ElementsAre("RETURN boot  C 1+0 order/o/return/x", "COMMIT boot o/x/boot  0"));
}

TEST(React, HandlesOnlyEventsThatMoveStock) {
  const auto* const descriptor = OrderEvent::descriptor();
  const absl::Span<const int> fields = ReactedOrderFields();
  EXPECT_EQ(fields.size(), 6u);
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* const field = descriptor->field(i);
    if (std::find(fields.begin(), fields.end(), field->number()) != fields.end()) continue;
    OrderEvent event;
    event.GetReflection()->MutableMessage(&event, field);
    EXPECT_THAT(Asked(event), IsEmpty()) << field->name();
  }
}

v1::ApplyOrderFactRequest Fact(v1::OrderFactKind kind, const std::string& hold, const std::string& location = "",
                               int64_t units = 0) {
  v1::ApplyOrderFactRequest request;
  request.set_sku(kSku);
  request.set_kind(kind);
  request.set_order_id("o");
  request.set_hold_id(hold);
  request.set_location_id(location);
  request.set_units(units);
  return request;
}

TEST(ApplyOrderFact, ActsAsTheCommandsDo) {
  GivenStock given = Given({Received("A", 5), Held("h", kThreeAtA)});
  given.Record(Fact(v1::ORDER_FACT_KIND_COMMIT, "h")).ThenEvents({Committed("h", kThreeAtA)});
  given.When(Fact(v1::ORDER_FACT_KIND_COMMIT, "h")).ThenNothing();
  given.Record(Fact(v1::ORDER_FACT_KIND_SHIP, "h", "A", 1)).ThenEvents({Shipped("h", {{"A", 1}}, /*ended=*/false)});
  given.Record(Fact(v1::ORDER_FACT_KIND_RELEASE, "h", "A", 2))
      .ThenEvents({Released("h", {{"A", 2}}, /*ended=*/true, /*committed=*/true)});
  v1::ApplyOrderFactRequest back = Fact(v1::ORDER_FACT_KIND_RETURN, "", "B", 1);
  back.set_reference("order/o/return/r");
  given.Record(back);
  EXPECT_EQ(LevelIn(given.rows(), "B").on_hand(), 1);
  EXPECT_EQ(LevelIn(given.rows(), "A").on_hand(), 4);
}

TEST(ApplyOrderFact, RecordsContradictions) {
  const auto cause = [](const GivenStock& given, const v1::ApplyOrderFactRequest& request) {
    const auto outcome = given.When(request);
    EXPECT_EQ(outcome.facts().size(), 1u);
    const v1::StockContradicted& contradicted = outcome.facts().at(0).event.stock_contradicted();
    EXPECT_EQ(contradicted.order_id(), "o");
    EXPECT_EQ(contradicted.hold_id(), request.hold_id());
    return contradicted.cause();
  };
  EXPECT_EQ(cause(Given(), Fact(v1::ORDER_FACT_KIND_COMMIT, "h")), "the hold h is unknown");
  EXPECT_EQ(cause(Given({Received("A", 3), Held("h", kThreeAtA), Released("h", kThreeAtA)}),
                  Fact(v1::ORDER_FACT_KIND_COMMIT, "h")),
            "the hold h has ended");
  EXPECT_EQ(cause(Given({Received("A", 3), Held("h", kThreeAtA), Committed("h", kThreeAtA), Counted("A", 0, 3)}),
                  Fact(v1::ORDER_FACT_KIND_SHIP, "h", "A", 3)),
            "only 0 are on hand at A");
  v1::ApplyOrderFactRequest nothing_back = Fact(v1::ORDER_FACT_KIND_RETURN, "", "A", 0);
  nothing_back.set_reference("order/o/return/r");
  EXPECT_THAT(cause(Given(), nothing_back), ::testing::HasSubstr("unusable_units"));
}

TEST(ApplyOrderFact, IsRefusedOnlyWhenMalformed) {
  Given().When(v1::ApplyOrderFactRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  Given().When(Fact(v1::ORDER_FACT_KIND_UNSPECIFIED, "h")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

}  // namespace
}  // namespace halles::inventory
