// Finds the due timers of a slot. It keeps a bound, so that a slot without timers costs one comparison.
#ifndef HALLES_LIBS_PARTITION_DUE_TIMERS_H_
#define HALLES_LIBS_PARTITION_DUE_TIMERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "libs/base/unix_time.h"
#include "libs/partition/timers.h"
#include "libs/store/rows.h"

namespace halles::partition {

// Maximum number of timers of a slot in progress at the same time.
inline constexpr size_t kTimersAtATime = 64;
// After this time a slot fires timers again that were not cleared although their command was answered. It doubles up to the
// maximum, and begins anew once one of them was cleared or another one joins them.
inline constexpr int64_t kTimerRetryMicros = 1'000'000;
inline constexpr int64_t kTimerRetryMaxMicros = 60'000'000;

// Takes due timers, each once, earliest first. Those that were not cleared
// are fired again in turn, kTimersAtATime at most after each pause. So few of them are fired every minute, and many less
// often at no higher cost: ten thousand every three hours.
//
//   if (timers.MayBeDue(now)) for (const TimerKey& timer : timers.Take(confirmed rows, now)) ...;
//   ... when each was answered: if (timers.Answered()) timers.Settle(confirmed rows, now);
// Thread safety: none.
class DueTimers {
 public:
  static constexpr UnixMicros kNever = std::numeric_limits<UnixMicros>::max();

  // A confirmed record has set a timer.
  void OnSet(UnixMicros due) {
    earliest_ = std::min(earliest_, due);
    if (due <= from_.due_us) from_ = {.due_us = due};
  }
  // The rows are unknown: all timers must be read again, and are fired at once if they are due.
  void Reset();
  // The rows could not be read: they are read again after a pause.
  void TryAgain(UnixMicros now) {
    Reset();
    open_ = 0;
    taken_.clear();
    pause_until_ = now + kTimerRetryMicros;
  }

  // False if no timer can be due, or while timers in progress are not answered.
  bool MayBeDue(UnixMicros now) const {
    return open_ == 0 && now >= std::min(earliest_, retry_at_) && now >= pause_until_;
  }

  // The logical time from which MayBeDue may return true; kNever while timers are in progress and if there are none.
  UnixMicros MayBeDueFrom() const {
    return open_ > 0 ? kNever : std::max(std::min(earliest_, retry_at_), pause_until_);
  }

  // Reads the rows; the returned timers are in progress from now on.
  std::vector<TimerKey> Take(const store::RowReader& rows, UnixMicros now);

  // One of the timers in progress was answered; true if it was the last.
  bool Answered() { return --open_ == 0; }
  // All timers in progress were answered: checks which of them are still set.
  void Settle(const store::RowReader& rows, UnixMicros now);

 private:
  static constexpr UnixMicros kAlways = std::numeric_limits<UnixMicros>::min();

  // Fill taken_.
  void TakeFirstTime(const store::RowReader& rows, UnixMicros now);
  void TakeAgain(const store::RowReader& rows, UnixMicros now);

  UnixMicros earliest_ = kAlways;  // no timer that was not fired yet is due before it
  UnixMicros pause_until_ = kAlways;
  TimerKey from_{.due_us = kAlways};  // earlier timers were fired
  std::vector<TimerKey> taken_;
  size_t open_ = 0;

  // Timers that were fired and are still set.
  UnixMicros retry_at_ = kNever;            // when some are fired again
  int64_t retry_pause_ = 0;                 // before that
  TimerKey retry_from_{.due_us = kAlways};  // whose turn it is
  std::vector<TimerKey> retried_;           // that were fired again last
  bool again_ = false;                      // taken_ are such ones
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_DUE_TIMERS_H_
