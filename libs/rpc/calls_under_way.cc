// Lists of calls, each under a lock of its own.
#include "libs/rpc/calls_under_way.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/status.h"

namespace halles::rpc {
namespace {

// How long the retry policy of a client waits, instead of its own pause.
constexpr char kRetryPause[] = "grpc-retry-pushback-ms";

// The shard of this thread: threads of gRPC are few and take turns.
size_t ShardOfThread(size_t shards) {
  static std::atomic<size_t> next{0};  // relaxed: any distribution will do
  thread_local const size_t own = next.fetch_add(1, std::memory_order_relaxed);
  return own % shards;
}

}  // namespace

void CallContexts::Release(grpc::CallbackServerContext* context) {
  auto* const call = dynamic_cast<CallContext*>(context);
  if (call == nullptr) return;  // of a method that nobody has: gRPC made it, and ends it
  if (call->unread_ != nullptr) call->unread_->Drop(&call->unread_answer_);
  CallsUnderWay::Forget(call);
  delete call;
}

bool CallsUnderWay::Add(CallContext* call, std::shared_ptr<Unanswered> answer) {
  call->calls_ = this;
  call->shard_ = ShardOfThread(kShards);
  call->answer_ = answer;
  Shard& shard = shards_[call->shard_];
  absl::Status ended;
  {
    MutexLock lock(&shard.mutex);
    call->handled_ = !shard.closed;
    ++(call->handled_ ? shard.handled : shard.others);
    call->after_ = shard.first;
    if (shard.first != nullptr) shard.first->before_ = call;
    shard.first = call;
    if (call->handled_) return true;
    ended = shard.ended;
    if (ended.ok()) {
      shard.kept.push_back(std::move(answer));
      return false;
    }
  }
  if (const std::optional<absl::Duration> pause = RetryAfterOf(ended); pause.has_value()) {
    call->AddTrailingMetadata(kRetryPause, absl::StrCat(absl::ToInt64Milliseconds(*pause)));
  }
  answer->End(ended);
  return false;
}

void CallsUnderWay::Forget(CallContext* call) {
  if (call->calls_ == nullptr) return;
  Shard& shard = call->calls_->shards_[call->shard_];
  MutexLock lock(&shard.mutex);
  --(call->handled_ ? shard.handled : shard.others);
  (call->before_ == nullptr ? shard.first : call->before_->after_) = call->after_;
  if (call->after_ != nullptr) call->after_->before_ = call->before_;
}

void CallsUnderWay::Close(const absl::Status& status) {
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    if (shard.draining) continue;
    shard.closed = true;
    shard.ended = status;
  }
}

void CallsUnderWay::Open() {
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    if (shard.draining) continue;
    shard.closed = false;
    shard.ended = absl::OkStatus();
  }
}

void CallsUnderWay::BeginDrain() {
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    shard.draining = true;
    shard.closed = true;
    shard.ended = absl::OkStatus();
  }
}

bool CallsUnderWay::AwaitHandled(MonotonicMicros until) { return AwaitEach(until, false); }
bool CallsUnderWay::AwaitAll(MonotonicMicros until) { return AwaitEach(until, true); }

bool CallsUnderWay::AwaitEach(MonotonicMicros until, bool others) {
  for (Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    const auto none = [&shard, others]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex) {
      return shard.handled == 0 && (!others || shard.others == 0);
    };
    const absl::Duration left = absl::Microseconds(std::max<int64_t>(until - clock_.MonotonicMicros(), 0));
    if (!shard.mutex.AwaitWithTimeout(none, left)) return false;
  }
  return true;
}

void CallsUnderWay::EndWaiting(const absl::Status& status) {
  for (Shard& shard : shards_) {
    Answers answers;  // ended outside the lock: gRPC may come back with the end of the call
    {
      MutexLock lock(&shard.mutex);
      for (CallContext* call = shard.first; call != nullptr; call = call->after_) {
        std::shared_ptr<Unanswered> answer = call->handled_ ? call->answer_.lock() : nullptr;
        if (answer != nullptr) answers.push_back(std::move(answer));
      }
    }
    for (const std::shared_ptr<Unanswered>& answer : answers) answer->EndWaiting(status);
  }
}

void CallsUnderWay::EndAll(const absl::Status& status) {
  for (Shard& shard : shards_) {
    Answers answers;
    {
      MutexLock lock(&shard.mutex);
      shard.ended = status;
      answers.swap(shard.kept);
      for (CallContext* call = shard.first; call != nullptr; call = call->after_) {
        if (std::shared_ptr<Unanswered> answer = call->answer_.lock()) answers.push_back(std::move(answer));
      }
    }
    for (const std::shared_ptr<Unanswered>& answer : answers) answer->End(status);
  }
}

}  // namespace halles::rpc
