// The state of inventory: stock per location, holds, cancelled requests, transfers.
#ifndef HALLES_SERVICES_INVENTORY_STATE_H_
#define HALLES_SERVICES_INVENTORY_STATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/request_id.h"
#include "libs/base/unix_time.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/inventory/rows.pb.h"

namespace halles::inventory {

// A SKU with all its locations is in one slot. The number of rows that a decision reads and writes depends on the
// locations of the command only, not on the number of holds; only a count or a correction that breaks holds reads all
// active holds of the SKU. Invariants, each of which Evolve refuses to break:
//   1. On hand, held, committed, in transit and backorder of a location are 0 to 10^15.
//   2. Held plus committed is at most on hand plus backorder, unless a count or a correction found less.
//   3. Held is the sum over active holds in state HELD, committed that over those in state COMMITTED.
//   4. A hold is in kHolds while it is active and in kEnded afterwards; no other hold ever has its id. The id of a hold that
//      was cancelled before it was made is in kEnded as long as that request is in kCancelled.
//   5. In transit is the sum over transfers of the units sent that have neither arrived nor been lost.
//   6. Every row of kCancelled has an expiry not before that in kCancelledFrom.
//   7. A hold in state HELD with an expiry has one timer, due at the expiry and named by its id; no other hold has one.

struct LevelKey {
  Sku sku;
  LocationId location;
  static constexpr std::array kFieldNames = {"sku", "location"};
  auto Fields() const { return std::tie(sku, location); }
  auto Fields() { return std::tie(sku, location); }
};

struct HoldKey {
  Sku sku;
  std::string hold;
  static constexpr std::array kFieldNames = {"sku", "hold"};
  auto Fields() const { return std::tie(sku, hold); }
  auto Fields() { return std::tie(sku, hold); }
};

// In order of time. A late copy of the request cannot be executed from its expiry on, so the row goes then.
struct CancelledKey {
  UnixMicros expires_us = kNeverExpires;  // of the request id
  Sku sku;
  std::string request;
  static constexpr std::array kFieldNames = {"expires", "sku", "request"};
  auto Fields() const { return std::tie(expires_us, sku, request); }
  auto Fields() { return std::tie(expires_us, sku, request); }
};
inline CancelledKey CancelledKeyOf(Sku sku, std::string request) {
  const UnixMicros expires = TimeOfRequestId(request).expires;
  return {expires, std::move(sku), std::move(request)};
}

// The only row of a table.
struct OnlyKey {
  uint8_t zero = 0;
  static constexpr std::array kFieldNames = {"zero"};
  auto Fields() const { return std::tie(zero); }
  auto Fields() { return std::tie(zero); }
};

struct TransferKey {
  Sku sku;
  std::string transfer;
  static constexpr std::array kFieldNames = {"sku", "transfer"};
  auto Fields() const { return std::tie(sku, transfer); }
  auto Fields() { return std::tie(sku, transfer); }
};

inline constexpr store::Table<LevelKey, rows::LevelRow> kLevels(1, "levels");
inline constexpr store::Table<HoldKey, rows::HoldRow> kHolds(2, "holds");
inline constexpr store::Table<HoldKey, rows::HoldRow> kEnded(3, "ended_holds");
inline constexpr store::Table<CancelledKey, rows::CancelledRow> kCancelled(4, "cancelled_requests");
inline constexpr store::Table<TransferKey, rows::TransferRow> kTransfers(5, "transfers");
inline constexpr store::Table<OnlyKey, rows::CancelledFromRow> kCancelledFrom(6, "cancelled_requests_from");

inline store::Schema StateSchema() {
  return store::Schema().Add(kLevels).Add(kHolds).Add(kEnded).Add(kCancelled).Add(kTransfers).Add(kCancelledFrom);
}

// Tables whose lookups usually find nothing.
inline constexpr std::array kMostlyAbsentTables = {kHolds.id(), kEnded.id()};
inline constexpr std::array kMostlyAbsentTablesByTime = {kCancelled.id()};

// The fold of a cancellation drops up to so many cancelled requests that are over, so their number does not grow for ever.
inline constexpr size_t kCancelledDroppedAtATime = 4;

// The number of last moves of a hold that can be reversed.
inline constexpr int kMovesKept = 8;

// The hold, active or ended.
std::optional<rows::HoldRow> FindHold(const store::RowReader& state, const HoldKey& key);
inline bool IsActive(const rows::HoldRow& row) {
  return row.state() == v1::HOLD_STATE_HELD || row.state() == v1::HOLD_STATE_COMMITTED;
}

// The hold as a message of the API.
v1::Hold HoldOf(const HoldKey& key, const rows::HoldRow& row);

// The hold that StockHeld creates; `position` is that of its record.
rows::HoldRow NewHold(const v1::StockHeld& held, Position position);

// Applies the event to its active hold; false if it does not fit.
bool FoldHold(const v1::StockEvent& event, rows::HoldRow* row);

// Folds an event; its aggregate is the SKU. DATA_LOSS when the event breaks an invariant or this version does not know
// it; the caller then drops the rows written so far.
absl::Status Evolve(store::Rows& state, const v1::StockEvent& event, const partition::FactContext& context);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_STATE_H_
