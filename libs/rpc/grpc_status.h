// Converts errors: absl::Status with its payloads to grpc::Status with google.rpc.Status, and back.
#ifndef HALLES_LIBS_RPC_GRPC_STATUS_H_
#define HALLES_LIBS_RPC_GRPC_STATUS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace halles::rpc {

// Trailers count towards the client's metadata limit, by default 8 KiB; a status stays well below it.
inline constexpr size_t kStatusMessageBytesMax = 1024;
inline constexpr size_t kStatusDetailsBytesMax = 4096;

// The status with ErrorInfo, BadRequest and RetryInfo as its details; other payloads are dropped. An INTERNAL status
// carries its message only. A message beyond its limit is cut; if the details exceed theirs, only the reason is kept.
grpc::Status ToGrpc(const absl::Status& status);

// The same as a message, for answers that come in batches. Of an error only.
google::rpc::Status ToProto(const absl::Status& status);

// For clients: the status with its details as payloads. Details that do not parse are dropped.
absl::Status FromGrpc(const grpc::Status& status);
absl::Status FromProto(const google::rpc::Status& status);

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_GRPC_STATUS_H_
