// Decides on placing, cancelling and fulfilling orders.
#include "services/checkout/order/commands.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/timestamp.h"
#include "libs/saga/saga.h"
#include "services/checkout/amounts.h"
#include "services/checkout/order/plan.h"
#include "services/checkout/order/subject.h"

namespace halles::checkout::order {
namespace {

constexpr absl::string_view kProblemsUrl = "type.googleapis.com/halles.checkout.v1.OrderProblems";

// The document that reverses the sale of these fulfilments, each line once. So the reversal of an order is no larger than
// its sale, however many locations it came from.
absl::StatusOr<v1::SaleRecord> ReversalOf(const Subject& subject, const std::vector<const v1::Fulfilment*>& fulfilments,
                                          UnixMicros now) {
  const rows::OrderRow& row = subject.row;
  v1::SaleRecord reversal =
      DocumentOf(subject.order.ToString(), row.origin(), row.currency_code(), row.identifiers(), now);
  std::map<std::string, int64_t> units;  // by line
  for (const v1::Fulfilment* fulfilment : fulfilments) {
    for (const v1::FulfilmentLine& part : fulfilment->lines()) units[part.line_id()] += part.units();
  }
  for (const v1::OrderLine& line : row.lines()) {
    const auto gone = units.find(line.line().line_id());
    if (gone == units.end()) continue;
    const SoldLine sold = SoldLineOf(line);
    const int64_t amount = PartOf(sold.amount, sold.all, sold.scale, sold.gone, gone->second);
    RETURN_IF_ERROR(AddTakenOff(v1::LINE_KIND_ADJUSTMENT, line.line().sku(), line.line().description(),
                                &line.line().unit_price(), gone->second, amount, &reversal));
  }
  return reversal;
}

// Makes the checks that all commands about a fulfilment share, then calls `record(subject, moved, event, response)`,
// which fills in the event.
template <class Response, class Request, class Record>
Decided<Response> DecideMove(const State& state, const Request& request, Move move, const Record& record) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  RETURN_IF_ERROR(CheckNotBusy(subject.row));
  ASSIGN_OR_RETURN(const Moved moved, CheckMove(subject.row, request.fulfilment_id(), move));
  partition::Decision<Response, v1::OrderEvent> decision;
  decision.response.set_version(subject.next_version);
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = subject.order.ToString();
  RETURN_IF_ERROR(record(subject, moved, &fact.event, &decision.response));
  return decision;
}

// The same for commands that only advance the fulfilment.
template <class Response, class Request>
Decided<Response> DecideAdvance(const State& state, const Request& request, Move move) {
  return DecideMove<Response>(state, request, move,
                              [](const Subject&, const Moved& moved, v1::OrderEvent* event, Response*) {
                                v1::FulfilmentAdvanced& advanced = *event->mutable_fulfilment_advanced();
                                advanced.set_fulfilment_id(moved.fulfilment->fulfilment().fulfilment_id());
                                advanced.set_state(moved.after);
                                return absl::OkStatus();
                              });
}

void HandOver(const Moved& moved, const std::string& tracking_reference, v1::OrderEvent* event) {
  v1::FulfilmentHandedOver& handed_over = *event->mutable_fulfilment_handed_over();
  *handed_over.mutable_fulfilment() = moved.fulfilment->fulfilment();
  handed_over.set_state(moved.after);
  handed_over.set_tracking_reference(tracking_reference);
}

// The time limit of the pickup; the default if the pickup has none, or if it has passed by the time the goods are
// ready.
google::protobuf::Timestamp CollectBy(const v1::Delivery& delivery, UnixMicros now) {
  const v1::Pickup& pickup = delivery.pickup();
  if (pickup.has_collect_by_time() && MicrosOf(pickup.collect_by_time()) > now) return pickup.collect_by_time();
  return TimestampOf(now + kCollectWithinSeconds * 1'000'000);
}

absl::Status End(const Subject& subject, const v1::Fulfilment& fulfilment, v1::FulfilmentState after,
                 absl::string_view cause, UnixMicros now, v1::OrderEvent* event) {
  v1::FulfilmentEnded& ended = *event->mutable_fulfilment_ended();
  *ended.mutable_fulfilment() = fulfilment;
  ended.set_state(after);
  ended.set_cause(std::string(cause));
  ASSIGN_OR_RETURN(*ended.mutable_reversal(), ReversalOf(subject, {&fulfilment}, now));
  return absl::OkStatus();
}

}  // namespace

void AddProblem(v1::ProblemKind kind, absl::string_view message, Problems* problems) {
  v1::Problem& problem = *problems->Add();
  problem.set_kind(kind);
  problem.set_message(std::string(message));
}

absl::Status RejectWith(v1::RejectReason reason, absl::string_view message, const Problems& problems) {
  std::string text(message);
  for (const v1::Problem& problem : problems) absl::StrAppend(&text, "; ", problem.message());
  absl::Status status = Reject(reason, text, {{"problems", absl::StrCat(problems.size())}});
  v1::OrderProblems details;
  *details.mutable_problems() = problems;
  status.SetPayload(kProblemsUrl, absl::Cord(details.SerializeAsString()));
  return status;
}

Decided<v1::PlaceOrderResponse> Begin(const Placement& placement, const Context& context) {
  const std::string& id = placement.undertaking.order_id;
  std::optional<saga::v1::Plan> plan = PlanOrder(placement.undertaking, placement.lines);
  if (!plan.has_value()) {
    Problems problems;
    AddProblem(v1::PROBLEM_KIND_TOO_LARGE, "the order has too many SKUs and locations: split it", &problems);
    return RejectWith(v1::REJECT_REASON_PLACEMENT_REJECTED, "the order cannot be placed", problems);
  }
  absl::StatusOr<v1::PriceSnapshot> snapshot = SnapshotOf(placement.lines, placement.currency_code);
  if (!snapshot.ok()) return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, snapshot.status().message());
  partition::Decision<v1::PlaceOrderResponse, v1::OrderEvent> decision;
  decision.response.set_attempt(placement.attempt);
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = id;
  v1::CheckoutStarted& started = *fact.event.mutable_checkout_started();
  started.set_attempt(placement.attempt);
  *started.mutable_snapshot() = *std::move(snapshot);
  *started.mutable_delivery() = placement.undertaking.delivery;
  *started.mutable_origin() = placement.origin;
  *started.mutable_identifiers() = placement.identifiers;
  saga::Advance advance = saga::Begin(*std::move(plan), context.now, kSagaOptions);
  partition::Fact<v1::OrderEvent>& intent = decision.facts.emplace_back();
  intent.aggregate_id = id;
  *intent.event.mutable_saga_advanced() = std::move(advance.event);
  decision.calls = std::move(advance.calls);
  return decision;
}

Decided<v1::CancelOrderResponse> Decide(const State& state, const v1::CancelOrderRequest& request,
                                        const Context& context) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  RETURN_IF_ERROR(CheckNotBusy(subject.row));
  std::vector<const v1::Fulfilment*> open;
  for (const v1::OrderFulfilment& fulfilment : subject.row.fulfilments()) {
    if (IsOpen(fulfilment.state())) {
      open.push_back(&fulfilment.fulfilment());
    } else if (fulfilment.state() == v1::FULFILMENT_STATE_SHIPPED || IsDone(fulfilment.state())) {
      return Reject(v1::REJECT_REASON_ORDER_HANDED_OVER,
                    absl::StrCat("fulfilment ", fulfilment.fulfilment().fulfilment_id(),
                                 " was handed over: cancel the others, and return its goods"),
                    {{"fulfilment_id", fulfilment.fulfilment().fulfilment_id()}});
    }
  }
  partition::Decision<v1::CancelOrderResponse, v1::OrderEvent> decision;
  decision.response.set_version(subject.next_version);
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = subject.order.ToString();
  v1::OrderCancelled& cancelled = *fact.event.mutable_order_cancelled();
  cancelled.set_cause(request.cause());
  for (const v1::Fulfilment* fulfilment : open) *cancelled.add_fulfilments() = *fulfilment;
  ASSIGN_OR_RETURN(*cancelled.mutable_reversal(), ReversalOf(subject, open, context.now));
  return decision;
}

Decided<v1::PrepareFulfilmentResponse> Decide(const State& state, const v1::PrepareFulfilmentRequest& request,
                                              const Context&) {
  return DecideAdvance<v1::PrepareFulfilmentResponse>(state, request, Move::kPrepare);
}

Decided<v1::ReadyFulfilmentResponse> Decide(const State& state, const v1::ReadyFulfilmentRequest& request,
                                            const Context& context) {
  return DecideMove<v1::ReadyFulfilmentResponse>(
      state, request, Move::kReady,
      [&](const Subject&, const Moved& moved, v1::OrderEvent* event, v1::ReadyFulfilmentResponse* response) {
        v1::FulfilmentAdvanced& advanced = *event->mutable_fulfilment_advanced();
        advanced.set_fulfilment_id(request.fulfilment_id());
        advanced.set_state(moved.after);
        *advanced.mutable_collect_by_time() = CollectBy(moved.fulfilment->fulfilment().delivery(), context.now);
        *response->mutable_collect_by_time() = advanced.collect_by_time();
        return absl::OkStatus();
      });
}

Decided<v1::CollectFulfilmentResponse> Decide(const State& state, const v1::CollectFulfilmentRequest& request,
                                              const Context&) {
  return DecideMove<v1::CollectFulfilmentResponse>(
      state, request, Move::kCollect,
      [](const Subject&, const Moved& moved, v1::OrderEvent* event, v1::CollectFulfilmentResponse*) {
        HandOver(moved, "", event);
        return absl::OkStatus();
      });
}

Decided<v1::ShipFulfilmentResponse> Decide(const State& state, const v1::ShipFulfilmentRequest& request,
                                           const Context&) {
  return DecideMove<v1::ShipFulfilmentResponse>(
      state, request, Move::kShip,
      [&](const Subject&, const Moved& moved, v1::OrderEvent* event, v1::ShipFulfilmentResponse*) {
        HandOver(moved, request.tracking_reference(), event);
        return absl::OkStatus();
      });
}

Decided<v1::CompleteFulfilmentResponse> Decide(const State& state, const v1::CompleteFulfilmentRequest& request,
                                               const Context&) {
  return DecideAdvance<v1::CompleteFulfilmentResponse>(state, request, Move::kComplete);
}

Decided<v1::DelayFulfilmentResponse> Decide(const State& state, const v1::DelayFulfilmentRequest& request,
                                            const Context&) {
  return DecideMove<v1::DelayFulfilmentResponse>(
      state, request, Move::kDelay,
      [&](const Subject&, const Moved&, v1::OrderEvent* event, v1::DelayFulfilmentResponse*) {
        v1::FulfilmentDelayed& delayed = *event->mutable_fulfilment_delayed();
        delayed.set_fulfilment_id(request.fulfilment_id());
        delayed.set_cause(request.cause());
        if (request.has_promised_time()) *delayed.mutable_promised_time() = request.promised_time();
        return absl::OkStatus();
      });
}

Decided<v1::CancelFulfilmentResponse> Decide(const State& state, const v1::CancelFulfilmentRequest& request,
                                             const Context& context) {
  return DecideMove<v1::CancelFulfilmentResponse>(
      state, request, Move::kCancel,
      [&](const Subject& subject, const Moved& moved, v1::OrderEvent* event, v1::CancelFulfilmentResponse*) {
        return End(subject, moved.fulfilment->fulfilment(), moved.after, request.cause(), context.now, event);
      });
}

Decided<v1::RerouteFulfilmentResponse> Decide(const State& state, const v1::RerouteFulfilmentRequest& request,
                                              const Context& context) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  RETURN_IF_ERROR(CheckNotBusy(subject.row));
  ASSIGN_OR_RETURN(const Moved moved, CheckMove(subject.row, request.fulfilment_id(), Move::kReroute));
  partition::Decision<v1::RerouteFulfilmentResponse, v1::OrderEvent> decision;
  const v1::Fulfilment& fulfilment = moved.fulfilment->fulfilment();
  // The record of the answer is all that a fulfilment leaves that is there already.
  if (fulfilment.location_id() == request.to_location_id()) return decision;
  const uint32_t reroute = subject.row.undertakings() + 1;
  decision.response.set_reroute(reroute);
  const std::string saga_id = absl::StrCat(request.order_id(), "/r", reroute);
  std::optional<saga::v1::Plan> plan =
      PlanReroute(saga_id, context.now, request.order_id(), fulfilment, request.to_location_id());
  if (!plan.has_value()) {
    Problems problems;
    AddProblem(v1::PROBLEM_KIND_TOO_LARGE, "the fulfilment has too many SKUs to be moved at once", &problems);
    return RejectWith(v1::REJECT_REASON_REROUTE_REJECTED, "the fulfilment cannot be moved", problems);
  }
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = subject.order.ToString();
  v1::RerouteStarted& started = *fact.event.mutable_reroute_started();
  started.set_reroute(reroute);
  started.set_fulfilment_id(request.fulfilment_id());
  started.set_to_location_id(request.to_location_id());
  saga::Advance advance = saga::Begin(*std::move(plan), context.now, kSagaOptions);
  partition::Fact<v1::OrderEvent>& intent = decision.facts.emplace_back();
  intent.aggregate_id = subject.order.ToString();
  *intent.event.mutable_saga_advanced() = std::move(advance.event);
  decision.calls = std::move(advance.calls);
  return decision;
}

Decided<v1::OrderTimerDueResponse> DecideExpiry(const State& state, const OrderId& order,
                                                const std::string& fulfilment_id, const Context& context) {
  partition::Decision<v1::OrderTimerDueResponse, v1::OrderEvent> decision;
  std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value() || !IsCertain(row->state())) return decision;
  const absl::StatusOr<Moved> moved = CheckMove(*row, fulfilment_id, Move::kExpire);
  if (!moved.ok() || MicrosOf(moved->fulfilment->collect_by_time()) > context.now) return decision;
  const v1::Fulfilment fulfilment = moved->fulfilment->fulfilment();
  const Subject subject{order, *std::move(row), 0};
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = order.ToString();
  RETURN_IF_ERROR(End(subject, fulfilment, moved->after, "not collected in time", context.now, &fact.event));
  return decision;
}

}  // namespace halles::checkout::order
