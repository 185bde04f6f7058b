// Tests of the rules of imported orders and returns: every refusal in the order of the enum, then the recorded events.
#include "services/checkout/imports/commands.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "libs/base/timestamp.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::imports {
namespace {

const std::string kMost = std::to_string(std::numeric_limits<int64_t>::max());

GivenImports GivenNothing() { return GivenImports(kSlot); }

v1::ImportRecord InClear(v1::ImportRecord record) {
  record.add_identifiers()->set_value("ann@example.com");
  return record;
}

v1::ImportRecord From(const common::v1::Identifier& customer, v1::ImportRecord record) {
  *record.add_identifiers() = customer;
  return record;
}

// An order of six units, and returns of some of them.
v1::ImportRecord Six() { return Record("536365", {Sold("85123A", "6")}); }
v1::LinkReturnRequest LinkOfBack(const std::string& external_id, const std::string& quantity, int minute) {
  return LinkOf(Record(external_id, {Back("85123A", quantity)}, minute), "536365");
}

// A slot in which the order is recorded.
GivenImports GivenRecorded(const v1::ImportRecord& record) {
  GivenImports given(kSlot);
  given.Record(Import(record));
  return given;
}

TEST(ImportOrder, IsRefusedWithPersonalDataInClear) {
  GivenNothing().When(Import(InClear(Six()))).ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
}

TEST(ImportReturn, IsRefusedWithPersonalDataInClear) {
  GivenNothing().When(ImportReturn(InClear(Six()))).ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
}

TEST(ImportOrder, IsRefusedWhenMalformedAndNamesTheField) {
  const auto outcome = GivenNothing().When(ImportOrder("536365", {Sold("85123A", "-6")}));
  outcome.ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  EXPECT_EQ(outcome.Metadata("field"), "order.lines[0].quantity");
}

TEST(ImportOrder, IsRefusedWhenEmpty) {
  GivenNothing().When(v1::ImportOrderRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ImportReturn, IsRefusedWhenMalformed) {
  GivenNothing().When(v1::ImportReturnRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::ImportReturnRequest request = ImportReturn(Record("C1", {Back("s", "1")}), "536365");
  request.mutable_original()->clear_external_id();
  GivenNothing().When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(LinkReturn, IsRefusedWhenMalformed) {
  GivenNothing().When(v1::LinkReturnRequest()).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  v1::LinkReturnRequest request = LinkOfBack("C1", "1", 1);
  request.mutable_linked_return()->mutable_items(0)->mutable_quantity()->set_unscaled(0);
  GivenNothing().When(request).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ImportOrder, IsRefusedWhenTheExternalIdIsReused) {
  const auto outcome = GivenRecorded(Six()).When(ImportOrder("536365", {Sold("85123A", "7")}));
  outcome.ThenRejected(v1::REJECT_REASON_EXTERNAL_ID_REUSED);
  EXPECT_EQ(outcome.Metadata("order_id"), OrderIdOf("", Ref("536365")).ToString());
  EXPECT_EQ(outcome.Metadata("external_id"), "536365");
  EXPECT_EQ(outcome.Metadata("source"), "uci");
}

TEST(ImportReturn, IsRefusedWhenTheExternalIdIsReused) {
  GivenImports given(kSlot);
  given.Record(ImportReturn(Record("C1", {Back("s", "1")}), "536365"));
  given.When(ImportReturn(Record("C1", {Back("s", "2")}), "536365")).ThenRejected(v1::REJECT_REASON_EXTERNAL_ID_REUSED);
  given.When(ImportReturn(Record("C1", {Back("s", "1")}), "536366")).ThenRejected(v1::REJECT_REASON_EXTERNAL_ID_REUSED);
}

TEST(LinkReturn, IsRefusedWhenMoreReturnsWaitThanOneRecordCanLink) {
  GivenImports given(kSlot);
  const std::string sku(64, 's');
  int waiting = 0;
  for (;; ++waiting) {
    std::vector<v1::ImportLine> lines;
    for (int i = 0; i < 200; ++i) lines.push_back(Back(sku.substr(3) + std::to_string(100 + i), "1"));
    const v1::LinkReturnRequest request = LinkOf(Record("C" + std::to_string(waiting), lines), "536365");
    if (!given.When(request).status().ok()) {
      given.When(request).ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
      break;
    }
    given.Record(request);
  }
  EXPECT_GT(waiting, 5);
  EXPECT_EQ(given.When(Import(Six())).facts().size(), 1u + waiting);
}

TEST(LinkReturn, IsRefusedWhenTheOrderHasTheMaximumOfReturns) {
  GivenImports given = GivenRecorded(Record("536365", {Sold("85123A", "5000")}));
  for (int i = 0; i < kReturnsMax; ++i) given.Record(LinkOfBack("C" + std::to_string(i), "1", i));
  const auto outcome = given.When(LinkOfBack("D", "1", 1));
  outcome.ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
  EXPECT_EQ(outcome.Metadata("returns"), "1000");
  given.When(LinkOfBack("C7", "1", 7)).ThenNothing();
}

TEST(LinkReturn, IsRefusedWhenTheReturnsOfTheOrderHaveTheMaximumSize) {
  GivenImports given = GivenRecorded(Six());
  std::vector<v1::ImportLine> lines;
  for (int i = 0; i < 1'500; ++i) lines.push_back(Back(std::string(60, 's') + std::to_string(1000 + i), "1"));
  int linked = 0;
  for (; linked < 100; ++linked) {
    const v1::LinkReturnRequest request = LinkOf(Record("C" + std::to_string(linked), lines), "536365");
    if (!given.When(request).status().ok()) {
      given.When(request).ThenRejected(v1::REJECT_REASON_TOO_MANY_RETURNS);
      break;
    }
    given.Record(request);
  }
  const rows::ImportedCountsRow counts = CountsOf(given.rows(), OrderIdOf("", Ref("536365")));
  EXPECT_GE(counts.return_bytes(), kReturnBytesMax);
  EXPECT_LT(counts.return_bytes() / linked * (linked - 1), kReturnBytesMax);
}

TEST(ImportOrder, IsRefusedWhenAnAmountOverflows) {
  GivenNothing()
      .When(ImportOrder("536365", {Sold("85123A", kMost, kMost)}))
      .ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(ImportReturn, IsRefusedWhenAnAmountOverflows) {
  GivenNothing()
      .When(ImportReturn(Record("C1", {Back("s", kMost, "1")})))
      .ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
  GivenNothing()
      .When(ImportReturn(Record("C1", {Back("s", kMost, "0"), Back("s", "1", "0")})))
      .ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(ImportOrder, AnswersReasonsInTheOrderOfTheEnum) {
  v1::ImportRecord record = InClear(Record("536365", {Sold("85123A", kMost, kMost)}));
  record.clear_site_id();
  GivenNothing().When(Import(record)).ThenRejected(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR);
  record.clear_identifiers();
  GivenNothing().When(Import(record)).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  record.set_site_id("uci-online");
  GivenRecorded(Six()).When(Import(record)).ThenRejected(v1::REJECT_REASON_EXTERNAL_ID_REUSED);
  GivenNothing().When(Import(record)).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(ImportReturn, AnswersReasonsInTheOrderOfTheEnum) {
  GivenImports given(kSlot);
  given.Record(ImportReturn(Record("C1", {Back("s", "1")})));
  given.When(ImportReturn(Record("C1", {Back("s", kMost, "1")}))).ThenRejected(v1::REJECT_REASON_EXTERNAL_ID_REUSED);
  given.When(ImportReturn(Record("C2", {Back("s", kMost, "1")}))).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
}

TEST(ImportOrder, RecordsTheOrderWithItsAmounts) {
  const auto outcome = GivenNothing().When(Import(Six()));
  outcome.ThenEvents({OrderImported(Six())});
  EXPECT_EQ(outcome.facts()[0].aggregate_id, outcome.response().order_id());
  EXPECT_EQ(outcome.facts()[0].effective_time, MicrosOf(Minute(0)));
  EXPECT_EQ(outcome.response().net().minor_units(), 1530);
}

TEST(ImportOrder, AcceptsTheEarliestTime) {
  v1::ImportRecord record = Six();
  record.mutable_recorded_time()->Clear();  // 1970-01-01T00:00:00Z
  const auto outcome = GivenNothing().When(Import(record));
  ASSERT_TRUE(outcome.facts()[0].effective_time.has_value());
  EXPECT_EQ(*outcome.facts()[0].effective_time, 0);
  record.clear_recorded_time();
  GivenNothing().When(Import(record)).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(ImportOrder, AnswersARepeatWithTheSameAndRecordsNothing) {
  const auto again = GivenRecorded(Six()).When(Import(Six()));
  again.ThenNothing();
  EXPECT_TRUE(again.answer_is_final()) << "nothing changes a recorded order";
  EXPECT_EQ(again.response().DebugString(), GivenNothing().When(Import(Six())).response().DebugString());
}

TEST(ImportOrder, GivesEachTenantItsOwnIds) {
  EXPECT_NE(OrderIdOf("a", Ref("536365")), OrderIdOf("b", Ref("536365")));
  EXPECT_NE(OrderIdOf("", Ref("536365")).ToString(), ReturnIdOf("", Ref("536365")).ToString());
  EXPECT_EQ(OrderIdOf("", Ref("536365")).ToString().size(), 30u);
}

TEST(ImportOrder, LinksWaitingReturnsOldestFirst) {
  GivenImports given(kSlot);
  for (const auto& link : {LinkOfBack("C3", "1", 9), LinkOfBack("C2", "1", 5), LinkOfBack("C1", "1", 5)})
    given.Record(link);
  given.When(Import(Six()))
      .ThenEvents({OrderImported(Six()), ReturnLinked(LinkOfBack("C1", "1", 5)), ReturnLinked(LinkOfBack("C2", "1", 5)),
                   ReturnLinked(LinkOfBack("C3", "1", 9))});
}

TEST(ImportOrder, FlagsReturnsBeyondTheUnitsSold) {
  GivenImports given(kSlot);
  for (const auto& link : {LinkOfBack("C1", "4", 1), LinkOfBack("C2", "2", 2), LinkOfBack("C3", "1", 3)})
    given.Record(link);
  given.When(Import(Six()))
      .ThenEvents({OrderImported(Six()), ReturnLinked(LinkOfBack("C1", "4", 1)), ReturnLinked(LinkOfBack("C2", "2", 2)),
                   ReturnLinked(LinkOfBack("C3", "1", 3), /*excess=*/true)});
}

TEST(ImportReturn, RecordsTheReturnWithItsAmounts) {
  const v1::ImportRecord record = Record("C1", {Back("85123A", "1")}, 7);
  const auto outcome = GivenNothing().When(ImportReturn(record, "536365"));
  outcome.ThenEvents({ReturnImported(record, "536365")});
  EXPECT_EQ(outcome.facts()[0].aggregate_id, outcome.response().return_id());
  EXPECT_EQ(outcome.response().net().minor_units(), -255);
}

TEST(ImportReturn, AnswersARepeatWithTheSameAndRecordsNothing) {
  GivenImports given(kSlot);
  given.Record(ImportReturn(Record("C1", {Back("s", "1")}), "536365"));
  given.When(ImportReturn(Record("C1", {Back("s", "1")}), "536365")).ThenNothing();
}

TEST(ImportReturn, IsRecordedWithoutItsOrder) {
  const v1::ImportRecord record = Record("C1", {Back("85123A", "1")});
  GivenNothing().When(ImportReturn(record)).ThenEvents({ReturnImported(record)});
}

TEST(LinkReturn, WaitsForAnOrderThatIsNotYetRecorded) {
  GivenNothing().When(LinkOfBack("C1", "1", 1)).ThenEvents({ReturnAwaited(LinkOfBack("C1", "1", 1))});
}

TEST(LinkReturn, LinksAReturnToItsOrder) {
  GivenRecorded(Six()).When(LinkOfBack("C1", "6", 1)).ThenEvents({ReturnLinked(LinkOfBack("C1", "6", 1))});
}

TEST(LinkReturn, RecordsAndFlagsAnExcess) {
  GivenImports given = GivenRecorded(Six());
  given.Record(LinkOfBack("C1", "5.5", 1));
  given.When(LinkOfBack("C2", "0.5", 2)).ThenEvents({ReturnLinked(LinkOfBack("C2", "0.5", 2))});
  given.When(LinkOfBack("C2", "0.51", 2)).ThenEvents({ReturnLinked(LinkOfBack("C2", "0.51", 2), /*excess=*/true)});
}

TEST(LinkReturn, CountsReturnsWithinTheOrderItself) {
  GivenImports given = GivenRecorded(Record("536365", {Sold("85123A", "6"), Back("85123A", "4")}));
  given.When(LinkOfBack("C1", "2", 1)).ThenEvents({ReturnLinked(LinkOfBack("C1", "2", 1))});
  given.When(LinkOfBack("C1", "2.1", 1)).ThenEvents({ReturnLinked(LinkOfBack("C1", "2.1", 1), /*excess=*/true)});
}

TEST(LinkReturn, FlagsGoodsThatTheOrderNeverSold) {
  const v1::LinkReturnRequest link = LinkOf(Record("C1", {Back("71053", "1")}), "536365");
  GivenRecorded(Six()).When(link).ThenEvents({ReturnLinked(link, /*excess=*/true)});
}

TEST(LinkReturn, UsesTheCustomerOfTheOrderWhenTheReturnNamesNone) {
  v1::ImportRecord record = From(Phone('p'), From(Customer('b'), Six()));
  v1::ImportEvent linked = ReturnLinked(LinkOfBack("C1", "1", 1));
  *linked.mutable_return_linked()->mutable_customer() = Customer('b');
  GivenRecorded(record).When(LinkOfBack("C1", "1", 1)).ThenEvents({linked});
}

TEST(LinkReturn, KeepsTheCustomerThatTheReturnNames) {
  const v1::LinkReturnRequest link = LinkOf(From(Customer('c'), Record("C1", {Back("85123A", "1")})), "536365");
  GivenRecorded(From(Customer('b'), Six())).When(link).ThenEvents({ReturnLinked(link)});
}

TEST(LinkReturn, DoesNothingWhenRepeated) {
  GivenImports linked = GivenRecorded(Six());
  linked.Record(LinkOfBack("C1", "1", 1));
  linked.When(LinkOfBack("C1", "1", 1)).ThenNothing();
  GivenImports awaited(kSlot);
  awaited.Record(LinkOfBack("C1", "1", 1));
  awaited.When(LinkOfBack("C1", "1", 1)).ThenNothing();
}

TEST(LinkReturn, HasTheSameResultInEitherOrder) {
  GivenImports order_first = GivenRecorded(Six());
  order_first.Record(LinkOfBack("C1", "1", 1));
  GivenImports return_first(kSlot);
  return_first.Record(LinkOfBack("C1", "1", 1));
  return_first.Record(Import(Six()));
  EXPECT_EQ(kReturned.Get(order_first.rows(), {OrderIdOf("", Ref("536365")), Sku::FromString("85123A")})->quantity(),
            "1");
  EXPECT_EQ(kReturned.Get(return_first.rows(), {OrderIdOf("", Ref("536365")), Sku::FromString("85123A")})->quantity(),
            "1");
  EXPECT_FALSE(kAwaited.Contains(return_first.rows(), {OrderIdOf("", Ref("536365"))}));
}

TEST(Decide, FailsWhenRowsCannotBeRead) {
  store::MemoryRows rows;
  rows.FailReads(absl::DataLossError("damaged"));
  Decide(rows, Import(Six()), partition::CommandContext()).IgnoreError();
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace halles::checkout::imports
