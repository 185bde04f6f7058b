// A test service whose aggregates call others: an order takes from counters, and repeats its calls until it knows their
// outcomes.
#ifndef HALLES_LIBS_PARTITION_BUYER_SERVICE_H_
#define HALLES_LIBS_PARTITION_BUYER_SERVICE_H_

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "libs/base/slot.h"
#include "libs/partition/counter_service.h"
#include "libs/partition/domain.h"
#include "libs/partition/timers.h"
#include "libs/store/table.h"

namespace halles::partition::buyer {

inline constexpr int64_t kRetryMicros = 200'000;
inline constexpr absl::string_view kRetryTimer = "retry";

struct OrderKey {
  std::string order;
  static constexpr std::array kFieldNames = {"order"};
  auto Fields() const { return std::tie(order); }
  auto Fields() { return std::tie(order); }
};
// `value` counts the counters taken from; `additions` is the time of the next calls.
inline constexpr store::Table<OrderKey, counter::CounterRow> kOrders(1, "orders");

// Kinds of events of an order, in CounterEvent::amount.
enum Fact : int64_t { kAsked = 1, kTaken = 2, kRefused = 3 };

inline counter::CounterEvent EventOf(const std::string& order, Fact fact) {
  counter::CounterEvent event;
  event.set_counter(order);
  event.set_amount(fact);
  return event;
}

// The order "o:a,b" takes one from the counters a and b.
inline std::vector<std::string> CountersOf(const std::string& order) {
  const std::vector<std::string> parts = absl::StrSplit(order, ':');
  return absl::StrSplit(parts.back(), ',');
}

inline void AddCalls(const std::string& order, std::vector<OutgoingCall>* calls) {
  for (const std::string& name : CountersOf(order)) {
    OutgoingCall call;
    call.service = ServiceId::kInventory;
    call.aggregate_key = name;
    call.method = counter::AddRequest::descriptor()->full_name();
    call.request_id = absl::StrCat(order, "/", name);
    call.reply_to.key = order;
    call.reply_tag = name;
    counter::AddRequest request;
    request.set_request_id(call.request_id);
    request.set_counter(name);
    request.set_amount(-1);
    call.request = request.SerializeAsString();
    calls->push_back(std::move(call));
  }
}

using Decided = absl::StatusOr<Decision<counter::AddResponse, counter::CounterEvent>>;

inline Decided Begin(const store::RowReader&, const counter::OrderRequest& request, const CommandContext&) {
  Decision<counter::AddResponse, counter::CounterEvent> decision;
  decision.facts.push_back({request.order(), EventOf(request.order(), kAsked)});
  AddCalls(request.order(), &decision.calls);
  return decision;
}

inline Decided Learn(const store::RowReader& state, const counter::LearnRequest& request, const CommandContext&) {
  Decision<counter::AddResponse, counter::CounterEvent> decision;
  const counter::CounterRow row = kOrders.Get(state, {request.order()}).value_or(counter::CounterRow());
  if (row.additions() == 0) return decision;
  for (const bool taken : request.taken()) {
    decision.facts.push_back({request.order(), EventOf(request.order(), taken ? kTaken : kRefused)});
  }
  return decision;
}

inline Decided AskAgain(const store::RowReader& state, const counter::AskAgainRequest& request, const CommandContext&) {
  Decision<counter::AddResponse, counter::CounterEvent> decision;
  const counter::CounterRow row = kOrders.Get(state, {request.order()}).value_or(counter::CounterRow());
  if (static_cast<UnixMicros>(row.additions()) != request.due_us()) return decision;
  // The timer of a patient order stays set, and no record says that it asked again.
  if (!absl::StartsWith(request.order(), "patient")) {
    decision.facts.push_back({request.order(), EventOf(request.order(), kAsked)});
  }
  AddCalls(request.order(), &decision.calls);
  return decision;
}

inline absl::Status Evolve(store::Rows& rows, const counter::CounterEvent& event, const FactContext& context) {
  counter::CounterRow row = kOrders.Get(rows, {event.counter()}).value_or(counter::CounterRow());
  const UnixMicros due = static_cast<UnixMicros>(row.additions());
  UnixMicros next = 0;
  if (event.amount() == kAsked) next = context.logical_time + kRetryMicros;
  if (event.amount() == kTaken) {
    row.set_value(row.value() + 1);
    if (row.value() < static_cast<int64_t>(CountersOf(event.counter()).size())) next = due;
  }
  if (event.amount() == kRefused) row.set_value(-1);
  MoveTimer(rows, context, due, next, kRetryTimer);
  row.set_additions(static_cast<uint64_t>(next));
  kOrders.Put(rows, {event.counter()}, row);
  return absl::OkStatus();
}
inline constexpr Aggregate<counter::CounterEvent> kOrder{1, &Evolve};

template <typename Request, typename Rule>
std::shared_ptr<const CommandDefinition> OrderCommand(Rule rule) {
  return CommandOf<Request>([](const Request& request) { return request.order(); }, kNoDoor, rule, kOrder);
}

inline ServiceDefinition Service() {
  ServiceDefinition service;
  service.id = ServiceId::kCheckout;
  AggregateDefinition order = AggregateDefinitionOf(kOrder);
  order.on_outcomes = [](const std::vector<CallOutcome>& outcomes) {
    auto request = std::make_unique<counter::LearnRequest>();
    for (const CallOutcome& outcome : outcomes) {
      request->set_order(outcome.reply_to.key);
      request->add_taken(outcome.kind == CallOutcome::Kind::kSucceeded);
    }
    return request;
  };
  order.on_timer = [](const TimerKey& timer) {
    auto request = std::make_unique<counter::AskAgainRequest>();
    request->set_order(timer.aggregate_key);
    request->set_due_us(timer.due_us);
    return request;
  };
  service.aggregates = {order};
  service.Add(OrderCommand<counter::OrderRequest>(&Begin));
  service.Add(OrderCommand<counter::LearnRequest>(&Learn));
  service.Add(OrderCommand<counter::AskAgainRequest>(&AskAgain));
  return service;
}

// Counters that accept calls.
inline ServiceDefinition Counters() { return counter::Service(ServiceId::kInventory); }

}  // namespace halles::partition::buyer

#endif  // HALLES_LIBS_PARTITION_BUYER_SERVICE_H_
