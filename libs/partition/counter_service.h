// The test service of counter_test.proto: its table, rules and folds.
#ifndef HALLES_LIBS_PARTITION_COUNTER_SERVICE_H_
#define HALLES_LIBS_PARTITION_COUNTER_SERVICE_H_

#include <array>
#include <memory>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/counter_test.pb.h"
#include "libs/partition/domain.h"
#include "libs/partition/runtime_tables.h"
#include "libs/partition/service_definition.h"
#include "libs/store/table.h"

namespace halles::partition::counter {

struct CounterKey {
  std::string counter;
  static constexpr std::array kFieldNames = {"counter"};
  auto Fields() const { return std::tie(counter); }
  auto Fields() { return std::tie(counter); }
};
inline constexpr store::Table<CounterKey, CounterRow> kCounters(1, "counters");

// An event that is decided normally but that no fold accepts.
inline constexpr int64_t kNotEvolvable = 666;
inline constexpr int64_t kNotDecidable = 667;
// Adds nothing and answers 0, whatever the counter is.
inline constexpr int64_t kNoneEver = 999;
// An addition that happened at 1970-01-01T00:00:00Z.
inline constexpr int64_t kLongAgo = 1970;
// An event that only StrictEvolve refuses, as if a later build could not read it.
inline constexpr int64_t kUnlucky = 13;

inline absl::StatusOr<Decision<AddResponse, CounterEvent>> Decide(const store::RowReader& state,
                                                                  const AddRequest& request, const CommandContext&) {
  const CounterRow row = kCounters.Get(state, {request.counter()}).value_or(CounterRow());
  if (row.value() + request.amount() < 0) {
    return Failure(absl::StatusCode::kFailedPrecondition, "BELOW_ZERO",
                   absl::StrCat("the counter stands at ", row.value()));
  }
  Decision<AddResponse, CounterEvent> decision;
  if (request.amount() == kNoneEver) {
    decision.answer_is_final = true;
    return decision;
  }
  if (request.amount() == kNotDecidable)
    return Failure(absl::StatusCode::kInternal, "NOT_DECIDABLE", "nobody can decide this");
  decision.response.set_value(row.value() + request.amount());
  if (request.amount() == 0) return decision;
  CounterEvent event;
  event.set_counter(request.counter());
  event.set_amount(request.amount());
  event.set_padding(request.padding());
  decision.facts.push_back({request.counter(), event});
  if (request.amount() == kLongAgo) decision.facts.back().effective_time = 0;
  return decision;
}

inline absl::Status Evolve(store::Rows& rows, const CounterEvent& event, const FactContext& context) {
  if (event.amount() == kNotEvolvable) return absl::DataLossError("nobody can evolve this");
  CounterRow row = kCounters.Get(rows, {event.counter()}).value_or(CounterRow());
  row.set_value(row.value() + event.amount());
  row.set_additions(row.additions() + 1);
  row.set_position(context.position);
  kCounters.Put(rows, {event.counter()}, row);
  return absl::OkStatus();
}

inline absl::Status StrictEvolve(store::Rows& rows, const CounterEvent& event, const FactContext& context) {
  if (event.amount() == kUnlucky) return absl::DataLossError("an unlucky number");
  return Evolve(rows, event, context);
}

inline constexpr Aggregate<CounterEvent> kCounter{1, &Evolve};
inline constexpr Aggregate<CounterEvent> kStrictCounter{1, &StrictEvolve};

inline std::shared_ptr<const CommandDefinition> AddCommand(Aggregate<CounterEvent> aggregate = kCounter) {
  return CommandOf<AddRequest>([](const AddRequest& request) { return request.counter(); }, kNoDoor, &Decide,
                               aggregate);
}

inline ServiceDefinition Service(ServiceId id, Aggregate<CounterEvent> aggregate = kCounter,
                                 uint32_t fold_version = 1) {
  ServiceDefinition service;
  service.id = id;
  service.fold_version = fold_version;
  service.aggregates = {AggregateDefinitionOf(aggregate)};
  service.Add(AddCommand(aggregate));
  return service;
}

inline store::Schema StateSchema() { return WithRuntimeTables(store::Schema().Add(kCounters)); }

}  // namespace halles::partition::counter

#endif  // HALLES_LIBS_PARTITION_COUNTER_SERVICE_H_
