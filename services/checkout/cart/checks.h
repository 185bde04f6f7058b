// What may be asked of carts: limits of the fields of their commands.
#ifndef HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
#define HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_

#include "absl/status/status.h"
#include "halles/checkout/v1/cart_service.pb.h"

namespace halles::checkout::cart {

// What the door asks before anything is submitted, identifiers already hashed: INVALID_ARGUMENT that names the first field
// which breaks a rule.
absl::Status Validate(const v1::AddCartLinesRequest& request);
absl::Status Validate(const v1::ChangeCartLineRequest& request);
absl::Status Validate(const v1::SetCartDeliveryRequest& request);
absl::Status Validate(const v1::SetCartCustomerRequest& request);
absl::Status Validate(const v1::MergeCartsRequest& request);
absl::Status Validate(const v1::UndoMergeCartsRequest& request);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_CHECKS_H_
