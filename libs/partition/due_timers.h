// Finds the due timers of a slot. It keeps a bound, so that a slot without timers costs one comparison.
#ifndef HALLES_LIBS_PARTITION_DUE_TIMERS_H_
#define HALLES_LIBS_PARTITION_DUE_TIMERS_H_

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "libs/base/clock.h"
#include "libs/partition/timers.h"
#include "libs/store/rows.h"

namespace halles::partition {

// Maximum number of timers of a slot in progress at the same time.
inline constexpr size_t kTimersAtATime = 64;
// After this time a slot retries timers that were not cleared although their command was answered.
inline constexpr int64_t kTimerRetryMicros = 1'000'000;

// Takes due timers in rounds: each once per round, earliest first, so that a timer that cannot be cleared does not
// block the others. A round that left some timers uncleared is followed by a pause.
//
//   if (timers.MayBeDue(now)) for (const TimerKey& timer : timers.Take(confirmed rows, now)) ...;
//   ... when each was answered: if (timers.Answered()) timers.Settle(confirmed rows);
// Thread safety: none.
class DueTimers {
 public:
  static constexpr UnixMicros kNever = std::numeric_limits<UnixMicros>::max();

  // A confirmed record has set a timer.
  void OnSet(UnixMicros due) {
    earliest_ = std::min(earliest_, due);
    if (due <= from_.due_us) from_ = {.due_us = due};
  }
  // The rows are unknown: all timers must be read again.
  void Reset();
  // The rows could not be read: they are read again after a pause.
  void TryAgain(UnixMicros now) {
    Reset();
    open_ = 0;
    taken_.clear();
    pause_until_ = now + kTimerRetryMicros;
  }

  // False if no timer can be due, or while timers in progress are not answered.
  bool MayBeDue(UnixMicros now) const { return open_ == 0 && now >= earliest_ && now >= pause_until_; }

  // The logical time from which MayBeDue may return true; kNever while timers are in progress and if there are none.
  UnixMicros MayBeDueFrom() const { return open_ > 0 ? kNever : std::max(earliest_, pause_until_); }

  // Reads the rows; the returned timers are in progress from now on.
  std::vector<TimerKey> Take(const store::RowReader& rows, UnixMicros now);

  // One of the timers in progress was answered; true if it was the last.
  bool Answered() { return --open_ == 0; }
  // All timers in progress were answered: checks which of them are still set.
  void Settle(const store::RowReader& rows);

 private:
  UnixMicros earliest_ = std::numeric_limits<UnixMicros>::min();  // no timer of this round is due before it
  UnixMicros pause_until_ = std::numeric_limits<UnixMicros>::min();
  TimerKey from_{.due_us =
                     std::numeric_limits<UnixMicros>::min()};  // where the round continues; earlier timers were tried
  std::optional<TimerKey> standing_;                           // first timer that the round did not clear
  size_t open_ = 0;
  std::vector<TimerKey> taken_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_DUE_TIMERS_H_
