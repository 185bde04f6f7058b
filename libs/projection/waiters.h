// Callers who wait until positions are reached.
#ifndef HALLES_LIBS_PROJECTION_WAITERS_H_
#define HALLES_LIBS_PROJECTION_WAITERS_H_

#include <functional>
#include <list>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/base/token.h"

namespace halles::projection {

inline constexpr size_t kWaitersMax = 4096;

// Thread safety: all methods may be called from any thread. Callbacks run without a lock held.
class Waiters {
 public:
  using Done = std::function<void(absl::Status)>;
  // How far a slot has come.
  using Reached = absl::FunctionRef<Position(SlotId)>;

  explicit Waiters(std::string what) : what_(std::move(what)) {}

  // Calls `done` when `reached` is at or beyond all positions, at once when it is already.
  // DEADLINE_EXCEEDED (TOKEN_NOT_REACHED), RESOURCE_EXHAUSTED (TOO_MANY_WAITING_READS).
  void Wait(TokenPositions positions, absl::Time deadline, Reached reached, Done done) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      // Under the lock: progress after this look meets the entry in the list.
      if (!Covered(positions, reached)) {
        if (waiting_.size() < kWaitersMax) {
          waiting_.push_back({std::move(positions), deadline, std::move(done)});
          return;
        }
        positions.clear();
        deadline = absl::InfinitePast();
      }
    }
    done(deadline == absl::InfinitePast()
             ? Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(what_, " has too many waiting reads"),
                          absl::Milliseconds(50))
             : absl::OkStatus());
  }

  // Answers those whose positions are reached or whose deadline has passed.
  void Settle(Reached reached) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> ready;
    const absl::Time now = absl::Now();
    {
      MutexLock lock(&mutex_);
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto next = std::next(it);
        it->covered = Covered(it->positions, reached);
        if (it->covered || now >= it->deadline) ready.splice(ready.end(), waiting_, it);
        it = next;
      }
    }
    for (Entry& entry : ready) {
      entry.done(entry.covered ? absl::OkStatus()
                               : Failure(absl::StatusCode::kDeadlineExceeded, "TOKEN_NOT_REACHED",
                                         absl::StrCat(what_, " did not reach the token in time")));
    }
  }

  void FailAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> all;
    {
      MutexLock lock(&mutex_);
      all.swap(waiting_);
    }
    for (Entry& entry : all) entry.done(status);
  }

  bool empty() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return waiting_.empty();
  }

 private:
  struct Entry {
    TokenPositions positions;
    absl::Time deadline;
    Done done;
    bool covered = false;
  };

  static bool Covered(const TokenPositions& positions, Reached reached) {
    for (const auto& [slot, position] : positions) {
      if (reached(slot) < position) return false;
    }
    return true;
  }

  const std::string what_;
  mutable Mutex mutex_;
  std::list<Entry> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_WAITERS_H_
