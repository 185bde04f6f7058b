// One queue of the follower pool. It collects the notifications of its source slots, so that many of them need only one
// wake-up.
#ifndef HALLES_LIBS_PROJECTION_FOLLOWER_SHARD_H_
#define HALLES_LIBS_PROJECTION_FOLLOWER_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"

namespace halles::projection {

class SourceFollower;

// Thread safety: Add and PostAfter may be called from any thread; Wake and random belong to the queue.
// Lifetime: shared with pending answers, which may arrive after the pool was destroyed; after Stop they are dropped. The
// scheduler outlives the call of Stop.
class FollowerShard {
 public:
  FollowerShard(Scheduler* scheduler, const std::string& name, uint64_t seed);
  ~FollowerShard();
  FollowerShard(const FollowerShard&) = delete;
  FollowerShard& operator=(const FollowerShard&) = delete;

  // Runs the task on the queue, then the followers that it woke.
  void Add(TaskQueue::Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same once the delay has passed.
  void PostAfter(absl::Duration delay, TaskQueue::Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Wakes the follower, which may have something to do.
  void Wake(SourceFollower* follower);
  RandomSource& random() { return random_; }
  const Scheduler& scheduler() const { return scheduler_; }

  // Drops pending tasks, and returns when no task is running. Idempotent. Not from a task of the queue.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Post() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Scheduler& scheduler_;
  SeededRandom random_;                 // used on the queue only
  std::vector<SourceFollower*> woken_;  // used on the queue only; each once, in the order of waking

  Mutex mutex_;
  std::vector<TaskQueue::Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;  // a Run is pending
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<TaskQueue> queue_ ABSL_GUARDED_BY(mutex_);  // null once stopped
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_FOLLOWER_SHARD_H_
