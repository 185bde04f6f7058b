// Everything that the services define, in one list for all who assemble them.
#ifndef HALLES_SERVICES_HALLES_ALL_SERVICES_H_
#define HALLES_SERVICES_HALLES_ALL_SERVICES_H_

#include "libs/host/host.h"

namespace halles::program {

// Commands, folds, views and reactions of every service.
host::Definitions AllServices();

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_ALL_SERVICES_H_
