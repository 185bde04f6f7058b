// Opens what a process serves from while the process already listens.
#ifndef HALLES_LIBS_PROGRAM_OPENER_H_
#define HALLES_LIBS_PROGRAM_OPENER_H_

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "libs/base/backoff.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/program/start_progress.h"

namespace halles::program {

// Calls `open` on a queue of its own. RESOURCE_EXHAUSTED, a full disk, passes: it is tried again after a pause, logged
// when its reason changes, and told in the progress. Any other error ends the start. After it has opened, calls `mend` once
// a second, since some parts may have opened for reading only.
// Thread safety: all methods may be called from any thread.
// Lifetime: what the constructor takes outlives it. The destructor waits for the step that is under way.
class Opener {
 public:
  struct Steps {
    std::function<absl::Status()> open;
    std::function<absl::Status()> mend;
  };
  enum class State { kOpening, kOpened, kFailed };

  Opener(Scheduler* scheduler, RandomSource* random, StartProgress* progress, Steps steps);
  ~Opener();

  State state() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Why it failed; OK otherwise.
  absl::Status error() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins no step any more. Does not wait for the one that is under way.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  void Mend() ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Set(State state, const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);

  RandomSource& random_;
  StartProgress& progress_;
  const Steps steps_;

  mutable Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kOpening;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Used on the queue only.
  Backoff pause_;
  absl::Status told_;  // the last error that was logged

  const std::unique_ptr<TaskQueue> queue_;
};

}  // namespace halles::program

#endif  // HALLES_LIBS_PROGRAM_OPENER_H_
