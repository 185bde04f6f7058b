// The definition of inventory for a process: its events, views, calls, timers and reactions.
#ifndef HALLES_SERVICES_INVENTORY_DEFINITION_H_
#define HALLES_SERVICES_INVENTORY_DEFINITION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "libs/host/definitions.h"
#include "libs/partition/service_definition.h"
#include "services/inventory/state.h"

namespace halles::inventory {

inline constexpr partition::Aggregate<v1::StockEvent> kStockItem{1, &Evolve};

// The topic of a watch of the SKU.
std::string TopicOf(absl::string_view sku);

// Adds inventory to what a host runs.
void Define(host::Definitions* definitions);

// Opens its doors. In the library of its doors.
void OpenDoors(const program::DoorParts& parts, program::Doors* doors);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_DEFINITION_H_
