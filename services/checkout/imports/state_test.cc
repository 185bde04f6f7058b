// Tests of the fold of imported orders and returns: the rows that it keeps, and the events that it cannot evolve.
#include "services/checkout/imports/state.h"

#include <string>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::imports {
namespace {

const OrderId kOrder = OrderIdOf("", Ref("536365"));

v1::ImportRecord Six() { return Record("536365", {Sold("85123A", "6")}); }
v1::LinkReturnRequest LinkOfBack(const std::string& external_id, const std::string& quantity) {
  return LinkOf(Record(external_id, {Back("85123A", quantity)}), "536365");
}
partition::Fact<v1::ImportEvent> OfOrder(const v1::ImportEvent& event) { return {kOrder.ToString(), event}; }

void ExpectCannotBeEvolved(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_EVOLVED");
}

TEST(Evolve, KeepsAnOrderAsRecorded) {
  GivenImports given(kSlot);
  ASSERT_TRUE(given.TryEvolve({OfOrder(OrderImported(Six()))}).ok());
  EXPECT_EQ(kImportedOrders.Get(given.rows(), {kOrder})->DebugString(),
            OrderImported(Six()).order_imported().DebugString());
  EXPECT_EQ(given.rows().size(), 2u) << "the order and its counts";
}

TEST(Evolve, SumsReturnedQuantitiesOverAllLinks) {
  GivenImports given(kSlot);
  given.Record(Import(Six()));
  given.Record(LinkOfBack("C1", "1.5"));
  given.Record(LinkOfBack("C2", "2.25"));
  EXPECT_EQ(kReturned.Get(given.rows(), {kOrder, Sku::FromString("85123A")})->quantity(), "3.75");
}

TEST(Evolve, KeepsAReturnEitherAwaitedOrLinked) {
  GivenImports given(kSlot);
  given.Record(LinkOfBack("C1", "1"));
  given.Record(LinkOfBack("C2", "1"));
  EXPECT_EQ(kAwaited.Get(given.rows(), {kOrder})->returns_size(), 2);
  given.Record(Import(Six()));
  EXPECT_FALSE(kAwaited.Contains(given.rows(), {kOrder}));
  EXPECT_TRUE(kLinks.Contains(given.rows(), {kOrder, ReturnIdOf("", Ref("C1"))}));
}

TEST(Evolve, CountsRecordsThatChangeTheOrderNotTheirLinks) {
  GivenImports given(kSlot);
  const auto version = [&] { return kImportedCounts.Get(given.rows(), {kOrder})->version(); };
  for (const char* waiting : {"C1", "C2", "C3"}) given.Record(LinkOfBack(waiting, "1"));
  EXPECT_FALSE(kImportedCounts.Contains(given.rows(), {kOrder}));
  EXPECT_EQ(given.Record(Import(Six())).facts().size(), 4u);
  EXPECT_EQ(version(), 1);
  given.Record(LinkOfBack("C4", "1"));
  EXPECT_EQ(version(), 2);
  given.Record(LinkOfBack("C4", "1"));
  EXPECT_EQ(version(), 2) << "a repeat is no change";
}

TEST(Evolve, StopsAtAnUnknownEvent) {
  GivenImports given(kSlot);
  const absl::Status status = given.TryEvolve({OfOrder(v1::ImportEvent())});
  ExpectCannotBeEvolved(status);
  EXPECT_EQ(MetadataOf(status, "event"), "checkout/17@0#0");
}

TEST(Evolve, StopsAtARepeatedOrderOrReturn) {
  GivenImports given(kSlot);
  ASSERT_TRUE(given.TryEvolve({OfOrder(OrderImported(Six()))}).ok());
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(OrderImported(Six()))}));
  const v1::ImportEvent imported = ReturnImported(Record("C1", {Back("s", "1")}));
  ASSERT_TRUE(given.TryEvolve({{"ret-1", imported}}).ok());
  ExpectCannotBeEvolved(given.TryEvolve({{"ret-1", imported}}));
}

TEST(Evolve, StopsAtAnOrderThatIsNotFirstInItsRecord) {
  GivenImports given(kSlot);
  const v1::ImportEvent imported = ReturnImported(Record("C1", {Back("s", "1")}));
  ExpectCannotBeEvolved(given.TryEvolve({{"ret-1", imported}, OfOrder(OrderImported(Six()))}));
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(OrderImported(Six())), {"ret-2", imported}}));
}

TEST(Evolve, StopsAtALinkWithoutItsOrderOrARepeatedLink) {
  GivenImports given(kSlot);
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(ReturnLinked(LinkOfBack("C1", "1")))}));
  given.Record(Import(Six()));
  given.Record(LinkOfBack("C1", "1"));
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(ReturnLinked(LinkOfBack("C1", "1")))}));
}

TEST(Evolve, StopsAtAReturnAwaitedTwiceOrAfterItsOrder) {
  GivenImports given(kSlot);
  given.Record(LinkOfBack("C1", "1"));
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(ReturnAwaited(LinkOfBack("C1", "1")))}));
  given.Record(Import(Six()));
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(ReturnAwaited(LinkOfBack("C2", "1")))}));
}

v1::ImportEvent Returned(const std::string& return_id, int64_t units) {
  v1::ImportEvent event;
  v1::GoodsReturned& returned = *event.mutable_goods_returned();
  returned.set_return_id(return_id);
  v1::ReturnedLine& line = *returned.add_lines();
  line.set_line_id("1");
  line.set_sku("85123A");
  line.set_units(units);
  return event;
}

TEST(Evolve, CountsReturnsTakenHereByLineAndAllReturnsBySku) {
  GivenImports given(kSlot);
  given.Record(Import(Six()));
  given.Record(LinkOfBack("C1", "1.5"));
  ASSERT_TRUE(given.TryEvolve({OfOrder(Returned("r1", 2))}).ok());
  ASSERT_TRUE(given.TryEvolve({OfOrder(Returned("r2", 1))}).ok());
  EXPECT_EQ(kReturned.Get(given.rows(), {kOrder, Sku::FromString("85123A")})->quantity(), "4.5");
  EXPECT_EQ(kReturnedLines.Get(given.rows(), {kOrder, LineId::FromString("1")})->units(), 3);
}

TEST(Evolve, StopsAtAReturnTakenHereOfAnUnknownOrderOrTwice) {
  GivenImports given(kSlot);
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(Returned("r1", 2))}));
  given.Record(Import(Six()));
  ASSERT_TRUE(given.TryEvolve({OfOrder(Returned("r1", 2))}).ok());
  ExpectCannotBeEvolved(given.TryEvolve({OfOrder(Returned("r1", 2))}));
}

TEST(AddTables, NamesTheRows) {
  EXPECT_EQ(AddTables(store::Schema()).Describe(kImportedOrders.Encode({OrderId::FromString("ord-1")})),
            "imported_orders order=ord-1");
}

}  // namespace
}  // namespace halles::checkout::imports
