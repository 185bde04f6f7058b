// Reads levels, holds and movements.
#include "services/inventory/queries.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/page_token.h"
#include "libs/base/status.h"
#include "services/inventory/movements.h"
#include "services/inventory/projection.h"
#include "services/inventory/state.h"

namespace halles::inventory {
namespace {

int PageSize(int asked) { return asked == 0 ? kStockPageDefault : std::min(asked, kStockPageMax); }

// The last key of the page before, from the page token; nullopt for the first page.
template <class Key>
absl::StatusOr<std::optional<Key>> LastKey(const std::string& same, const std::string& token) {
  ASSIGN_OR_RETURN(const std::string bytes, DecodePageToken(same, token));
  if (bytes.empty()) return std::nullopt;
  std::optional<Key> key(std::in_place);
  if (!store::TakeKey(bytes, &*key)) {
    return InvalidField("page_token", "is damaged; send it exactly as it was received");
  }
  return key;
}

template <class Key>
std::string TokenBehind(const std::string& same, const Key& last) {
  std::string bytes;
  store::AppendKey(last, &bytes);
  return EncodePageToken(same, bytes);
}

void AddEntry(const StockKey& key, const rows::StockRow& row, v1::ListStockResponse* response) {
  v1::StockEntry& entry = *response->add_entries();
  entry.set_sku(key.sku.ToString());
  *entry.mutable_level() = LevelOf(key.location.ToString(), row.level());
  entry.set_promises_broken(row.promises_broken());
  entry.set_shrinkage_units(row.shrinkage());
}

void SumAvailable(v1::GetAvailabilityResponse* response) {
  int64_t sum = 0;
  for (const v1::StockLevel& level : response->levels()) sum += level.available_units();
  response->set_available_units(sum);
}

}  // namespace

std::string AsOf(SlotId slot, Position position) { return absl::StrCat(slot.ToString(), "@", position); }

v1::GetAvailabilityResponse FindAvailability(const store::RowReader& state, const v1::GetAvailabilityRequest& request) {
  const Sku sku = Sku::FromString(request.sku());
  std::map<std::string, rows::LevelRow> levels;
  for (const std::string& location : request.location_ids()) {
    levels[location] = kLevels.Get(state, {sku, LocationId::FromString(location)}).value_or(rows::LevelRow());
  }
  if (request.location_ids().empty()) {
    kLevels.ForEach(
        state,
        [&](const LevelKey& key, const rows::LevelRow& row, Position) {
          levels[key.location.ToString()] = row;
          return true;
        },
        sku);
  }
  v1::GetAvailabilityResponse response;
  response.set_sku(request.sku());
  for (const auto& [location, level] : levels) *response.add_levels() = LevelOf(location, level);
  SumAvailable(&response);
  return response;
}

absl::StatusOr<v1::Hold> FindOneHold(const store::RowReader& state, const v1::GetHoldRequest& request) {
  const HoldKey key{Sku::FromString(request.sku()), request.hold_id()};
  const std::optional<rows::HoldRow> row = FindHold(state, key);
  RETURN_IF_ERROR(state.status());
  if (row.has_value()) return HoldOf(key, *row);
  return Failure(absl::StatusCode::kNotFound, "HOLD_UNKNOWN",
                 absl::StrCat("no hold ", key.hold, " of ", request.sku(), " is recorded (yet)"),
                 {{"hold_id", key.hold}});
}

absl::StatusOr<v1::ListStockResponse> ListStock(const store::RowReader& view, const v1::ListStockRequest& request) {
  const int page_size = PageSize(request.page_size());
  // The length before the location keeps different requests apart.
  const std::string same =
      absl::StrCat("stock ", request.location_id().size(), " ", request.location_id(), " ", request.sku_prefix());
  ASSIGN_OR_RETURN(const std::optional<StockKey> last, LastKey<StockKey>(same, request.page_token()));
  const Sku first = last.has_value() ? last->sku : Sku::FromString(request.sku_prefix());

  v1::ListStockResponse response;
  StockKey newest;
  // False when the page is full or the requested SKUs end.
  const auto take = [&](const StockKey& key, const rows::StockRow& row) {
    if (!absl::StartsWith(key.sku.ToString(), request.sku_prefix())) return false;
    if (last.has_value() && key.Fields() <= last->Fields()) return true;
    if (response.entries_size() == page_size) {
      response.set_next_page_token(TokenBehind(same, newest));
      return false;
    }
    AddEntry(key, row, &response);
    newest = key;
    return true;
  };
  if (request.location_id().empty()) {
    kStock.ForEachFrom(view, last.value_or(StockKey{first}),
                       [&](const StockKey& key, const rows::StockRow& row, Position) { return take(key, row); });
  } else {
    const LocationId location = LocationId::FromString(request.location_id());
    kPlaces.ForEachFrom(
        view, PlaceKey{location, first},
        [&](const PlaceKey& place, const rows::EmptyRow&, Position) {
          const StockKey key{place.sku, place.location, place.source};
          return take(key, kStock.Get(view, key).value_or(rows::StockRow()));
        },
        location);
  }
  RETURN_IF_ERROR(view.status());
  return response;
}

absl::StatusOr<v1::ExplainStockResponse> ExplainStock(const store::RowReader& view,
                                                      const v1::ExplainStockRequest& request) {
  const int page_size = PageSize(request.page_size());
  const std::string same =
      absl::StrCat("explain ", request.sku().size(), " ", request.sku(), " ", request.location_id());
  ASSIGN_OR_RETURN(const std::optional<MovementKey> last, LastKey<MovementKey>(same, request.page_token()));
  const Sku sku = Sku::FromString(request.sku());
  const LocationId location = LocationId::FromString(request.location_id());

  v1::ExplainStockResponse response;
  MovementKey newest;
  kMovements.ForEachFrom(
      view, last.value_or(MovementKey{sku, location, SlotId{static_cast<ServiceId>(0), 0}}),
      [&](const MovementKey& key, const rows::MovementRow& row, Position) {
        if (last.has_value() && key.Fields() <= last->Fields()) return true;
        if (response.movements_size() == page_size) {
          response.set_next_page_token(TokenBehind(same, newest));
          return false;
        }
        v1::StockMovement& movement = *response.add_movements();
        movement.set_event_ref(EventRef{key.source, key.position, key.index}.ToString());
        *movement.mutable_event_time() = row.time();
        movement.set_kind(KindName(row.kind()));
        movement.set_on_hand_delta(row.change().on_hand());
        movement.set_held_delta(row.change().held());
        movement.set_committed_delta(row.change().committed());
        movement.set_in_transit_delta(row.change().in_transit());
        movement.set_backorder_delta(row.change().backorder());
        movement.set_reference(row.reference());
        newest = key;
        return true;
      },
      sku, location);
  rows::LevelRow level;
  kStock.ForEach(
      view,
      [&](const StockKey&, const rows::StockRow& row, Position) {
        Add(row.level(), &level);
        return true;
      },
      sku, location);
  RETURN_IF_ERROR(view.status());
  *response.mutable_level() = LevelOf(request.location_id(), level);
  return response;
}

std::optional<v1::GetAvailabilityResponse> AvailabilityFromView(const store::RowReader& view, const std::string& sku,
                                                                const std::optional<TokenPositions>& seen) {
  bool changed = !seen.has_value();
  v1::GetAvailabilityResponse response;
  response.set_sku(sku);
  kStock.ForEach(
      view,
      [&](const StockKey& key, const rows::StockRow& row, Position position) {
        if (!changed) {
          const auto at = seen->find(key.source);
          changed = at == seen->end() || position >= at->second;
        }
        *response.add_levels() = LevelOf(key.location.ToString(), row.level());
        return true;
      },
      Sku::FromString(sku));
  if (!changed) return std::nullopt;
  SumAvailable(&response);
  return response;
}

}  // namespace halles::inventory
