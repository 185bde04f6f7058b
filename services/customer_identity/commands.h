// The rule of the identity graph.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_COMMANDS_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_COMMANDS_H_

#include "absl/status/statusor.h"
#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::customer_identity {

// Records the new identifiers, then the new links from the strongest identifier to each of the others. Records nothing
// if none is new. The rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason.
absl::StatusOr<partition::Decision<v1::ObserveIdentifiersResponse, v1::IdentityEvent>> Decide(
    const store::RowReader& state, const v1::ObserveIdentifiersRequest& request,
    const partition::CommandContext& context);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_COMMANDS_H_
