// Judges the time in a request id.
#include "libs/partition/request_id.h"

#include "libs/base/status.h"

namespace halles::partition {

absl::Status RequestIdReused(const std::string& request_id) {
  return Failure(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                 "the request id was already used for another request; send a new request with a new id",
                 {{"request_id", request_id}, {"field", "request_id"}});
}

absl::Status CheckRequestTime(const std::string& request_id, const RequestIdTime& time, UnixMicros now) {
  if (time.kind == RequestIdKind::kTimeless) return absl::OkStatus();
  if (time.expires <= now) {
    if (time.kind == RequestIdKind::kStep) {
      return Failure(absl::StatusCode::kUnknown, "STEP_EXPIRED",
                     "the saga of the step began more than 30 days ago, so it is not known any more what became of it",
                     {{"request_id", request_id}});
    }
    return Failure(absl::StatusCode::kFailedPrecondition, "REQUEST_ID_EXPIRED",
                   "the UUIDv7 is older than 30 days, so its answer is forgotten and it is not executed",
                   {{"request_id", request_id}});
  }
  if (time.kind == RequestIdKind::kUuid7 && time.time - now > kRequestIdAheadMicros) {
    return Failure(absl::StatusCode::kInvalidArgument, "REQUEST_ID_AHEAD",
                   "the UUIDv7 is more than a day in the future; set the client's clock", {{"request_id", request_id}});
  }
  return absl::OkStatus();
}

}  // namespace halles::partition
