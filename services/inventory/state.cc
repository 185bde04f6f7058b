// Folds stock events.
#include "services/inventory/state.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/repeated_field.h"
#include "halles/inventory/v1/inventory_events.visit.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "libs/partition/timers.h"
#include "services/inventory/movements.h"

namespace halles::inventory {
namespace {

using Allocations = google::protobuf::RepeatedPtrField<v1::Allocation>;

absl::Status Broken(const partition::FactContext& context, absl::string_view why) {
  const EventRef ref{context.slot, context.position, context.index};
  return Failure(absl::StatusCode::kDataLoss, "EVENT_CANNOT_BE_EVOLVED",
                 absl::StrCat(ref.ToString(), " cannot be evolved: ", why), {{"event", ref.ToString()}});
}

// Adds units at a location; allocations stay sorted by location.
void Give(const v1::Allocation& given, Allocations* allocations) {
  const auto at =
      std::lower_bound(allocations->begin(), allocations->end(), given.location_id(),
                       [](const v1::Allocation& a, const std::string& location) { return a.location_id() < location; });
  if (at != allocations->end() && at->location_id() == given.location_id()) {
    at->set_units(at->units() + given.units());
    return;
  }
  const int index = static_cast<int>(at - allocations->begin());
  *allocations->Add() = given;
  std::rotate(allocations->begin() + index, allocations->end() - 1, allocations->end());
}

// Removes units; false when the hold has fewer units at a location.
bool Take(const Allocations& taken, Allocations* allocations) {
  for (const v1::Allocation& take : taken) {
    const auto at = std::find_if(allocations->begin(), allocations->end(),
                                 [&](const v1::Allocation& a) { return a.location_id() == take.location_id(); });
    if (at == allocations->end() || at->units() < take.units() || take.units() <= 0) return false;
    at->set_units(at->units() - take.units());
    if (at->units() == 0) allocations->erase(at);
  }
  return true;
}

bool SameAllocations(const Allocations& a, const Allocations& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const v1::Allocation& x, const v1::Allocation& y) {
    return x.location_id() == y.location_id() && x.units() == y.units();
  });
}

// When the hold's timer is due; 0 if it has none.
UnixMicros DueOf(const rows::HoldRow& row) { return row.state() == v1::HOLD_STATE_HELD ? row.expire_us() : 0; }

void End(v1::HoldState state, rows::HoldRow* row) {
  row->set_state(state);
  row->clear_allocations();
  row->clear_moves();
  row->clear_replaced_hold_id();
  row->clear_replaced_allocations();
}

// Writes the hold to the table of active or ended holds, and updates its timer.
void PutHold(store::Rows& state, const partition::FactContext& context, const HoldKey& key, UnixMicros due_before,
             const rows::HoldRow& after) {
  partition::MoveTimer(state, context, due_before, DueOf(after), key.hold);
  if (IsActive(after)) {
    kHolds.Put(state, key, after);
    return;
  }
  kHolds.Delete(state, key);
  kEnded.Put(state, key, after);
}

absl::Status EvolveHeld(store::Rows& state, const Sku& sku, const v1::StockHeld& held,
                        const partition::FactContext& context) {
  const HoldKey key{sku, held.hold_id()};
  const std::optional<rows::HoldRow> known = FindHold(state, key);
  if (held.restored()) {
    if (!known.has_value() || known->state() != v1::HOLD_STATE_RELEASED || known->request_id() != held.request_id()) {
      return Broken(context, "the hold that comes back was never replaced");
    }
    kEnded.Delete(state, key);
  } else if (known.has_value()) {
    return Broken(context, "the hold is recorded already");
  }
  if (!held.replaced_hold_id().empty()) {
    const HoldKey replaced{sku, held.replaced_hold_id()};
    std::optional<rows::HoldRow> row = kHolds.Get(state, replaced);
    if (!row.has_value() || row->state() != v1::HOLD_STATE_HELD ||
        !SameAllocations(row->allocations(), held.replaced_allocations())) {
      return Broken(context, "the hold that it replaces is not held so");
    }
    const UnixMicros due = DueOf(*row);
    End(v1::HOLD_STATE_RELEASED, &*row);
    PutHold(state, context, replaced, due, *row);
  }
  PutHold(state, context, key, 0, NewHold(held, context.position));
  return absl::OkStatus();
}

absl::Status EvolveHold(store::Rows& state, const Sku& sku, const std::string& hold_id, const v1::StockEvent& event,
                        const partition::FactContext& context) {
  const HoldKey key{sku, hold_id};
  std::optional<rows::HoldRow> row = kHolds.Get(state, key);
  if (!row.has_value()) return Broken(context, "no such hold is active");
  const UnixMicros due = DueOf(*row);
  if (!FoldHold(event, &*row)) return Broken(context, "it does not fit the hold");
  PutHold(state, context, key, due, *row);
  return absl::OkStatus();
}

// Drops the first cancelled requests that are over, and the ids of holds that they kept from being made.
void DropCancelled(store::Rows& state, UnixMicros now) {
  const UnixMicros from = kCancelledFrom.Get(state, {}).value_or(rows::CancelledFromRow()).expires_us();
  std::vector<std::pair<CancelledKey, rows::CancelledRow>> over;
  kCancelled.ForEachFrom(state, {from, Sku(), ""},
                         [&](const CancelledKey& key, const rows::CancelledRow& row, Position) {
                           if (key.expires_us > now || over.size() == kCancelledDroppedAtATime) return false;
                           over.emplace_back(key, row);
                           return true;
                         });
  if (over.empty()) return;
  for (const auto& [key, row] : over) {
    kCancelled.Delete(state, key);
    if (row.never_made()) kEnded.Delete(state, {key.sku, row.hold_id()});
  }
  rows::CancelledFromRow dropped;
  dropped.set_expires_us(over.back().first.expires_us);
  kCancelledFrom.Put(state, {}, dropped);
}

absl::Status EvolveCancelled(store::Rows& state, const Sku& sku, const v1::StockEvent& event,
                             const partition::FactContext& context) {
  const v1::ReservationCancelled& cancelled = event.reservation_cancelled();
  const HoldKey key{sku, cancelled.hold_id()};
  const CancelledKey request = CancelledKeyOf(sku, cancelled.cancelled_request_id());
  // The row of a request that is over may be there or dropped, and its absence may be known or not: the fold ignores it.
  if (request.expires_us > context.logical_time && kCancelled.Contains(state, request)) {
    return Broken(context, "the request is cancelled already");
  }
  DropCancelled(state, context.logical_time);
  const bool active = cancelled.released() || kHolds.Contains(state, key);
  // A request that is over is not executed any more, and needs no row that says so.
  if (request.expires_us > context.logical_time) {
    rows::CancelledRow row;
    row.set_hold_id(cancelled.hold_id());
    row.set_never_made(!active && !cancelled.of_move() && !kEnded.Contains(state, key));
    if (row.never_made()) {
      rows::HoldRow never;
      never.set_state(v1::HOLD_STATE_CANCELLED);
      never.set_request_id(cancelled.cancelled_request_id());
      never.set_held_at(context.position);
      kEnded.Put(state, key, never);
    }
    kCancelled.Put(state, request, row);
  }
  // A hold that was replaced before stays ended for good, also when the row above is dropped.
  std::optional<rows::HoldRow> ended = active ? std::nullopt : kEnded.Get(state, key);
  if (ended.has_value() && ended->state() == v1::HOLD_STATE_RELEASED &&
      ended->request_id() == cancelled.cancelled_request_id()) {
    ended->set_state(v1::HOLD_STATE_CANCELLED);
    kEnded.Put(state, key, *ended);
  }
  return active ? EvolveHold(state, sku, cancelled.hold_id(), event, context) : absl::OkStatus();
}

absl::Status EvolveSent(store::Rows& state, const Sku& sku, const v1::StockEvent& event,
                        const partition::FactContext& context) {
  const v1::TransferSent& sent = event.transfer_sent();
  const TransferKey key{sku, sent.transfer_id()};
  if (kTransfers.Contains(state, key)) return Broken(context, "the transfer is recorded already");
  if (!sent.hold_id().empty()) RETURN_IF_ERROR(EvolveHold(state, sku, sent.hold_id(), event, context));
  rows::TransferRow row;
  row.set_from_location_id(sent.from_location_id());
  row.set_to_location_id(sent.to_location_id());
  row.set_units(sent.units());
  row.set_hold_id(sent.hold_id());
  kTransfers.Put(state, key, row);
  return absl::OkStatus();
}

absl::Status EvolveArrived(store::Rows& state, const Sku& sku, const v1::TransferReceived& received,
                           const partition::FactContext& context) {
  const TransferKey key{sku, received.transfer_id()};
  std::optional<rows::TransferRow> row = kTransfers.Get(state, key);
  if (!row.has_value() || row->to_location_id() != received.to_location_id()) {
    return Broken(context, "no such transfer was sent there");
  }
  row->set_received(row->received() + received.units());
  row->set_lost(row->lost() + received.lost_units());
  if (row->received() + row->lost() > row->units()) return Broken(context, "more arrived than was sent");
  kTransfers.Put(state, key, *row);
  return absl::OkStatus();
}

bool InRange(int64_t units) { return units >= 0 && units <= kUnitsMax; }

absl::Status EvolveLevels(store::Rows& state, const Sku& sku, const v1::StockEvent& event,
                          const partition::FactContext& context) {
  const bool may_break_promises =
      event.event_case() == v1::StockEvent::kStockCounted || event.event_case() == v1::StockEvent::kStockAdjusted;
  std::vector<std::pair<LevelKey, rows::LevelRow>> after;
  for (const auto& [location, change] : ChangesOf(event)) {
    if (!ChangesAnything(change)) continue;
    LevelKey key{sku, LocationId::FromString(location)};
    rows::LevelRow level = kLevels.Get(state, key).value_or(rows::LevelRow());
    Add(change, &level);
    if (!InRange(level.on_hand()) || !InRange(level.held()) || !InRange(level.committed()) ||
        !InRange(level.in_transit()) || !InRange(level.backorder())) {
      return Broken(context, absl::StrCat("a number of units at ", location, " would leave 0 to 10^15"));
    }
    if (event.event_case() == v1::StockEvent::kStockCounted &&
        level.on_hand() != event.stock_counted().counted_units()) {
      return Broken(context, "the recorded stock differs from the expected one");
    }
    if (FreeUnits(change) < 0 && FreeUnits(level) < 0 && !may_break_promises) {
      return Broken(context, absl::StrCat("more would be promised at ", location, " than is there"));
    }
    after.emplace_back(std::move(key), std::move(level));
  }
  for (const auto& [key, level] : after) kLevels.Put(state, key, level);
  return absl::OkStatus();
}

// Folds an event into a hold that is HELD or COMMITTED; false when the event does not fit. The ignored events concern
// no hold, or begin one.
struct HoldFolder
    : PassesOver<v1::StockReceived, v1::StockCounted, v1::StockAdjusted, v1::BackorderAllowed, v1::StockHeld,
                 v1::StockReturned, v1::TransferReceived, v1::PromiseBroken, v1::StockContradicted> {
  using PassesOver::operator();

  bool operator()(const v1::HoldExtended& extended) const {
    row->set_expire_us(MicrosOf(extended.expire_time()));
    return held();
  }
  bool operator()(const v1::HoldMoved& moved) const {
    if (moved.committed() != committed() || !Take(moved.from(), allocations())) return false;
    for (const v1::Allocation& to : moved.to()) Give(to, allocations());
    if (moved.request_id().empty()) return true;
    rows::MoveRow& move = *row->add_moves();
    move.set_request_id(moved.request_id());
    *move.mutable_from() = moved.from();
    *move.mutable_to() = moved.to();
    if (row->moves_size() > kMovesKept) row->mutable_moves()->DeleteSubrange(0, row->moves_size() - kMovesKept);
    return true;
  }
  bool operator()(const v1::HoldCommitted& sale) const {
    const bool was_held = held();
    row->set_state(v1::HOLD_STATE_COMMITTED);
    row->set_order_id(sale.order_id());
    row->set_expire_us(0);
    return was_held && SameAllocations(*allocations(), sale.allocations());
  }
  bool operator()(const v1::HoldReleased& released) const {
    if (released.committed() != committed() || !Take(released.allocations(), allocations())) return false;
    return EndIf(released.ended(), v1::HOLD_STATE_RELEASED);
  }
  bool operator()(const v1::HoldExpired& expired) const {
    if (!held() || !SameAllocations(*allocations(), expired.allocations())) return false;
    End(v1::HOLD_STATE_EXPIRED, row);
    return true;
  }
  bool operator()(const v1::ReservationCancelled& cancelled) const {
    if (cancelled.released()) {
      if (cancelled.committed() != committed() || !SameAllocations(*allocations(), cancelled.allocations())) {
        return false;
      }
      End(v1::HOLD_STATE_CANCELLED, row);
      return true;
    }
    auto* const moves = row->mutable_moves();
    moves->erase(std::remove_if(
                     moves->begin(), moves->end(),
                     [&](const rows::MoveRow& move) { return move.request_id() == cancelled.cancelled_request_id(); }),
                 moves->end());
    return true;
  }
  bool operator()(const v1::StockShipped& shipped) const {
    if (!committed() || !Take(shipped.allocations(), allocations())) return false;
    return EndIf(shipped.ended(), v1::HOLD_STATE_SHIPPED);
  }
  bool operator()(const v1::TransferSent& transfer) const {
    Allocations sent;
    sent.Add()->set_location_id(transfer.from_location_id());
    sent[0].set_units(transfer.units());
    if (!held() || !Take(sent, allocations())) return false;
    return EndIf(allocations()->empty(), v1::HOLD_STATE_SHIPPED);
  }
  bool operator()(NoEvent) const { return false; }

  bool held() const { return row->state() == v1::HOLD_STATE_HELD; }
  bool committed() const { return row->state() == v1::HOLD_STATE_COMMITTED; }
  Allocations* allocations() const { return row->mutable_allocations(); }
  // A hold ends when it has no units left; the event must agree.
  bool EndIf(bool ended, v1::HoldState state) const {
    if (ended != allocations()->empty()) return false;
    if (ended) End(state, row);
    return true;
  }

  rows::HoldRow* row;
};

// Folds the changes of an event other than those of levels. The ignored events have no other changes.
struct Evolver : PassesOver<v1::StockReceived, v1::StockCounted, v1::StockAdjusted, v1::BackorderAllowed,
                            v1::StockReturned, v1::PromiseBroken, v1::StockContradicted> {
  using PassesOver::operator();

  absl::Status operator()(const v1::StockHeld& held) const { return EvolveHeld(state, sku, held, context); }
  absl::Status operator()(const v1::HoldExtended& extended) const { return Hold(extended.hold_id()); }
  absl::Status operator()(const v1::HoldMoved& moved) const { return Hold(moved.hold_id()); }
  absl::Status operator()(const v1::HoldCommitted& committed) const { return Hold(committed.hold_id()); }
  absl::Status operator()(const v1::HoldReleased& released) const { return Hold(released.hold_id()); }
  absl::Status operator()(const v1::HoldExpired& expired) const { return Hold(expired.hold_id()); }
  absl::Status operator()(const v1::StockShipped& shipped) const { return Hold(shipped.hold_id()); }
  absl::Status operator()(const v1::ReservationCancelled&) const { return EvolveCancelled(state, sku, event, context); }
  absl::Status operator()(const v1::TransferSent&) const { return EvolveSent(state, sku, event, context); }
  absl::Status operator()(const v1::TransferReceived& received) const {
    return EvolveArrived(state, sku, received, context);
  }
  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  absl::Status Hold(const std::string& hold_id) const { return EvolveHold(state, sku, hold_id, event, context); }

  store::Rows& state;
  const Sku& sku;
  const v1::StockEvent& event;
  const partition::FactContext& context;
};

}  // namespace

std::optional<rows::HoldRow> FindHold(const store::RowReader& state, const HoldKey& key) {
  std::optional<rows::HoldRow> row = kHolds.Get(state, key);
  return row.has_value() ? row : kEnded.Get(state, key);
}

v1::Hold HoldOf(const HoldKey& key, const rows::HoldRow& row) {
  v1::Hold hold;
  hold.set_hold_id(key.hold);
  hold.set_sku(key.sku.ToString());
  hold.set_state(row.state());
  hold.set_purpose(row.purpose());
  if (row.has_owner()) *hold.mutable_owner() = row.owner();
  *hold.mutable_allocations() = row.allocations();
  if (row.expire_us() != 0) *hold.mutable_expire_time() = TimestampOf(row.expire_us());
  hold.set_order_id(row.order_id());
  return hold;
}

rows::HoldRow NewHold(const v1::StockHeld& held, Position position) {
  rows::HoldRow row;
  row.set_state(v1::HOLD_STATE_HELD);
  row.set_purpose(held.purpose());
  *row.mutable_owner() = held.owner();
  for (const v1::Allocation& allocation : held.allocations()) Give(allocation, row.mutable_allocations());
  if (held.has_expire_time()) row.set_expire_us(MicrosOf(held.expire_time()));
  row.set_request_id(held.request_id());
  row.set_held_at(position);
  row.set_replaced_hold_id(held.replaced_hold_id());
  *row.mutable_replaced_allocations() = held.replaced_allocations();
  return row;
}

bool FoldHold(const v1::StockEvent& event, rows::HoldRow* row) {
  if (row->state() != v1::HOLD_STATE_HELD && row->state() != v1::HOLD_STATE_COMMITTED) return false;
  return Visit(event, HoldFolder{{}, row});
}

absl::Status Evolve(store::Rows& state, const v1::StockEvent& event, const partition::FactContext& context) {
  const Sku sku = Sku::FromString(context.aggregate_id);
  if (sku.empty()) return Broken(context, "it names no SKU");
  RETURN_IF_ERROR(EvolveLevels(state, sku, event, context));
  return Visit(event, Evolver{{}, state, sku, event, context});
}

}  // namespace halles::inventory
