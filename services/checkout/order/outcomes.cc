// Decides on outcomes of calls and on timers: advances sagas and their orders.
#include <string>
#include <utility>
#include <vector>

#include "libs/base/status.h"
#include "libs/saga/saga.h"
#include "services/checkout/amounts.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/plan.h"
#include "services/checkout/order/returns.h"
#include "services/checkout/order/state.h"

namespace halles::checkout::order {
namespace {

// Maximum size of the answers that one record learns from. Further ones are left: the timer of the saga asks for them
// again.
constexpr size_t kOutcomeBytesMax = size_t{256} << 10;

PricedLines PricedLinesOf(const rows::OrderRow& row) {
  PricedLines lines;
  for (const v1::OrderLine& line : row.lines()) *lines.Add() = line.line();
  return lines;
}

template <class Problems>
void SetProblems(const std::vector<v1::Problem>& problems, Problems* message) {
  for (const v1::Problem& problem : problems) *message->add_problems() = problem;
}

absl::Status EndPlacement(const OrderId& order, const rows::OrderRow& row, const saga::v1::Saga& saga, bool completed,
                          UnixMicros now, v1::OrderEvent* event) {
  const PricedLines lines = PricedLinesOf(row);
  if (!completed) {
    v1::OrderRejected& rejected = *event->mutable_order_rejected();
    rejected.set_attempt(row.attempt());
    SetProblems(ProblemsOf(saga, lines), &rejected);
    return absl::OkStatus();
  }
  v1::OrderConfirmed& confirmed = *event->mutable_order_confirmed();
  confirmed.set_number(NumberOf(saga));
  v1::SaleRecord& sale = *confirmed.mutable_sale();
  sale = DocumentOf(order.ToString(), row.origin(), row.currency_code(), row.identifiers(), now);
  v1::PriceSnapshot snapshot;
  *snapshot.mutable_lines() = lines;
  RETURN_IF_ERROR(AddSold(snapshot, &sale));
  for (v1::Fulfilment& fulfilment : FulfilmentsOf(saga, lines, row.delivery(), 1)) {
    *confirmed.add_fulfilments() = std::move(fulfilment);
  }
  *confirmed.mutable_delivery() = row.delivery();
  return absl::OkStatus();
}

absl::Status EndExchange(const OrderId& order, const rows::OrderRow& row, const saga::v1::Saga& saga, bool completed,
                         UnixMicros now, v1::OrderEvent* event) {
  const v1::ExchangeStarted& started = row.exchange();
  const PricedLines& lines = started.snapshot().lines();
  if (!completed) {
    v1::ExchangeRejected& rejected = *event->mutable_exchange_rejected();
    rejected.set_exchange_id(started.exchange_id());
    SetProblems(ProblemsOf(saga, lines), &rejected);
    return absl::OkStatus();
  }
  v1::ExchangeCommitted& committed = *event->mutable_exchange_committed();
  committed.set_exchange_id(started.exchange_id());
  ASSIGN_OR_RETURN(*committed.mutable_returned(), ReturnOf(order, row, started, now));
  committed.set_number(NumberOf(saga));
  v1::SaleRecord& sale = *committed.mutable_sale();
  sale = DocumentOf(DocumentIdOf(order, started.exchange_id()), started.origin(), row.currency_code(),
                    row.identifiers(), now);
  RETURN_IF_ERROR(AddSold(started.snapshot(), &sale));
  for (v1::Fulfilment& fulfilment : FulfilmentsOf(saga, lines, started.delivery(), row.fulfilments_size() + 1)) {
    *committed.add_fulfilments() = std::move(fulfilment);
  }
  *committed.mutable_difference() =
      MoneyOf(row.currency_code(), sale.net().minor_units() + committed.returned().sale().net().minor_units());
  *committed.mutable_snapshot() = started.snapshot();
  return absl::OkStatus();
}

void EndReroute(const rows::OrderRow& row, const saga::v1::Saga& saga, bool completed, v1::OrderEvent* event) {
  const v1::RerouteStarted& started = row.reroute();
  const v1::OrderFulfilment* fulfilment = FindFulfilment(row, started.fulfilment_id());
  const v1::Fulfilment planned = fulfilment == nullptr ? v1::Fulfilment() : fulfilment->fulfilment();
  if (!completed) {
    v1::RerouteRefused& refused = *event->mutable_reroute_refused();
    refused.set_fulfilment_id(started.fulfilment_id());
    SetProblems(RerouteProblemsOf(saga, planned), &refused);
    return;
  }
  v1::FulfilmentRerouted& rerouted = *event->mutable_fulfilment_rerouted();
  rerouted.set_fulfilment_id(started.fulfilment_id());
  rerouted.set_from_location_id(planned.location_id());
  rerouted.set_to_location_id(started.to_location_id());
}

// The event that the end of the saga leads to.
absl::StatusOr<v1::OrderEvent> EndOf(const OrderId& order, const rows::OrderRow& row, const saga::v1::Saga& saga,
                                     bool completed, UnixMicros now) {
  v1::OrderEvent event;
  switch (row.pending_case()) {
    case rows::OrderRow::kExchange:
      RETURN_IF_ERROR(EndExchange(order, row, saga, completed, now, &event));
      break;
    case rows::OrderRow::kReroute:
      EndReroute(row, saga, completed, &event);
      break;
    case rows::OrderRow::PENDING_NOT_SET:
      RETURN_IF_ERROR(EndPlacement(order, row, saga, completed, now, &event));
      break;
  }
  return event;
}

// Why the order could not record that the saga completed; empty if it can.
std::string WhyNotRecorded(const State& state, const OrderId& order, const saga::v1::Saga& saga, UnixMicros now) {
  const std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value()) return "there is no such order";
  const absl::StatusOr<v1::OrderEvent> end = EndOf(order, *row, saga, /*completed=*/true, now);
  if (!end.ok()) return std::string(end.status().message());
  return end->ByteSizeLong() <= kEndBytesMax ? "" : std::string(kEndTooLarge);
}

// Records an advance of the saga and, if the saga has ended, its consequence for the order.
template <class Response>
Decided<Response> GoOn(const State& state, const OrderId& order, const saga::v1::Saga& saga, saga::Advance advance,
                       UnixMicros now) {
  partition::Decision<Response, v1::OrderEvent> decision;
  saga::v1::Saga after = saga;
  RETURN_IF_ERROR(saga::Apply(&after, advance.event, now));
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = order.ToString();
  *fact.event.mutable_saga_advanced() = std::move(advance.event);
  decision.calls = std::move(advance.calls);
  if (!saga::Ended(after)) return decision;

  const std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value()) return absl::InternalError("a saga without an order");
  const bool completed = after.state() == saga::v1::SAGA_STATE_COMPLETED;
  partition::Fact<v1::OrderEvent>& end = decision.facts.emplace_back();
  end.aggregate_id = order.ToString();
  ASSIGN_OR_RETURN(end.event, EndOf(order, *row, after, completed, now));
  return decision;
}

partition::CallOutcome OutcomeOf(const v1::CallOutcome& told) {
  partition::CallOutcome outcome;
  outcome.reply_tag = told.tag();
  outcome.kind = told.succeeded() ? partition::CallOutcome::Kind::kSucceeded : partition::CallOutcome::Kind::kRefused;
  outcome.response = told.response();
  if (!told.succeeded()) outcome.refusal = saga::DecodeRefusal(told.refusal());
  return outcome;
}

}  // namespace

Decided<v1::RecordOutcomesResponse> Decide(const State& state, const v1::RecordOutcomesRequest& request,
                                           const Context& context) {
  const OrderId order = OrderId::FromString(request.order_id());
  const std::optional<saga::v1::Saga> saga = kSagas.Get(state, {order});
  if (!saga.has_value()) return partition::Decision<v1::RecordOutcomesResponse, v1::OrderEvent>();
  std::vector<partition::CallOutcome> outcomes;
  size_t bytes = 0;
  for (const v1::CallOutcome& told : request.outcomes()) {
    bytes += told.response().size() + told.refusal().size();
    if (bytes > kOutcomeBytesMax && !outcomes.empty()) break;
    outcomes.push_back(OutcomeOf(told));
  }
  std::optional<saga::Advance> advance =
      saga::OnOutcomes(*saga, outcomes, context.now, {},
                       [&](const saga::v1::Saga& ready) { return WhyNotRecorded(state, order, ready, context.now); });
  if (!advance.has_value()) return partition::Decision<v1::RecordOutcomesResponse, v1::OrderEvent>();
  return GoOn<v1::RecordOutcomesResponse>(state, order, *saga, *std::move(advance), context.now);
}

Decided<v1::OrderTimerDueResponse> Decide(const State& state, const v1::OrderTimerDueRequest& request,
                                          const Context& context) {
  const OrderId order = OrderId::FromString(request.order_id());
  if (request.timer() != kSagaTimer) return DecideExpiry(state, order, request.timer(), context);
  const std::optional<saga::v1::Saga> saga = kSagas.Get(state, {order});
  if (!saga.has_value()) return partition::Decision<v1::OrderTimerDueResponse, v1::OrderEvent>();
  std::optional<saga::Advance> advance = saga::OnTimer(*saga, context.now);
  if (!advance.has_value()) {
    partition::Decision<v1::OrderTimerDueResponse, v1::OrderEvent> again;
    again.calls = saga::CallsAgain(*saga, context.now);
    return again;
  }
  return GoOn<v1::OrderTimerDueResponse>(state, order, *saga, *std::move(advance), context.now);
}

}  // namespace halles::checkout::order
