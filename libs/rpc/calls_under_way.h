// The unary calls of a door that are under way: what a drain waits for, and what it ends.
#ifndef HALLES_LIBS_RPC_CALLS_UNDER_WAY_H_
#define HALLES_LIBS_RPC_CALLS_UNDER_WAY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grpcpp/server_context.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/rpc/unread_answers.h"

namespace halles::rpc {

// An answer that a caller waits for.
class Unanswered {
 public:
  virtual ~Unanswered() = default;
  // Answers, unless that was done.
  virtual void End(const absl::Status& status) = 0;
  // The same if the call only waits.
  virtual void EndWaiting(const absl::Status& status) {
    if (only_waits()) End(status);
  }

  // The call only waits for what others do; nothing is lost when it is ended and sent again.
  void OnlyWaits() { only_waits_.store(true, std::memory_order_relaxed); }
  bool only_waits() const { return only_waits_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> only_waits_{false};  // relaxed: looked at again and again
};

class CallsUnderWay;
struct BatchedCommand;

// The context of each call of a Server, but for those of methods that nobody has: gRPC makes theirs. It lives from the
// request until gRPC has written the answer.
class CallContext final : public grpc::CallbackServerContext {
 public:
  // The command of the batch whose stream this is, while its method begins it; null for a call.
  BatchedCommand* batched() const { return batched_; }
  void SetBatched(BatchedCommand* command) { batched_ = command; }

  // Call it before the answer of so many bytes is given to gRPC.
  void HoldAnswer(UnreadAnswers* all, size_t bytes, UnreadAnswers::Ends* ends) {
    if (bytes < UnreadAnswers::kSmallBytes) return;
    unread_ = all;
    all->Set(&unread_answer_, c_call(), bytes, /*read=*/false, ends);
  }

 private:
  friend class CallContexts;
  friend class CallsUnderWay;
  CallsUnderWay* calls_ =
      nullptr;  // that it is one of; null for calls that no door takes, such as of the health service
  size_t shard_ = 0;
  bool handled_ = false;
  CallContext* before_ = nullptr;
  CallContext* after_ = nullptr;
  std::weak_ptr<Unanswered> answer_;  // shared with the handler, who may drop it first
  UnreadAnswers* unread_ = nullptr;   // that knows of the answer; null when none does
  UnreadAnswer unread_answer_;
  BatchedCommand* batched_ = nullptr;
};

// Makes the contexts, so that the end of a call is heard: gRPC tells it nobody else.
// Thread safety: any thread.
class CallContexts final : public grpc::ContextAllocator {
 public:
  grpc::CallbackServerContext* NewCallbackServerContext() override { return new CallContext; }
  void Release(grpc::CallbackServerContext* context) override;
  using grpc::ContextAllocator::Release;
};

// Thread safety: any thread.
// Lifetime: the clock outlives it; it outlives the server.
class CallsUnderWay {
 public:
  explicit CallsUnderWay(const Clock& clock) : clock_(clock) {}

  // Takes in a call of a Server until its answer is written. False while closed or draining: the call is not to be
  // handled. It is answered already, or will be by EndAll.
  bool Add(CallContext* call, std::shared_ptr<Unanswered> answer);

  // Until Open, calls are not to be handled: each is answered at once with `status`, an error. If that says when to try
  // again, the retries of gRPC wait for as long. A later Close replaces the status.
  void Close(const absl::Status& status);
  // Calls that come from now on are to be handled, unless a drain has begun.
  void Open();

  // Calls that come from now on are not to be handled.
  void BeginDrain();
  // Waits until the answers of all handled calls are written. False when they are not by then.
  bool AwaitHandled(MonotonicMicros until);
  // Ends the handled calls that only wait, and the commands of batches that do.
  void EndWaiting(const absl::Status& status);
  // Ends all calls, also those that were not handled and those that come later.
  void EndAll(const absl::Status& status);
  // Waits until all answers are written. False when they are not by then.
  bool AwaitAll(MonotonicMicros until);

 private:
  friend class CallContexts;
  using Answers = std::vector<std::shared_ptr<Unanswered>>;
  // Calls are spread, so that threads of gRPC do not wait for one another.
  static constexpr size_t kShards = 8;
  struct alignas(64) Shard {
    Mutex mutex;
    CallContext* first ABSL_GUARDED_BY(mutex) = nullptr;
    size_t handled ABSL_GUARDED_BY(mutex) = 0;
    size_t others ABSL_GUARDED_BY(mutex) = 0;
    bool closed ABSL_GUARDED_BY(mutex) = false;  // calls are not to be handled
    bool draining ABSL_GUARDED_BY(mutex) = false;
    Answers kept ABSL_GUARDED_BY(mutex);        // of those others, until EndAll
    absl::Status ended ABSL_GUARDED_BY(mutex);  // that later calls are answered with, unless OK
  };

  static void Forget(CallContext* call);
  bool AwaitEach(MonotonicMicros until, bool others);

  const Clock& clock_;
  std::array<Shard, kShards> shards_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_CALLS_UNDER_WAY_H_
