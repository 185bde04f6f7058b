// The mutex of the project, annotated for Clang's thread-safety analysis.
#ifndef HALLES_LIBS_BASE_MUTEX_H_
#define HALLES_LIBS_BASE_MUTEX_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace halles {

// A std::mutex, and not an absl::Mutex: waits of Abseil end at a point of the wall clock, so if an operator sets that clock
// back by an hour, each of them takes an hour longer. These measure on the monotonic clock.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (awaiting_ > 0) unlocked_.notify_all();
    mutex_.unlock();
  }

  // Waits until `condition` holds; the mutex is released while it waits. The condition is evaluated under the mutex,
  // after each unlock, so it may read only data that the mutex guards.
  void Await(absl::FunctionRef<bool()> condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    AwaitWithTimeout(condition, absl::InfiniteDuration());
  }
  // The same for at most `timeout`; says whether the condition holds.
  bool AwaitWithTimeout(absl::FunctionRef<bool()> condition, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
    ++awaiting_;
    if (awaiting_ > 1) unlocked_.notify_all();  // releasing the mutex to wait is an unlock too
    bool holds = true;
    if (timeout == absl::InfiniteDuration()) {
      unlocked_.wait(lock, condition);
    } else {
      holds = unlocked_.wait_for(lock, Bounded(timeout), condition);
    }
    --awaiting_;
    lock.release();
    return holds;
  }

 private:
  friend class CondVar;

  // The longest time that can be added to every point of the clock.
  static std::chrono::nanoseconds Bounded(absl::Duration timeout) {
    return absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(24 * 365 * 100)));
  }

  std::mutex mutex_;
  std::condition_variable unlocked_;
  int awaiting_ = 0;  // guarded by mutex_
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// A condition variable, for hot paths where evaluating a condition at each unlock would cost. Wakes spuriously.
class CondVar {
 public:
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { WaitWithTimeout(mutex, absl::InfiniteDuration()); }
  // Says whether the time ran out. Measured on the monotonic clock.
  bool WaitWithTimeout(Mutex* mutex, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
    if (mutex->awaiting_ > 0) mutex->unlocked_.notify_all();
    bool timed_out = false;
    if (timeout == absl::InfiniteDuration()) {
      condition_.wait(lock);
    } else {
      timed_out = condition_.wait_for(lock, Mutex::Bounded(timeout)) == std::cv_status::timeout;
    }
    lock.release();
    return timed_out;
  }
  void Signal() { condition_.notify_one(); }
  void SignalAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_MUTEX_H_
