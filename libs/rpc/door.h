// The common part of all gRPC methods of a service: deadlines, checks, metrics, errors.
//
// A method of a service looks like this:
//
//   grpc::ServerUnaryReactor* PutThing(grpc::CallbackServerContext* context, const PutThingRequest* request,
//                                      PutThingResponse* response) override {
//     return door_.Command(context, request, response, [this](const auto& request, const rpc::Call& call, auto reply) {
//       ...  // checks that return an absl::Status, then something that calls `reply` once, later, on any thread
//     });
//   }
#ifndef HALLES_LIBS_RPC_DOOR_H_
#define HALLES_LIBS_RPC_DOOR_H_

#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/base/unknown_fields.h"
#include "libs/rpc/batch.h"
#include "libs/rpc/call.h"
#include "libs/rpc/calls_under_way.h"
#include "libs/rpc/grpc_status.h"
#include "libs/rpc/reply.h"
#include "libs/rpc/stream.h"
#include "libs/telemetry/metrics.h"

namespace halles::bulk::v1 {
class SubmitBatchRequest;
class SubmitBatchResponse;
}  // namespace halles::bulk::v1

namespace halles::rpc {

// Counts each call in grpc_server_*, gives it a deadline, and refuses invalid requests. It calls handlers as
// handler(request, call, reply). They return nothing, or an absl::Status whose error is the answer. They run on a gRPC
// thread and must not block. The request may be destroyed when they return: copy or move any part that is needed later.
// Thread safety: any thread.
// Lifetime: its service is registered with a Server, which it outlives; `clock` and `metrics` outlive it.
class Door {
 public:
  // `service` is the full name in the proto; each of its methods has its own request message.
  Door(absl::string_view service, const Clock& clock, telemetry::Metrics* metrics, const DoorOptions& options = {});
  ~Door();

  // The full name of its service.
  const std::string& service() const { return service_; }

  // A method that changes state: unknown fields are refused, and request_id is required. It also takes commands of
  // batches: `context` is then that of their stream, and `response` is null. The handler may move from a request that it
  // gets as an rvalue.
  template <typename Request, typename Response, typename Handler>
  grpc::ServerUnaryReactor* Command(grpc::CallbackServerContext* context, const Request* request, Response* response,
                                    Handler&& handler) {
    const auto check = [this, request] {
      RETURN_IF_ERROR(unknown_fields_->Check(*request));
      return CheckRequestId(request->request_id());
    };
    if (BatchedCommand* const command = static_cast<CallContext*>(context)->batched(); command != nullptr) {
      Batched<Request, Response>(*context, command, handler, check);
      return nullptr;
    }
    return Unary(context, *request, response, std::forward<Handler>(handler), /*only_reads=*/false, check);
  }

  // A method that only reads: unknown fields are ignored, and the fields must be within the limits of the proto.
  // Requires CheckLimits of the request ("<file>.limits.h").
  template <typename Request, typename Response, typename Handler>
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext* context, const Request* request, Response* response,
                                  Handler&& handler) {
    if (static_cast<CallContext*>(context)->batched() != nullptr) return nullptr;  // not taken: it is no command
    return Unary(context, *request, response, std::forward<Handler>(handler), /*only_reads=*/true,
                 [request] { return CheckLimits(*request); });
  }

  // A streaming method: handler(request, call, StreamWriter<Response>). The deadline is the caller's own, and limits
  // are checked as by Query.
  template <typename Response, typename Request, typename Handler>
  grpc::ServerWriteReactor<Response>* Watch(grpc::CallbackServerContext* context, const Request* request,
                                            Handler&& handler) {
    const MethodMetrics& metrics = MetricsOf(Request::descriptor());
    metrics.Started();
    auto reactor = std::make_shared<StreamReactor<Response>>(context, unread_, &metrics, clock_, options_);
    reactor->Keep([this, stream = reactor.get()] { Remove(stream); });
    StreamWriter<Response> writer(reactor);
    if (const absl::Status draining = Add(reactor); !draining.ok()) {
      writer.Finish(draining);
    } else if (const absl::Status checked = CheckLimits(*request); !checked.ok()) {
      writer.Finish(checked);
    } else {
      Handle(handler, *request, DescribeCall(*context, AskedDeadline(*context), Now(), clock_), writer,
             [&writer](const absl::Status& status) { writer.Finish(status); });
    }
    return reactor.get();
  }

  // The method SubmitBatch: a stream of commands for these methods. `methods` and `unknown_method` outlive the server.
  grpc::ServerBidiReactor<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>* Batches(
      grpc::CallbackServerContext* context, const Methods& methods, const UnknownMethodStatus& unknown_method);

  // Counts the answers that are not read, and ends calls for them. Before the first call; it outlives the calls.
  void SetUnreadAnswers(UnreadAnswers* unread) { unread_ = unread; }

  // Until Open, calls and streams that come are not handled: each gets `why`, an error, at once. If that says when to try
  // again, the retries of gRPC wait for as long. For a process that listens before it can answer; those that are under
  // way are not touched. A later Close replaces the error. Neither has an effect once a drain has begun.
  void Close(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);

  // The drain, in this order; see Server::Drain. Whatever is ended gets UNAVAILABLE and the reason DRAINING.
  // Ends all streams, and those that come later. Unary calls that come later are not handled; they wait for EndCalls.
  void BeginDrain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until the answers of the unary calls before that are written. False when they are not by then.
  bool AwaitCalls(MonotonicMicros until) { return calls_.AwaitHandled(until); }
  // Ends the calls that only wait, for a position or for what another service does.
  void EndWaitingCalls();
  // Ends all calls. What a handler answers later has no effect.
  void EndCalls();
  // Waits until all answers and the ends of all streams are written. False when they are not by then.
  bool AwaitEnd(MonotonicMicros until) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  template <typename Request, typename Response, typename Handler, typename Check>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const Request& request, Response* response,
                                  Handler&& handler, bool only_reads, Check check) {
    const MethodMetrics& metrics = MetricsOf(Request::descriptor());
    metrics.Started();
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    auto* const call = static_cast<CallContext*>(context);
    const Reply<Response> reply(reactor, call, unread_, response, &metrics, clock_);
    if (only_reads) reply.OnlyWaits();
    if (!calls_.Add(call, reply.unanswered())) return reactor;
    const absl::Time now = Now();
    const absl::StatusOr<absl::Time> deadline = DeadlineOf(AskedDeadline(*context), now, options_);
    const absl::Status checked = deadline.ok() ? check() : deadline.status();
    if (!checked.ok()) {
      reply(checked);
    } else {
      Handle(handler, request, DescribeCall(*context, *deadline, now, clock_), reply,
             [&reply](const absl::Status& status) { reply(status); });
    }
    return reactor;
  }

  // Begins a command of a batch.
  template <typename Request, typename Response, typename Handler, typename Check>
  void Batched(const grpc::CallbackServerContext& context, BatchedCommand* command, Handler& handler, Check check) {
    const MethodMetrics& metrics = MetricsOf(Request::descriptor());
    metrics.Started();
    command->taken = true;
    const Reply<Response> reply(*command, &metrics, clock_);
    const absl::Time now = Now();
    const absl::StatusOr<absl::Time> deadline = DeadlineOf(command->asked, now, options_);
    const absl::Status checked = deadline.ok() ? check() : deadline.status();
    if (!checked.ok()) {
      reply(checked);
      return;
    }
    Call call = DescribeCall(context, *deadline, now, clock_);
    if (!command->traceparent.empty()) call.traceparent = std::move(command->traceparent);
    Handle(handler, std::move(static_cast<Request&>(*command->request)), call, reply,
           [&reply](const absl::Status& status) { reply(status); });
  }

  template <typename Handler, typename Request, typename Answer, typename Refuse>
  static void Handle(Handler& handler, Request&& request, const Call& call, const Answer& answer, Refuse refuse) {
    const GrpcThread here;
    if constexpr (std::is_void_v<std::invoke_result_t<Handler&, Request, const Call&, Answer>>) {
      handler(std::forward<Request>(request), call, answer);
    } else {
      const absl::Status status = handler(std::forward<Request>(request), call, answer);
      if (!status.ok()) refuse(status);
    }
  }

  absl::Time Now() const { return absl::FromUnixMicros(clock_.Wall()); }
  const MethodMetrics& MetricsOf(const google::protobuf::Descriptor* request) const;
  absl::Status Add(const std::shared_ptr<StreamBase>& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(StreamBase* stream) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string service_;
  const Clock& clock_;
  const DoorOptions options_;
  absl::flat_hash_map<const google::protobuf::Descriptor*, std::unique_ptr<const MethodMetrics>> methods_;
  std::optional<UnknownFieldCheck> unknown_fields_;
  CallsUnderWay calls_;
  UnreadAnswers* unread_ = nullptr;  // may be absent

  Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);  // that streams are answered with, unless OK
  std::map<StreamBase*, std::weak_ptr<StreamBase>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_DOOR_H_
