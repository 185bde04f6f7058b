// Request ids that carry their own time: UUIDv7, whose recorded answers expire.
#ifndef HALLES_LIBS_PARTITION_REQUEST_ID_H_
#define HALLES_LIBS_PARTITION_REQUEST_ID_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"

namespace halles::partition {

// An answer to a UUIDv7 is kept this long after the time in the id; an older id is refused, never executed.
inline constexpr int64_t kRequestIdLifeMicros = int64_t{30} * 24 * 3600 * 1'000'000;

// A UUIDv7 may be this far ahead of the logical time, because clients' clocks may be ahead; beyond it the id is
// refused.
inline constexpr int64_t kRequestIdAheadMicros = int64_t{24} * 3600 * 1'000'000;

// The time in a UUIDv7 (RFC 9562, section 5.7); nullopt for any other id.
std::optional<UnixMicros> TimeOfUuid7(absl::string_view request_id);

// OK, or why an id with a time cannot be executed: REQUEST_ID_EXPIRED, REQUEST_ID_AHEAD.
absl::Status CheckRequestTime(const std::string& request_id, UnixMicros now);

// The error for a reused request id: INVALID_ARGUMENT, REQUEST_ID_REUSED.
absl::Status RequestIdReused(const std::string& request_id);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_REQUEST_ID_H_
