// The context of a call beside its request, and the metrics of calls.
#ifndef HALLES_LIBS_RPC_CALL_H_
#define HALLES_LIBS_RPC_CALL_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "libs/base/clock.h"
#include "libs/base/scheduler.h"
#include "libs/telemetry/metrics.h"

namespace halles::rpc {

struct DoorOptions {
  // How long a unary call waits for its answer: the default and the maximum.
  absl::Duration default_deadline = absl::Seconds(10);
  absl::Duration deadline_max = absl::Seconds(60);
  // How many streams are open at once; a further one gets RESOURCE_EXHAUSTED (TOO_MANY_STREAMS).
  size_t streams_max = 2'048;
  // How many messages a stream buffers for a client that reads slowly.
  size_t stream_messages_max = 256;
  size_t stream_bytes_max = 4 * 1024 * 1024;
};

inline constexpr size_t kRequestIdCharactersMax = 128;
inline constexpr size_t kTraceparentBytesMax = 128;

struct Call {
  MonotonicMicros deadline = kNoDeadline;  // no client waits for the answer after it
  // the caller; always "loopback", because without TLS callers are not identified
  std::string actor;
  std::string traceparent;  // as in W3C trace context, "" if the caller does not trace
};

// The deadline of a call whose caller waits until `asked`. DEADLINE_EXCEEDED if that is before `now`.
absl::StatusOr<absl::Time> DeadlineOf(absl::Time asked, absl::Time now, const DoorOptions& options);

// OK for 1 to 128 printable characters that are no id of a step (libs/base/request_id.h), else INVALID_ARGUMENT for the
// field request_id.
absl::Status CheckRequestId(const std::string& request_id);

// The deadline that the caller set; InfiniteFuture without one.
absl::Time AskedDeadline(const grpc::CallbackServerContext& context);

// Converts `deadline` from the wall clock, which shows `now`, to the monotonic clock, which does not jump.
Call DescribeCall(const grpc::CallbackServerContext& context, absl::Time deadline, absl::Time now, const Clock& clock);

// Marks the calling thread as a gRPC thread while the object lives, so that functions that would block on gRPC threads
// can detect it.
class GrpcThread {
 public:
  GrpcThread();
  ~GrpcThread();
  GrpcThread(const GrpcThread&) = delete;
  GrpcThread& operator=(const GrpcThread&) = delete;
  static bool IsCurrent();
};

// The grpc_server_* metrics of one method; `type` is "unary", "server_stream" or "bidi_stream".
// Thread safety: any thread.
class MethodMetrics {
 public:
  MethodMetrics(telemetry::Metrics* metrics, const std::string& service, const std::string& method,
                absl::string_view type);

  void Started() const { started_->Add(); }
  void Sent() const { sent_->Add(); }
  void Handled(absl::StatusCode code, absl::Duration duration) const;

 private:
  static constexpr size_t kCodes = 17;
  telemetry::HotCounter* started_;
  telemetry::HotCounter* sent_;
  std::array<telemetry::HotCounter*, kCodes> handled_;  // by code
  telemetry::HotHistogram* seconds_;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_CALL_H_
