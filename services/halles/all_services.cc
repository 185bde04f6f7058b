// Collects the definitions of all services.
#include "services/halles/all_services.h"

namespace halles::program {

host::Definitions AllServices() {
  host::Definitions definitions;
  AllParts::Define(&definitions);
  return definitions;
}

}  // namespace halles::program
