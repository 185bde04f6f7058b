// The definitions of all services of a process: their commands, views, reactions and tables.
#ifndef HALLES_LIBS_HOST_DEFINITIONS_H_
#define HALLES_LIBS_HOST_DEFINITIONS_H_

#include <vector>

#include "libs/partition/service_definition.h"
#include "libs/projection/definitions.h"
#include "libs/store/fold.h"

namespace halles::program {
class Doors;
struct DoorParts;
}  // namespace halles::program

namespace halles::host {

// Filled by one call of each service's Define.
struct Definitions {
  std::vector<partition::ServiceDefinition> services;
  std::vector<projection::ViewDefinition> views;
  std::vector<projection::ReactionDefinition> reactions;
  store::SchemaBook schemas;
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_DEFINITIONS_H_
