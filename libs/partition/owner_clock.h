// The clock of the owners of a process, and whether the log lets it be believed.
#ifndef HALLES_LIBS_PARTITION_OWNER_CLOCK_H_
#define HALLES_LIBS_PARTITION_OWNER_CLOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"

namespace halles::partition {

// A process whose clock is further ahead of the newest record of the log than this claims nothing: time never goes back in
// a log, so one such claim would fire every timer, for good.
inline constexpr absl::Duration kClockAheadMax = absl::Hours(24 * 90);
// The same for a clock that is further behind the newest record than this.
inline constexpr absl::Duration kClockBehindMax = absl::Hours(1);

// Wall time at start, continued on the monotonic clock. It never goes back. It leaps forward when the wall clock turns out
// to be ahead, as on a machine that gets its time after it has booted, but not by more than kClockAheadMax.
// Thread safety: may be shared.
class OwnerClock {
 public:
  explicit OwnerClock(const Clock& clock) : clock_(clock), offset_(clock.Wall() - clock.MonotonicMicros()) {}

  UnixMicros Now() const {
    const int64_t monotonic = clock_.MonotonicMicros();
    const int64_t offset = offset_.load(std::memory_order_relaxed);
    const int64_t ahead = clock_.Wall() - monotonic - offset;
    if (ahead > kLeapMinMicros && ahead <= absl::ToInt64Microseconds(kClockAheadMax)) Leap(offset, ahead);
    return monotonic + offset_.load(std::memory_order_relaxed);
  }

 private:
  // Less is left to the next start.
  static constexpr int64_t kLeapMinMicros = 100'000;

  // By so much from the offset that was seen; once, however many threads saw it.
  void Leap(int64_t seen, int64_t micros) const;

  const Clock& clock_;
  mutable std::atomic<int64_t> offset_;  // relaxed: it orders nothing; only grows
};

// Compares the clock of a process that starts with the newest record of the whole log. Until it is believed, no slot is
// claimed. A log whose newest record is older than kClockAheadMax can be told only when every slot has been read to its
// end; otherwise one recent record of any slot is enough.
// Thread safety: all methods may be called from any thread. The callbacks run without a lock, on the thread of the call
// that decides; each at most once.
class ClockCheck {
 public:
  struct Options {
    size_t slots = 0;
    bool accept_jump = false;  // the operator has said that the clock is right
    std::function<void()> on_believed;
    // FAILED_PRECONDITION with CLOCK_AHEAD or CLOCK_BEHIND: both times, and what to do.
    std::function<void(const absl::Status&)> on_refused;
  };

  ClockCheck(const OwnerClock* clock, Options options);

  // The log holds a record of this time; 0 for none.
  void OnRecord(UnixMicros time) { Judge(time, false); }
  // A slot was read to its end for the first time, and its newest record is of this time; 0 if it has none.
  void OnEndOfSlot(UnixMicros newest) { Judge(newest, true); }

  bool believed() const { return believed_.load(std::memory_order_acquire); }

 private:
  void Judge(UnixMicros time, bool end) ABSL_LOCKS_EXCLUDED(mutex_);

  const OwnerClock& clock_;
  const Options options_;
  std::atomic<bool> believed_;

  Mutex mutex_;
  UnixMicros newest_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t ends_ ABSL_GUARDED_BY(mutex_) = 0;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_OWNER_CLOCK_H_
