// The queries of the door of orders.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_QUERIES_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_QUERIES_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/store/rows.h"

namespace halles::checkout::order {

// The order with its returns, oldest first. NOT_FOUND with reason ORDER_UNKNOWN.
absl::StatusOr<v1::Order> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order);

// The answer to a command that began or joined an attempt, exchange or reroute, which `begun`, the answer in its
// record, names. nullopt until it has ended; from then on always the same. A refusal has the problems as its details.
absl::StatusOr<std::optional<v1::PlaceOrderResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                const OrderId& order,
                                                                const v1::PlaceOrderResponse& begun);
absl::StatusOr<std::optional<v1::ExchangeLinesResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                   const OrderId& order,
                                                                   const v1::ExchangeLinesResponse& begun);
absl::StatusOr<std::optional<v1::RerouteFulfilmentResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                       const OrderId& order,
                                                                       const v1::RerouteFulfilmentResponse& begun);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_QUERIES_H_
