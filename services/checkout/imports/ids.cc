// Hashes external ids to ids of orders and returns.
#include "services/checkout/imports/ids.h"

#include "libs/base/opaque_id.h"

namespace halles::checkout::imports {

OrderId OrderIdOf(absl::string_view tenant, const v1::ExternalRef& external) {
  return OrderId::FromString(OpaqueId("ord-", {tenant, external.source(), external.external_id()}));
}

ReturnId ReturnIdOf(absl::string_view tenant, const v1::ExternalRef& external) {
  return ReturnId::FromString(OpaqueId("ret-", {tenant, external.source(), external.external_id()}));
}

}  // namespace halles::checkout::imports
