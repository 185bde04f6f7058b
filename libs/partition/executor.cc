// Runs posted tasks in batches: one lock and at most one wake-up for many of them.
#include "libs/partition/executor.h"

#include <pthread.h>

#include <utility>

#include "absl/time/clock.h"

namespace halles::partition {

Executor::Executor(std::string name, std::function<void()> tick)
    : name_(std::move(name)), tick_(std::move(tick)), thread_([this] { Run(); }) {}

Executor::~Executor() { Stop(); }

void Executor::Post(Task task) {
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    posted_.push_back(std::move(task));
    wake = sleeping_;
    sleeping_ = false;
  }
  if (wake) wake_.Signal();
}

void Executor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  wake_.Signal();
  if (thread_.joinable()) thread_.join();
}

void Executor::Run() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::vector<Task> tasks;
  absl::Time next_tick = absl::Now() + kTick;
  while (true) {
    bool stopping = false;
    {
      MutexLock lock(&mutex_);
      if (posted_.empty() && !stopping_) {
        sleeping_ = true;
        wake_.WaitWithTimeout(&mutex_, next_tick - absl::Now());
        sleeping_ = false;
      }
      tasks.swap(posted_);
      stopping = stopping_;
    }
    for (Task& task : tasks) {
      task();
      task = nullptr;
    }
    if (stopping && tasks.empty()) return;
    tasks.clear();
    if (const absl::Time now = absl::Now(); now >= next_tick) {
      tick_();
      next_tick = now + kTick;
    }
  }
}

}  // namespace halles::partition
