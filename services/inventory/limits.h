// Whether a command may be decided: the limits of its fields, which stand in the proto, and the rules between them.
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
// All lines of one command together name at most so many locations: each is a row that the decision reads.
inline constexpr int kCandidatesMax = 64;

// Rules between fields, for commands that have such. INVALID_ARGUMENT that names the field.
template <typename Request>
absl::Status CheckBetweenFields(const Request&) {
  return absl::OkStatus();
}
absl::Status CheckBetweenFields(const v1::ReserveStockRequest& request);
absl::Status CheckBetweenFields(const v1::MoveHoldRequest& request);
absl::Status CheckBetweenFields(const v1::ReturnStockRequest& request);
absl::Status CheckBetweenFields(const v1::SendTransferRequest& request);
absl::Status CheckBetweenFields(const v1::ReceiveTransferRequest& request);

// INVALID_ARGUMENT that names the first field which breaks a limit, such as "lines[3].units". Asked at the door, and again
// before a decision. Customers are hashed before.
template <typename Request>
absl::Status Validate(const Request& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  return CheckBetweenFields(request);
}

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_LIMITS_H_
