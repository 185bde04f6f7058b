// Checks of commands for orders placed here.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_

#include "absl/status/status.h"
#include "halles/checkout/v1/order_service.limits.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"

namespace halles::checkout::order {

// The check of the door before it submits: INVALID_ARGUMENT that names the first invalid field.
template <class Request>
absl::Status Validate(const Request& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  // The order gets the id of its cart.
  if constexpr (requires { request.cart_id(); }) RETURN_IF_ERROR(CheckCartId("cart_id", request.cart_id()));
  return absl::OkStatus();
}

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_CHECKS_H_
