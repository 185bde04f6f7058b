// A list of calls in the order in which their callers read last.
#include "libs/rpc/unread_answers.h"

#include "grpc/grpc.h"
#include "libs/telemetry/log.h"

namespace halles::rpc {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

// The log tells of them at most this often; the metric counts all.
constexpr int64_t kSayEveryMicros = 10'000'000;

}  // namespace

UnreadAnswers::Ends::~Ends() {
  for (grpc_call* const call : calls_) {
    grpc_call_cancel_with_status(call, GRPC_STATUS_UNAVAILABLE,
                                 "SLOW_READER: too many answers wait to be read, this one for longest; read it faster",
                                 nullptr);
    grpc_call_unref(call);
  }
}

void UnreadAnswers::Set(UnreadAnswer* answer, grpc_call* call, size_t bytes, bool read, Ends* ends) {
  if (bytes < kSmallBytes) bytes = 0;
  bool say = false;
  {
    MutexLock lock(&mutex_);
    say = SetAndEnd(answer, call, bytes, read, ends);
  }
  if (!say) return;
  Log(LogLevel::kWarning, "rpc", "ended calls whose callers do not read their answers", {{"ended_total", ended()}});
}

bool UnreadAnswers::SetAndEnd(UnreadAnswer* answer, grpc_call* call, size_t bytes, bool read, Ends* ends) {
  if (answer->bytes_ > 0 && (read || bytes == 0)) Remove(answer);
  if (bytes == 0 || answer->ended_) return false;
  if (answer->bytes_ == 0) {
    answer->call_ = call;
    Append(answer);
  }
  bytes_.fetch_add(bytes - answer->bytes_, std::memory_order_relaxed);
  answer->bytes_ = bytes;
  if (bytes_.load(std::memory_order_relaxed) <= bytes_max_) return false;
  while (bytes_.load(std::memory_order_relaxed) > bytes_max_) {
    UnreadAnswer* const oldest = first_;
    grpc_call_ref(oldest->call_);
    ends->calls_.push_back(oldest->call_);
    Remove(oldest);
    oldest->ended_ = true;
    ended_.fetch_add(1, std::memory_order_relaxed);
  }
  const MonotonicMicros now = clock_.MonotonicMicros();
  if (said_ != 0 && now - said_ < kSayEveryMicros) return false;
  said_ = now;
  return true;
}

void UnreadAnswers::Drop(UnreadAnswer* answer) {
  MutexLock lock(&mutex_);
  if (answer->bytes_ > 0) Remove(answer);
}

void UnreadAnswers::Append(UnreadAnswer* answer) {
  answer->before_ = last_;
  answer->after_ = nullptr;
  (last_ == nullptr ? first_ : last_->after_) = answer;
  last_ = answer;
}

void UnreadAnswers::Remove(UnreadAnswer* answer) {
  bytes_.fetch_sub(answer->bytes_, std::memory_order_relaxed);
  answer->bytes_ = 0;
  (answer->before_ == nullptr ? first_ : answer->before_->after_) = answer->after_;
  (answer->after_ == nullptr ? last_ : answer->after_->before_) = answer->before_;
}

}  // namespace halles::rpc
