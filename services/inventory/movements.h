// The effect of an event on the stock of each location; state, view and answers share this code.
#ifndef HALLES_SERVICES_INVENTORY_MOVEMENTS_H_
#define HALLES_SERVICES_INVENTORY_MOVEMENTS_H_

#include <cstdint>
#include <map>
#include <string>

#include "halles/inventory/v1/inventory_events.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "services/inventory/rows.pb.h"

namespace halles::inventory {

// Every number of units is between 0 and this.
inline constexpr int64_t kUnitsMax = 1'000'000'000'000'000;

// Differences by location. A location without a change may be included.
using LevelChanges = std::map<std::string, rows::LevelRow>;

// All changes of the event. They depend on the event alone, so every fold of the same events gives the same numbers.
LevelChanges ChangesOf(const v1::StockEvent& event);

// Adds the change. Cannot overflow while both are sums of events that Evolve accepted.
void Add(const rows::LevelRow& change, rows::LevelRow* level);

// False if all numbers of the change are zero.
bool ChangesAnything(const rows::LevelRow& change);

// Units that can still be promised; negative if holds are broken.
int64_t FreeUnits(const rows::LevelRow& level);

// The level as a message of the API.
v1::StockLevel LevelOf(const std::string& location_id, const rows::LevelRow& level);

// The name of the event's field in StockEvent, such as "stock_received", from its number; "" when there is none.
std::string KindName(uint32_t kind);

// The hold, transfer, delivery note or return that the event is about.
std::string ReferenceOf(const v1::StockEvent& event);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_MOVEMENTS_H_
