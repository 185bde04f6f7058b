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

// The topic that a watch of the SKU listens to.
std::string TopicOf(absl::string_view sku);

// Adds inventory to the definitions of a host.
void Define(host::Definitions* definitions);

// Opens the doors of inventory. Part of the library of its doors.
void OpenDoors(const program::DoorParts& parts, program::Doors* doors);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_DEFINITION_H_
