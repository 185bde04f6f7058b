// Posts answers to a queue that may have ended.
#ifndef HALLES_LIBS_PARTITION_TASK_INBOX_H_
#define HALLES_LIBS_PARTITION_TASK_INBOX_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"

namespace halles::partition {

// Thread safety: all methods may be called from any thread.
// Lifetime: shared with pending answers. The queue outlives the call of Close; later answers are dropped.
class TaskInbox {
 public:
  explicit TaskInbox(TaskQueue* queue) : queue_(queue) {}

  void Post(TaskQueue::Task task) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (queue_ != nullptr) queue_->Post(std::move(task));
  }

  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    queue_ = nullptr;
  }

 private:
  Mutex mutex_;
  TaskQueue* queue_ ABSL_GUARDED_BY(mutex_);  // null once closed
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_TASK_INBOX_H_
