// Runs the tasks of a queue on its thread.
#include "libs/machine/thread_scheduler.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "libs/base/mutex.h"

namespace halles {
namespace {

constexpr int kBackgroundNice = 10;

class ThreadQueue : public TaskQueue {
 public:
  ThreadQueue(const Clock& clock, std::string name, QueuePriority priority)
      : clock_(clock), name_(std::move(name)), priority_(priority), thread_([this] { Run(); }) {}
  ~ThreadQueue() override { StopAndJoin(); }

  void Post(Task task) override ABSL_LOCKS_EXCLUDED(mutex_) {
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      posted_.push_back(std::move(task));
      wake = std::exchange(sleeping_, false);
    }
    if (wake) wake_.Signal();
  }

  void PostAfter(absl::Duration delay, Task task) override ABSL_LOCKS_EXCLUDED(mutex_) {
    if (delay <= absl::ZeroDuration()) {
      Post(std::move(task));
      return;
    }
    const MonotonicMicros due =
        clock_.MonotonicMicros() + absl::ToInt64Microseconds(absl::Ceil(delay, absl::Microseconds(1)));
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      wake = sleeping_ && (delayed_.empty() || due < delayed_.begin()->first);
      if (wake) sleeping_ = false;
      delayed_.emplace(due, std::move(task));
    }
    if (wake) wake_.Signal();
  }

  void Stop() override { StopAndJoin(); }

 private:
  void StopAndJoin() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    wake_.Signal();
    if (thread_.joinable()) thread_.join();
  }

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    // For this thread only: Linux takes a thread id in place of the process id. A failure is harmless.
    if (priority_ == QueuePriority::kBackground) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kBackgroundNice);
    }
    std::vector<Task> tasks;
    while (true) {
      {
        MutexLock lock(&mutex_);
        MakeDueReady();
        while (posted_.empty() && !stopping_) {
          sleeping_ = true;
          if (delayed_.empty()) {
            wake_.Wait(&mutex_);
          } else {
            wake_.WaitWithTimeout(&mutex_, absl::Microseconds(delayed_.begin()->first - clock_.MonotonicMicros()));
          }
          sleeping_ = false;
          MakeDueReady();
        }
        tasks.swap(posted_);
        if (tasks.empty()) {  // stopping, and every posted task has run
          delayed_.clear();
          return;
        }
      }
      for (Task& task : tasks) {
        task();
        task = nullptr;  // destroys its captures before the next task runs
      }
      tasks.clear();
    }
  }

  void MakeDueReady() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (delayed_.empty() || stopping_) return;
    const MonotonicMicros now = clock_.MonotonicMicros();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      posted_.push_back(std::move(delayed_.begin()->second));
      delayed_.erase(delayed_.begin());
    }
  }

  const Clock& clock_;
  const std::string name_;
  const QueuePriority priority_;

  Mutex mutex_;
  CondVar wake_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  std::multimap<MonotonicMicros, Task> delayed_ ABSL_GUARDED_BY(mutex_);  // by due time
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<TaskQueue> ThreadScheduler::NewQueue(std::string name, QueuePriority priority) {
  return std::make_unique<ThreadQueue>(clock_, std::move(name), priority);
}

}  // namespace halles
