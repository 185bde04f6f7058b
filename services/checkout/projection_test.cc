// Tests of the view "totals": what each record adds, and that the order between sources does not matter.
#include "services/checkout/projection.h"

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/checkout/order/test_builders.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout {
namespace {

using Fact = std::variant<v1::OrderEvent, v1::ImportEvent>;

// Adds the events of the order that an outcome holds.
template <class Outcome>
void AddOrderFacts(const Outcome& outcome, std::vector<Fact>* events) {
  for (const auto& fact : outcome.facts()) {
    if (const auto* event = std::get_if<v1::OrderEvent>(&fact.event)) events->push_back(*event);
  }
}

// A view into which sources are folded record by record.
class GivenTotals {
 public:
  explicit GivenTotals(const std::vector<Fact>& events = {}) {
    for (const Fact& event : events) EXPECT_TRUE(Fold(event, kSlot, next_++).ok());
  }

  absl::Status Fold(const Fact& event, SlotId source, Position position) {
    rows_.set_position(position);
    partition::FactContext context;
    context.slot = source;
    context.position = position;
    const absl::Status status = std::visit([&](const auto& one) { return Project(rows_, one, context); }, event);
    return status.ok() ? rows_.status() : status;
  }

  rows::TotalsRow At(const std::string& site, uint32_t month) const {
    return kTotals.Get(rows_, {"GBP", common::v1::CHANNEL_WEB, SiteId::FromString(site), month, kSlot})
        .value_or(rows::TotalsRow());
  }
  rows::TotalsRow AtMonth(uint32_t month) const {
    return kTotalsByMonth.Get(rows_, {"GBP", common::v1::CHANNEL_WEB, month, kSlot}).value_or(rows::TotalsRow());
  }
  const store::MemoryRows& rows() const { return rows_; }

 private:
  store::MemoryRows rows_;
  Position next_ = 0;
};

v1::ImportRecord In(const std::string& site, const google::protobuf::Timestamp& time, v1::ImportRecord record) {
  record.set_site_id(site);
  *record.mutable_recorded_time() = time;
  return record;
}

TEST(Project, CountsLinesByKindAndZeros) {
  const GivenTotals given({OrderImported(
      Record("1", {Sold("a", "1"), Sold("b", "0"), Sold("c", "1", "0"), Line(v1::LINE_KIND_SERVICE, "POST", "1", "18"),
                   Line(v1::LINE_KIND_ADJUSTMENT, "d", "-3", "0"), Back("e", "1")}))});
  const rows::TotalsRow row = given.At("uci-online", 201012);
  EXPECT_EQ(row.orders(), 1);
  EXPECT_EQ(row.returns(), 0);
  EXPECT_EQ(row.lines(), 6);
  EXPECT_EQ(row.sale_lines(), 3);
  EXPECT_EQ(row.service_lines(), 1);
  EXPECT_EQ(row.adjustment_lines(), 1);
  EXPECT_EQ(row.return_lines(), 1);
  EXPECT_EQ(row.zero_quantity_lines(), 1);
  EXPECT_EQ(row.zero_value_lines(), 3);
  EXPECT_EQ(ValueOf(row.net()), 1800);
  EXPECT_EQ(ValueOf(row.returned()), -255);
}

TEST(Project, SumsDiscountsByKind) {
  v1::ImportLine line = Sold("a", "1");
  const auto discount = [&line](v1::DiscountKind kind, int64_t pence) {
    line.add_discounts()->set_kind(kind);
    *line.mutable_discounts(line.discounts_size() - 1)->mutable_amount() = Pence(pence);
  };
  discount(v1::DISCOUNT_KIND_RETAILER, 1);
  discount(v1::DISCOUNT_KIND_COUPON, 20);
  discount(v1::DISCOUNT_KIND_COUPON_MATCH, 300);
  discount(v1::DISCOUNT_KIND_MANUAL, 4000);
  const rows::TotalsRow row = GivenTotals({OrderImported(Record("1", {line}))}).At("uci-online", 201012);
  EXPECT_EQ(ValueOf(row.discount_retailer()), 1);
  EXPECT_EQ(ValueOf(row.discount_coupon()), 20);
  EXPECT_EQ(ValueOf(row.discount_coupon_match()), 300);
  EXPECT_EQ(ValueOf(row.discount_manual()), 4000);
}

TEST(Project, SubtractsReturnsFromTheNet) {
  const GivenTotals given(
      {OrderImported(Record("1", {Sold("a", "2", "1")})), ReturnImported(Record("C1", {Back("a", "1", "1")}))});
  EXPECT_EQ(given.At("uci-online", 201012).returns(), 1);
  EXPECT_EQ(ValueOf(given.At("uci-online", 201012).net()), 100);
}

// The totals of an order placed here, after these commands.
template <class... Commands>
rows::TotalsRow TotalsAfter(order::GivenOrder given, const Commands&... commands) {
  std::vector<Fact> events;
  const auto record = [&](const auto& command) {
    const auto outcome = given.Record(command);
    AddOrderFacts(outcome, &events);
  };
  (record(commands), ...);
  const GivenTotals totals(events);
  rows::TotalsRow sum;
  kTotals.ForEach(totals.rows(), [&](const TotalsKey&, const rows::TotalsRow& row, Position) {
    sum.set_orders(sum.orders() + row.orders());
    sum.set_returns(sum.returns() + row.returns());
    sum.set_adjustment_lines(sum.adjustment_lines() + row.adjustment_lines());
    AddTo(ValueOf(row.net()), sum.mutable_net());
    return true;
  });
  return sum;
}

TEST(Project, CountsAPlacedOrderOnceItIsConfirmed) {
  order::GivenOrder given({CartLineOf("a", 3, "3.333")}, order::ShipFrom({"paris"}));
  std::vector<Fact> events;
  const auto begun = given.Record(order::Place());
  AddOrderFacts(begun, &events);
  EXPECT_EQ(GivenTotals(events).rows().size(), 0u);
  const saga::v1::Saga saga = given.Saga();
  for (int step = 0; step < 2; ++step) {
    const auto outcome = given.Succeed("c-1/1/" + saga.plan().steps(step).name(),
                                       order::GivenOrder::ResponseTo(saga.plan().steps(step), 1));
    AddOrderFacts(outcome, &events);
  }
  const rows::TotalsRow row = GivenTotals(events).At("web", 202311);
  EXPECT_EQ(row.orders(), 1);
  EXPECT_EQ(ValueOf(row.net()), 1000);
}

TEST(Project, CountsAReturnOfAnImportedOrderTakenHere) {
  GivenImports given(kSlot);
  const std::string order = given.Record(ImportOrder("1", {Sold("a", "2", "1")})).response().order_id();
  v1::ReturnLinesRequest request = TakeBack("r1", {BackOf("1", 1)});
  request.set_order_id(order);
  const GivenTotals totals({given.Record(request).facts().at(0).event});
  const auto row = kTotalsByMonth.Get(totals.rows(), {"GBP", common::v1::CHANNEL_SHOP, 202311, kSlot});
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->returns(), 1);
  EXPECT_EQ(ValueOf(row->net()), -100);
}

TEST(Project, SubtractsReturnedAndCancelledGoodsFromTheNet) {
  const rows::TotalsRow returned = TotalsAfter(order::HandedOver(), TakeBack("r1", {BackOf("a", 1), BackOf("b", 1)}));
  EXPECT_EQ(returned.returns(), 1);
  EXPECT_EQ(ValueOf(returned.net()), -833);
  const rows::TotalsRow cancelled = TotalsAfter(order::Placed(), Of<v1::CancelOrderRequest>());
  EXPECT_EQ(cancelled.orders(), 0);
  EXPECT_EQ(cancelled.adjustment_lines(), 2);
  EXPECT_EQ(ValueOf(cancelled.net()), -1500);
}

TEST(Project, SplitsMonthsAtMidnightUtc) {
  google::protobuf::Timestamp last = Day(2017, 1, 1);
  last.set_seconds(last.seconds() - 1);
  const GivenTotals given({OrderImported(In("s", last, Record("1", {Sold("a", "1")}))),
                           OrderImported(In("s", Day(2017, 1, 1), Record("2", {Sold("a", "1")})))});
  EXPECT_EQ(given.At("s", 201612).orders(), 1);
  EXPECT_EQ(given.At("s", 201701).orders(), 1);
}

TEST(Project, KeepsEachMonthEqualToTheSumOfItsSites) {
  const GivenTotals given({OrderImported(In("s", Day(2017, 1, 1), Record("1", {Sold("a", "1", "1")}))),
                           OrderImported(In("t", Day(2017, 1, 2), Record("2", {Sold("a", "2", "1")}))),
                           OrderImported(In("t", Day(2017, 1, 3), Record("3", {Sold("a", "3", "1")})))});
  EXPECT_EQ(given.AtMonth(201701).orders(), 3);
  EXPECT_EQ(ValueOf(given.AtMonth(201701).net()), 600);
  EXPECT_EQ(ValueOf(given.At("t", 201701).net()), 500);
}

TEST(Project, ListsTheMonthsOfASite) {
  const GivenTotals given({OrderImported(In("s", Day(2017, 2, 1), Record("1", {Sold("a", "1")}))),
                           OrderImported(In("s", Day(2017, 1, 1), Record("2", {Sold("a", "1")}))),
                           OrderImported(In("s", Day(2017, 1, 9), Record("3", {Sold("a", "1")})))});
  const auto row = kSites.Get(given.rows(), {"GBP", common::v1::CHANNEL_WEB, SiteId::FromString("s"), kSlot});
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(std::vector<uint32_t>(row->months().begin(), row->months().end()), (std::vector<uint32_t>{201701, 201702}));
}

TEST(Project, SumsBeyond64Bits) {
  v1::ImportLine line = Sold("a", "1");
  *line.mutable_exact_amount() = Exact("90000000000000000");
  const GivenTotals given({OrderImported(Record("1", {line})), OrderImported(Record("2", {line}))});
  EXPECT_EQ(ValueOf(given.At("uci-online", 201012).net()), Int128{2} * 9'000'000'000'000'000'000);
}

TEST(Project, IgnoresLinksOfReturns) {
  const v1::LinkReturnRequest link = LinkOf(Record("C1", {Back("a", "1")}), "536365");
  EXPECT_EQ(GivenTotals({ReturnAwaited(link), ReturnLinked(link)}).rows().size(), 0u);
}

TEST(Project, StopsAtAnUnknownEvent) {
  const absl::Status status = GivenTotals().Fold(v1::OrderEvent(), kSlot, 4711);
  EXPECT_EQ(ReasonOf(status), "EVENT_CANNOT_BE_PROJECTED");
  EXPECT_EQ(MetadataOf(status, "event"), "checkout/17@4711#0");
  EXPECT_EQ(ReasonOf(GivenTotals().Fold(v1::ImportEvent(), kSlot, 4711)), "EVENT_CANNOT_BE_PROJECTED");
}

TEST(AddTo, CarriesBetweenTheHalves) {
  rows::Sum sum;
  AddTo(-1, &sum);
  EXPECT_EQ(ValueOf(sum), -1);
  AddTo(2, &sum);
  EXPECT_EQ(ValueOf(sum), 1);
  for (int i = 0; i < 3; ++i) AddTo(std::numeric_limits<int64_t>::max(), &sum);
  EXPECT_EQ(ValueOf(sum), Int128{3} * std::numeric_limits<int64_t>::max() + 1);
}

TEST(Project, GivesTheSameRowsInEveryInterleavingOfTheSources) {
  // The logs of four slots, with random orders and returns of six sites in three months.
  SeededRandom world(7);
  std::vector<std::vector<v1::ImportEvent>> logs(4);
  for (int i = 0; i < 120; ++i) {
    const auto time = Day(2017, 1 + static_cast<int>(world.Uniform(3)), 1 + static_cast<int>(world.Uniform(28)));
    const std::string site = "s" + std::to_string(world.Uniform(6));
    const std::string quantity = std::to_string(world.Uniform(9));
    logs[world.Uniform(4)].push_back(
        world.Uniform(5) == 0 ? ReturnImported(In(site, time, Record(std::to_string(i), {Back("a", quantity)})))
                              : OrderImported(In(site, time, Record(std::to_string(i), {Sold("a", quantity)}))));
  }
  const auto fold = [&logs](uint64_t seed) {
    SeededRandom random(seed);
    GivenTotals given;
    std::vector<size_t> next(logs.size());
    for (size_t left = 120; left > 0;) {
      const size_t source = random.Uniform(logs.size());
      if (next[source] == logs[source].size()) continue;
      EXPECT_TRUE(given
                      .Fold(logs[source][next[source]], SlotId{ServiceId::kCheckout, static_cast<uint16_t>(source)},
                            next[source])
                      .ok());
      ++next[source];
      --left;
    }
    return given;
  };
  const GivenTotals first = fold(0);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const GivenTotals other = fold(seed);
    ASSERT_TRUE(store::SameContent(first.rows(), other.rows())) << "seed " << seed;
    for (const auto& [key, row] : first.rows().rows()) {
      ASSERT_EQ(row.position, other.rows().rows().find(key)->second.position) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace halles::checkout
