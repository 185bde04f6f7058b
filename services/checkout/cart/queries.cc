// Reads carts from state.
#include "services/checkout/cart/queries.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/checkout/cart/state.h"

namespace halles::checkout::cart {

namespace {

absl::Status UnknownCart(const OrderId& cart) {
  return Failure(absl::StatusCode::kNotFound, "CART_UNKNOWN",
                 absl::StrCat("there is no cart ", cart.ToString(), ", or the query did not wait for it"),
                 {{"cart_id", cart.ToString()}});
}

}  // namespace

absl::StatusOr<v1::Cart> FindCart(const store::RowReader& state, const OrderId& cart) {
  std::optional<rows::CartRow> row = Find(state, cart);
  RETURN_IF_ERROR(state.status());
  if (!row.has_value()) return UnknownCart(cart);
  v1::Cart answer;
  answer.set_cart_id(cart.ToString());
  answer.set_state(row->state());
  answer.set_version(row->version());
  *answer.mutable_origin() = std::move(*row->mutable_origin());
  answer.set_currency_code(row->currency_code());
  for (rows::CartLineRow& line : LinesOf(state, cart)) *answer.add_lines() = std::move(*line.mutable_line());
  RETURN_IF_ERROR(state.status());
  answer.mutable_total()->set_currency_code(row->currency_code());
  answer.mutable_total()->set_minor_units(row->total_minor_units());
  if (row->has_delivery()) *answer.mutable_delivery() = std::move(*row->mutable_delivery());
  *answer.mutable_identifiers() = std::move(*row->mutable_identifiers());
  if (row->state() == v1::CART_STATE_MERGING || row->state() == v1::CART_STATE_MERGED) {
    answer.set_into_cart_id(row->into_cart_id());
  }
  for (const rows::MergeAnswer& other : row->answers()) {
    if (other.taken()) answer.add_taken_cart_ids(other.cart_id());
  }
  *answer.mutable_problems() = std::move(*row->mutable_problems());
  if (row->has_abandon_us()) *answer.mutable_abandon_time() = TimestampOf(row->abandon_us());
  return answer;
}

absl::StatusOr<v1::Cart> FindTaking(const store::RowReader& state, const OrderId& cart, const OrderId& from_cart,
                                    int64_t merge) {
  std::optional<v1::Cart> taken = kTakings.Get(state, {cart, from_cart, merge});
  RETURN_IF_ERROR(state.status());
  if (!taken.has_value()) return UnknownCart(cart);
  return *std::move(taken);
}

}  // namespace halles::checkout::cart
