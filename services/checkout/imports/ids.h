// Ids of imported orders and returns: computed from source and external id.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_IDS_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_IDS_H_

#include "absl/strings/string_view.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/base/ids.h"

namespace halles::checkout::imports {

// The tenant of all records: a log belongs to one retailer.
inline constexpr absl::string_view kTenant = "";

// "ord-" and 26 digits: the key of the order and of its slot.
OrderId OrderIdOf(absl::string_view tenant, const v1::ExternalRef& external);

// "ret-" and 26 digits. A return and an order with the same external id are different things.
ReturnId ReturnIdOf(absl::string_view tenant, const v1::ExternalRef& external);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_IDS_H_
