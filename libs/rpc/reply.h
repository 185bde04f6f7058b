// The reply of a unary call or of a command of a batch: sent once, from any thread.
#ifndef HALLES_LIBS_RPC_REPLY_H_
#define HALLES_LIBS_RPC_REPLY_H_

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/support/server_callback.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/rpc/batch.h"
#include "libs/rpc/call.h"
#include "libs/rpc/calls_under_way.h"
#include "libs/rpc/grpc_status.h"
#include "libs/rpc/unread_answers.h"

namespace halles::rpc {

// Call it to answer. The first answer is sent; later ones have no effect. If the last copy is destroyed without an
// answer, the caller gets INTERNAL, so a call never hangs.
// Thread safety: copies may be called from any thread.
template <typename Response>
class Reply {
 public:
  // `metrics` and `clock` outlive it; `context` and `unread` outlive the call. `unread` may be null: nobody counts.
  Reply(grpc::ServerUnaryReactor* reactor, CallContext* context, UnreadAnswers* unread, Response* response,
        const MethodMetrics* metrics, const Clock& clock)
      : pending_(std::make_shared<OfCall>(reactor, context, unread, response, metrics, clock)) {}

  // `metrics` and `clock` outlive it.
  Reply(const BatchedCommand& command, const MethodMetrics* metrics, const Clock& clock)
      : pending_(std::make_shared<OfBatch>(command, metrics, clock)) {
    command.answers->Begun(pending_);
  }

  void operator()(absl::StatusOr<Response> result) const { pending_->Finish(std::move(result)); }

  // What the caller asked for is done, or it only reads: it waits, and may be told at any time to ask again.
  void OnlyWaits() const { pending_->OnlyWaits(); }

  std::shared_ptr<Unanswered> unanswered() const { return pending_; }

 private:
  // shared_ptr, because std::function needs copyable handlers.
  class Pending : public Unanswered {
   public:
    Pending(const MethodMetrics* metrics, const Clock& clock)
        : metrics_(metrics), clock_(clock), start_(clock.MonotonicMicros()) {}

    void End(const absl::Status& status) override { Finish(status); }

    void Finish(absl::StatusOr<Response> result) {
      // Acquire-release: the work of the answering thread happens before the end of Pending on another thread.
      if (answered_.exchange(true, std::memory_order_acq_rel)) return;
      metrics_->Handled(result.status().code(), absl::Microseconds(clock_.MonotonicMicros() - start_));
      if (result.ok()) metrics_->Sent();
      Send(std::move(result));
    }

   protected:
    // In the destructor.
    void Drop() { Finish(absl::InternalError("the call was dropped without an answer")); }
    virtual void Send(absl::StatusOr<Response> result) = 0;

   private:
    const MethodMetrics* const metrics_;
    const Clock& clock_;
    const int64_t start_;  // on the monotonic clock
    std::atomic<bool> answered_{false};
  };

  class OfCall final : public Pending {
   public:
    OfCall(grpc::ServerUnaryReactor* reactor, CallContext* context, UnreadAnswers* unread, Response* response,
           const MethodMetrics* metrics, const Clock& clock)
        : Pending(metrics, clock), reactor_(reactor), context_(context), unread_(unread), response_(response) {}
    ~OfCall() override { this->Drop(); }

   private:
    void Send(absl::StatusOr<Response> result) override {
      if (!result.ok()) {
        reactor_->Finish(ToGrpc(result.status()));
        return;
      }
      *response_ = *std::move(result);
      UnreadAnswers::Ends ends;
      if (unread_ != nullptr) context_->HoldAnswer(unread_, response_->ByteSizeLong(), &ends);
      reactor_->Finish(grpc::Status::OK);  // the response belongs to gRPC from here on
    }

    grpc::ServerUnaryReactor* const reactor_;
    CallContext* const context_;
    UnreadAnswers* const unread_;
    Response* const response_;
  };

  class OfBatch final : public Pending {
   public:
    OfBatch(const BatchedCommand& command, const MethodMetrics* metrics, const Clock& clock)
        : Pending(metrics, clock), answers_(command.answers), tag_(command.tag) {}
    ~OfBatch() override { this->Drop(); }

   private:
    void Send(absl::StatusOr<Response> result) override {
      answers_->Answer(this, tag_, result.status(), result.ok() ? &*result : nullptr);
    }

    const std::shared_ptr<BatchAnswers> answers_;  // shared with the other replies of its stream
    const uint64_t tag_;
  };

  std::shared_ptr<Pending> pending_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_REPLY_H_
