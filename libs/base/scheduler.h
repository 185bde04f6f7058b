// Interfaces that run tasks: on threads in a process, in one loop with virtual time in a simulation.
#ifndef HALLES_LIBS_BASE_SCHEDULER_H_
#define HALLES_LIBS_BASE_SCHEDULER_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"

namespace halles {

// A point of the monotonic clock, in microseconds (Clock::MonotonicMicros). Deadlines have this type, never wall time,
// because wall clocks may jump.
using MonotonicMicros = int64_t;
inline constexpr MonotonicMicros kNoDeadline = std::numeric_limits<MonotonicMicros>::max();

// Runs tasks one at a time, in the order in which they were posted.
// Thread safety: all methods may be called from any thread, a task of this queue included, except that a task must not
// stop or destroy its own queue.
class TaskQueue {
 public:
  using Task = absl::AnyInvocable<void()>;

  // Stops the queue.
  virtual ~TaskQueue() = default;

  // Runs the task after those posted before. A queue that was stopped drops it.
  virtual void Post(Task task) = 0;

  // Runs the task after `delay` has passed on the monotonic clock, after all tasks that were posted by then; it may run
  // later. A queue that is stopped before drops it.
  virtual void PostAfter(absl::Duration delay, Task task) = 0;

  // Runs the tasks that were posted before, then ends. Tasks whose delay has not passed are dropped. Idempotent.
  virtual void Stop() = 0;
};

// How urgent the tasks of a queue are compared with those of other queues.
enum class QueuePriority {
  kNormal,
  kBackground,  // runs when no other queue needs the processor
};

// Makes queues. All asynchronous work of a process runs on such queues, so that a simulation can decide what runs next.
// Thread safety: all methods may be called from any thread.
// Lifetime: outlives its queues.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // `name` is shown to operators, for example as the name of a thread; its first 15 bytes count.
  virtual std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority = QueuePriority::kNormal) = 0;

  // The clock that delays are measured on.
  virtual const Clock& clock() const = 0;

  MonotonicMicros Now() const { return clock().MonotonicMicros(); }
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_SCHEDULER_H_
