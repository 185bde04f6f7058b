// Picks the next queue, runs its first task, advances time.
#include "libs/testing/virtual_scheduler.h"

#include <algorithm>
#include <utility>

#include "libs/base/check.h"

namespace halles::testing {

class VirtualScheduler::Node::Queue : public TaskQueue {
 public:
  explicit Queue(Node* node) : node_(*node) { node_.queues_.push_back(this); }
  ~Queue() override {
    Queue::Stop();
    node_.queues_.erase(std::find(node_.queues_.begin(), node_.queues_.end(), this));
  }

  void Post(Task task) override {
    if (stopped_ || node_.killed_) return;
    tasks_.push_back(std::move(task));
    if (!ready_) node_.world_.SetReady(this);
  }

  void PostAfter(absl::Duration delay, Task task) override {
    if (delay <= absl::ZeroDuration()) {
      Post(std::move(task));
      return;
    }
    if (stopped_ || node_.killed_) return;
    node_.world_.delayed_.emplace(
        node_.world_.now_ + absl::ToInt64Microseconds(absl::Ceil(delay, absl::Microseconds(1))),
        Delayed{this, std::move(task)});
  }

  void Stop() override {
    if (stopped_) return;
    HALLES_CHECK(!running_, "a task stops its own queue");
    while (!tasks_.empty() && !node_.killed_) RunNext();
    stopped_ = true;
    Drop();
  }

  void RunNext() {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    running_ = true;
    VirtualScheduler& world = node_.world_;
    const TaskQueue* const around = std::exchange(world.running_, this);
    task();
    task = nullptr;
    world.running_ = around;
    running_ = false;
  }

  void Drop() {
    std::deque<Task> dropped;
    dropped.swap(tasks_);
    node_.world_.Forget(this);
  }

  bool empty() const { return tasks_.empty(); }

 private:
  friend class VirtualScheduler;
  Node& node_;
  std::deque<Task> tasks_;
  bool ready_ = false;  // listed in ready_
  bool running_ = false;
  bool stopped_ = false;
};

std::unique_ptr<TaskQueue> VirtualScheduler::Node::NewQueue(std::string, QueuePriority) {
  return std::make_unique<Queue>(this);
}

void VirtualScheduler::Node::Kill() {
  killed_ = true;
  for (Queue* queue : queues_) queue->Drop();
}

VirtualScheduler::~VirtualScheduler() = default;

void VirtualScheduler::SetReady(Node::Queue* queue) {
  queue->ready_ = true;
  ready_.push_back(queue);
}

void VirtualScheduler::Forget(Node::Queue* queue) {
  if (queue->ready_) {
    ready_.erase(std::find(ready_.begin(), ready_.end(), queue));
    queue->ready_ = false;
  }
  for (auto it = delayed_.begin(); it != delayed_.end();) {
    it = it->second.queue == queue ? delayed_.erase(it) : std::next(it);
  }
}

void VirtualScheduler::MakeDueReady() {
  while (!delayed_.empty() && delayed_.begin()->first <= now_) {
    Delayed due = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    due.queue->Post(std::move(due.task));
  }
}

void VirtualScheduler::RunReady() {
  for (MakeDueReady(); !ready_.empty(); MakeDueReady()) Step();
}

void VirtualScheduler::Advance(int64_t micros) {
  const MonotonicMicros end = now_ + micros;
  RunReady();
  while (!delayed_.empty() && delayed_.begin()->first <= end) {
    now_ = std::max(now_, delayed_.begin()->first);
    RunReady();
  }
  now_ = std::max(now_, end);
  RunReady();
}

bool VirtualScheduler::Step() {
  MakeDueReady();
  if (ready_.empty()) {
    if (delayed_.empty()) return false;
    now_ = delayed_.begin()->first;
    MakeDueReady();
  }
  ++steps_;
  const size_t index = random_.Uniform(ready_.size());
  Node::Queue* queue = ready_[index];
  // Removed before its task runs: the task may post to the queue, kill its node or create queues.
  ready_[index] = ready_.back();
  ready_.pop_back();
  queue->ready_ = false;
  Node* node = &queue->node_;
  queue->RunNext();
  const bool alive = std::find(node->queues_.begin(), node->queues_.end(), queue) != node->queues_.end();
  if (alive && !queue->empty() && !queue->ready_) SetReady(queue);
  now_ += static_cast<int64_t>(random_.Uniform(static_cast<uint64_t>(step_micros_max_) + 1));
  return true;
}

}  // namespace halles::testing
