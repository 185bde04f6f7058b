// The queries of the door of carts.
#ifndef HALLES_SERVICES_CHECKOUT_CART_QUERIES_H_
#define HALLES_SERVICES_CHECKOUT_CART_QUERIES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "libs/base/ids.h"
#include "libs/store/rows.h"

namespace halles::checkout::cart {

// The cart with its lines. NOT_FOUND with reason CART_UNKNOWN.
absl::StatusOr<v1::Cart> FindCart(const store::RowReader& state, const OrderId& cart);

// The cart as it was after it took the lines of this merge of another cart. NOT_FOUND with reason CART_UNKNOWN.
absl::StatusOr<v1::Cart> FindTaking(const store::RowReader& state, const OrderId& cart, const OrderId& from_cart,
                                    int64_t merge);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_QUERIES_H_
