// Opens streams of commands, and tells apart the names that no door has.
#include "services/halles/bulk_service.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "libs/base/status.h"

namespace halles::program {

absl::Status NoSuchMethod(const host::Host& host, const std::string& name) {
  const absl::string_view service = absl::string_view(name).substr(0, name.find('/'));
  const absl::string_view package = service.substr(0, service.rfind('.'));
  if (service.size() < name.size()) {
    const std::string request = absl::StrCat(package, ".", name.substr(service.size() + 1), "Request");
    const auto* const type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(request);
    if (type != nullptr && host.FindCommand(type) != nullptr) {
      return Failure(absl::StatusCode::kUnimplemented, "INTERNAL_COMMAND",
                     "only services send this command; clients send those that are methods");
    }
  }
  return Failure(absl::StatusCode::kUnimplemented, "UNKNOWN_METHOD",
                 "no service has a method of this name; it is like halles.inventory.v1.InventoryService/ReserveStock");
}

BulkDoor::BulkDoor(const DoorParts& parts, const rpc::Methods& methods)
    : methods_(methods),
      unknown_method_([host = parts.host](const std::string& name) { return NoSuchMethod(*host, name); }),
      door_(bulk::v1::BulkService::service_full_name(), parts.host->clock(), parts.metrics,
            {.streams_max = kBatchStreamsMax}) {}

grpc::ServerBidiReactor<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>* BulkDoor::SubmitBatch(
    grpc::CallbackServerContext* context) {
  return door_.Batches(context, methods_, unknown_method_);
}

}  // namespace halles::program
