// Reads the rows of timers from the point that was reached.
#include "libs/partition/due_timers.h"

#include <utility>

#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

// The least key after it: timers with the same time and a greater key come later.
TimerKey After(TimerKey timer) {
  timer.name.push_back('\0');
  return timer;
}

}  // namespace

void DueTimers::Reset() {
  earliest_ = kAlways;
  pause_until_ = kAlways;
  from_ = {.due_us = kAlways};
  retry_at_ = kNever;
  retry_pause_ = 0;
  retry_from_ = from_;
  retried_.clear();
}

std::vector<TimerKey> DueTimers::Take(const store::RowReader& rows, UnixMicros now) {
  taken_.clear();
  if (now >= earliest_) TakeFirstTime(rows, now);
  again_ = taken_.empty() && now >= retry_at_;
  if (again_) TakeAgain(rows, now);
  open_ = taken_.size();
  return taken_;
}

void DueTimers::TakeFirstTime(const store::RowReader& rows, UnixMicros now) {
  UnixMicros next = kNever;
  kTimers.ForEachFrom(rows, from_, [&](const TimerKey& timer, const rows::EmptyRow&, Position) {
    if (timer.due_us > now || taken_.size() == kTimersAtATime) {
      next = timer.due_us;
      return false;
    }
    taken_.push_back(timer);
    return true;
  });
  earliest_ = next;
  from_ = taken_.empty() ? TimerKey{.due_us = next} : After(taken_.back());
}

void DueTimers::TakeAgain(const store::RowReader& rows, UnixMicros now) {
  const bool progress = std::any_of(retried_.begin(), retried_.end(),
                                    [&](const TimerKey& timer) { return !kTimers.Contains(rows, timer); });
  retry_pause_ = progress ? kTimerRetryMicros : std::min(2 * retry_pause_, kTimerRetryMaxMicros);
  const bool from_the_first = retry_from_.due_us == kAlways;
  bool more = false;
  kTimers.ForEachFrom(rows, retry_from_, [&](const TimerKey& timer, const rows::EmptyRow&, Position) {
    if (timer >= from_) return false;
    more = taken_.size() == kTimersAtATime;
    if (!more) taken_.push_back(timer);
    return !more;
  });
  retried_ = taken_;
  retry_from_ = more ? After(taken_.back()) : TimerKey{.due_us = kAlways};
  if (!taken_.empty()) {
    retry_at_ = now + retry_pause_;
  } else if (!from_the_first) {
    TakeAgain(rows, now);
  } else {
    retry_at_ = kNever;
    retry_pause_ = 0;
  }
}

void DueTimers::Settle(const store::RowReader& rows, UnixMicros now) {
  const bool joins = !again_ && std::any_of(taken_.begin(), taken_.end(),
                                            [&](const TimerKey& timer) { return kTimers.Contains(rows, timer); });
  if (joins) {
    retry_pause_ = kTimerRetryMicros;
    retry_at_ = std::min(retry_at_, now + retry_pause_);
  }
  taken_.clear();
}

}  // namespace halles::partition
