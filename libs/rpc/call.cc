// Deadlines, request ids and metrics of calls.
#include "libs/rpc/call.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles::rpc {
namespace {

thread_local int grpc_thread_depth = 0;  // callbacks may nest

}  // namespace

GrpcThread::GrpcThread() { ++grpc_thread_depth; }
GrpcThread::~GrpcThread() { --grpc_thread_depth; }
bool GrpcThread::IsCurrent() { return grpc_thread_depth > 0; }

absl::StatusOr<absl::Time> DeadlineOf(absl::Time asked, absl::Time now, const DoorOptions& options) {
  if (asked == absl::InfiniteFuture()) return now + options.default_deadline;
  if (asked <= now) {
    return Failure(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                   "the deadline had passed before the call was looked at; nothing was done");
  }
  return std::min(asked, now + options.deadline_max);
}

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.empty()) return InvalidField("request_id", "is missing; 1 to 128 characters name each command");
  const std::optional<size_t> length = PrintableLength(request_id);
  if (!length.has_value()) return InvalidField("request_id", "holds characters that are not printable");
  if (*length > kRequestIdCharactersMax) {
    return InvalidField("request_id", absl::StrCat("has ", *length, " characters; at most 128 are valid"));
  }
  if (IsReservedRequestId(request_id)) return InvalidField("request_id", "begins as only ids of the server do");
  return absl::OkStatus();
}

absl::Time AskedDeadline(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  return deadline == decltype(deadline)::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

Call DescribeCall(const grpc::CallbackServerContext& context, absl::Time deadline, absl::Time now, const Clock& clock) {
  Call call{.deadline = kNoDeadline, .actor = "loopback", .traceparent = ""};
  if (deadline != absl::InfiniteFuture()) {
    call.deadline = clock.MonotonicMicros() + absl::ToInt64Microseconds(deadline - now);
  }
  const auto& metadata = context.client_metadata();
  const auto traceparent = metadata.find("traceparent");
  if (traceparent != metadata.end() && traceparent->second.size() <= kTraceparentBytesMax) {
    call.traceparent.assign(traceparent->second.data(), traceparent->second.size());
  }
  return call;
}

MethodMetrics::MethodMetrics(telemetry::Metrics* metrics, const std::string& service, const std::string& method,
                             absl::string_view type) {
  telemetry::Labels labels = {{"grpc_type", std::string(type)}, {"grpc_service", service}, {"grpc_method", method}};
  started_ = &metrics->AddHotCounter("grpc_server_started_total", "Calls begun.", labels);
  sent_ = &metrics->AddHotCounter("grpc_server_msg_sent_total", "Messages sent, answers included.", labels);
  seconds_ = &metrics->AddHotHistogram("grpc_server_handling_seconds", "Time from the request to its answer.",
                                       telemetry::LatencyBounds(), labels);
  for (size_t code = 0; code < kCodes; ++code) {
    // "OK", "NotFound", ...: the names that public dashboards expect.
    static constexpr const char* kNames[kCodes] = {
        "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
        "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
        "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
        "DataLoss", "Unauthenticated"};
    labels["grpc_code"] = kNames[code];
    handled_[code] = &metrics->AddHotCounter("grpc_server_handled_total", "Calls ended, whatever the code.", labels);
  }
}

void MethodMetrics::Handled(absl::StatusCode code, absl::Duration duration) const {
  const auto index = static_cast<size_t>(code);
  handled_[index < kCodes ? index : 2]->Add();
  seconds_->Observe(absl::ToDoubleSeconds(duration));
}

}  // namespace halles::rpc
