// Collects tasks and steps the followers that they wake.
#include "libs/projection/follower_shard.h"

#include <algorithm>
#include <utility>

#include "libs/projection/source_follower.h"

namespace halles::projection {

FollowerShard::FollowerShard(Scheduler* scheduler, const std::string& name, uint64_t seed)
    : scheduler_(*scheduler), random_(seed), queue_(scheduler->NewQueue(name)) {}

FollowerShard::~FollowerShard() { Stop(); }

void FollowerShard::Add(TaskQueue::Task task) {
  MutexLock lock(&mutex_);
  if (stopped_) return;
  tasks_.push_back(std::move(task));
  Post();
}

void FollowerShard::PostAfter(absl::Duration delay, TaskQueue::Task task) {
  MutexLock lock(&mutex_);
  if (stopped_) return;
  queue_->PostAfter(delay, [this, task = std::move(task)]() mutable { Add(std::move(task)); });
}

void FollowerShard::Post() {
  if (std::exchange(posted_, true)) return;
  queue_->Post([this] { Run(); });
}

void FollowerShard::Wake(SourceFollower* follower) {
  if (std::find(woken_.begin(), woken_.end(), follower) == woken_.end()) woken_.push_back(follower);
}

void FollowerShard::Run() {
  std::vector<TaskQueue::Task> tasks;
  {
    MutexLock lock(&mutex_);
    posted_ = false;
    if (stopped_) return;
    tasks.swap(tasks_);
  }
  for (TaskQueue::Task& task : tasks) task();
  std::vector<SourceFollower*> woken;
  woken.swap(woken_);
  for (SourceFollower* follower : woken) {
    if (follower->Step()) Wake(follower);
  }
  if (woken_.empty()) return;
  // Each follower had its turn; handle new tasks before they continue.
  MutexLock lock(&mutex_);
  if (!stopped_) Post();
}

void FollowerShard::Stop() {
  TaskQueue* queue = nullptr;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    tasks_.clear();
    queue = queue_.get();
  }
  if (queue == nullptr) return;
  queue->Stop();
  std::unique_ptr<TaskQueue> ended;
  MutexLock lock(&mutex_);
  ended = std::move(queue_);
}

}  // namespace halles::projection
