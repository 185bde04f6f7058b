// The threads that read views: bounded, fair between views, and without work for callers who have gone.
#ifndef HALLES_LIBS_HOST_QUERY_POOL_H_
#define HALLES_LIBS_HOST_QUERY_POOL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"

namespace halles::host {

inline constexpr size_t kQueryQueues = 4;
// Queries of one lane that run at the same time: slow ones of a view leave the other queues to the other views.
inline constexpr size_t kLaneRunningMax = 2;
// Queries of one lane that wait.
inline constexpr size_t kLaneWaitingMax = 1024;

// Each query belongs to a lane, such as one view. Lanes take turns; the queries of a lane begin in the order in which they
// came.
// Thread safety: all methods may be called from any thread, Stop from no query.
// Limits: kLaneRunningMax and kLaneWaitingMax for each lane; the number of lanes is the caller's.
// Lifetime: the scheduler outlives it.
class QueryPool {
 public:
  // Is told OK, and may then read rows and block for a while; or why it does not run.
  using Query = std::function<void(const absl::Status& turn)>;

  explicit QueryPool(Scheduler* scheduler);
  ~QueryPool();
  QueryPool(const QueryPool&) = delete;
  QueryPool& operator=(const QueryPool&) = delete;

  // Runs the query on a queue of the pool. RESOURCE_EXHAUSTED (QUERY_QUEUE_FULL) at once when too many of its lane wait;
  // DEADLINE_EXCEEDED (DEADLINE_PASSED) when its turn comes too late; UNAVAILABLE (DRAINING) after Stop.
  void Post(uint32_t lane, MonotonicMicros deadline, Query query) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when no query runs; those that wait are answered with UNAVAILABLE (DRAINING). Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    MonotonicMicros deadline;
    Query query;
  };
  struct Lane {
    std::deque<Waiting> waiting;
    size_t running = 0;
    bool in_line = false;  // in turns_
  };

  // Puts the lane in line if one of its queries may run.
  void Enqueue(uint32_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes idle queues for the lanes in line.
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs one query on the queue, and posts itself again while there are more.
  void RunNext(size_t queue) ABSL_LOCKS_EXCLUDED(mutex_);

  Scheduler& scheduler_;

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint32_t, Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint32_t> turns_ ABSL_GUARDED_BY(mutex_);  // lanes of which a query may run, each once
  std::vector<size_t> idle_ ABSL_GUARDED_BY(mutex_);    // queues without a task

  std::vector<std::unique_ptr<TaskQueue>> queues_;  // immutable
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_QUERY_POOL_H_
