// Checks of commands for carts: the limits of their fields, and the rules between the fields.
#ifndef HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_

#include "absl/status/status.h"
#include "halles/checkout/v1/cart_service.limits.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"

namespace halles::checkout::cart {

// Rules between fields: INVALID_ARGUMENT that names the field.
template <class Request>
absl::Status CheckBetweenFields(const Request& request) {
  if constexpr (requires { request.identifiers(); }) RETURN_IF_ERROR(CheckIdentifiers(request.identifiers()));
  return absl::OkStatus();
}
absl::Status CheckBetweenFields(const v1::MergeCartsRequest& request);
absl::Status CheckBetweenFields(const v1::UndoMergeCartsRequest& request);

// The check of the door before it submits; identifiers are already hashed. INVALID_ARGUMENT that names the first
// invalid field.
template <class Request>
absl::Status Validate(const Request& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  RETURN_IF_ERROR(CheckCartId("cart_id", request.cart_id()));
  return CheckBetweenFields(request);
}

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
