// The progress of a follower per source: its position, waiting callers, and why a source stopped.
#ifndef HALLES_LIBS_PROJECTION_PROGRESS_H_
#define HALLES_LIBS_PROJECTION_PROGRESS_H_

#include <atomic>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/projection/waiters.h"
#include "libs/telemetry/log.h"

namespace halles::projection {

// State of one source of a follower, for operators.
struct SourceState {
  SlotId source;
  Position position = 0;
  absl::Status error;
};

// Thread safety: all methods may be called from any thread, but Add only before all others.
class Progress {
 public:
  // `name` is that of the follower, such as "customer_identity/customers".
  Progress(std::string name, FollowerShard* shard) : name_(std::move(name)), waiters_(name_, shard) {}

  void Add(SlotId source, Position reached) { reached_[source].store(reached, std::memory_order_relaxed); }

  // Release and acquire: a reader that sees a position also sees the rows of all records below it.
  void Set(SlotId source, Position reached) { reached_.at(source).store(reached, std::memory_order_release); }
  // First position that is not covered. A slot that is no source counts as reached.
  Position reached(SlotId source) const {
    const auto it = reached_.find(source);
    return it == reached_.end() ? std::numeric_limits<Position>::max() : it->second.load(std::memory_order_acquire);
  }
  TokenPositions positions() const {
    TokenPositions positions;
    for (const auto& [source, reached] : reached_) positions[source] = reached.load(std::memory_order_acquire);
    return positions;
  }

  // Calls `done` when all positions are reached; see Waiters::Wait.
  void WhenReached(const TokenPositions& positions, MonotonicMicros deadline, Waiters::Done done) {
    waiters_.Wait(
        positions, deadline, [this](SlotId source) { return reached(source); }, std::move(done));
  }
  // Answers the callers whose positions are now reached.
  void Settle() {
    waiters_.Settle([this](SlotId source) { return reached(source); });
  }
  // Answers all waiting callers with UNAVAILABLE.
  void Close() {
    waiters_.Close(Failure(absl::StatusCode::kUnavailable, "DRAINING", absl::StrCat(name_, " is shutting down")));
  }

  // Stops the source.
  void Stop(SlotId source, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    telemetry::Log(
        telemetry::LogLevel::kError, "projection", "a source stopped; the others go on",
        {{"follower", name_}, {"source", source.ToString()}, {"why", why.message()}, {"reason", ReasonOf(why)}});
    MutexLock lock(&mutex_);
    errors_[source] = WithContext(why, name_);
  }
  // The source begins anew.
  void Resume(SlotId source) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    errors_.erase(source);
  }
  std::vector<SourceState> States() const ABSL_LOCKS_EXCLUDED(mutex_) {
    std::vector<SourceState> states;
    MutexLock lock(&mutex_);
    for (const auto& [source, reached] : reached_) {
      const auto error = errors_.find(source);
      states.push_back(
          {source, reached.load(std::memory_order_acquire), error == errors_.end() ? absl::OkStatus() : error->second});
    }
    return states;
  }

 private:
  const std::string name_;
  Waiters waiters_;
  std::map<SlotId, std::atomic<Position>> reached_;  // the map itself is immutable after the last Add

  mutable Mutex mutex_;
  std::map<SlotId, absl::Status> errors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_PROGRESS_H_
