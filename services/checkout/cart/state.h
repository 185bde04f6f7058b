// The state of carts: their lines, with the origins of these, and merges.
#ifndef HALLES_SERVICES_CHECKOUT_CART_STATE_H_
#define HALLES_SERVICES_CHECKOUT_CART_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::cart {

// A cart lives in the slot of its id. So does the order that it becomes, which is another aggregate. Invariants, none
// of which Evolve breaks:
//   1. The version counts the records that change the cart.
//   2. `lines`, `total_minor_units` and `line_bytes` of a cart are sums over its rows in kCartLines.
//   3. Lines change only while the cart is open. While it is in checkout, they are the lines of its order. A cart that
//      gives its lines keeps them until the other cart has taken them.
//   4. Only an open cart has a timer. It is due at the earliest when the lifetime of the cart after its last change is
//      over.
//   5. Each merge of another cart is answered once: `answers` has the number of the last one that was answered, per
//      cart.
//   6. The giving cart keeps the outcome of each merge. The taking cart keeps how it looked after each merge.

inline constexpr int kLinesMax = 500;  // of a cart
// Maximum size of the lines of a cart, in bytes. One record holds all of them when the cart is merged or becomes an
// order.
inline constexpr int64_t kLineBytesMax = int64_t{192} << 10;
inline constexpr int kLinesAddedMax = 100;  // with one command
inline constexpr int kMergesMax = 100;      // carts that may be merged into one cart
inline constexpr int kOriginsMax = 16;      // carts that a line may have been in before
inline constexpr int64_t kLifeSeconds = int64_t{30} * 24 * 60 * 60;
// A timer is set this much later than the lifetime requires, so that most changes need not move it.
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

// One merge of a giving cart.
struct MergeKey {
  OrderId cart;
  int64_t merge = 0;
  static constexpr std::array kFieldNames = {"cart", "merge"};
  auto Fields() const { return std::tie(cart, merge); }
  auto Fields() { return std::tie(cart, merge); }
};

// The same merge at the taking cart.
struct TakingKey {
  OrderId cart;
  OrderId from_cart;
  int64_t merge = 0;
  static constexpr std::array kFieldNames = {"cart", "from_cart", "merge"};
  auto Fields() const { return std::tie(cart, from_cart, merge); }
  auto Fields() { return std::tie(cart, from_cart, merge); }
};

inline constexpr store::Table<CartKey, rows::CartRow> kCarts(10, "carts");
inline constexpr store::Table<CartLineKey, rows::CartLineRow> kCartLines(11, "cart_lines");
inline constexpr store::Table<MergeKey, rows::MergeRow> kMerges(12, "merges");
inline constexpr store::Table<TakingKey, v1::Cart> kTakings(13, "takings");

inline store::Schema AddTables(store::Schema schema) {
  return schema.Add(kCarts).Add(kCartLines).Add(kMerges).Add(kTakings);
}

// Tables whose lookups mostly miss.
inline constexpr std::array kMostlyAbsentTables = {kCarts.id(), kCartLines.id()};

// The cart without its lines; nullopt if there is none.
std::optional<rows::CartRow> Find(const store::RowReader& state, const OrderId& cart);

// Its lines in the order in which they were added.
std::vector<rows::CartLineRow> LinesOf(const store::RowReader& state, const OrderId& cart);

// The size of a line, which counts against kLineBytesMax.
int64_t BytesOf(const v1::CartLine& line);

// True if the line came to this cart directly from that one.
bool CameFrom(const v1::CartLine& line, absl::string_view from_cart);

// The number of the last merge of that cart that this cart has answered; 0 if none.
int64_t AnsweredUpTo(const rows::CartRow& cart, absl::string_view from_cart);

// Folds one event. DATA_LOSS, and nothing is written, if it breaks an invariant or is unknown to this version.
absl::Status Evolve(store::Rows& state, const v1::CartEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::cart

#endif  // HALLES_SERVICES_CHECKOUT_CART_STATE_H_
