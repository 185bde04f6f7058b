// The definition of checkout for a process: its aggregates, commands, views and reactions.
#ifndef HALLES_SERVICES_CHECKOUT_DEFINITION_H_
#define HALLES_SERVICES_CHECKOUT_DEFINITION_H_

#include "libs/host/definitions.h"
#include "libs/partition/aggregate.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/order/state.h"

namespace halles::checkout {

// Cart and order share a key, and so a slot.
inline constexpr partition::Aggregate<v1::CartEvent> kCart{1, &cart::Evolve};
inline constexpr partition::Aggregate<v1::OrderEvent> kOrder{2, &order::Evolve};
inline constexpr partition::Aggregate<v1::ImportEvent> kImport{3, &imports::Evolve};
inline constexpr partition::Aggregate<v1::OrderNumberEvent> kOrderNumber{4, &numbers::Evolve};

// Adds checkout to the definitions of a host.
void Define(host::Definitions* definitions);

// Opens the doors of checkout. Part of the library of its doors.
void OpenDoors(const program::DoorParts& parts, program::Doors* doors);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_DEFINITION_H_
