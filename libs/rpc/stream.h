// The server side of a stream: a bounded queue of messages for a client that may be slow.
#ifndef HALLES_LIBS_RPC_STREAM_H_
#define HALLES_LIBS_RPC_STREAM_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/server_callback.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/grpc_status.h"
#include "libs/rpc/unread_answers.h"

namespace halles::rpc {

// A stream with messages of any type; the door keeps these to end them all when the server drains.
class StreamBase {
 public:
  virtual ~StreamBase() = default;
  // The server drains: the stream is to end with the status, and may still answer what it has begun.
  virtual void Drain(const absl::Status& status) = 0;
};

// Thread safety: any thread. gRPC is never called under the mutex, because it may call back at once.
// Lifetime: keeps itself until gRPC is done with it, and so may its writers longer. `metrics` and `clock` outlive it.
template <typename Response>
class StreamReactor final : public grpc::ServerWriteReactor<Response>,
                            public StreamBase,
                            public std::enable_shared_from_this<StreamReactor<Response>> {
 public:
  // `unread` may be null: nobody counts.
  StreamReactor(grpc::CallbackServerContext* context, UnreadAnswers* unread, const MethodMetrics* metrics,
                const Clock& clock, const DoorOptions& options)
      : call_(unread == nullptr ? nullptr : context->c_call()),
        unread_(unread),
        metrics_(metrics),
        clock_(clock),
        options_(options),
        start_(clock.MonotonicMicros()) {}

  // Call it once, before gRPC gets the reactor. `on_done` runs when gRPC is done with it.
  void Keep(std::function<void()> on_done) {
    MutexLock lock(&mutex_);
    self_ = this->shared_from_this();
    on_done_ = std::move(on_done);
  }

  bool Write(Response message) {
    bool end = false;
    UnreadAnswers::Ends ends;
    {
      MutexLock lock(&mutex_);
      if (ended_) return false;
      const size_t bytes = message.ByteSizeLong();
      if (queue_.size() >= options_.stream_messages_max || queue_bytes_ + bytes > options_.stream_bytes_max) {
        end = true;
        End(Failure(absl::StatusCode::kResourceExhausted, "SLOW_WATCHER",
                    "more changes came than were read; resume from the last token that was received"),
            /*drop_queue=*/true);
      } else {
        queue_bytes_ += bytes;
        queue_.push_back(std::move(message));
        Count(/*read=*/false, &ends);
      }
    }
    Advance();
    return !end;
  }

  // Queued messages are sent before the status.
  void Finish(const absl::Status& status) {
    {
      MutexLock lock(&mutex_);
      End(status, /*drop_queue=*/false);
    }
    Advance();
  }

  void Drain(const absl::Status& status) override { Cancel(status); }

  // Ends the stream for the caller and runs the OnCancel function of its writer.
  void Cancel(const absl::Status& status) {
    std::function<void()> on_cancel;
    {
      MutexLock lock(&mutex_);
      End(status, /*drop_queue=*/true);
      cancelled_ = true;
      on_cancel = std::exchange(on_cancel_, nullptr);
    }
    Advance();
    if (on_cancel != nullptr) on_cancel();
  }

  void WhenRoom(std::function<void()> then) {
    {
      MutexLock lock(&mutex_);
      if (!this->HasRoom() && !ended_) {
        on_room_ = std::move(then);
        return;
      }
    }
    then();
  }

  void SetOnCancel(std::function<void()> on_cancel) {
    {
      MutexLock lock(&mutex_);
      if (!cancelled_) {
        if (!finished_) on_cancel_.swap(on_cancel);
        return;  // the old function, or one that came after the end, is destroyed with the argument
      }
    }
    on_cancel();
  }

 private:
  // Ends the stream if it has not ended.
  void End(const absl::Status& status, bool drop_queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (drop_queue) {
      queue_.clear();
      queue_bytes_ = 0;
      UnreadAnswers::Ends none;
      Count(/*read=*/false, &none);
    }
    if (ended_) return;
    ended_ = true;
    status_ = status;
  }

  // A producer that can wait stops at half, so that messages of other writers still fit.
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queue_.size() < options_.stream_messages_max / 2 && queue_bytes_ < options_.stream_bytes_max / 2;
  }

  // Tells what the stream holds for its caller.
  void Count(bool read, UnreadAnswers::Ends* ends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t bytes = queue_bytes_ + current_bytes_;
    const bool holds = bytes >= UnreadAnswers::kSmallBytes;
    if (unread_ == nullptr || (!holds && !counted_)) return;
    counted_ = holds;
    unread_->Set(&unread_answer_, call_, bytes, read, ends);
  }

  // Starts the next operation, a write or the end, unless a write is running.
  void Advance() {
    std::function<void()> on_room;
    const auto tell = absl::MakeCleanup([&on_room] {
      if (on_room != nullptr) on_room();
    });
    std::function<void()> dropped;  // destroyed outside the mutex: it may hold the last writer, which ends the stream
    std::optional<absl::Status> end;
    {
      MutexLock lock(&mutex_);
      if (on_room_ != nullptr && (ended_ || HasRoom())) on_room = std::exchange(on_room_, nullptr);
      if (writing_ || finished_ || (queue_.empty() && !ended_)) return;
      if (queue_.empty()) {
        finished_ = true;
        end = status_;
        dropped = std::exchange(on_cancel_, nullptr);
      } else {
        writing_ = true;
        current_ = std::move(queue_.front());
        queue_.pop_front();
        current_bytes_ = current_.ByteSizeLong();
        queue_bytes_ -= current_bytes_;
      }
    }
    // Only the thread that set writing_ or finished_ comes here: no operation runs twice or concurrently.
    if (end.has_value()) {
      metrics_->Handled(end->code(), absl::Microseconds(clock_.MonotonicMicros() - start_));
      grpc::ServerWriteReactor<Response>::Finish(ToGrpc(*end));
    } else {
      metrics_->Sent();
      this->StartWrite(&current_);
    }
  }

  void OnWriteDone(bool ok) override {
    UnreadAnswers::Ends ends;
    {
      MutexLock lock(&mutex_);
      writing_ = false;
      current_bytes_ = 0;
      Count(/*read=*/true, &ends);
    }
    if (!ok) {
      OnCancel();
      return;
    }
    Advance();
  }

  void OnCancel() override {
    const GrpcThread here;
    Cancel(absl::CancelledError("the caller left"));
  }

  void OnDone() override {
    std::shared_ptr<StreamReactor> self;
    std::function<void()> on_done;
    if (unread_ != nullptr) unread_->Drop(&unread_answer_);
    {
      MutexLock lock(&mutex_);
      self = std::move(self_);
      on_done = std::exchange(on_done_, nullptr);
    }
    if (on_done != nullptr) on_done();
  }

  grpc_call* const call_;
  UnreadAnswers* const unread_;  // may be absent
  UnreadAnswer unread_answer_;
  const MethodMetrics* const metrics_;
  const Clock& clock_;
  const DoorOptions options_;
  const int64_t start_;  // on the monotonic clock
  Response current_;     // owned by gRPC while writing_, by the queue otherwise

  Mutex mutex_;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t current_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of the message that is being written
  bool counted_ ABSL_GUARDED_BY(mutex_) = false;      // among unread answers
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;      // no further message is queued
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;   // gRPC has the status
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;  // on_cancel_ has run or will not be kept
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_cancel_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_room_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_done_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<StreamReactor> self_ ABSL_GUARDED_BY(mutex_);  // shared with writers; reset after OnDone
};

// The writer of a stream. If the last copy is destroyed without Finish, the caller gets INTERNAL.
// Thread safety: copies may be used from any thread; messages written by one thread keep their order.
template <typename Response>
class StreamWriter {
 public:
  explicit StreamWriter(std::shared_ptr<StreamReactor<Response>> reactor)
      : owner_(std::make_shared<Owner>(std::move(reactor))) {}

  // Queues the message; does not wait. False if the stream has ended: the caller left, or the queue was full and this
  // call ended it (RESOURCE_EXHAUSTED, SLOW_WATCHER). Drop the writer then.
  bool Write(Response message) const { return owner_->reactor->Write(std::move(message)); }

  // Runs `then` when there is space for many messages or the stream has ended, possibly at once. For producers that can
  // wait for the caller to read. `then` runs on a gRPC thread and must not block. One at a time.
  void WhenRoom(std::function<void()> then) const { owner_->reactor->WhenRoom(std::move(then)); }

  // Ends the stream after the queued messages.
  void Finish(const absl::Status& status) const { owner_->reactor->Finish(status); }

  // `on_cancel` runs once when the caller leaves or the server drains, on a gRPC thread; at once if that has already
  // happened. It must not block. It may hold a copy of the writer.
  void OnCancel(std::function<void()> on_cancel) const { owner_->reactor->SetOnCancel(std::move(on_cancel)); }

 private:
  struct Owner {
    explicit Owner(std::shared_ptr<StreamReactor<Response>> reactor) : reactor(std::move(reactor)) {}
    ~Owner() { reactor->Finish(absl::InternalError("the stream was dropped without an end")); }
    const std::shared_ptr<StreamReactor<Response>> reactor;  // shared with gRPC
  };
  std::shared_ptr<Owner> owner_;  // shared by the copies; the last one ends the stream
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_STREAM_H_
