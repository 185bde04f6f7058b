// Adds events up to levels and keeps the change of each event.
#include "services/inventory/projection.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/inventory/movements.h"
#include "services/inventory/state.h"

namespace halles::inventory {
namespace {

// Changes the row of a SKU at a location, and adds a new row to the list by location.
template <class Change>
void ChangeStock(store::Rows& view, const StockKey& key, const Change& change) {
  std::optional<rows::StockRow> row = kStock.Get(view, key);
  if (!row.has_value()) {
    kPlaces.Put(view, {key.location, key.sku, key.source}, rows::EmptyRow());
    row.emplace();
  }
  change(&*row);
  kStock.Put(view, key, *row);
}

}  // namespace

absl::Status Project(store::Rows& view, const v1::StockEvent& event, const partition::FactContext& context) {
  const EventRef ref{context.slot, context.position, context.index};
  if (event.event_case() == v1::StockEvent::EVENT_NOT_SET) {
    return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_PROJECTED",
                   absl::StrCat(ref.ToString(), " cannot be projected: this version does not know the event"),
                   {{"event", ref.ToString()}});
  }
  const Sku sku = Sku::FromString(context.aggregate_id);
  const bool counted = event.has_stock_counted();
  for (const auto& [location, change] : ChangesOf(event)) {
    if (!counted && !ChangesAnything(change)) continue;
    const StockKey key{sku, LocationId::FromString(location), context.slot};
    ChangeStock(view, key, [&, &level_change = change](rows::StockRow* row) {
      Add(level_change, row->mutable_level());
      if (counted) row->set_shrinkage(row->shrinkage() - level_change.on_hand());
    });
    rows::MovementRow movement;
    *movement.mutable_change() = change;
    movement.set_kind(static_cast<uint32_t>(event.event_case()));
    *movement.mutable_time() = TimestampOf(context.effective_time);
    movement.set_reference(ReferenceOf(event));
    kMovements.Put(view, {key.sku, key.location, key.source, context.position, context.index}, movement);
  }
  if (event.has_promise_broken()) {
    const v1::PromiseBroken& broken = event.promise_broken();
    ChangeStock(view, {sku, LocationId::FromString(broken.location_id()), context.slot}, [&](rows::StockRow* row) {
      row->set_promises_broken(row->promises_broken() + broken.hold_ids_size());
    });
  }
  return absl::OkStatus();
}

}  // namespace halles::inventory
