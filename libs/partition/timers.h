// Timers of aggregates: rows of a slot's state on logical time, set and cleared by folds, so that no replay forgets them.
#ifndef HALLES_LIBS_PARTITION_TIMERS_H_
#define HALLES_LIBS_PARTITION_TIMERS_H_

#include <array>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/store/rows.h"

namespace halles::partition {

// One timer of a slot. `key` is the service's own and says whose timer it is, such as "cart/17".
struct TimerKey {
  UnixMicros due_us = 0;
  std::string key;
  static constexpr std::array kFieldNames = {"due", "key"};
  auto Fields() const { return std::tie(due_us, key); }
  auto Fields() { return std::tie(due_us, key); }
  friend bool operator==(const TimerKey&, const TimerKey&) = default;
  friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
};

// For Evolve. The service keeps `due` in a row of its own, so that it can clear or move the timer. Setting one that is set
// and clearing one that is not change nothing.
//
// When the logical time of the slot reaches `due`, the runtime submits the command of ServiceDefinition::on_timer, whose
// facts clear or move the timer. A timer that stands afterwards is tried again after a second, behind the others.
void SetTimer(store::Rows& rows, UnixMicros due, absl::string_view key);
void ClearTimer(store::Rows& rows, UnixMicros due, absl::string_view key);

// Clears it at `from` and sets it at `to`; 0 stands for no timer.
void MoveTimer(store::Rows& rows, UnixMicros from, UnixMicros to, absl::string_view key);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_TIMERS_H_
