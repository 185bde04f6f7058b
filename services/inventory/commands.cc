// Decides on stock: receipts, counts, corrections, returns and transfers.
#include "services/inventory/commands.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/inventory/decisions.h"

namespace halles::inventory {
namespace {

using partition::Decision;

absl::Status Overflow(const std::string& location_id) {
  return Reject(v1::REJECT_REASON_UNITS_OVERFLOW,
                absl::StrCat("a number of units at ", location_id, " would be more than 10^15"),
                {{"location_id", location_id}});
}

int64_t ShortUnits(const rows::LevelRow& level) { return std::max<int64_t>(0, -FreeUnits(level)); }

// Names the holds that break when the shortage at a location grows from `before` to `after`: the youngest that are not
// broken yet.
void NameBroken(const store::RowReader& state, const LevelKey& key, int64_t before, int64_t after,
                v1::PromiseBroken* broken) {
  struct Promise {
    Position held_at;
    std::string hold_id;
    int64_t units;
  };
  std::vector<Promise> promises;
  kHolds.ForEach(
      state,
      [&](const HoldKey& hold, const rows::HoldRow& row, Position) {
        for (const v1::Allocation& allocation : row.allocations()) {
          if (allocation.location_id() != key.location.ToString()) continue;
          promises.push_back({row.held_at(), hold.hold, allocation.units()});
        }
        return true;
      },
      key.sku);
  std::sort(promises.begin(), promises.end(), [](const Promise& a, const Promise& b) {
    return a.held_at != b.held_at ? a.held_at > b.held_at : a.hold_id < b.hold_id;
  });
  int64_t covered = 0;
  for (const Promise& promise : promises) {
    if (covered >= after || broken->hold_ids_size() == kBrokenHoldsMax) return;
    if (covered >= before) broken->add_hold_ids(promise.hold_id);
    covered += promise.units;
  }
}

// Adds the event that names the holds broken by a count or a correction, if there are any.
template <typename Response>
void AddBroken(const store::RowReader& state, const LevelKey& key, const rows::LevelRow& before,
               const rows::LevelRow& after, Decision<Response, v1::StockEvent>* decision) {
  if (ShortUnits(after) <= ShortUnits(before)) return;
  v1::PromiseBroken& broken = *AddFact(key.sku.ToString(), decision).mutable_promise_broken();
  broken.set_location_id(key.location.ToString());
  broken.set_short_units(ShortUnits(after));
  NameBroken(state, key, ShortUnits(before), ShortUnits(after), &broken);
}

// OK if the hold can supply the units of the transfer.
absl::Status CheckTransferHold(const store::RowReader& state, const v1::SendTransferRequest& request) {
  const std::optional<rows::HoldRow> row = FindHold(state, {Sku::FromString(request.sku()), request.hold_id()});
  if (!row.has_value()) {
    return RefuseHold(v1::REJECT_REASON_HOLD_UNKNOWN, request.hold_id(), "is unknown");
  }
  if (row->state() != v1::HOLD_STATE_HELD) {
    return RefuseHold(v1::REJECT_REASON_HOLD_ENDED, request.hold_id(), "is not held any more");
  }
  if (row->purpose() != v1::HOLD_PURPOSE_TRANSFER) {
    return RefuseHold(v1::REJECT_REASON_HOLD_NOT_OWNED, request.hold_id(), "is for another purpose than a transfer");
  }
  const bool has_all = std::any_of(row->allocations().begin(), row->allocations().end(), [&](const v1::Allocation& a) {
    return a.location_id() == request.from_location_id() && a.units() >= request.units();
  });
  if (has_all) return absl::OkStatus();
  return RefuseHold(v1::REJECT_REASON_NOT_HELD_THERE, request.hold_id(),
                    absl::StrCat("has fewer units at ", request.from_location_id()));
}

bool SameTransfer(const rows::TransferRow& row, const v1::SendTransferRequest& request) {
  return row.from_location_id() == request.from_location_id() && row.to_location_id() == request.to_location_id() &&
         row.units() == request.units() && row.hold_id() == request.hold_id();
}

}  // namespace

StockDecision<v1::ReceiveStockResponse> Decide(const store::RowReader& state, const v1::ReceiveStockRequest& request,
                                               const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  rows::LevelRow level = LevelAt(state, Sku::FromString(request.sku()), request.location_id());
  level.set_on_hand(level.on_hand() + request.units());
  if (level.on_hand() > kUnitsMax) return Overflow(request.location_id());

  Decision<v1::ReceiveStockResponse, v1::StockEvent> decision;
  v1::StockReceived& received = *AddFact(request.sku(), &decision).mutable_stock_received();
  received.set_location_id(request.location_id());
  received.set_units(request.units());
  received.set_reference(request.reference());
  *decision.response.mutable_level() = LevelOf(request.location_id(), level);
  return decision;
}

StockDecision<v1::CountStockResponse> Decide(const store::RowReader& state, const v1::CountStockRequest& request,
                                             const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const LevelKey key{Sku::FromString(request.sku()), LocationId::FromString(request.location_id())};
  const rows::LevelRow before = LevelAt(state, key.sku, request.location_id());
  if (request.has_expected_units() && request.expected_units() != before.on_hand()) {
    return Reject(v1::REJECT_REASON_COUNT_IS_STALE,
                  absl::StrCat("the recorded stock is now ", before.on_hand(), ", not ", request.expected_units()),
                  {{"location_id", request.location_id()}, {"on_hand_units", absl::StrCat(before.on_hand())}});
  }
  rows::LevelRow after = before;
  after.set_on_hand(request.counted_units());

  Decision<v1::CountStockResponse, v1::StockEvent> decision;
  v1::StockCounted& counted = *AddFact(request.sku(), &decision).mutable_stock_counted();
  counted.set_location_id(request.location_id());
  counted.set_counted_units(request.counted_units());
  counted.set_expected_units(before.on_hand());
  AddBroken(state, key, before, after, &decision);
  *decision.response.mutable_level() = LevelOf(request.location_id(), after);
  decision.response.set_expected_units(before.on_hand());
  return decision;
}

StockDecision<v1::AdjustStockResponse> Decide(const store::RowReader& state, const v1::AdjustStockRequest& request,
                                              const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const LevelKey key{Sku::FromString(request.sku()), LocationId::FromString(request.location_id())};
  const rows::LevelRow before = LevelAt(state, key.sku, request.location_id());
  rows::LevelRow after = before;
  after.set_on_hand(before.on_hand() + request.delta_units());
  if (after.on_hand() < 0) {
    return Reject(v1::REJECT_REASON_ON_HAND_WOULD_BE_NEGATIVE,
                  absl::StrCat("only ", before.on_hand(), " are on hand at ", request.location_id()),
                  {{"location_id", request.location_id()}, {"on_hand_units", absl::StrCat(before.on_hand())}});
  }
  if (after.on_hand() > kUnitsMax) return Overflow(request.location_id());

  Decision<v1::AdjustStockResponse, v1::StockEvent> decision;
  v1::StockAdjusted& adjusted = *AddFact(request.sku(), &decision).mutable_stock_adjusted();
  adjusted.set_location_id(request.location_id());
  adjusted.set_delta_units(request.delta_units());
  adjusted.set_reason(request.reason());
  adjusted.set_note(request.note());
  AddBroken(state, key, before, after, &decision);
  *decision.response.mutable_level() = LevelOf(request.location_id(), after);
  return decision;
}

StockDecision<v1::AllowBackorderResponse> Decide(const store::RowReader& state,
                                                 const v1::AllowBackorderRequest& request,
                                                 const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const rows::LevelRow before = LevelAt(state, Sku::FromString(request.sku()), request.location_id());
  rows::LevelRow after = before;
  after.set_backorder(request.units());
  if (request.units() < before.backorder() && FreeUnits(after) < 0) {
    return Reject(v1::REJECT_REASON_BACKORDER_IN_USE,
                  absl::StrCat(-FreeUnits(after), " units at ", request.location_id(), " are promised beyond that"),
                  {{"location_id", request.location_id()}, {"short_units", absl::StrCat(-FreeUnits(after))}});
  }
  Decision<v1::AllowBackorderResponse, v1::StockEvent> decision;
  *decision.response.mutable_level() = LevelOf(request.location_id(), after);
  if (request.units() == before.backorder()) return decision;
  v1::BackorderAllowed& allowed = *AddFact(request.sku(), &decision).mutable_backorder_allowed();
  allowed.set_location_id(request.location_id());
  allowed.set_units(request.units());
  allowed.set_previous_units(before.backorder());
  return decision;
}

StockDecision<v1::ReturnStockResponse> Decide(const store::RowReader& state, const v1::ReturnStockRequest& request,
                                              const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  rows::LevelRow level = LevelAt(state, Sku::FromString(request.sku()), request.location_id());
  level.set_on_hand(level.on_hand() + request.units());
  if (level.on_hand() > kUnitsMax) return Overflow(request.location_id());

  Decision<v1::ReturnStockResponse, v1::StockEvent> decision;
  v1::StockReturned& returned = *AddFact(request.sku(), &decision).mutable_stock_returned();
  returned.set_location_id(request.location_id());
  returned.set_units(request.units());
  returned.set_unusable_units(request.unusable_units());
  returned.set_reference(request.reference());
  *decision.response.mutable_level() = LevelOf(request.location_id(), level);
  return decision;
}

StockDecision<v1::SendTransferResponse> Decide(const store::RowReader& state, const v1::SendTransferRequest& request,
                                               const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const Sku sku = Sku::FromString(request.sku());
  rows::LevelRow from = LevelAt(state, sku, request.from_location_id());
  rows::LevelRow to = LevelAt(state, sku, request.to_location_id());
  Decision<v1::SendTransferResponse, v1::StockEvent> decision;
  const std::optional<rows::TransferRow> sent = kTransfers.Get(state, {sku, request.transfer_id()});
  if (sent.has_value() && SameTransfer(*sent, request)) {
    *decision.response.mutable_from_level() = LevelOf(request.from_location_id(), from);
    *decision.response.mutable_to_level() = LevelOf(request.to_location_id(), to);
    return decision;
  }
  if (!request.hold_id().empty()) RETURN_IF_ERROR(CheckTransferHold(state, request));
  if (sent.has_value()) {
    return Reject(v1::REJECT_REASON_TRANSFER_EXISTS,
                  absl::StrCat("the transfer ", request.transfer_id(), " is recorded with other content"),
                  {{"transfer_id", request.transfer_id()}});
  }
  if (to.in_transit() + request.units() > kUnitsMax) return Overflow(request.to_location_id());
  // A transfer takes goods that are on hand, so backorder does not count, and promised units stay.
  const int64_t free = request.hold_id().empty() ? from.on_hand() - from.held() - from.committed() : from.on_hand();
  if (free < request.units()) {
    return Reject(v1::REJECT_REASON_INSUFFICIENT_STOCK,
                  absl::StrCat("only ", std::max<int64_t>(0, free), " units can leave ", request.from_location_id()),
                  {{"location_id", request.from_location_id()},
                   {"asked_units", absl::StrCat(request.units())},
                   {"available_units", absl::StrCat(std::max<int64_t>(0, free))}});
  }

  v1::StockEvent& event = AddFact(request.sku(), &decision);
  v1::TransferSent& fact = *event.mutable_transfer_sent();
  fact.set_transfer_id(request.transfer_id());
  fact.set_from_location_id(request.from_location_id());
  fact.set_to_location_id(request.to_location_id());
  fact.set_units(request.units());
  fact.set_hold_id(request.hold_id());
  const LevelChanges changes = ChangesOf(event);
  Add(changes.at(request.from_location_id()), &from);
  Add(changes.at(request.to_location_id()), &to);
  *decision.response.mutable_from_level() = LevelOf(request.from_location_id(), from);
  *decision.response.mutable_to_level() = LevelOf(request.to_location_id(), to);
  return decision;
}

StockDecision<v1::ReceiveTransferResponse> Decide(const store::RowReader& state,
                                                  const v1::ReceiveTransferRequest& request,
                                                  const partition::CommandContext&) {
  RETURN_IF_ERROR(CheckShape(request));
  const Sku sku = Sku::FromString(request.sku());
  const std::optional<rows::TransferRow> sent = kTransfers.Get(state, {sku, request.transfer_id()});
  if (!sent.has_value()) {
    return Reject(v1::REJECT_REASON_TRANSFER_UNKNOWN,
                  absl::StrCat("the transfer ", request.transfer_id(), " is unknown"),
                  {{"transfer_id", request.transfer_id()}});
  }
  const int64_t left = sent->units() - sent->received() - sent->lost();
  if (request.units() + request.lost_units() > left) {
    return Reject(v1::REJECT_REASON_TRANSFER_EXCEEDED,
                  absl::StrCat("only ", left, " units of the transfer ", request.transfer_id(), " are on their way"),
                  {{"transfer_id", request.transfer_id()}, {"left_units", absl::StrCat(left)}});
  }
  rows::LevelRow level = LevelAt(state, sku, sent->to_location_id());
  if (level.on_hand() + request.units() > kUnitsMax) return Overflow(sent->to_location_id());

  Decision<v1::ReceiveTransferResponse, v1::StockEvent> decision;
  v1::StockEvent& event = AddFact(request.sku(), &decision);
  v1::TransferReceived& received = *event.mutable_transfer_received();
  received.set_transfer_id(request.transfer_id());
  received.set_units(request.units());
  received.set_lost_units(request.lost_units());
  received.set_to_location_id(sent->to_location_id());
  Add(ChangesOf(event).at(sent->to_location_id()), &level);
  *decision.response.mutable_level() = LevelOf(sent->to_location_id(), level);
  return decision;
}

}  // namespace halles::inventory
