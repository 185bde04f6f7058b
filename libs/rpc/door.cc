// The methods of a service and its open streams.
#include "libs/rpc/door.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "halles/bulk/v1/bulk_service.pb.h"
#include "libs/base/check.h"
#include "libs/rpc/batch_stream.h"

namespace halles::rpc {
namespace {

constexpr absl::Duration kStreamRetry = absl::Seconds(1);

absl::Status Draining() {
  return Failure(absl::StatusCode::kUnavailable, "DRAINING",
                 "the server is going; resume at another or a moment later");
}

absl::string_view TypeOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) return "bidi_stream";
  return method.server_streaming() ? "server_stream" : "unary";
}

}  // namespace

Door::Door(absl::string_view service, const Clock& clock, telemetry::Metrics* metrics, const DoorOptions& options)
    : service_(service), clock_(clock), options_(options), calls_(clock) {
  const auto* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(service));
  HALLES_CHECK(descriptor != nullptr, "a door needs the full name of a service that is linked in");
  std::vector<const google::protobuf::Descriptor*> requests;
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const auto* const method = descriptor->method(i);
    requests.push_back(method->input_type());
    const bool added =
        methods_
            .emplace(method->input_type(), std::make_unique<const MethodMetrics>(metrics, descriptor->full_name(),
                                                                                 method->name(), TypeOf(*method)))
            .second;
    HALLES_CHECK(added, "each method has a request message of its own");
  }
  unknown_fields_.emplace(requests);
}

Door::~Door() = default;

grpc::ServerBidiReactor<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>* Door::Batches(
    grpc::CallbackServerContext* context, const Methods& methods, const UnknownMethodStatus& unknown_method) {
  const MethodMetrics& metrics = MetricsOf(bulk::v1::SubmitBatchRequest::descriptor());
  metrics.Started();
  auto* const call = static_cast<CallContext*>(context);
  const auto stream = std::make_shared<BatchStream>(call, methods, unknown_method, unread_, &metrics, clock_);
  stream->Keep([this, stream = stream.get()] { Remove(stream); });
  if (!calls_.Add(call, stream)) return stream.get();
  if (const absl::Status refused = Add(stream); refused.ok()) {
    stream->Start();
  } else {
    stream->Drain(refused);
  }
  return stream.get();
}

const MethodMetrics& Door::MetricsOf(const google::protobuf::Descriptor* request) const {
  const auto found = methods_.find(request);
  HALLES_CHECK(found != methods_.end(), "the request belongs to another service");
  return *found->second;
}

absl::Status Door::Add(const std::shared_ptr<StreamBase>& stream) {
  MutexLock lock(&mutex_);
  if (!closed_.ok()) return closed_;
  if (streams_.size() >= options_.streams_max) {
    return Overloaded("TOO_MANY_STREAMS", "too many streams of this service are open; end some, or try again later",
                      kStreamRetry);
  }
  StreamBase* const key = stream.get();
  streams_[key] = stream;
  return absl::OkStatus();
}

void Door::Remove(StreamBase* stream) {
  MutexLock lock(&mutex_);
  streams_.erase(stream);
}

void Door::Close(const absl::Status& why) {
  calls_.Close(why);
  MutexLock lock(&mutex_);
  if (!draining_) closed_ = why;
}

void Door::Open() {
  calls_.Open();
  MutexLock lock(&mutex_);
  if (!draining_) closed_ = absl::OkStatus();
}

void Door::BeginDrain() {
  calls_.BeginDrain();
  std::vector<std::shared_ptr<StreamBase>> open;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    closed_ = Draining();
    for (const auto& [key, stream] : streams_) {
      if (auto held = stream.lock()) open.push_back(std::move(held));
    }
  }
  for (const auto& stream : open) stream->Drain(Draining());
}

void Door::EndWaitingCalls() { calls_.EndWaiting(Draining()); }
void Door::EndCalls() { calls_.EndAll(Draining()); }

bool Door::AwaitEnd(MonotonicMicros until) {
  if (!calls_.AwaitAll(until)) return false;
  MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return streams_.empty(); };
  return mutex_.AwaitWithTimeout(none, absl::Microseconds(std::max<int64_t>(until - clock_.MonotonicMicros(), 0)));
}

}  // namespace halles::rpc
