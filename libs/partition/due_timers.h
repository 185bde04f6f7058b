// Which timers of a slot are due: remembers a bound, so that a slot without any costs a comparison.
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

// Timers of a slot that are taken at a time.
inline constexpr size_t kTimersAtATime = 64;
// After this long a slot tries the timers again that stood although their command had been answered.
inline constexpr int64_t kTimerRetryMicros = 1'000'000;

// Takes what is due in rounds: each due timer once in a round, the earliest first, so that one which cannot be cleared does
// not keep the others waiting. After a round that left some standing there is a pause.
//
//   if (timers.MayBeDue(now)) for (const TimerKey& timer : timers.Take(confirmed rows, now)) ...;
//   ... when each was answered: if (timers.Answered()) timers.Settle(confirmed rows);
// Thread safety: none.
class DueTimers {
 public:
  static constexpr UnixMicros kNever = std::numeric_limits<UnixMicros>::max();

  // A timer was set by a record that is confirmed.
  void OnSet(UnixMicros due) {
    earliest_ = std::min(earliest_, due);
    if (due <= from_.due_us) from_ = {.due_us = due};
  }
  // The rows are not known: all are looked at again.
  void Reset();
  // The rows could not be read: all are looked at again after a pause.
  void TryAgain(UnixMicros now) {
    Reset();
    open_ = 0;
    taken_.clear();
    pause_until_ = now + kTimerRetryMicros;
  }

  // False when nothing can be due, and while timers taken before are not answered.
  bool MayBeDue(UnixMicros now) const { return open_ == 0 && now >= earliest_ && now >= pause_until_; }

  // The logical time from which on MayBeDue may say yes; kNever while some are under way and when there are none.
  UnixMicros MayBeDueFrom() const { return open_ > 0 ? kNever : std::max(earliest_, pause_until_); }

  // Reads the rows; what is returned is under way from now on.
  std::vector<TimerKey> Take(const store::RowReader& rows, UnixMicros now);

  // One of those under way was answered; true when it was the last.
  bool Answered() { return --open_ == 0; }
  // All were answered: finds out which of them still stand.
  void Settle(const store::RowReader& rows);

 private:
  UnixMicros earliest_ = std::numeric_limits<UnixMicros>::min();  // no timer of this round is due before it
  UnixMicros pause_until_ = std::numeric_limits<UnixMicros>::min();
  TimerKey from_{.due_us =
                     std::numeric_limits<UnixMicros>::min()};  // where the round goes on; those before it were tried
  std::optional<TimerKey> standing_;                           // the first that the round left standing
  size_t open_ = 0;
  std::vector<TimerKey> taken_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_DUE_TIMERS_H_
