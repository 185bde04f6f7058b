// Asks each service what it defines.
#include "services/halles/all_services.h"

#include "services/checkout/definition.h"
#include "services/customer_identity/definition.h"
#include "services/inventory/definition.h"

namespace halles::program {

host::Definitions AllServices() {
  host::Definitions definitions;
  checkout::Define(&definitions);
  customer_identity::Define(&definitions);
  inventory::Define(&definitions);
  return definitions;
}

}  // namespace halles::program
