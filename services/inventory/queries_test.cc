// Tests of the view "stock" and of inventory's queries: pages, sums, changes since a token.
#include "services/inventory/queries.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/inventory/projection.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A view that folds events one by one.
class GivenView {
 public:
  explicit GivenView(const std::vector<v1::StockEvent>& events = {}) {
    for (const v1::StockEvent& event : events) Fold(kSku, event);
  }

  void Fold(const std::string& sku, const v1::StockEvent& event) { EXPECT_TRUE(TryFold(sku, event).ok()); }
  absl::Status TryFold(const std::string& sku, const v1::StockEvent& event) {
    rows_.set_position(next_);
    partition::FactContext context;
    context.slot = kSlot;
    context.position = next_++;
    context.effective_time = kNow;
    context.aggregate_id = sku;
    return Project(rows_, event, context);
  }

  // "boot A 3" for each entry, over all pages.
  std::vector<std::string> List(v1::ListStockRequest request) const {
    std::vector<std::string> lines;
    request.set_page_size(2);
    do {
      const v1::ListStockResponse page = ListStock(rows_, request).value();
      for (const v1::StockEntry& entry : page.entries()) {
        lines.push_back(entry.sku() + " " + entry.level().location_id() + " " +
                        std::to_string(entry.level().available_units()));
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return lines;
  }

  v1::ExplainStockResponse Explain(const std::string& location) const {
    v1::ExplainStockRequest request;
    request.set_sku(kSku);
    request.set_location_id(location);
    return ExplainStock(rows_, request).value();
  }

  const store::MemoryRows& rows() const { return rows_; }
  Position next() const { return next_; }

 private:
  store::MemoryRows rows_;
  Position next_ = 0;
};

v1::ListStockRequest Wanted(const std::string& location, const std::string& prefix) {
  v1::ListStockRequest request;
  request.set_location_id(location);
  request.set_sku_prefix(prefix);
  return request;
}

TEST(ListStock, PagesBySkuThenLocation) {
  GivenView given;
  for (const std::string sku : {"boot", "bootlace", "coat"}) {
    given.Fold(sku, Received("B", 2));
    given.Fold(sku, Received("A", 1));
  }
  EXPECT_THAT(given.List(Wanted("", "")),
              ElementsAre("boot A 1", "boot B 2", "bootlace A 1", "bootlace B 2", "coat A 1", "coat B 2"));
  EXPECT_THAT(given.List(Wanted("", "boot")), ElementsAre("boot A 1", "boot B 2", "bootlace A 1", "bootlace B 2"));
  EXPECT_THAT(given.List(Wanted("B", "")), ElementsAre("boot B 2", "bootlace B 2", "coat B 2"));
  EXPECT_THAT(given.List(Wanted("B", "bootl")), ElementsAre("bootlace B 2"));
  EXPECT_THAT(given.List(Wanted("C", "")), IsEmpty());
}

TEST(ListStock, CountsBrokenHoldsAndShrinkage) {
  const GivenView given({Received("A", 5), Counted("A", 3, 5), Broken("A", 2, {"h", "g"}), Counted("A", 4, 3)});
  const v1::StockEntry entry = ListStock(given.rows(), Wanted("", "")).value().entries(0);
  EXPECT_EQ(entry.promises_broken(), 2);
  EXPECT_EQ(entry.shrinkage_units(), 1);
}

TEST(ListStock, RefusesATokenOfAnotherRequest) {
  const GivenView given;
  v1::ListStockRequest request = Wanted("A", "");
  request.set_page_size(1);
  request.set_page_token("nonsense");
  EXPECT_EQ(MetadataOf(ListStock(given.rows(), request).status(), "field"), "page_token");
}

TEST(ExplainStock, NamesTheEventBehindEachChange) {
  const GivenView given({Received("A", 5), Held("h", {{"A", 2}}), Counted("A", 5, 5), Committed("h", {{"A", 2}}),
                         Shipped("h", {{"A", 2}}), Received("B", 1)});
  const v1::ExplainStockResponse explained = given.Explain("A");
  std::vector<std::string> lines;
  for (const v1::StockMovement& movement : explained.movements()) {
    lines.push_back(movement.event_ref() + " " + movement.kind() + " " + movement.reference());
  }
  EXPECT_THAT(lines, ElementsAre("inventory/17@0#0 stock_received ", "inventory/17@1#0 stock_held h",
                                 "inventory/17@2#0 stock_counted ", "inventory/17@3#0 hold_committed h",
                                 "inventory/17@4#0 stock_shipped h"));
  EXPECT_EQ(explained.movements(0).event_time().seconds(), kNow / 1'000'000);
  EXPECT_EQ(explained.level().on_hand_units(), 3);
}

TEST(ExplainStock, IsEmptyForAnUnknownSku) {
  const v1::ExplainStockResponse explained = GivenView().Explain("A");
  EXPECT_THAT(explained.movements(), IsEmpty());
  EXPECT_EQ(explained.level().on_hand_units(), 0);
}

TEST(Project, RefusesAnUnknownEvent) {
  EXPECT_EQ(ReasonOf(GivenView().TryFold(kSku, v1::StockEvent())), "EVENT_CANNOT_BE_PROJECTED");
}

TEST(AvailabilityFromView, ShowsChangesSinceAToken) {
  GivenView given({Received("A", 5)});
  const TokenPositions before = {{kSlot, given.next()}};
  EXPECT_EQ(AvailabilityFromView(given.rows(), kSku, std::nullopt)->available_units(), 5);
  EXPECT_FALSE(AvailabilityFromView(given.rows(), kSku, before).has_value());
  given.Fold(kSku, Held("h", {{"A", 2}}));
  EXPECT_EQ(AvailabilityFromView(given.rows(), kSku, before)->available_units(), 3);
  EXPECT_THAT(AvailabilityFromView(given.rows(), "unknown", std::nullopt)->levels(), IsEmpty());
}

TEST(FindAvailability, ShowsTheRequestedLocationsOrAll) {
  const GivenStock given = Given({Received("B", 2), Received("A", 1), Counted("A", 0, 1)});
  v1::GetAvailabilityRequest request;
  request.set_sku(kSku);
  EXPECT_EQ(FindAvailability(given.rows(), request).levels_size(), 2);
  EXPECT_EQ(FindAvailability(given.rows(), request).available_units(), 2);
  request.add_location_ids("C");
  EXPECT_EQ(FindAvailability(given.rows(), request).levels(0).location_id(), "C");
  EXPECT_EQ(FindAvailability(given.rows(), request).available_units(), 0);
}

TEST(FindOneHold, ReportsAnUnknownHold) {
  const GivenStock given = Given({Received("A", 3), HeldUntil(60, "h", {{"A", 3}})});
  v1::GetHoldRequest request;
  request.set_sku(kSku);
  request.set_hold_id("h");
  EXPECT_EQ(FindOneHold(given.rows(), request)->expire_time().seconds(), After(60).seconds());
  request.set_hold_id("x");
  EXPECT_EQ(ReasonOf(FindOneHold(given.rows(), request).status()), "HOLD_UNKNOWN");
}

TEST(AsOf, NamesSlotAndPosition) { EXPECT_EQ(AsOf(kSlot, 4711), "inventory/17@4711"); }

}  // namespace
}  // namespace halles::inventory
