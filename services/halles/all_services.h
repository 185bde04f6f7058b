// The list of all services, for the server, for followers of its log, and for tests.
#ifndef HALLES_SERVICES_HALLES_ALL_SERVICES_H_
#define HALLES_SERVICES_HALLES_ALL_SERVICES_H_

#include "libs/host/definitions.h"
#include "services/checkout/definition.h"
#include "services/customer_identity/definition.h"
#include "services/inventory/definition.h"

namespace halles::program {

// The parts of a service: its definition and its doors. Only a program that serves links the doors.
template <void (*define)(host::Definitions*), void (*open_doors)(const DoorParts&, Doors*)>
struct Part {
  static void Define(host::Definitions* definitions) { define(definitions); }
  static void OpenDoors(const DoorParts& parts, Doors* doors) { open_doors(parts, doors); }
};

template <typename... Services>
struct Parts {
  static void Define(host::Definitions* definitions) { (Services::Define(definitions), ...); }
  static void OpenDoors(const DoorParts& parts, Doors* doors) { (Services::OpenDoors(parts, doors), ...); }
};

// The only list of all services.
using AllParts = Parts<Part<&checkout::Define, &checkout::OpenDoors>,
                       Part<&customer_identity::Define, &customer_identity::OpenDoors>,
                       Part<&inventory::Define, &inventory::OpenDoors>>;

// Commands, folds, views and reactions of every service.
host::Definitions AllServices();

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_ALL_SERVICES_H_
