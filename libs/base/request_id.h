// Request ids that carry a time, and when what is kept under them is over.
#ifndef HALLES_LIBS_BASE_REQUEST_ID_H_
#define HALLES_LIBS_BASE_REQUEST_ID_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/unix_time.h"

namespace halles {

// The answer to a UUIDv7 is kept this long after the time in the id; an older id is refused, never executed.
inline constexpr int64_t kRequestIdLifeMicros = int64_t{30} * 24 * 3600 * 1'000'000;

// The longest life of a saga. Its steps are executed within this time after its start, never later, and their answers
// are kept as long.
inline constexpr int64_t kSagaLifeMicros = int64_t{30} * 24 * 3600 * 1'000'000;

// Of ids without a time.
inline constexpr UnixMicros kNeverExpires = std::numeric_limits<UnixMicros>::max();

enum class RequestIdKind {
  kTimeless,  // chosen by a client without a time: kept for ever
  kUuid7,     // RFC 9562, section 5.7
  kStep,      // of a step of a saga, or of its cancel
};

// What a request id says about time.
struct RequestIdTime {
  RequestIdKind kind = RequestIdKind::kTimeless;
  UnixMicros time = 0;                 // in the id: when it was made, or its saga began; whole milliseconds
  UnixMicros expires = kNeverExpires;  // from this logical time on the request is not executed, and its answer goes
};
RequestIdTime TimeOfRequestId(absl::string_view request_id);

// The id of a step: "saga@1764230400000/<saga id>/<step>", with the start of the saga in milliseconds since 1970-01-01
// UTC, 13 digits. `start` is 0 to year 2286.
std::string StepRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step);

// Whether only the server makes such ids; doors refuse them, so that no client uses up the id of a step.
bool IsReservedRequestId(absl::string_view request_id);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_REQUEST_ID_H_
