// Takes facts apart into changes by location.
#include "services/inventory/movements.h"

#include <algorithm>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/repeated_field.h"

namespace halles::inventory {
namespace {

using Allocations = google::protobuf::RepeatedPtrField<v1::Allocation>;

void AddHeld(const Allocations& allocations, int64_t sign, LevelChanges* changes) {
  for (const v1::Allocation& allocation : allocations) {
    rows::LevelRow& change = (*changes)[allocation.location_id()];
    change.set_held(change.held() + sign * allocation.units());
  }
}

void AddCommitted(const Allocations& allocations, int64_t sign, LevelChanges* changes) {
  for (const v1::Allocation& allocation : allocations) {
    rows::LevelRow& change = (*changes)[allocation.location_id()];
    change.set_committed(change.committed() + sign * allocation.units());
  }
}

void AddPromised(bool committed, const Allocations& allocations, int64_t sign, LevelChanges* changes) {
  if (committed) {
    AddCommitted(allocations, sign, changes);
  } else {
    AddHeld(allocations, sign, changes);
  }
}

void AddOnHand(const std::string& location_id, int64_t units, LevelChanges* changes) {
  rows::LevelRow& change = (*changes)[location_id];
  change.set_on_hand(change.on_hand() + units);
}

void AddInTransit(const std::string& location_id, int64_t units, LevelChanges* changes) {
  rows::LevelRow& change = (*changes)[location_id];
  change.set_in_transit(change.in_transit() + units);
}

}  // namespace

LevelChanges ChangesOf(const v1::StockEvent& event) {
  LevelChanges changes;
  switch (event.event_case()) {
    case v1::StockEvent::kStockReceived:
      AddOnHand(event.stock_received().location_id(), event.stock_received().units(), &changes);
      break;
    case v1::StockEvent::kStockCounted: {
      const v1::StockCounted& counted = event.stock_counted();
      AddOnHand(counted.location_id(), counted.counted_units() - counted.expected_units(), &changes);
      break;
    }
    case v1::StockEvent::kStockAdjusted:
      AddOnHand(event.stock_adjusted().location_id(), event.stock_adjusted().delta_units(), &changes);
      break;
    case v1::StockEvent::kBackorderAllowed: {
      const v1::BackorderAllowed& allowed = event.backorder_allowed();
      changes[allowed.location_id()].set_backorder(allowed.units() - allowed.previous_units());
      break;
    }
    case v1::StockEvent::kStockHeld:
      AddHeld(event.stock_held().allocations(), 1, &changes);
      AddHeld(event.stock_held().replaced_allocations(), -1, &changes);
      break;
    case v1::StockEvent::kHoldMoved:
      AddPromised(event.hold_moved().committed(), event.hold_moved().from(), -1, &changes);
      AddPromised(event.hold_moved().committed(), event.hold_moved().to(), 1, &changes);
      break;
    case v1::StockEvent::kHoldCommitted:
      AddHeld(event.hold_committed().allocations(), -1, &changes);
      AddCommitted(event.hold_committed().allocations(), 1, &changes);
      break;
    case v1::StockEvent::kHoldReleased:
      AddPromised(event.hold_released().committed(), event.hold_released().allocations(), -1, &changes);
      break;
    case v1::StockEvent::kHoldExpired:
      AddHeld(event.hold_expired().allocations(), -1, &changes);
      break;
    case v1::StockEvent::kReservationCancelled: {
      const v1::ReservationCancelled& cancelled = event.reservation_cancelled();
      AddPromised(cancelled.committed(), cancelled.allocations(), -1, &changes);
      break;
    }
    case v1::StockEvent::kStockShipped:
      AddCommitted(event.stock_shipped().allocations(), -1, &changes);
      for (const v1::Allocation& allocation : event.stock_shipped().allocations()) {
        AddOnHand(allocation.location_id(), -allocation.units(), &changes);
      }
      break;
    case v1::StockEvent::kStockReturned:
      AddOnHand(event.stock_returned().location_id(), event.stock_returned().units(), &changes);
      break;
    case v1::StockEvent::kTransferSent: {
      const v1::TransferSent& sent = event.transfer_sent();
      AddOnHand(sent.from_location_id(), -sent.units(), &changes);
      AddInTransit(sent.to_location_id(), sent.units(), &changes);
      if (!sent.hold_id().empty()) {
        rows::LevelRow& change = changes[sent.from_location_id()];
        change.set_held(change.held() - sent.units());
      }
      break;
    }
    case v1::StockEvent::kTransferReceived: {
      const v1::TransferReceived& received = event.transfer_received();
      AddInTransit(received.to_location_id(), -received.units() - received.lost_units(), &changes);
      AddOnHand(received.to_location_id(), received.units(), &changes);
      break;
    }
    case v1::StockEvent::kHoldExtended:
    case v1::StockEvent::kPromiseBroken:
    case v1::StockEvent::kStockContradicted:
    case v1::StockEvent::EVENT_NOT_SET:
      break;
  }
  return changes;
}

void Add(const rows::LevelRow& change, rows::LevelRow* level) {
  level->set_on_hand(level->on_hand() + change.on_hand());
  level->set_held(level->held() + change.held());
  level->set_committed(level->committed() + change.committed());
  level->set_in_transit(level->in_transit() + change.in_transit());
  level->set_backorder(level->backorder() + change.backorder());
}

bool ChangesAnything(const rows::LevelRow& change) {
  return change.on_hand() != 0 || change.held() != 0 || change.committed() != 0 || change.in_transit() != 0 ||
         change.backorder() != 0;
}

int64_t FreeUnits(const rows::LevelRow& level) {
  return level.on_hand() + level.backorder() - level.held() - level.committed();
}

v1::StockLevel LevelOf(const std::string& location_id, const rows::LevelRow& level) {
  v1::StockLevel answer;
  answer.set_location_id(location_id);
  answer.set_on_hand_units(level.on_hand());
  answer.set_held_units(level.held());
  answer.set_committed_units(level.committed());
  answer.set_in_transit_units(level.in_transit());
  answer.set_backorder_units(level.backorder());
  answer.set_available_units(std::max<int64_t>(0, FreeUnits(level)));
  answer.set_short_units(std::max<int64_t>(0, -FreeUnits(level)));
  return answer;
}

std::string KindName(uint32_t kind) {
  const auto* field = v1::StockEvent::descriptor()->FindFieldByNumber(static_cast<int>(kind));
  return field == nullptr ? "" : field->name();
}

std::string ReferenceOf(const v1::StockEvent& event) {
  switch (event.event_case()) {
    case v1::StockEvent::kStockReceived:
      return event.stock_received().reference();
    case v1::StockEvent::kStockHeld:
      return event.stock_held().hold_id();
    case v1::StockEvent::kHoldExtended:
      return event.hold_extended().hold_id();
    case v1::StockEvent::kHoldMoved:
      return event.hold_moved().hold_id();
    case v1::StockEvent::kHoldCommitted:
      return event.hold_committed().hold_id();
    case v1::StockEvent::kHoldReleased:
      return event.hold_released().hold_id();
    case v1::StockEvent::kHoldExpired:
      return event.hold_expired().hold_id();
    case v1::StockEvent::kReservationCancelled:
      return event.reservation_cancelled().hold_id();
    case v1::StockEvent::kStockShipped:
      return event.stock_shipped().hold_id();
    case v1::StockEvent::kStockReturned:
      return event.stock_returned().reference();
    case v1::StockEvent::kTransferSent:
      return event.transfer_sent().transfer_id();
    case v1::StockEvent::kTransferReceived:
      return event.transfer_received().transfer_id();
    case v1::StockEvent::kStockContradicted:
      return event.stock_contradicted().hold_id();
    case v1::StockEvent::kStockCounted:
    case v1::StockEvent::kStockAdjusted:
    case v1::StockEvent::kBackorderAllowed:
    case v1::StockEvent::kPromiseBroken:
    case v1::StockEvent::EVENT_NOT_SET:
      break;
  }
  return "";
}

}  // namespace halles::inventory
