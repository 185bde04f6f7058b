// Channels and errors.
#include "services/hallesctl/client.h"

#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "libs/base/status.h"
#include "libs/rpc/grpc_status.h"

namespace halles::hallesctl {
namespace {

constexpr int kReconnectMsMax = 500;

template <typename Message>
bool Payload(const absl::Status& status, absl::string_view url, Message* message) {
  const absl::optional<absl::Cord> payload = status.GetPayload(url);
  return payload.has_value() && message->ParseFromString(std::string(*payload));
}

absl::string_view AdviceFor(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == "EXTERNAL_ID_REUSED" || reason == "REQUEST_ID_REUSED") {
    return "the id is already recorded with different content; facts are never changed, so use a new id for a "
           "correction";
  }
  if (reason == "LOG_DISK_FULL") return "free space on the disk of its --data-dir; queries are answered meanwhile";
  if (reason == "FOREIGN_TOKEN") return "drop the token: it was issued by another installation";
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return "check that halles is running there, or give another address with --target host:port";
    case absl::StatusCode::kDeadlineExceeded:
      return "give it more time with --timeout, or see `hallesctl status` for the lag of the views";
    case absl::StatusCode::kResourceExhausted:
      return "try again in a moment";
    case absl::StatusCode::kUnimplemented:
      return "the server at the target is not halles, or has a different version";
    case absl::StatusCode::kDataLoss:
      return "see `hallesctl status` for the stopped slot and the cause";
    default:
      return "";
  }
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsMax / 5);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

Client::Client(std::shared_ptr<grpc::Channel> channel_in, std::string target_in, absl::Duration timeout_in)
    : target(std::move(target_in)),
      timeout(timeout_in),
      channel(std::move(channel_in)),
      checkout(checkout::v1::CheckoutService::NewStub(channel)),
      carts(checkout::v1::CartService::NewStub(channel)),
      orders(checkout::v1::OrderService::NewStub(channel)),
      inventory(inventory::v1::InventoryService::NewStub(channel)),
      customers(customer_identity::v1::CustomerIdentityService::NewStub(channel)),
      admin(admin::v1::AdminService::NewStub(channel)) {}

absl::Status Client::ErrorOf(const grpc::Status& status) const {
  const absl::Status error = rpc::FromGrpc(status);
  const bool nobody = error.code() == absl::StatusCode::kUnavailable && ReasonOf(error).empty();
  return nobody ? WithContext(error, absl::StrCat("no answer from ", target)) : error;
}

bool IsWorthAnotherTry(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    case absl::StatusCode::kResourceExhausted:
      // Without a reason it comes from the transport: the message is too large and stays so.
      return !ReasonOf(status).empty() || RetryAfterOf(status).has_value();
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
      // The connection broke before the answer arrived.
      return ReasonOf(status).empty();
    default:
      return false;
  }
}

std::string NewRequestId() {
  std::random_device random;
  return absl::StrFormat("hallesctl/%08x%08x%08x", random(), random(), random());
}

std::string ErrorText(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  std::string text = absl::StrCat("hallesctl: ", absl::StatusCodeToString(status.code()),
                                  reason.empty() ? "" : absl::StrCat(" ", reason), ": ", status.message(), "\n");
  if (google::rpc::BadRequest bad; Payload(status, kBadRequestUrl, &bad)) {
    for (const auto& violation : bad.field_violations()) {
      absl::StrAppend(&text, "  field ", violation.field(), ": ", violation.description(), "\n");
    }
  }
  if (google::rpc::ErrorInfo info; Payload(status, kErrorInfoUrl, &info)) {
    // A protobuf map has no order; sort it for the reader.
    const std::map<std::string, std::string> sorted(info.metadata().begin(), info.metadata().end());
    for (const auto& [key, value] : sorted) absl::StrAppend(&text, "  ", key, ": ", value, "\n");
  }
  if (const auto after = RetryAfterOf(status); after.has_value()) {
    absl::StrAppend(&text, "  retry after: ", absl::FormatDuration(*after), "\n");
  }
  if (const absl::string_view advice = AdviceFor(status); !advice.empty()) {
    absl::StrAppend(&text, "  what to do: ", advice, "\n");
  }
  return text;
}

}  // namespace halles::hallesctl
