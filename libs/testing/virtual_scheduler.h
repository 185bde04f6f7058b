// Runs the queues of many nodes on one thread, in an order and a time that a seed decides.
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

// A world without threads: each step runs one task of one queue. The seed decides which queue is next and how much time
// passes, so the same seed and the same calls give the same run. If no task is ready, time jumps to the next delayed
// task.
// Thread safety: none; everything happens on the thread that calls Step.
class VirtualScheduler {
 public:
  // Time that passes with each step: from 0 to this.
  static constexpr int64_t kStepMicrosMax = 40;
  // What wall clocks show when the world begins.
  static constexpr UnixMicros kWallAtStart = 1'800'000'000'000'000;

  // With 0 for `step_micros_max` time passes by Advance alone, and from one delay to the next when nothing else is to do.
  explicit VirtualScheduler(uint64_t seed, int64_t step_micros_max = kStepMicrosMax)
      : random_(seed), step_micros_max_(step_micros_max) {}
  ~VirtualScheduler();
  VirtualScheduler(const VirtualScheduler&) = delete;
  VirtualScheduler& operator=(const VirtualScheduler&) = delete;

  // One process: its queues end together, and its wall clock may differ from the others'.
  // Lifetime: the world outlives it, and it outlives its queues.
  class Node : public Scheduler, private Clock {
   public:
    explicit Node(VirtualScheduler* world) : world_(*world) {}

    std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority = QueuePriority::kNormal) override;
    const Clock& clock() const override { return *this; }

    // Kills the process: no task of its queues runs from now on, and their pending tasks are dropped.
    void Kill();
    bool killed() const { return killed_; }

    // Moves the node's wall clock, forward or back; its monotonic clock goes on.
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

  // Runs all tasks that are ready or become so, without waiting for a delay.
  void RunReady();

  // Lets so much time pass, and runs on the way all that becomes ready.
  void Advance(int64_t micros);

  // Steps until `done` holds; false when that takes more than `steps_max` or nothing is left to do.
  template <typename Done>
  bool StepUntil(const Done& done, uint64_t steps_max) {
    for (uint64_t i = 0; !done(); ++i) {
      if (i == steps_max || !Step()) return false;
    }
    return true;
  }

  uint64_t steps() const { return steps_; }
  // Since the world began.
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
  std::vector<Node::Queue*> ready_;  // that hold a task, in no order
  std::multimap<MonotonicMicros, Delayed> delayed_;
};

}  // namespace halles::testing

#endif  // HALLES_LIBS_TESTING_VIRTUAL_SCHEDULER_H_
