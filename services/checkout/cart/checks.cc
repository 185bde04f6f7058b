// Checks the rules between the fields of commands for carts.
#include "services/checkout/cart/checks.h"

namespace halles::checkout::cart {

absl::Status CheckBetweenFields(const v1::MergeCartsRequest& request) {
  RETURN_IF_ERROR(CheckCartId("into_cart_id", request.into_cart_id()));
  if (request.into_cart_id() == request.cart_id()) return InvalidField("into_cart_id", "must be another cart");
  return absl::OkStatus();
}

absl::Status CheckBetweenFields(const v1::UndoMergeCartsRequest& request) {
  return CheckCartId("from_cart_id", request.from_cart_id());
}

}  // namespace halles::checkout::cart
