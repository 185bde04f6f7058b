// Rules that concern several aggregates of checkout: a cart and its order, placed and imported orders.
#ifndef HALLES_SERVICES_CHECKOUT_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_COMMANDS_H_

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "services/checkout/order/commands.h"

namespace halles::checkout {

// Each rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason.

// Events of an order and of its cart. The record that begins or ends an attempt to place the order holds events of
// both.
template <class Response>
using OrderAndCart = absl::StatusOr<partition::Decision<Response, std::variant<v1::OrderEvent, v1::CartEvent>>>;

// Freezes the cart and begins to place its order. If the cart is already in checkout or ordered, no event is recorded:
// the request joins the attempt that began before. The door waits for the outcome.
OrderAndCart<v1::PlaceOrderResponse> Decide(const store::RowReader& state, const v1::PlaceOrderRequest& request,
                                            const partition::CommandContext& context);
// Takes the outcomes of calls of the order's saga, see order::Decide.
OrderAndCart<v1::RecordOutcomesResponse> Decide(const store::RowReader& state, const v1::RecordOutcomesRequest& request,
                                                const partition::CommandContext& context);
// A timer of the order is due, see order::Decide.
OrderAndCart<v1::OrderTimerDueResponse> Decide(const store::RowReader& state, const v1::OrderTimerDueRequest& request,
                                               const partition::CommandContext& context);

// ORDER_IMPORTED if `decided` is ORDER_UNKNOWN and the order was imported; otherwise `decided`.
absl::Status ImportedOr(const store::RowReader& state, const std::string& order_id, const absl::Status& decided);

// Decides on a command for orders placed here only, see order::Decide. ORDER_IMPORTED for an imported order.
template <class Request>
requires requires(const store::RowReader& state, const Request& request, const partition::CommandContext& context) {
  order::Decide(state, request, context);
  request.order_id();
}
auto Decide(const store::RowReader& state, const Request& request, const partition::CommandContext& context) {
  auto decided = order::Decide(state, request, context);
  if (!decided.ok()) decided = ImportedOr(state, request.order_id(), decided.status());
  return decided;
}

// Takes goods back: order::Decide for an order that was placed here, imports::Decide for an imported one.
absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, std::variant<v1::OrderEvent, v1::ImportEvent>>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_COMMANDS_H_
