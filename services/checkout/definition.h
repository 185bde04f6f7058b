// What a process that hosts checkout must know of it: its events, views and reactions.
#ifndef HALLES_SERVICES_CHECKOUT_DEFINITION_H_
#define HALLES_SERVICES_CHECKOUT_DEFINITION_H_

#include "halles/checkout/v1/checkout_events.pb.h"
#include "libs/host/definitions.h"
#include "libs/partition/service_definition.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/numbers/state.h"

namespace halles::checkout {

inline constexpr partition::Aggregate<v1::OrderEvent> kOrder{1, &Evolve};
inline constexpr partition::Aggregate<v1::NumberSeriesEvent> kNumberSeries{2, &numbers::Evolve};

// Adds checkout to what a host runs.
void Define(host::Definitions* definitions);

// Opens its doors. In the library of its doors.
void OpenDoors(const program::DoorParts& parts, program::Doors* doors);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_DEFINITION_H_
