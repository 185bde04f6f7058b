// The answers that gRPC was given and has not sent, because their callers do not read them.
#ifndef HALLES_LIBS_RPC_UNREAD_ANSWERS_H_
#define HALLES_LIBS_RPC_UNREAD_ANSWERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"

struct grpc_call;

namespace halles::rpc {

class UnreadAnswers;

// What one call holds: its answer, or the messages of its stream. Part of the object that lives as long as the call.
class UnreadAnswer {
 public:
  UnreadAnswer() = default;
  UnreadAnswer(const UnreadAnswer&) = delete;
  UnreadAnswer& operator=(const UnreadAnswer&) = delete;

 private:
  friend class UnreadAnswers;
  // Guarded by the mutex of the UnreadAnswers.
  size_t bytes_ = 0;    // 0: not in the list
  bool ended_ = false;  // its call was ended, and is not counted again until gRPC has heard of that
  grpc_call* call_ = nullptr;
  UnreadAnswer* before_ = nullptr;
  UnreadAnswer* after_ = nullptr;
};

// The bytes of the unsent answers of all callers together have a limit. Beyond it, the call whose caller has read nothing
// for longest ends with UNAVAILABLE (SLOW_READER), then the next one. A caller that reads is answered in moments, so whoever
// has waited longest is one that does not read.
// Thread safety: any thread.
// Lifetime: it outlives the calls.
// Limits: answers below kSmallBytes are not counted; the number of open calls bounds them (ConnectionLimits::open_max).
class UnreadAnswers {
 public:
  static constexpr size_t kSmallBytes = 4096;

  // Calls that end when this object is destroyed. Not under a lock of the caller: gRPC may come back with the end of a call.
  class Ends {
   public:
    Ends() = default;
    ~Ends();
    Ends(const Ends&) = delete;
    Ends& operator=(const Ends&) = delete;

   private:
    friend class UnreadAnswers;
    std::vector<grpc_call*> calls_;  // with a reference to each
  };

  // The clock outlives it.
  UnreadAnswers(size_t bytes_max, const Clock& clock) : bytes_max_(bytes_max), clock_(clock) {}

  // From now on `call` holds so many bytes. `read`: its caller has read something since the last time. The calls that have
  // to go are put into `ends`; none does if the bytes have become fewer.
  void Set(UnreadAnswer* answer, grpc_call* call, size_t bytes, bool read, Ends* ends) ABSL_LOCKS_EXCLUDED(mutex_);
  // The call is over.
  void Drop(UnreadAnswer* answer) ABSL_LOCKS_EXCLUDED(mutex_);

  // The bytes that are held, without small answers.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Calls that were ended.
  uint64_t ended() const { return ended_.load(std::memory_order_relaxed); }

 private:
  // Whether the log is to tell of the calls that have to go.
  bool SetAndEnd(UnreadAnswer* answer, grpc_call* call, size_t bytes, bool read, Ends* ends)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(UnreadAnswer* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(UnreadAnswer* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t bytes_max_;
  const Clock& clock_;
  std::atomic<size_t> bytes_{0};  // written under the mutex; relaxed, as is ended_
  std::atomic<uint64_t> ended_{0};

  Mutex mutex_;
  // Those whose callers have read nothing for longest come first.
  UnreadAnswer* first_ ABSL_GUARDED_BY(mutex_) = nullptr;
  UnreadAnswer* last_ ABSL_GUARDED_BY(mutex_) = nullptr;
  MonotonicMicros said_ ABSL_GUARDED_BY(mutex_) = 0;  // in the log, when last
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_UNREAD_ANSWERS_H_
