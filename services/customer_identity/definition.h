// The definition of customer identity for a process: its events, view and reactions.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_

#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "libs/host/definitions.h"
#include "libs/partition/service_definition.h"
#include "services/customer_identity/state.h"

namespace halles::customer_identity {

inline constexpr partition::Aggregate<v1::IdentityEvent> kGraph{1, &Evolve};

// Adds customer identity to the definitions of a host.
void Define(host::Definitions* definitions);

// Opens the doors of customer identity. Part of the library of its doors.
void OpenDoors(const program::DoorParts& parts, program::Doors* doors);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_DEFINITION_H_
