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

// By location, in its order; a location that stays as it is may be in it. The numbers are differences.
using LevelChanges = std::map<std::string, rows::LevelRow>;

// All changes of the event. They depend on the event only, so every sum of events gives the same numbers.
LevelChanges ChangesOf(const v1::StockEvent& event);

// Adds the change. Never overflows while both are sums of what Evolve has accepted.
void Add(const rows::LevelRow& change, rows::LevelRow* level);

// False for a change of nothing.
bool ChangesAnything(const rows::LevelRow& change);

// Units that can still be promised; negative if holds are broken.
int64_t FreeUnits(const rows::LevelRow& level);

// The level in the caller's words.
v1::StockLevel LevelOf(const std::string& location_id, const rows::LevelRow& level);

// The field of the event, such as "stock_received", from its number; "" when there is none.
std::string KindName(uint32_t kind);

// Hold, transfer, delivery note or return that the fact is about.
std::string ReferenceOf(const v1::StockEvent& event);

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_MOVEMENTS_H_
