// A thread that runs the tasks of the slots it was given, one after the other, in the order in which they came.
#ifndef HALLES_LIBS_PARTITION_EXECUTOR_H_
#define HALLES_LIBS_PARTITION_EXECUTOR_H_

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"

namespace halles::partition {

// Thread safety: Post may be called from any thread. Tasks run on the executor's own thread.
// Lifetime: the destructor runs what was posted before it and joins; tasks posted by those are dropped.
class Executor {
 public:
  using Task = absl::AnyInvocable<void()>;

  // `tick` is run at least this often, between tasks, for deadlines and timers.
  static constexpr absl::Duration kTick = absl::Milliseconds(20);

  Executor(std::string name, std::function<void()> tick);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs what was posted before, then ends the thread. Later posts are dropped. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  bool OnThisThread() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  const std::function<void()> tick_;

  Mutex mutex_;
  CondVar wake_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Set once by the thread itself before it runs a task; relaxed: compared with the reader's own id only.
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_EXECUTOR_H_
