// The view "stock": levels, and the events behind each number.
#ifndef HALLES_SERVICES_INVENTORY_PROJECTION_H_
#define HALLES_SERVICES_INVENTORY_PROJECTION_H_

#include <array>
#include <cstdint>
#include <tuple>

#include "absl/status/status.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/inventory/rows.pb.h"

namespace halles::inventory {

inline constexpr uint8_t kStockView = 1;
inline constexpr char kStockViewName[] = "stock";

struct StockKey {
  Sku sku;
  LocationId location;
  SlotId source;
  static constexpr std::array kFieldNames = {"sku", "location", "source"};
  auto Fields() const { return std::tie(sku, location, source); }
  auto Fields() { return std::tie(sku, location, source); }
};

struct PlaceKey {
  LocationId location;
  Sku sku;
  SlotId source;
  static constexpr std::array kFieldNames = {"location", "sku", "source"};
  auto Fields() const { return std::tie(location, sku, source); }
  auto Fields() { return std::tie(location, sku, source); }
};

struct MovementKey {
  Sku sku;
  LocationId location;
  SlotId source;
  Position position = 0;
  uint32_t index = 0;
  static constexpr std::array kFieldNames = {"sku", "location", "source", "position", "event"};
  auto Fields() const { return std::tie(sku, location, source, position, index); }
  auto Fields() { return std::tie(sku, location, source, position, index); }
};

// Invariants: a level of kStock is the sum of the movements of its SKU and location, and equals the level that the state
// of the SKU's slot holds at the same position: both fold ChangesOf. kPlaces lists the rows of kStock by location.
inline constexpr store::Table<StockKey, rows::StockRow> kStock(1, "stock");
inline constexpr store::Table<PlaceKey, rows::EmptyRow> kPlaces(2, "places");
inline constexpr store::Table<MovementKey, rows::MovementRow> kMovements(3, "movements");

inline store::Schema StockSchema() { return store::Schema().Add(kStock).Add(kPlaces).Add(kMovements); }

// Folds an event of inventory into the rows of its source slot. DATA_LOSS when this version does not know the event.
absl::Status Project(store::Rows& view, const v1::StockEvent& event, const partition::FactContext& context);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_PROJECTION_H_
