// What becomes of a request because of its id.
#ifndef HALLES_LIBS_PARTITION_REQUEST_ID_H_
#define HALLES_LIBS_PARTITION_REQUEST_ID_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "libs/base/request_id.h"
#include "libs/base/unix_time.h"

namespace halles::partition {

// A UUIDv7 may be this far ahead of the logical time, because clients' clocks may be ahead; beyond it the id is
// refused.
inline constexpr int64_t kRequestIdAheadMicros = int64_t{24} * 3600 * 1'000'000;

// OK, or why an id with a time cannot be executed at the logical time `now`, and its recorded answer is not told either:
//   REQUEST_ID_EXPIRED (FAILED_PRECONDITION)  a UUIDv7 that is over
//   STEP_EXPIRED (UNKNOWN)                    a step that is over: no refusal, because it may have been executed in time
//   REQUEST_ID_AHEAD (INVALID_ARGUMENT)       a UUIDv7 of the future
absl::Status CheckRequestTime(const std::string& request_id, const RequestIdTime& time, UnixMicros now);

// The error for a reused request id: INVALID_ARGUMENT, REQUEST_ID_REUSED.
absl::Status RequestIdReused(const std::string& request_id);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_REQUEST_ID_H_
