// The state machine of a fulfilment, as a table.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_

#include <array>
#include <optional>

#include "absl/strings/string_view.h"
#include "halles/checkout/v1/order_events.pb.h"

namespace halles::checkout::order {

// A transition of a fulfilment.
enum class Move { kPrepare, kReady, kCollect, kShip, kComplete, kDelay, kCancel, kReroute, kExpire };
inline constexpr std::array kMoves = {Move::kPrepare, Move::kReady,  Move::kCollect, Move::kShip,  Move::kComplete,
                                      Move::kDelay,   Move::kCancel, Move::kReroute, Move::kExpire};

// The name of the move, such as "prepare".
absl::string_view NameOf(Move move);

// The new state; nullopt if the state or the kind of delivery does not allow it.
std::optional<v1::FulfilmentState> After(Move move, const v1::Delivery& delivery, v1::FulfilmentState state);

// True while its goods are held at the location.
bool IsOpen(v1::FulfilmentState state);
// True if the fulfilment has ended.
bool IsOver(v1::FulfilmentState state);
// True if the customer has the goods.
bool IsDone(v1::FulfilmentState state);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_FULFILMENT_H_
