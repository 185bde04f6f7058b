// Packs payloads into google.rpc.Status and unpacks them.
#include "libs/rpc/grpc_status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "google/rpc/status.pb.h"
#include "libs/base/status.h"

namespace halles::rpc {
namespace {

constexpr absl::string_view kPayloads[] = {kErrorInfoUrl, kBadRequestUrl, kRetryInfoUrl};
// Messages of the public protos are details too.
constexpr absl::string_view kOwnPayloads = "type.googleapis.com/halles.";

// At most `bytes_max` bytes of `text`, cut at a character boundary of UTF-8.
std::string Cut(absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

google::rpc::Status WithDetails(const absl::Status& status, const std::string& message) {
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  for (const absl::string_view url : kPayloads) {
    const absl::optional<absl::Cord> payload = status.GetPayload(url);
    if (!payload.has_value()) continue;
    auto* any = details.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(*payload));
  }
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    if (!absl::StartsWith(url, kOwnPayloads)) return;
    auto* any = details.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  return details;
}

}  // namespace

google::rpc::Status ToProto(const absl::Status& status) {
  std::string message = Cut(status.message(), kStatusMessageBytesMax);
  if (absl::IsInternal(status)) {
    google::rpc::Status bare;
    bare.set_code(static_cast<int>(status.code()));
    bare.set_message(std::move(message));
    return bare;
  }
  google::rpc::Status details = WithDetails(status, message);
  if (details.ByteSizeLong() > kStatusDetailsBytesMax) {
    details = WithDetails(Failure(status.code(), Cut(ReasonOf(status), 128), message), message);
  }
  return details;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = ToProto(status);
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()), details.message(),
                      details.details().empty() ? std::string() : details.SerializeAsString());
}

absl::Status FromProto(const google::rpc::Status& status) {
  absl::Status result(static_cast<absl::StatusCode>(status.code()), status.message());
  for (const auto& any : status.details()) {
    for (const absl::string_view url : kPayloads) {
      if (any.type_url() == url) result.SetPayload(url, absl::Cord(any.value()));
    }
    if (absl::StartsWith(any.type_url(), kOwnPayloads)) result.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
  return result;
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  details.set_code(static_cast<int>(status.error_code()));
  details.set_message(status.error_message());
  return FromProto(details);
}

}  // namespace halles::rpc
