// What may happen to a fulfilment in which state: the rules as a table.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_

#include <array>
#include <optional>

#include "absl/strings/string_view.h"
#include "halles/checkout/v1/order_events.pb.h"

namespace halles::checkout::order {

// What happens to a fulfilment.
enum class Move { kPrepare, kReady, kCollect, kShip, kComplete, kDelay, kCancel, kReroute, kExpire };
inline constexpr std::array kMoves = {Move::kPrepare, Move::kReady,  Move::kCollect, Move::kShip,  Move::kComplete,
                                      Move::kDelay,   Move::kCancel, Move::kReroute, Move::kExpire};

// "prepare".
absl::string_view NameOf(Move move);

// The state after it; nullopt when the state or the kind of the delivery forbids it.
std::optional<v1::FulfilmentState> After(Move move, const v1::Delivery& delivery, v1::FulfilmentState state);

// Its goods are still at the location, kept for it.
bool IsOpen(v1::FulfilmentState state);
// Nothing more is to happen.
bool IsOver(v1::FulfilmentState state);
// The customer has, or had, the goods.
bool IsDone(v1::FulfilmentState state);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_
