// Timers of aggregates: rows of a slot's state with a due logical time. Folds set and clear them, so no replay can
// forget one.
#ifndef HALLES_LIBS_PARTITION_TIMERS_H_
#define HALLES_LIBS_PARTITION_TIMERS_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::partition {

// One timer of a slot: its due time, its aggregate, and its name within the aggregate.
struct TimerKey {
  UnixMicros due_us = 0;
  std::string tenant;
  uint32_t aggregate_type = 0;
  std::string aggregate_key;
  std::string name;
  static constexpr std::array kFieldNames = {"due", "tenant", "type", "aggregate", "name"};
  auto Fields() const { return std::tie(due_us, tenant, aggregate_type, aggregate_key, name); }
  auto Fields() { return std::tie(due_us, tenant, aggregate_type, aggregate_key, name); }
  friend bool operator==(const TimerKey&, const TimerKey&) = default;
  friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
};

// For Evolve: timers of the aggregate whose event is evolved. The service stores `due` in a row of its own, so that it
// can clear or move the timer. Setting a timer that is set and clearing one that is not set have no effect.
//
// When the logical time of the slot reaches `due`, the runtime submits the request that AggregateDefinition::on_timer
// makes; its events clear or move the timer. A timer that is still set afterwards is tried again after a second, after
// the others, and then less and less often, down to once a minute (DueTimers). A restart tries it at once.
void SetTimer(store::Rows& rows, const FactContext& context, UnixMicros due, absl::string_view name);
void ClearTimer(store::Rows& rows, const FactContext& context, UnixMicros due, absl::string_view name);

// Clears it at `from` and sets it at `to`; 0 means no timer.
void MoveTimer(store::Rows& rows, const FactContext& context, UnixMicros from, UnixMicros to, absl::string_view name);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_TIMERS_H_
