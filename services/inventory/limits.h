// Checks a command before it is decided: the limits of its fields, stated in the proto, and the rules between fields.
#ifndef HALLES_SERVICES_INVENTORY_LIMITS_H_
#define HALLES_SERVICES_INVENTORY_LIMITS_H_

#include "absl/status/status.h"
#include "halles/inventory/v1/inventory_internal.limits.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "halles/inventory/v1/inventory_service.limits.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/status.h"

namespace halles::inventory {

inline constexpr int kExpiryDaysMax = 400;
// Maximum number of locations named by all lines of one command together: each is a row that the decision reads.
inline constexpr int kCandidatesMax = 64;

// The rules between fields, for commands that have such rules. INVALID_ARGUMENT that names the field.
template <typename Request>
absl::Status CheckBetweenFields(const Request&) {
  return absl::OkStatus();
}
absl::Status CheckBetweenFields(const v1::ReserveStockRequest& request);
absl::Status CheckBetweenFields(const v1::MoveHoldRequest& request);
absl::Status CheckBetweenFields(const v1::ReturnStockRequest& request);
absl::Status CheckBetweenFields(const v1::SendTransferRequest& request);
absl::Status CheckBetweenFields(const v1::ReceiveTransferRequest& request);

// INVALID_ARGUMENT that names the first field that breaks a limit, such as "lines[3].units". Called at the door, and
// again before a decision. Customers must be hashed before.
template <typename Request>
absl::Status Validate(const Request& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  return CheckBetweenFields(request);
}

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_LIMITS_H_
