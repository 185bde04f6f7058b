// The reply of a unary call: sent once, from any thread.
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
      : pending_(std::make_shared<Pending>(reactor, context, unread, response, metrics, clock)) {}

  void operator()(absl::StatusOr<Response> result) const { pending_->Finish(std::move(result)); }

  // What the caller asked for is done, or it only reads: it waits, and may be told at any time to ask again.
  void OnlyWaits() const { pending_->OnlyWaits(); }

  std::shared_ptr<Unanswered> unanswered() const { return pending_; }

 private:
  // shared_ptr, because std::function needs copyable handlers.
  struct Pending final : Unanswered {
    Pending(grpc::ServerUnaryReactor* reactor, CallContext* context, UnreadAnswers* unread, Response* response,
            const MethodMetrics* metrics, const Clock& clock)
        : reactor(reactor),
          context(context),
          unread(unread),
          response(response),
          metrics(metrics),
          clock(clock),
          start(clock.MonotonicMicros()) {}
    ~Pending() override { Finish(absl::InternalError("the call was dropped without an answer")); }

    void End(const absl::Status& status) override { Finish(status); }

    void Finish(absl::StatusOr<Response> result) {
      // Acquire-release: the work of the answering thread happens before the end of Pending on another thread.
      if (answered.exchange(true, std::memory_order_acq_rel)) return;
      const absl::Status& status = result.status();
      metrics->Handled(status.code(), absl::Microseconds(clock.MonotonicMicros() - start));
      if (!status.ok()) {
        reactor->Finish(ToGrpc(status));
        return;
      }
      metrics->Sent();
      *response = *std::move(result);
      UnreadAnswers::Ends ends;
      if (unread != nullptr) context->HoldAnswer(unread, response->ByteSizeLong(), &ends);
      reactor->Finish(grpc::Status::OK);  // the response belongs to gRPC from here on
    }

    grpc::ServerUnaryReactor* const reactor;
    CallContext* const context;
    UnreadAnswers* const unread;
    Response* const response;
    const MethodMetrics* const metrics;
    const Clock& clock;
    const int64_t start;  // on the monotonic clock
    std::atomic<bool> answered{false};
  };

  std::shared_ptr<Pending> pending_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_REPLY_H_
