// What checkout knows of carts: lines, where they came from, the version that cart and order share.
#ifndef HALLES_SERVICES_CHECKOUT_CART_STATE_H_
#define HALLES_SERVICES_CHECKOUT_CART_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::cart {

// A cart lives in the slot of its id, and so does the order that it becomes: they are one aggregate and have one version.
// Invariants, each of which Evolve refuses to break:
//   1. The version grows by one with each record that changes the cart or its order.
//   2. `lines`, `total_minor_units` and `line_bytes` of a cart are sums over its rows in kCartLines.
//   3. Lines change only while the cart is open; while it is in checkout they are what the order is made of. A cart that
//      gives its lines keeps them until the other one has them.
//   4. Only an open cart has a timer, and it is due no earlier than the cart's life time after its last change.
//   5. What another cart gave is answered once: `answers` has the last count of each.

inline constexpr int kLinesMax = 500;  // of a cart
// Of a cart's lines: they go into one record when the cart is given to another one or becomes an order.
inline constexpr int64_t kLineBytesMax = int64_t{192} << 10;
inline constexpr int kLinesAddedMax = 100;           // with one command
inline constexpr int kMergesMax = 100;               // carts whose lines one cart may have been given
inline constexpr int kOriginsMax = 16;               // carts that one line may have been in before
inline constexpr int64_t kUnitsMax = 1'000'000'000;  // of a line
inline constexpr int64_t kLifeSeconds = int64_t{30} * 24 * 60 * 60;
// A timer is set this much later than the life time asks, so that most changes need not move it.
inline constexpr int64_t kLifeSlackSeconds = int64_t{24} * 60 * 60;
inline constexpr absl::string_view kTimer = "cart";

struct CartKey {
  OrderId cart;
  static constexpr std::array kFieldNames = {"cart"};
  auto Fields() const { return std::tie(cart); }
  auto Fields() { return std::tie(cart); }
};

struct CartLineKey {
  OrderId cart;
  LineId line;
  static constexpr std::array kFieldNames = {"cart", "line"};
  auto Fields() const { return std::tie(cart, line); }
  auto Fields() { return std::tie(cart, line); }
};

inline constexpr store::Table<CartKey, rows::CartRow> kCarts(10, "carts");
inline constexpr store::Table<CartLineKey, rows::CartLineRow> kCartLines(11, "cart_lines");

// The cart without its lines; nullopt when there is none.
std::optional<rows::CartRow> Find(const store::RowReader& state, const OrderId& cart);

// Its lines in the order in which they were added.
std::vector<rows::CartLineRow> LinesOf(const store::RowReader& state, const OrderId& cart);

// Units times price, rounded half up, in minor units; AMOUNT_OVERFLOW when it does not fit.
absl::StatusOr<int64_t> AmountOf(const v1::CartLine& line, absl::string_view currency_code);

// What a line counts against kLineBytesMax.
int64_t BytesOf(const v1::CartLine& line);

// True when the line was in that cart right before this one.
bool CameFrom(const v1::CartLine& line, absl::string_view from_cart);

// Up to which of its merges the cart has answered another one; 0: none.
int64_t AnsweredUpTo(const rows::CartRow& cart, absl::string_view from_cart);

// The version once a record that changes the cart or its order is folded: what a command that changes it answers with.
int64_t NextVersion(const rows::CartRow& cart);

// Counts the record of this fact, once. For whoever changes the row anyway.
void CountVersion(rows::CartRow* cart, const partition::FactContext& context);

// The same for facts about the order, which leave the cart as it is. DATA_LOSS when there is no cart.
absl::Status BumpVersion(store::Rows& state, const OrderId& cart, const partition::FactContext& context);

// An open cart goes to checkout with this attempt: lines are frozen, its timer and earlier problems are gone. Counts the
// version. DATA_LOSS when it is not open.
absl::Status BeginCheckout(store::Rows& state, const OrderId& cart, uint32_t attempt,
                           const partition::FactContext& context);
// A cart in checkout became an order. Counts the version. DATA_LOSS when it is not in checkout.
absl::Status BecomeOrder(store::Rows& state, const OrderId& cart, const partition::FactContext& context);
// A cart in checkout is open again, with the problems that kept it from becoming an order. Counts the version. DATA_LOSS
// when it is not in checkout.
absl::Status EndCheckout(store::Rows& state, const OrderId& cart,
                         const google::protobuf::RepeatedPtrField<v1::Problem>& problems,
                         const partition::FactContext& context);

// Folds one fact of a cart: CartOpened to CartAbandoned. DATA_LOSS, and nothing is written, when it breaks an invariant.
absl::Status Evolve(store::Rows& state, const v1::OrderEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_STATE_H_
