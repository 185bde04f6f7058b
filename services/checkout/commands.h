// The rules that concern several aggregates of checkout: carts and the orders that they become, orders placed and imported.
#ifndef HALLES_SERVICES_CHECKOUT_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_COMMANDS_H_

#include <variant>

#include "absl/status/statusor.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::checkout {

// Each is total: whatever is wrong with the command is a refusal. Checks stand in the order of RejectReason.

// Facts of an order and of the cart that it is made of. Where an attempt to place the order begins or ends, the record
// says so of both.
template <class Response>
using OrderAndCart = absl::StatusOr<partition::Decision<Response, std::variant<v1::OrderEvent, v1::CartEvent>>>;

// Freezes the cart and begins to place its order. A cart that is in checkout or ordered already decides nothing: it has
// its order, whoever asks. What became of it is for the door to read.
OrderAndCart<v1::PlaceOrderResponse> Decide(const store::RowReader& state, const v1::PlaceOrderRequest& request,
                                            const partition::CommandContext& context);
// What became of the calls of the order's saga, as order::Decide has it.
OrderAndCart<v1::RecordOutcomesResponse> Decide(const store::RowReader& state, const v1::RecordOutcomesRequest& request,
                                                const partition::CommandContext& context);
// A timer of the order has come, as order::Decide has it.
OrderAndCart<v1::OrderTimerDueResponse> Decide(const store::RowReader& state, const v1::OrderTimerDueRequest& request,
                                               const partition::CommandContext& context);

// Takes goods back: order::Decide of an order that was placed here, imports::Decide of one that was imported.
absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, std::variant<v1::OrderEvent, v1::ImportEvent>>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_COMMANDS_H_
