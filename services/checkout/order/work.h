// The view "work": orders that are late, stuck or contradictory, from the events of checkout and inventory.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_WORK_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_WORK_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/unix_time.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

inline constexpr uint8_t kWorkView = 2;
inline constexpr char kWorkViewName[] = "work";
inline constexpr uint32_t kStockEventType = 1;  // as in proto/halles/inventory
// An order whose placement, exchange or reroute takes longer is stuck.
inline constexpr int64_t kStuckAfterMicros = 60'000'000;
// An event that contradicts the stock is shown for this time, because it cannot be undone.
inline constexpr int64_t kContradictedForMicros = int64_t{30} * 24 * 60 * 60 * 1'000'000;
inline constexpr int kWorkPageMax = 1000;

// The slot of the order writes the rows of the first two tables, the slot of the SKU those of the others; a query joins
// them. Invariants:
//   1. kWork has a row for each part of kWorkOrders with a due time, under that time.
//   2. kContradictions has a row for each entry of kBrokenPromises, until the goods of the hold leave, move or are
//      released.

struct WorkOrderKey {
  OrderId order;
  static constexpr std::array kFieldNames = {"order"};
  auto Fields() const { return std::tie(order); }
  auto Fields() { return std::tie(order); }
};

// Ordered by time.
struct WorkKey {
  UnixMicros since_us = 0;
  OrderId order;
  std::string fulfilment;
  static constexpr std::array kFieldNames = {"since", "order", "fulfilment"};
  auto Fields() const { return std::tie(since_us, order, fulfilment); }
  auto Fields() { return std::tie(since_us, order, fulfilment); }
};

struct ContradictionKey {
  UnixMicros since_us = 0;
  Sku sku;
  std::string hold;
  LocationId location;  // empty for an event that contradicts the stock
  static constexpr std::array kFieldNames = {"since", "sku", "hold", "location"};
  auto Fields() const { return std::tie(since_us, sku, hold, location); }
  auto Fields() { return std::tie(since_us, sku, hold, location); }
};

struct HoldKey {
  Sku sku;
  std::string hold;
  static constexpr std::array kFieldNames = {"sku", "hold"};
  auto Fields() const { return std::tie(sku, hold); }
  auto Fields() { return std::tie(sku, hold); }
};

inline constexpr store::Table<WorkOrderKey, rows::WorkOrderRow> kWorkOrders(1, "work_orders");
inline constexpr store::Table<WorkKey, rows::WorkRow> kWork(2, "work");
inline constexpr store::Table<ContradictionKey, rows::WorkRow> kContradictions(3, "contradictions");
inline constexpr store::Table<HoldKey, rows::BrokenPromisesRow> kBrokenPromises(4, "broken_promises");

inline store::Schema WorkSchema() {
  return store::Schema().Add(kWorkOrders).Add(kWork).Add(kContradictions).Add(kBrokenPromises);
}

// Field numbers of the events that the view handles.
absl::Span<const int> WorkFields();
absl::Span<const int> StockFields();

// Fold one event of an order, and one event of inventory.
absl::Status ProjectWork(store::Rows& view, const v1::OrderEvent& event, const partition::FactContext& context);
absl::Status ProjectStock(store::Rows& view, const inventory::v1::StockEvent& event,
                          const partition::FactContext& context);

// One page of the orders that need attention at `now`; the door adds the consistency token. INVALID_ARGUMENT for an
// invalid field. Limits: reads all due items, and the order of each contradiction.
absl::StatusOr<v1::ListWorkQueueResponse> QueryWork(const store::RowReader& view,
                                                    const v1::ListWorkQueueRequest& request, UnixMicros now);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_WORK_H_
