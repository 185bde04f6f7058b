// Reads the rows of timers from the point that the round has reached.
#include "libs/partition/due_timers.h"

#include <utility>

#include "libs/partition/runtime_tables.h"

namespace halles::partition {

void DueTimers::Reset() {
  earliest_ = std::numeric_limits<UnixMicros>::min();
  pause_until_ = earliest_;
  from_ = {.due_us = earliest_};
  standing_.reset();
}

std::vector<TimerKey> DueTimers::Take(const store::RowReader& rows, UnixMicros now) {
  taken_.clear();
  UnixMicros next = kNever;
  kTimers.ForEachFrom(rows, from_, [&](const TimerKey& timer, const rows::EmptyRow&, Position) {
    if (timer.due_us > now || taken_.size() == kTimersAtATime) {
      next = timer.due_us;
      return false;
    }
    taken_.push_back(timer);
    return true;
  });
  open_ = taken_.size();
  if (!taken_.empty()) {
    // A key directly after the last one: timers with the same time and a greater key come later.
    from_ = taken_.back();
    from_.name.push_back('\0');
    earliest_ = next;
  } else if (standing_.has_value()) {
    pause_until_ = now + kTimerRetryMicros;
    from_ = *std::exchange(standing_, std::nullopt);
    earliest_ = from_.due_us;
  } else {
    earliest_ = next;
    from_ = {.due_us = next};
  }
  return taken_;
}

void DueTimers::Settle(const store::RowReader& rows) {
  for (const TimerKey& timer : taken_) {
    if (!standing_.has_value() && kTimers.Contains(rows, timer)) standing_ = timer;
  }
  taken_.clear();
  // The end of the round must be noticed.
  if (standing_.has_value()) earliest_ = std::min(earliest_, standing_->due_us);
}

}  // namespace halles::partition
