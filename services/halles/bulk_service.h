// The door of bulk writers: the commands of all services over one stream.
#ifndef HALLES_SERVICES_HALLES_BULK_SERVICE_H_
#define HALLES_SERVICES_HALLES_BULK_SERVICE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "halles/bulk/v1/bulk_service.grpc.pb.h"
#include "libs/host/host.h"
#include "libs/program/doors.h"
#include "libs/rpc/batch.h"
#include "libs/rpc/door.h"

namespace halles::program {

// Streams that are open at once; a further one gets RESOURCE_EXHAUSTED (TOO_MANY_STREAMS).
inline constexpr size_t kBatchStreamsMax = 256;

// Why no door has a method of this name: UNIMPLEMENTED, INTERNAL_COMMAND if it is the name of a command that only
// services send, such as "halles.checkout.v1.CheckoutService/LinkReturn", or else UNKNOWN_METHOD.
absl::Status NoSuchMethod(const host::Host& host, const std::string& name);

// Thread safety: any thread.
// Lifetime: parts and methods outlive it; it outlives the server.
class BulkDoor final : public bulk::v1::BulkService::CallbackService {
 public:
  // `methods` are those of all doors.
  BulkDoor(const DoorParts& parts, const rpc::Methods& methods);

  grpc::ServerBidiReactor<bulk::v1::SubmitBatchRequest, bulk::v1::SubmitBatchResponse>* SubmitBatch(
      grpc::CallbackServerContext* context) override;

  rpc::Door& door() { return door_; }

 private:
  const rpc::Methods& methods_;
  const rpc::UnknownMethodStatus unknown_method_;
  rpc::Door door_;
};

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_BULK_SERVICE_H_
