// Breaks events down into changes by location.
#include "services/inventory/movements.h"

#include <algorithm>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/repeated_field.h"
#include "halles/inventory/v1/inventory_events.visit.h"

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

// Adds the changes of an event. The ignored events change no number of units.
struct ChangesAdder : PassesOver<v1::HoldExtended, v1::PromiseBroken, v1::StockContradicted> {
  using PassesOver::operator();

  void operator()(const v1::StockReceived& received) const {
    AddOnHand(received.location_id(), received.units(), changes);
  }
  void operator()(const v1::StockCounted& counted) const {
    AddOnHand(counted.location_id(), counted.counted_units() - counted.expected_units(), changes);
  }
  void operator()(const v1::StockAdjusted& adjusted) const {
    AddOnHand(adjusted.location_id(), adjusted.delta_units(), changes);
  }
  void operator()(const v1::BackorderAllowed& allowed) const {
    (*changes)[allowed.location_id()].set_backorder(allowed.units() - allowed.previous_units());
  }
  void operator()(const v1::StockHeld& held) const {
    AddHeld(held.allocations(), 1, changes);
    AddHeld(held.replaced_allocations(), -1, changes);
  }
  void operator()(const v1::HoldMoved& moved) const {
    AddPromised(moved.committed(), moved.from(), -1, changes);
    AddPromised(moved.committed(), moved.to(), 1, changes);
  }
  void operator()(const v1::HoldCommitted& committed) const {
    AddHeld(committed.allocations(), -1, changes);
    AddCommitted(committed.allocations(), 1, changes);
  }
  void operator()(const v1::HoldReleased& released) const {
    AddPromised(released.committed(), released.allocations(), -1, changes);
  }
  void operator()(const v1::HoldExpired& expired) const { AddHeld(expired.allocations(), -1, changes); }
  void operator()(const v1::ReservationCancelled& cancelled) const {
    AddPromised(cancelled.committed(), cancelled.allocations(), -1, changes);
  }
  void operator()(const v1::StockShipped& shipped) const {
    AddCommitted(shipped.allocations(), -1, changes);
    for (const v1::Allocation& allocation : shipped.allocations()) {
      AddOnHand(allocation.location_id(), -allocation.units(), changes);
    }
  }
  void operator()(const v1::StockReturned& returned) const {
    AddOnHand(returned.location_id(), returned.units(), changes);
  }
  void operator()(const v1::TransferSent& sent) const {
    AddOnHand(sent.from_location_id(), -sent.units(), changes);
    AddInTransit(sent.to_location_id(), sent.units(), changes);
    if (sent.hold_id().empty()) return;
    rows::LevelRow& change = (*changes)[sent.from_location_id()];
    change.set_held(change.held() - sent.units());
  }
  void operator()(const v1::TransferReceived& received) const {
    AddInTransit(received.to_location_id(), -received.units() - received.lost_units(), changes);
    AddOnHand(received.to_location_id(), received.units(), changes);
  }
  void operator()(NoEvent) const {}

  LevelChanges* changes;
};

// The ignored events refer to nothing but their SKU.
struct Reference : PassesOver<v1::StockCounted, v1::StockAdjusted, v1::BackorderAllowed, v1::PromiseBroken> {
  using PassesOver::operator();

  std::string operator()(const v1::StockReceived& received) const { return received.reference(); }
  std::string operator()(const v1::StockHeld& held) const { return held.hold_id(); }
  std::string operator()(const v1::HoldExtended& extended) const { return extended.hold_id(); }
  std::string operator()(const v1::HoldMoved& moved) const { return moved.hold_id(); }
  std::string operator()(const v1::HoldCommitted& committed) const { return committed.hold_id(); }
  std::string operator()(const v1::HoldReleased& released) const { return released.hold_id(); }
  std::string operator()(const v1::HoldExpired& expired) const { return expired.hold_id(); }
  std::string operator()(const v1::ReservationCancelled& cancelled) const { return cancelled.hold_id(); }
  std::string operator()(const v1::StockShipped& shipped) const { return shipped.hold_id(); }
  std::string operator()(const v1::StockReturned& returned) const { return returned.reference(); }
  std::string operator()(const v1::TransferSent& sent) const { return sent.transfer_id(); }
  std::string operator()(const v1::TransferReceived& received) const { return received.transfer_id(); }
  std::string operator()(const v1::StockContradicted& contradicted) const { return contradicted.hold_id(); }
  std::string operator()(NoEvent) const { return ""; }
};

}  // namespace

LevelChanges ChangesOf(const v1::StockEvent& event) {
  LevelChanges changes;
  Visit(event, ChangesAdder{{}, &changes});
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

std::string ReferenceOf(const v1::StockEvent& event) { return Visit(event, Reference()); }

}  // namespace halles::inventory
