// Rules of orders placed here. Rules that also concern their carts are in services/checkout/commands.h.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_COMMANDS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "services/checkout/order/plan.h"

namespace halles::checkout::order {

// Default time to collect goods that are ready, if the pickup gives none.
inline constexpr int64_t kCollectWithinSeconds = int64_t{7} * 24 * 60 * 60;

// Each rule is total: any invalid command gets a refusal. Checks follow the order of RejectReason.
template <class Response>
using Decided = absl::StatusOr<partition::Decision<Response, v1::OrderEvent>>;
using State = store::RowReader;
using Context = partition::CommandContext;

// An order that is to be placed.
struct Placement {
  uint32_t attempt = 0;
  v1::Origin origin;
  google::protobuf::RepeatedPtrField<common::v1::Identifier> identifiers;
  PricedLines lines;
  std::string currency_code;
  Undertaking undertaking;
};

// Begins an attempt to place the order: freezes its lines and sends the first stage of its saga. PLACEMENT_REJECTED if the
// order is too large for one saga, AMOUNT_OVERFLOW if the lines do not add up. The door waits for the outcome.
Decided<v1::PlaceOrderResponse> Begin(const Placement& placement, const Context& context);

// Cancels every fulfilment, if none was handed over.
Decided<v1::CancelOrderResponse> Decide(const State& state, const v1::CancelOrderRequest& request,
                                        const Context& context);

// fulfilment.h has the states that each command requires.
Decided<v1::PrepareFulfilmentResponse> Decide(const State& state, const v1::PrepareFulfilmentRequest& request,
                                              const Context& context);
Decided<v1::ReadyFulfilmentResponse> Decide(const State& state, const v1::ReadyFulfilmentRequest& request,
                                            const Context& context);
Decided<v1::CollectFulfilmentResponse> Decide(const State& state, const v1::CollectFulfilmentRequest& request,
                                              const Context& context);
Decided<v1::ShipFulfilmentResponse> Decide(const State& state, const v1::ShipFulfilmentRequest& request,
                                           const Context& context);
Decided<v1::CompleteFulfilmentResponse> Decide(const State& state, const v1::CompleteFulfilmentRequest& request,
                                               const Context& context);
Decided<v1::DelayFulfilmentResponse> Decide(const State& state, const v1::DelayFulfilmentRequest& request,
                                            const Context& context);
Decided<v1::CancelFulfilmentResponse> Decide(const State& state, const v1::CancelFulfilmentRequest& request,
                                             const Context& context);

// Begins the saga that moves all holds; the door waits for the outcome. A reroute to the place where the fulfilment is
// begins nothing and takes no number.
Decided<v1::RerouteFulfilmentResponse> Decide(const State& state, const v1::RerouteFulfilmentRequest& request,
                                              const Context& context);

// Takes back goods that were handed over.
Decided<v1::ReturnLinesResponse> Decide(const State& state, const v1::ReturnLinesRequest& request,
                                        const Context& context);

// Begins the saga that holds stock for the new lines. Once it has a number, one record holds the new lines and the
// return.
Decided<v1::ExchangeLinesResponse> Decide(const State& state, const v1::ExchangeLinesRequest& request,
                                          const Context& context);

// Passes the outcomes of calls to the saga. If that ends the saga, the same record holds the consequence for the order.
// Late outcomes record nothing.
Decided<v1::RecordOutcomesResponse> Decide(const State& state, const v1::RecordOutcomesRequest& request,
                                           const Context& context);

// A timer of the order is due.
Decided<v1::OrderTimerDueResponse> Decide(const State& state, const v1::OrderTimerDueRequest& request,
                                          const Context& context);

// Ends a fulfilment whose goods were not collected in time. A fulfilment that is being moved has no timer.
Decided<v1::OrderTimerDueResponse> DecideExpiry(const State& state, const OrderId& order,
                                                const std::string& fulfilment_id, const Context& context);

using Problems = google::protobuf::RepeatedPtrField<v1::Problem>;
// A problem of the whole order.
void AddProblem(v1::ProblemKind kind, absl::string_view message, Problems* problems);
// A refusal with the problems as its details.
absl::Status RejectWith(v1::RejectReason reason, absl::string_view message, const Problems& problems);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_COMMANDS_H_
