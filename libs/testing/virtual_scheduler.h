// Runs the queues of many nodes on one thread, in an order and a time that follow from a seed.
#ifndef HALLES_LIBS_TESTING_VIRTUAL_SCHEDULER_H_
#define HALLES_LIBS_TESTING_VIRTUAL_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"

namespace halles::testing {

// A scheduler without threads: each step runs one task of one queue. The seed decides which queue is next and how much
// time passes, so the same seed and the same calls give the same run. If no task is ready, time jumps to the next
// delayed task.
// Thread safety: none; everything happens on the thread that calls Step.
class VirtualScheduler {
 public:
  // The most time that passes with one step; the least is 0.
  static constexpr int64_t kStepMicrosMax = 40;
  // Wall time at the start.
  static constexpr UnixMicros kWallAtStart = 1'800'000'000'000'000;

  // If `step_micros_max` is 0, time passes only by Advance, or jumps to the next delay when no task is ready.
  explicit VirtualScheduler(uint64_t seed, int64_t step_micros_max = kStepMicrosMax)
      : random_(seed), step_micros_max_(step_micros_max) {}
  ~VirtualScheduler();
  VirtualScheduler(const VirtualScheduler&) = delete;
  VirtualScheduler& operator=(const VirtualScheduler&) = delete;

  // One process: its queues end together, and it has its own wall clock.
  // Lifetime: the scheduler outlives it, and it outlives its queues.
  class Node : public Scheduler, private Clock {
   public:
    explicit Node(VirtualScheduler* world) : world_(*world) {}

    std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority = QueuePriority::kNormal) override;
    const Clock& clock() const override { return *this; }

    // Kills the process: no task of its queues runs from now on, and their pending tasks are dropped.
    void Kill();
    bool killed() const { return killed_; }

    // Moves the node's wall clock forward or back; its monotonic clock is not affected.
    void JumpWall(int64_t micros) { wall_offset_ += micros; }

   private:
    friend class VirtualScheduler;
    class Queue;
    UnixMicros Wall() const override { return kWallAtStart + world_.now_ + wall_offset_; }
    int64_t MonotonicMicros() const override { return world_.now_; }

    VirtualScheduler& world_;
    int64_t wall_offset_ = 0;
    bool killed_ = false;
    std::vector<Queue*> queues_;
  };

  // Runs one task. False when there is none and no delay to wait for.
  bool Step();

  // Runs all tasks that are ready or become ready, without waiting for a delay.
  void RunReady();

  // Advances time by `micros` and runs all tasks that become ready meanwhile.
  void Advance(int64_t micros);

  // Steps until `done` holds; false if that takes more than `steps_max` steps or no task is left.
  template <typename Done>
  bool StepUntil(const Done& done, uint64_t steps_max) {
    for (uint64_t i = 0; !done(); ++i) {
      if (i == steps_max || !Step()) return false;
    }
    return true;
  }

  uint64_t steps() const { return steps_; }
  // The queue whose task runs now, which stands for a thread of a process; null between tasks.
  const TaskQueue* running() const { return running_; }
  // Time since the start.
  MonotonicMicros now() const { return now_; }
  SeededRandom& random() { return random_; }

 private:
  struct Delayed {
    Node::Queue* queue;
    TaskQueue::Task task;
  };

  void MakeDueReady();
  void SetReady(Node::Queue* queue);
  void Forget(Node::Queue* queue);

  SeededRandom random_;
  const int64_t step_micros_max_;
  MonotonicMicros now_ = 0;
  uint64_t steps_ = 0;
  const TaskQueue* running_ = nullptr;
  std::vector<Node::Queue*> ready_;  // queues with a task, unordered
  std::multimap<MonotonicMicros, Delayed> delayed_;
};

}  // namespace halles::testing

#endif  // HALLES_LIBS_TESTING_VIRTUAL_SCHEDULER_H_
