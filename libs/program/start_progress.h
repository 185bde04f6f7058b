// How far the start of a process is: what operators are told, and what callers get meanwhile.
#ifndef HALLES_LIBS_PROGRAM_START_PROGRESS_H_
#define HALLES_LIBS_PROGRAM_START_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"

namespace halles::program {

enum class StartPhase {
  kOpening,     // log, keys and state
  kReplaying,   // slots fold the log and claim it; services do not answer yet
  kCatchingUp,  // services answer; views may be behind
  kReady,
};

// "opening", "replaying", "catching up", "ready".
absl::string_view StartPhaseName(StartPhase phase);

struct StartReport {
  StartPhase phase = StartPhase::kOpening;
  absl::Duration elapsed;              // since the start of the process
  uint64_t records_done = 0;           // folded since the start, on the average of state and views
  uint64_t records_total = 0;          // that are to be folded; 0 until the data is open
  std::optional<absl::Duration> left;  // until they are folded at the rate so far; nullopt while it is unknown
  absl::Status waits_for;              // why opening is tried again; OK otherwise

  // The share of the records that is folded, from 0 to 1; 0 until the data is open.
  double ratio() const;
};

// Thread safety: all methods may be called from any thread.
class StartProgress {
 public:
  explicit StartProgress(MonotonicMicros started) : started_(started) {}

  // Phases only go on: an earlier one has no effect.
  void Enter(StartPhase phase) ABSL_LOCKS_EXCLUDED(mutex_);
  // Opening failed and is tried again; OK when it goes on.
  void WaitFor(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // So many records are folded. The rate is that since the first call.
  void Observe(uint64_t records_done, uint64_t records_total, MonotonicMicros now) ABSL_LOCKS_EXCLUDED(mutex_);

  StartReport Report(MonotonicMicros now) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Observation {
    uint64_t records = 0;
    MonotonicMicros at = 0;
  };
  const MonotonicMicros started_;
  mutable Mutex mutex_;
  StartReport report_ ABSL_GUARDED_BY(mutex_);
  std::optional<Observation> first_ ABSL_GUARDED_BY(mutex_);
};

// The shortest and the longest pause before a call that came too early is to be made again.
inline constexpr absl::Duration kTryAgainMin = absl::Milliseconds(250);
inline constexpr absl::Duration kTryAgainMax = absl::Seconds(5);

// The answer to a call that came too early: UNAVAILABLE with STARTING, and a RetryInfo. The few attempts of a retry policy
// are to last until the process serves, or for some 20 seconds. So the pause is the time that the replay still takes, within
// the bounds above; while that is unknown, it is twice as long as the start has taken.
absl::Status TooEarly(const StartReport& report);

}  // namespace halles::program

#endif  // HALLES_LIBS_PROGRAM_START_PROGRESS_H_
