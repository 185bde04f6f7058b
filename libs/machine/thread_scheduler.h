// A scheduler that gives each queue its own thread; the processes use it.
#ifndef HALLES_LIBS_MACHINE_THREAD_SCHEDULER_H_
#define HALLES_LIBS_MACHINE_THREAD_SCHEDULER_H_

#include <memory>
#include <string>

#include "libs/base/scheduler.h"

namespace halles {

// Each queue has its own thread, which sleeps until a task is posted or a delay has passed. It takes tasks in batches:
// one lock and at most one wake-up for everything posted in between.
// Lifetime: the clock outlives it. Destroying a queue joins its thread.
class ThreadScheduler : public Scheduler {
 public:
  explicit ThreadScheduler(const Clock& clock) : clock_(clock) {}

  std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority = QueuePriority::kNormal) override;
  const Clock& clock() const override { return clock_; }

 private:
  const Clock& clock_;
};

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_THREAD_SCHEDULER_H_
