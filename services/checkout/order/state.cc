// Folds events of orders placed here.
#include "services/checkout/order/state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/order_events.visit.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "libs/partition/timers.h"
#include "libs/saga/saga.h"
#include "services/checkout/broken.h"
#include "services/checkout/checks.h"
#include "services/checkout/order/fulfilment.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/versions.h"

namespace halles::checkout::order {
namespace {

// The order of an event, and the errors for events that do not fit it.
class Order {
 public:
  Order(store::Rows& state, const partition::FactContext& context)
      : state_(state), context_(context), id_(OrderId::FromString(context.aggregate_id)) {
    std::optional<rows::OrderRow> row = kOrders.Get(state, {id_});
    found_ = row.has_value();
    if (found_) row_ = *std::move(row);
  }

  const OrderId& id() const { return id_; }
  bool found() const { return found_; }
  rows::OrderRow& row() { return row_; }

  absl::Status Broken(absl::string_view why) const { return checkout::Broken(context_, why); }

  absl::Status CheckState(v1::OrderState wanted) const {
    if (found_ && row_.state() == wanted) return absl::OkStatus();
    return Broken(absl::StrCat("the order is not ", v1::OrderState_Name(wanted)));
  }
  absl::Status CheckCertain() const {
    return found_ && IsCertain(row_.state()) ? absl::OkStatus() : Broken("the order is not confirmed");
  }
  absl::Status CheckIdle() const {
    return row_.pending_case() == rows::OrderRow::PENDING_NOT_SET ? absl::OkStatus()
                                                                  : Broken("the order is being changed");
  }

  // Finds the fulfilment, which must be in a state that allows `move`, and its state after the move.
  absl::Status Find(absl::string_view fulfilment_id, Move move, v1::OrderFulfilment** fulfilment,
                    v1::FulfilmentState* after) {
    *fulfilment = FindFulfilment(&row_, fulfilment_id);
    if (*fulfilment == nullptr) return Broken("the order has no such fulfilment");
    const auto allowed = After(move, (*fulfilment)->fulfilment().delivery(), (*fulfilment)->state());
    if (!allowed.has_value()) return Broken(absl::StrCat("cannot ", NameOf(move), " the fulfilment in its state"));
    *after = *allowed;
    return absl::OkStatus();
  }

  void SetPickupTimer(const v1::OrderFulfilment& fulfilment) {
    if (fulfilment.state() != v1::FULFILMENT_STATE_READY || !fulfilment.has_collect_by_time()) return;
    partition::SetTimer(state_, context_, MicrosOf(fulfilment.collect_by_time()), TimerOf(fulfilment));
  }
  void ClearPickupTimer(const v1::OrderFulfilment& fulfilment) {
    if (fulfilment.state() != v1::FULFILMENT_STATE_READY || !fulfilment.has_collect_by_time()) return;
    partition::ClearTimer(state_, context_, MicrosOf(fulfilment.collect_by_time()), TimerOf(fulfilment));
  }

  // Adds the units of a fulfilment to the cancelled or handed-over units of its lines.
  absl::Status Count(const v1::Fulfilment& fulfilment, bool handed_over) {
    for (const v1::FulfilmentLine& part : fulfilment.lines()) {
      v1::OrderLine* line = FindLine(&row_, part.line_id());
      if (line == nullptr) return Broken("the order has no such line");
      if (handed_over) {
        line->set_handed_over_units(line->handed_over_units() + part.units());
      } else {
        line->set_cancelled_units(line->cancelled_units() + part.units());
      }
      if (line->handed_over_units() + line->cancelled_units() > line->line().units()) {
        return Broken("more units are handed over or cancelled than were bought");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Return(const google::protobuf::RepeatedPtrField<v1::ReturnedLine>& lines) {
    for (const v1::ReturnedLine& part : lines) {
      v1::OrderLine* line = FindLine(&row_, part.line_id());
      if (line == nullptr) return Broken("the order has no such line");
      line->set_returned_units(line->returned_units() + part.units());
      if (line->returned_units() > line->handed_over_units())
        return Broken("more units are returned than were handed over");
    }
    return absl::OkStatus();
  }

  // Adds fulfilments, whose stock is held.
  void Add(const google::protobuf::RepeatedPtrField<v1::Fulfilment>& fulfilments) {
    for (const v1::Fulfilment& planned : fulfilments) {
      v1::OrderFulfilment& fulfilment = *row_.add_fulfilments();
      *fulfilment.mutable_fulfilment() = planned;
      fulfilment.set_state(v1::FULFILMENT_STATE_RESERVED);
      if (planned.delivery().shipment().has_promised_time()) {
        *fulfilment.mutable_promised_time() = planned.delivery().shipment().promised_time();
      }
    }
  }
  void AddLines(const v1::PriceSnapshot& snapshot, absl::string_view exchange_id) {
    for (const v1::PricedLine& priced : snapshot.lines()) {
      v1::OrderLine& line = *row_.add_lines();
      *line.mutable_line() = priced;
      line.set_exchange_id(std::string(exchange_id));
    }
  }

  // Sets the state of the order from the states of its fulfilments.
  void Settle() {
    bool over = true;
    bool done = false;
    for (const v1::OrderFulfilment& fulfilment : row_.fulfilments()) {
      over = over && IsOver(fulfilment.state());
      done = done || IsDone(fulfilment.state());
    }
    row_.set_state(!over ? v1::ORDER_STATE_CONFIRMED : done ? v1::ORDER_STATE_COMPLETED : v1::ORDER_STATE_CANCELLED);
  }

  // Clears everything but the version: a rejected attempt leaves nothing else.
  void Forget() {
    rows::OrderRow fresh;
    fresh.set_version(row_.version());
    fresh.set_counted_to(row_.counted_to());
    row_ = std::move(fresh);
  }

  // Writes the order and counts the version.
  absl::Status Put() {
    CountVersion(&row_, context_);
    kOrders.Put(state_, {id_}, row_);
    return absl::OkStatus();
  }

  using Outcomes = store::Table<OutcomeKey, rows::OutcomeRow>;
  // Keeps the outcome of an attempt that succeeded: the order as it is now.
  void Keep(const Outcomes& outcomes, uint32_t number, rows::OutcomeRow outcome = {}) {
    rows::OrderRow& shown = *outcome.mutable_order();
    shown = row_;
    shown.clear_delivery();
    shown.clear_identifiers();
    shown.clear_pending();
    shown.clear_counted_to();
    shown.clear_returns();
    shown.clear_return_bytes();
    outcomes.Put(state_, {id_, number}, outcome);
  }
  // Keeps the outcome of an attempt that failed.
  void KeepProblems(const Outcomes& outcomes, uint32_t number,
                    const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
    rows::OutcomeRow outcome;
    *outcome.mutable_problems() = problems;
    outcomes.Put(state_, {id_, number}, outcome);
  }

 private:
  static const std::string& TimerOf(const v1::OrderFulfilment& fulfilment) {
    return fulfilment.fulfilment().fulfilment_id();
  }

  store::Rows& state_;
  const partition::FactContext& context_;
  OrderId id_;
  rows::OrderRow row_;
  bool found_ = false;
};

// Folds one event of the order; DATA_LOSS if it breaks an invariant.
struct Evolver {
  absl::Status operator()(const v1::CheckoutStarted& started) {
    Order order(state, context);
    if (order.found() && order.row().state() != v1::ORDER_STATE_REJECTED) {
      return order.Broken("the order is being placed or is placed");
    }
    rows::OrderRow& row = order.row();
    if (started.attempt() != row.attempt() + 1) return order.Broken("the attempt has the wrong number");
    order.Forget();
    row.set_state(v1::ORDER_STATE_PLACING);
    *row.mutable_origin() = started.origin();
    *row.mutable_delivery() = started.delivery();
    row.set_currency_code(started.snapshot().total().currency_code());
    order.AddLines(started.snapshot(), "");
    *row.mutable_total() = started.snapshot().total();
    row.set_snapshot_hash(started.snapshot().hash());
    *row.mutable_identifiers() = started.identifiers();
    row.set_attempt(started.attempt());
    return order.Put();
  }

  absl::Status operator()(const saga::v1::SagaAdvanced& advanced) {
    const OrderKey key{OrderId::FromString(context.aggregate_id)};
    std::optional<saga::v1::Saga> found = kSagas.Get(state, key);
    if (found.has_value() == advanced.has_plan()) {
      return Broken(context,
                    found.has_value() ? "another saga of the order is running" : "no saga of the order is running");
    }
    saga::v1::Saga saga = found.has_value() ? *std::move(found) : saga::v1::Saga();
    const UnixMicros due_before = saga::NextDue(saga);
    if (const absl::Status applied = saga::Apply(&saga, advanced, context.logical_time); !applied.ok()) {
      return Broken(context, applied.message());
    }
    if (saga::Ended(saga)) {
      kSagas.Delete(state, key);
    } else {
      kSagas.Put(state, key, saga);
    }
    partition::MoveTimer(state, context, due_before, saga::NextDue(saga), kSagaTimer);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::OrderConfirmed& confirmed) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckState(v1::ORDER_STATE_PLACING));
    rows::OrderRow& row = order.row();
    row.set_state(v1::ORDER_STATE_CONFIRMED);
    row.set_number(confirmed.number());
    row.set_confirm_us(context.logical_time);
    order.Add(confirmed.fulfilments());
    RETURN_IF_ERROR(order.Put());
    order.Keep(kAttempts, row.attempt());
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::OrderRejected& rejected) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckState(v1::ORDER_STATE_PLACING));
    order.row().set_state(v1::ORDER_STATE_REJECTED);
    *order.row().mutable_problems() = rejected.problems();
    order.KeepProblems(kAttempts, order.row().attempt(), rejected.problems());
    return order.Put();
  }

  absl::Status operator()(const v1::OrderCancelled& cancelled) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckState(v1::ORDER_STATE_CONFIRMED));
    RETURN_IF_ERROR(order.CheckIdle());
    for (const v1::Fulfilment& ended : cancelled.fulfilments()) {
      v1::OrderFulfilment* fulfilment = nullptr;
      v1::FulfilmentState after;
      RETURN_IF_ERROR(order.Find(ended.fulfilment_id(), Move::kCancel, &fulfilment, &after));
      RETURN_IF_ERROR(order.Count(fulfilment->fulfilment(), /*handed_over=*/false));
      order.ClearPickupTimer(*fulfilment);
      fulfilment->set_state(after);
    }
    order.Settle();
    RETURN_IF_ERROR(order.CheckState(v1::ORDER_STATE_CANCELLED));
    return order.Put();
  }

  absl::Status operator()(const v1::FulfilmentAdvanced& advanced) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    const Move move = advanced.state() == v1::FULFILMENT_STATE_PREPARED ? Move::kPrepare
                      : advanced.state() == v1::FULFILMENT_STATE_READY  ? Move::kReady
                                                                        : Move::kComplete;
    v1::OrderFulfilment* fulfilment = nullptr;
    v1::FulfilmentState after;
    RETURN_IF_ERROR(order.Find(advanced.fulfilment_id(), move, &fulfilment, &after));
    if (after != advanced.state()) return order.Broken("the fulfilment cannot reach this state");
    fulfilment->set_state(after);
    if (advanced.has_collect_by_time()) *fulfilment->mutable_collect_by_time() = advanced.collect_by_time();
    order.SetPickupTimer(*fulfilment);
    order.Settle();
    return order.Put();
  }

  absl::Status operator()(const v1::FulfilmentHandedOver& handed_over) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    v1::OrderFulfilment* fulfilment = nullptr;
    v1::FulfilmentState after;
    const Move move = handed_over.state() == v1::FULFILMENT_STATE_COLLECTED ? Move::kCollect : Move::kShip;
    RETURN_IF_ERROR(order.Find(handed_over.fulfilment().fulfilment_id(), move, &fulfilment, &after));
    RETURN_IF_ERROR(order.Count(fulfilment->fulfilment(), /*handed_over=*/true));
    order.ClearPickupTimer(*fulfilment);
    fulfilment->set_state(after);
    fulfilment->set_tracking_reference(handed_over.tracking_reference());
    order.Settle();
    return order.Put();
  }

  absl::Status operator()(const v1::FulfilmentDelayed& delayed) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    v1::OrderFulfilment* fulfilment = nullptr;
    v1::FulfilmentState after;
    RETURN_IF_ERROR(order.Find(delayed.fulfilment_id(), Move::kDelay, &fulfilment, &after));
    fulfilment->set_delay_cause(delayed.cause());
    fulfilment->clear_promised_time();
    if (delayed.has_promised_time()) *fulfilment->mutable_promised_time() = delayed.promised_time();
    return order.Put();
  }

  absl::Status operator()(const v1::FulfilmentEnded& ended) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    v1::OrderFulfilment* fulfilment = nullptr;
    v1::FulfilmentState after;
    const Move move = ended.state() == v1::FULFILMENT_STATE_EXPIRED ? Move::kExpire : Move::kCancel;
    RETURN_IF_ERROR(order.Find(ended.fulfilment().fulfilment_id(), move, &fulfilment, &after));
    RETURN_IF_ERROR(order.Count(fulfilment->fulfilment(), /*handed_over=*/false));
    order.ClearPickupTimer(*fulfilment);
    fulfilment->set_state(after);
    order.Settle();
    return order.Put();
  }

  absl::Status operator()(const v1::RerouteStarted& started) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    RETURN_IF_ERROR(order.CheckIdle());
    v1::OrderFulfilment* fulfilment = nullptr;
    v1::FulfilmentState after;
    RETURN_IF_ERROR(order.Find(started.fulfilment_id(), Move::kReroute, &fulfilment, &after));
    if (started.reroute() != order.row().undertakings() + 1) {
      return order.Broken("the order miscounts its exchanges and reroutes");
    }
    order.ClearPickupTimer(*fulfilment);
    *order.row().mutable_reroute() = started;
    order.row().set_undertakings(started.reroute());
    return order.Put();
  }

  absl::Status operator()(const v1::FulfilmentRerouted& rerouted) {
    Order order(state, context);
    v1::OrderFulfilment* fulfilment = FindFulfilment(&order.row(), rerouted.fulfilment_id());
    if (order.row().reroute().fulfilment_id() != rerouted.fulfilment_id() || fulfilment == nullptr) {
      return order.Broken("the fulfilment is not being moved");
    }
    order.row().clear_pending();
    fulfilment->set_state(v1::FULFILMENT_STATE_RESERVED);
    fulfilment->clear_collect_by_time();
    v1::Fulfilment& planned = *fulfilment->mutable_fulfilment();
    planned.set_location_id(rerouted.to_location_id());
    if (planned.delivery().has_pickup()) {
      planned.mutable_delivery()->mutable_pickup()->set_location_id(rerouted.to_location_id());
    }
    if (planned.delivery().has_carry_out()) {
      planned.mutable_delivery()->mutable_carry_out()->set_location_id(rerouted.to_location_id());
    }
    RETURN_IF_ERROR(order.Put());
    order.Keep(kUndertakings, order.row().undertakings());
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::RerouteRefused& refused) {
    Order order(state, context);
    v1::OrderFulfilment* fulfilment = FindFulfilment(&order.row(), refused.fulfilment_id());
    if (order.row().reroute().fulfilment_id() != refused.fulfilment_id() || fulfilment == nullptr) {
      return order.Broken("the fulfilment is not being moved");
    }
    order.row().clear_pending();
    order.KeepProblems(kUndertakings, order.row().undertakings(), refused.problems());
    order.SetPickupTimer(*fulfilment);
    return order.Put();
  }

  absl::Status operator()(const v1::GoodsReturned& returned) {
    Order order(state, context);
    const ReturnKey key{order.id(), ReturnId::FromString(returned.return_id())};
    if (kReturns.Contains(state, key)) return order.Broken("the return is recorded already");
    RETURN_IF_ERROR(order.CheckCertain());
    if (IsBeingExchanged(order.row(), returned.return_id())) return order.Broken("an exchange under way has its id");
    RETURN_IF_ERROR(order.Return(returned.lines()));
    CountReturn(returned, &order.row());
    RETURN_IF_ERROR(order.Put());
    rows::ReturnRow row;
    *row.mutable_returned() = returned;
    row.set_event_index(context.index);
    kReturns.Put(state, key, row);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::ExchangeStarted& started) {
    Order order(state, context);
    RETURN_IF_ERROR(order.CheckCertain());
    RETURN_IF_ERROR(order.CheckIdle());
    if (kReturns.Contains(state, {order.id(), ReturnId::FromString(started.exchange_id())})) {
      return order.Broken("the exchange is recorded already");
    }
    *order.row().mutable_exchange() = started;
    order.row().set_undertakings(order.row().undertakings() + 1);
    return order.Put();
  }

  absl::Status operator()(const v1::ExchangeCommitted& committed) {
    Order order(state, context);
    const ReturnKey key{order.id(), ReturnId::FromString(committed.exchange_id())};
    if (order.row().exchange().exchange_id() != committed.exchange_id())
      return order.Broken("the order has no such exchange");
    if (kReturns.Contains(state, key)) return order.Broken("the exchange is recorded already");
    RETURN_IF_ERROR(order.Return(committed.returned().lines()));
    CountReturn(committed.returned(), &order.row());
    order.row().clear_pending();
    order.AddLines(committed.snapshot(), committed.exchange_id());
    order.Add(committed.fulfilments());
    order.Settle();
    RETURN_IF_ERROR(order.Put());
    rows::ReturnRow row;
    *row.mutable_returned() = committed.returned();
    row.set_event_index(context.index);
    kReturns.Put(state, key, row);
    rows::OutcomeRow outcome;
    *outcome.mutable_difference() = committed.difference();
    order.Keep(kUndertakings, order.row().undertakings(), std::move(outcome));
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::ExchangeRejected& rejected) {
    Order order(state, context);
    if (order.row().exchange().exchange_id() != rejected.exchange_id())
      return order.Broken("the order has no such exchange");
    order.row().clear_pending();
    order.KeepProblems(kUndertakings, order.row().undertakings(), rejected.problems());
    return order.Put();
  }

  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  store::Rows& state;
  const partition::FactContext& context;
};

}  // namespace

v1::OrderLine* FindLine(rows::OrderRow* row, absl::string_view line_id) {
  for (v1::OrderLine& line : *row->mutable_lines()) {
    if (line.line().line_id() == line_id) return &line;
  }
  return nullptr;
}

const v1::OrderLine* FindLine(const rows::OrderRow& row, absl::string_view line_id) {
  for (const v1::OrderLine& line : row.lines()) {
    if (line.line().line_id() == line_id) return &line;
  }
  return nullptr;
}

v1::OrderFulfilment* FindFulfilment(rows::OrderRow* row, absl::string_view fulfilment_id) {
  for (v1::OrderFulfilment& fulfilment : *row->mutable_fulfilments()) {
    if (fulfilment.fulfilment().fulfilment_id() == fulfilment_id) return &fulfilment;
  }
  return nullptr;
}

const v1::OrderFulfilment* FindFulfilment(const rows::OrderRow& row, absl::string_view fulfilment_id) {
  for (const v1::OrderFulfilment& fulfilment : row.fulfilments()) {
    if (fulfilment.fulfilment().fulfilment_id() == fulfilment_id) return &fulfilment;
  }
  return nullptr;
}

bool IsBeingExchanged(const rows::OrderRow& row, absl::string_view id) {
  return row.has_exchange() && row.exchange().exchange_id() == id;
}

SoldLine SoldLineOf(const v1::OrderLine& line) {
  return {line.line().amount().minor_units(), line.line().units(), 0, line.cancelled_units() + line.returned_units()};
}

absl::Status Evolve(store::Rows& state, const v1::OrderEvent& event, const partition::FactContext& context) {
  return Visit(event, Evolver{state, context});
}

}  // namespace halles::checkout::order
