// Builds and reads error payloads.
#include "libs/base/status.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/rpc/error_details.pb.h"

namespace halles {
namespace {

template <typename Message>
void Attach(absl::string_view url, const Message& message, absl::Status* status) {
  // Refusals are recorded, so equal refusals must have equal bytes; a hash map would give them in any order.
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  status->SetPayload(url, absl::Cord(std::move(bytes)));
}

template <typename Message>
std::optional<Message> Payload(const absl::Status& status, absl::string_view url) {
  const absl::optional<absl::Cord> bytes = status.GetPayload(url);
  Message message;
  if (!bytes.has_value() || !message.ParseFromString(std::string(*bytes))) return std::nullopt;
  return message;
}

}  // namespace

absl::Status Failure(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     const Metadata& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = value;
  absl::Status status(code, message);
  Attach(kErrorInfoUrl, info, &status);
  return status;
}

namespace {

absl::Status BadField(absl::string_view reason, absl::string_view field, absl::string_view description) {
  absl::Status status = Failure(absl::StatusCode::kInvalidArgument, reason, absl::StrCat(field, ": ", description),
                                {{"field", std::string(field)}});
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(description));
  Attach(kBadRequestUrl, bad_request, &status);
  return status;
}

}  // namespace

absl::Status InvalidField(absl::string_view field, absl::string_view description) {
  return BadField("INVALID_FIELD", field, description);
}

absl::Status UnknownValue(absl::string_view field, absl::string_view description) {
  return BadField("UNKNOWN_VALUE", field, description);
}

absl::Status Overloaded(absl::string_view reason, absl::string_view message, absl::Duration retry_after) {
  absl::Status status = Failure(absl::StatusCode::kResourceExhausted, reason, message);
  google::rpc::RetryInfo retry;
  absl::Duration rest;
  retry.mutable_retry_delay()->set_seconds(absl::IDivDuration(retry_after, absl::Seconds(1), &rest));
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  Attach(kRetryInfoUrl, retry, &status);
  return status;
}

absl::Status RejectByName(absl::string_view enum_value_name, absl::string_view message, const Metadata& metadata) {
  return Failure(absl::StatusCode::kFailedPrecondition, absl::StripPrefix(enum_value_name, "REJECT_REASON_"), message,
                 metadata);
}

std::string ReasonOf(const absl::Status& status) {
  const auto info = Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  return info.has_value() ? info->reason() : std::string();
}

std::string MetadataOf(const absl::Status& status, absl::string_view key) {
  const auto info = Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  if (!info.has_value()) return "";
  const auto found = info->metadata().find(std::string(key));
  return found == info->metadata().end() ? std::string() : found->second;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const auto retry = Payload<google::rpc::RetryInfo>(status, kRetryInfoUrl);
  if (!retry.has_value() || !retry->has_retry_delay()) return std::nullopt;
  return absl::Seconds(retry->retry_delay().seconds()) + absl::Nanoseconds(retry->retry_delay().nanos());
}

absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status with_context(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { with_context.SetPayload(url, payload); });
  return with_context;
}

}  // namespace halles

#if defined(__SANITIZE_THREAD__)
// Neither the distribution's Abseil nor its RocksDB is instrumented. ThreadSanitizer sees one thread increment the
// reference count of a status and another delete it, but not the decrement in between that orders them; and it sees the
// frees of RocksDB, but not its locks. A process has one list of suppressions, so it stands here for all.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:^absl::*::Status::Unref\nrace:librocksdb.so\n"; }
#endif
