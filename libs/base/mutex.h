// The mutex of the project, annotated for Clang's thread-safety analysis.
#ifndef HALLES_LIBS_BASE_MUTEX_H_
#define HALLES_LIBS_BASE_MUTEX_H_

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

#if defined(__SANITIZE_THREAD__)
#define HALLES_STD_MUTEX 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HALLES_STD_MUTEX 1
#endif
#endif

#ifdef HALLES_STD_MUTEX
#include <condition_variable>
#include <mutex>
#else
#include "absl/synchronization/mutex.h"
#endif

namespace halles {

// An absl::Mutex, or a std::mutex under ThreadSanitizer, which cannot see the locks of an Abseil that was built without
// it.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void Unlock() ABSL_UNLOCK_FUNCTION();

  // Waits until `condition` holds; the mutex is released while it waits. The condition is evaluated under the mutex, at
  // any unlock and on any thread, so it may read only data that the mutex guards.
  void Await(absl::FunctionRef<bool()> condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);
  // The same for at most `timeout`; says whether the condition holds.
  bool AwaitWithTimeout(absl::FunctionRef<bool()> condition, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);

 private:
  friend class CondVar;
#ifdef HALLES_STD_MUTEX
  std::mutex mutex_;
  std::condition_variable unlocked_;
  int awaiting_ = 0;  // guarded by mutex_
#else
  absl::Mutex mutex_;
#endif
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
  void Wait(Mutex* mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Says whether the time ran out.
  bool WaitWithTimeout(Mutex* mutex, absl::Duration timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Signal();
  void SignalAll();

 private:
#ifdef HALLES_STD_MUTEX
  std::condition_variable condition_;
#else
  absl::CondVar condition_;
#endif
};

#ifdef HALLES_STD_MUTEX

inline void Mutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
inline void Mutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (awaiting_ > 0) unlocked_.notify_all();
  mutex_.unlock();
}
inline void Mutex::Await(absl::FunctionRef<bool()> condition) { AwaitWithTimeout(condition, absl::InfiniteDuration()); }
inline bool Mutex::AwaitWithTimeout(absl::FunctionRef<bool()> condition, absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
  ++awaiting_;
  if (awaiting_ > 1) unlocked_.notify_all();  // releasing the mutex to wait is an unlock too
  bool holds = true;
  if (timeout == absl::InfiniteDuration()) {
    unlocked_.wait(lock, condition);
  } else {
    holds = unlocked_.wait_for(lock, absl::ToChronoNanoseconds(timeout), condition);
  }
  --awaiting_;
  lock.release();
  return holds;
}
inline void CondVar::Wait(Mutex* mutex) {
  std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
  if (mutex->awaiting_ > 0) mutex->unlocked_.notify_all();
  condition_.wait(lock);
  lock.release();
}
inline bool CondVar::WaitWithTimeout(Mutex* mutex, absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) {
    Wait(mutex);
    return false;
  }
  std::unique_lock<std::mutex> lock(mutex->mutex_, std::adopt_lock);
  if (mutex->awaiting_ > 0) mutex->unlocked_.notify_all();
  const bool timed_out = condition_.wait_for(lock, absl::ToChronoNanoseconds(timeout)) == std::cv_status::timeout;
  lock.release();
  return timed_out;
}
inline void CondVar::Signal() { condition_.notify_one(); }
inline void CondVar::SignalAll() { condition_.notify_all(); }

#else

inline void Mutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
inline void Mutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }
inline void Mutex::Await(absl::FunctionRef<bool()> condition) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mutex_.Await(absl::Condition(
      +[](absl::FunctionRef<bool()>* function) { return (*function)(); }, &condition));
}
inline bool Mutex::AwaitWithTimeout(absl::FunctionRef<bool()> condition,
                                    absl::Duration timeout) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return mutex_.AwaitWithTimeout(absl::Condition(
                                     +[](absl::FunctionRef<bool()>* function) { return (*function)(); }, &condition),
                                 timeout);
}
inline void CondVar::Wait(Mutex* mutex) { condition_.Wait(&mutex->mutex_); }
inline bool CondVar::WaitWithTimeout(Mutex* mutex, absl::Duration timeout) {
  return condition_.WaitWithTimeout(&mutex->mutex_, timeout);
}
inline void CondVar::Signal() { condition_.Signal(); }
inline void CondVar::SignalAll() { condition_.SignalAll(); }

#endif

}  // namespace halles

#endif  // HALLES_LIBS_BASE_MUTEX_H_
