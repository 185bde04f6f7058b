// Builders for inventory's tests: goods, holds, events and commands of one SKU.
#ifndef HALLES_SERVICES_INVENTORY_TEST_BUILDERS_H_
#define HALLES_SERVICES_INVENTORY_TEST_BUILDERS_H_

#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/timestamp.h"
#include "libs/testing/given_when_then.h"
#include "services/inventory/commands.h"
#include "services/inventory/movements.h"
#include "services/inventory/state.h"

namespace halles::inventory {

inline constexpr SlotId kSlot{ServiceId::kInventory, 17};
inline constexpr char kSku[] = "boot-42";
// The time in all tests.
inline constexpr UnixMicros kNow = 1'700'000'000'000'000;
inline constexpr int64_t kHour = 3600;

struct StockDomain {
  using Event = v1::StockEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, partition::FactContext context) {
    if (context.aggregate_id.empty()) context.aggregate_id = kSku;
    return inventory::Evolve(rows, event, context);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    return inventory::Decide(rows, command, context);
  }
};
using GivenStock = testing::Given<StockDomain>;
inline GivenStock Given(const std::vector<v1::StockEvent>& events = {}) { return GivenStock(kSlot, events); }

using Units = std::pair<std::string, int64_t>;  // at a location
using UnitsList = std::vector<Units>;

inline google::protobuf::RepeatedPtrField<v1::Allocation> At(const UnitsList& list) {
  google::protobuf::RepeatedPtrField<v1::Allocation> allocations;
  for (const auto& [location, units] : list) {
    v1::Allocation& allocation = *allocations.Add();
    allocation.set_location_id(location);
    allocation.set_units(units);
  }
  return allocations;
}
template <class Allocations>
UnitsList ListOf(const Allocations& allocations) {
  UnitsList list;
  for (const v1::Allocation& allocation : allocations) list.emplace_back(allocation.location_id(), allocation.units());
  return list;
}

inline google::protobuf::Timestamp After(int64_t seconds) { return TimestampOf(kNow + seconds * 1'000'000); }

// A hashed identifier whose hash is the seed, repeated.
inline common::v1::Identifier Customer(char seed) {
  common::v1::Identifier identifier;
  identifier.set_type(common::v1::IDENTIFIER_TYPE_EMAIL);
  identifier.set_keyed_hash(std::string(32, seed));
  identifier.set_key_id(1);
  return identifier;
}

// Events --------------------------------------------------------------------------------------------------------------

inline v1::StockEvent Received(const std::string& location, int64_t units) {
  v1::StockEvent event;
  event.mutable_stock_received()->set_location_id(location);
  event.mutable_stock_received()->set_units(units);
  return event;
}
inline v1::StockEvent Counted(const std::string& location, int64_t counted, int64_t expected) {
  v1::StockEvent event;
  event.mutable_stock_counted()->set_location_id(location);
  event.mutable_stock_counted()->set_counted_units(counted);
  event.mutable_stock_counted()->set_expected_units(expected);
  return event;
}
inline v1::StockEvent Backordered(const std::string& location, int64_t units, int64_t previous = 0) {
  v1::StockEvent event;
  event.mutable_backorder_allowed()->set_location_id(location);
  event.mutable_backorder_allowed()->set_units(units);
  event.mutable_backorder_allowed()->set_previous_units(previous);
  return event;
}
// Held by request "do-<hold>", for CHECKOUT of order/o, without an expiry.
inline v1::StockEvent Held(const std::string& hold, const UnitsList& units) {
  v1::StockEvent event;
  v1::StockHeld& held = *event.mutable_stock_held();
  held.set_hold_id(hold);
  *held.mutable_allocations() = At(units);
  held.set_purpose(v1::HOLD_PURPOSE_CHECKOUT);
  held.mutable_owner()->set_ref("order/o");
  held.set_request_id("do-" + hold);
  return event;
}
inline v1::StockEvent HeldFor(v1::HoldPurpose purpose, const std::string& owner, const std::string& hold,
                              const UnitsList& units) {
  v1::StockEvent event = Held(hold, units);
  event.mutable_stock_held()->set_purpose(purpose);
  event.mutable_stock_held()->mutable_owner()->set_ref(owner);
  return event;
}
inline v1::StockEvent HeldUntil(int64_t seconds, const std::string& hold, const UnitsList& units) {
  v1::StockEvent event = HeldFor(v1::HOLD_PURPOSE_CART, "cart/c", hold, units);
  *event.mutable_stock_held()->mutable_expire_time() = After(seconds);
  return event;
}
inline v1::StockEvent Committed(const std::string& hold, const UnitsList& units, const std::string& order = "o") {
  v1::StockEvent event;
  event.mutable_hold_committed()->set_hold_id(hold);
  event.mutable_hold_committed()->set_order_id(order);
  *event.mutable_hold_committed()->mutable_allocations() = At(units);
  return event;
}
inline v1::StockEvent Released(const std::string& hold, const UnitsList& units, bool ended = true,
                               bool committed = false) {
  v1::StockEvent event;
  event.mutable_hold_released()->set_hold_id(hold);
  *event.mutable_hold_released()->mutable_allocations() = At(units);
  event.mutable_hold_released()->set_ended(ended);
  event.mutable_hold_released()->set_committed(committed);
  return event;
}
inline v1::StockEvent Moved(const std::string& hold, const UnitsList& from, const UnitsList& to,
                            const std::string& request = "") {
  v1::StockEvent event;
  event.mutable_hold_moved()->set_hold_id(hold);
  *event.mutable_hold_moved()->mutable_from() = At(from);
  *event.mutable_hold_moved()->mutable_to() = At(to);
  event.mutable_hold_moved()->set_request_id(request);
  return event;
}
inline v1::StockEvent Expired(const std::string& hold, const UnitsList& units) {
  v1::StockEvent event;
  event.mutable_hold_expired()->set_hold_id(hold);
  *event.mutable_hold_expired()->mutable_allocations() = At(units);
  return event;
}
inline v1::StockEvent Shipped(const std::string& hold, const UnitsList& units, bool ended = true) {
  v1::StockEvent event;
  event.mutable_stock_shipped()->set_hold_id(hold);
  *event.mutable_stock_shipped()->mutable_allocations() = At(units);
  event.mutable_stock_shipped()->set_ended(ended);
  event.mutable_stock_shipped()->set_order_id("o");
  return event;
}
inline v1::StockEvent Cancelled(const std::string& hold, const std::string& request, const UnitsList& units = {},
                                bool committed = false) {
  v1::StockEvent event;
  v1::ReservationCancelled& cancelled = *event.mutable_reservation_cancelled();
  cancelled.set_hold_id(hold);
  cancelled.set_cancelled_request_id(request);
  cancelled.set_released(!units.empty());
  *cancelled.mutable_allocations() = At(units);
  cancelled.set_committed(committed);
  return event;
}
inline v1::StockEvent Sent(const std::string& transfer, const std::string& from, const std::string& to, int64_t units,
                           const std::string& hold = "") {
  v1::StockEvent event;
  v1::TransferSent& sent = *event.mutable_transfer_sent();
  sent.set_transfer_id(transfer);
  sent.set_from_location_id(from);
  sent.set_to_location_id(to);
  sent.set_units(units);
  sent.set_hold_id(hold);
  return event;
}
inline v1::StockEvent Broken(const std::string& location, int64_t units, const std::vector<std::string>& holds) {
  v1::StockEvent event;
  event.mutable_promise_broken()->set_location_id(location);
  event.mutable_promise_broken()->set_short_units(units);
  for (const std::string& hold : holds) event.mutable_promise_broken()->add_hold_ids(hold);
  return event;
}

// Commands ------------------------------------------------------------------------------------------------------------

template <class Request>
Request Of(const std::string& request_id) {
  Request request;
  request.set_request_id(request_id);
  request.set_sku(kSku);
  return request;
}
template <class Request>
Request OfHold(const std::string& hold, const std::string& request_id) {
  Request request = Of<Request>(request_id);
  request.set_hold_id(hold);
  return request;
}
inline v1::ReceiveStockRequest Receive(const std::string& location, int64_t units) {
  auto request = Of<v1::ReceiveStockRequest>("receive");
  request.set_location_id(location);
  request.set_units(units);
  return request;
}
inline v1::CountStockRequest Count(const std::string& location, int64_t units) {
  auto request = Of<v1::CountStockRequest>("count");
  request.set_location_id(location);
  request.set_counted_units(units);
  return request;
}
inline v1::AdjustStockRequest Adjust(const std::string& location, int64_t delta) {
  auto request = Of<v1::AdjustStockRequest>("adjust");
  request.set_location_id(location);
  request.set_delta_units(delta);
  request.set_reason(v1::ADJUST_REASON_DAMAGED);
  return request;
}
inline v1::AllowBackorderRequest Allow(const std::string& location, int64_t units) {
  auto request = Of<v1::AllowBackorderRequest>("allow");
  request.set_location_id(location);
  request.set_units(units);
  return request;
}
// One line for each number of units, all with the same candidates.
inline v1::ReserveStockRequest Reserve(const std::string& hold, const std::vector<int64_t>& lines,
                                       const std::vector<std::string>& candidates) {
  auto request = OfHold<v1::ReserveStockRequest>(hold, "do-" + hold);
  for (const int64_t units : lines) request.add_lines()->set_units(units);
  for (const std::string& location : candidates) request.add_candidate_location_ids(location);
  request.set_purpose(v1::HOLD_PURPOSE_CHECKOUT);
  request.mutable_owner()->set_ref("order/o");
  return request;
}
inline v1::ReserveStockRequest ReserveSplit(const std::string& hold, const std::vector<int64_t>& lines,
                                            const std::vector<std::string>& candidates) {
  v1::ReserveStockRequest request = Reserve(hold, lines, candidates);
  request.set_split(v1::SPLIT_POLICY_SPLIT);
  return request;
}
inline v1::ReserveStockRequest Until(int64_t seconds, v1::ReserveStockRequest request) {
  *request.mutable_expire_time() = After(seconds);
  return request;
}
inline v1::ReserveStockRequest Replacing(const std::string& hold, v1::ReserveStockRequest request) {
  request.set_replaces_hold_id(hold);
  return request;
}
inline v1::ExtendHoldRequest Extend(const std::string& hold, int64_t seconds) {
  auto request = OfHold<v1::ExtendHoldRequest>(hold, "extend");
  *request.mutable_expire_time() = After(seconds);
  return request;
}
inline v1::MoveHoldRequest Move(const std::string& hold, const std::string& from, const std::vector<std::string>& to,
                                int64_t units = 0) {
  auto request = OfHold<v1::MoveHoldRequest>(hold, "move");
  request.set_from_location_id(from);
  for (const std::string& location : to) request.add_candidate_location_ids(location);
  request.set_units(units);
  return request;
}
inline v1::StockEvent MoveCancelled(const std::string& hold, const std::string& request) {
  v1::StockEvent event = Cancelled(hold, request);
  event.mutable_reservation_cancelled()->set_of_move(true);
  return event;
}
inline v1::MoveHoldRequest TakeBack(const std::string& hold, const std::string& move = "move") {
  auto request = OfHold<v1::MoveHoldRequest>(hold, "take-back");
  request.set_cancelled_request_id(move);
  return request;
}
inline v1::ReleaseHoldRequest Release(const std::string& hold, const UnitsList& units = {}) {
  auto request = OfHold<v1::ReleaseHoldRequest>(hold, "release");
  *request.mutable_allocations() = At(units);
  return request;
}
inline v1::CommitHoldRequest Commit(const std::string& hold, const std::string& order = "o") {
  auto request = OfHold<v1::CommitHoldRequest>(hold, "commit");
  request.set_order_id(order);
  return request;
}
inline v1::ShipStockRequest Ship(const std::string& hold, const UnitsList& units = {}) {
  auto request = OfHold<v1::ShipStockRequest>(hold, "ship");
  *request.mutable_allocations() = At(units);
  return request;
}
inline v1::CancelReservationRequest Cancel(const std::string& hold, const std::string& request_id) {
  auto request = OfHold<v1::CancelReservationRequest>(hold, "cancel");
  request.set_cancelled_request_id(request_id);
  return request;
}
inline v1::CancelReservationRequest Cancel(const std::string& hold) { return Cancel(hold, "do-" + hold); }
inline v1::ExpireHoldRequest Expire(const std::string& hold) {
  v1::ExpireHoldRequest request;
  request.set_sku(kSku);
  request.set_hold_id(hold);
  return request;
}
inline v1::ReturnStockRequest Return(const std::string& location, int64_t units, int64_t unusable = 0) {
  auto request = Of<v1::ReturnStockRequest>("return");
  request.set_location_id(location);
  request.set_units(units);
  request.set_unusable_units(unusable);
  request.set_reference("order/o/return/r");
  return request;
}
inline v1::SendTransferRequest Send(const std::string& transfer, const std::string& from, const std::string& to,
                                    int64_t units, const std::string& hold = "") {
  auto request = Of<v1::SendTransferRequest>("send");
  request.set_transfer_id(transfer);
  request.set_from_location_id(from);
  request.set_to_location_id(to);
  request.set_units(units);
  request.set_hold_id(hold);
  return request;
}
inline v1::ReceiveTransferRequest Arrive(const std::string& transfer, int64_t units, int64_t lost = 0) {
  auto request = Of<v1::ReceiveTransferRequest>("arrive");
  request.set_transfer_id(transfer);
  request.set_units(units);
  request.set_lost_units(lost);
  return request;
}

// State ---------------------------------------------------------------------------------------------------------------

inline rows::LevelRow LevelIn(const store::RowReader& state, const std::string& location) {
  return kLevels.Get(state, {Sku::FromString(kSku), LocationId::FromString(location)}).value_or(rows::LevelRow());
}
inline rows::HoldRow HoldIn(const store::RowReader& state, const std::string& hold) {
  return FindHold(state, {Sku::FromString(kSku), hold}).value_or(rows::HoldRow());
}

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_TEST_BUILDERS_H_
