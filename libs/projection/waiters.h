// Callers that wait until positions are reached.
#ifndef HALLES_LIBS_PROJECTION_WAITERS_H_
#define HALLES_LIBS_PROJECTION_WAITERS_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/projection/follower_shard.h"

namespace halles::projection {

inline constexpr size_t kWaitersMax = 4096;

// Thread safety: all methods may be called from any thread. Callbacks run without a lock held.
// Limits: kWaitersMax, then RESOURCE_EXHAUSTED (TOO_MANY_WAITING_READS).
// Lifetime: the shard, which keeps the deadlines, is stopped before it is destroyed.
class Waiters {
 public:
  using Done = std::function<void(absl::Status)>;
  // The position of a slot that is reached.
  using Reached = absl::FunctionRef<Position(SlotId)>;

  Waiters(std::string what, FollowerShard* shard) : what_(std::move(what)), shard_(shard) {}

  // Calls `done` when `reached` is at or beyond all positions; at once if it already is.
  // DEADLINE_EXCEEDED (TOKEN_NOT_REACHED), RESOURCE_EXHAUSTED (TOO_MANY_WAITING_READS), and the error given to Close.
  void Wait(TokenPositions positions, MonotonicMicros deadline, Reached reached, Done done)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status answer;
    {
      MutexLock lock(&mutex_);
      // Under the lock: progress after this check finds the entry in the list.
      if (!Covered(positions, reached)) {
        if (!closed_.ok()) {
          answer = closed_;
        } else if (waiting_.size() < kWaitersMax) {
          waiting_.push_back({std::move(positions), deadline, std::move(done)});
          Arm();
          return;
        } else {
          answer = Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(what_, " has too many waiting reads"),
                              absl::Milliseconds(50));
        }
      }
    }
    done(answer);
  }

  // Answers the callers whose positions are reached.
  void Settle(Reached reached) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> ready;
    {
      MutexLock lock(&mutex_);
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto next = std::next(it);
        if (Covered(it->positions, reached)) ready.splice(ready.end(), waiting_, it);
        it = next;
      }
    }
    for (Entry& entry : ready) entry.done(absl::OkStatus());
  }

  // Answers those of the callers with the error whose positions are `such`.
  void FailIf(absl::FunctionRef<bool(const TokenPositions&)> such, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> failed;
    {
      MutexLock lock(&mutex_);
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto next = std::next(it);
        if (such(it->positions)) failed.splice(failed.end(), waiting_, it);
        it = next;
      }
    }
    for (Entry& entry : failed) entry.done(status);
  }

  // Answers all callers with the error, and those who come later: nothing makes progress any more. Idempotent.
  void Close(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> all;
    {
      MutexLock lock(&mutex_);
      closed_.Update(status);
      all.swap(waiting_);
    }
    for (Entry& entry : all) entry.done(status);
  }

 private:
  struct Entry {
    TokenPositions positions;
    MonotonicMicros deadline;
    Done done;
  };

  static bool Covered(const TokenPositions& positions, Reached reached) {
    for (const auto& [slot, position] : positions) {
      if (reached(slot) < position) return false;
    }
    return true;
  }

  // Schedules a wake-up for the first deadline.
  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    MonotonicMicros first = kNoDeadline;
    for (const Entry& entry : waiting_) first = std::min(first, entry.deadline);
    if (first >= armed_) return;
    armed_ = first;
    shard_->PostAfter(absl::Microseconds(std::max<MonotonicMicros>(first - shard_->scheduler().Now(), 0)),
                      [this] { Expire(); });
  }

  void Expire() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::list<Entry> late;
    {
      MutexLock lock(&mutex_);
      const MonotonicMicros now = shard_->scheduler().Now();
      armed_ = kNoDeadline;
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto next = std::next(it);
        if (now >= it->deadline) late.splice(late.end(), waiting_, it);
        it = next;
      }
      Arm();
    }
    for (Entry& entry : late) {
      entry.done(Failure(absl::StatusCode::kDeadlineExceeded, "TOKEN_NOT_REACHED",
                         absl::StrCat(what_, " did not reach the token in time")));
    }
  }

  const std::string what_;
  FollowerShard* const shard_;
  Mutex mutex_;
  std::list<Entry> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
  MonotonicMicros armed_ ABSL_GUARDED_BY(mutex_) = kNoDeadline;  // time of the earliest pending Expire
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_WAITERS_H_
