// Extracts and checks the time in a UUIDv7.
#include "libs/partition/request_id.h"

#include "absl/strings/ascii.h"
#include "libs/base/status.h"

namespace halles::partition {

std::optional<UnixMicros> TimeOfUuid7(absl::string_view request_id) {
  // xxxxxxxx-xxxx-7xxx-[89ab]xxx-xxxxxxxxxxxx
  if (request_id.size() != 36) return std::nullopt;
  int64_t millis = 0;
  for (size_t i = 0; i < request_id.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(request_id[i]);
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    if (!absl::ascii_isxdigit(c)) return std::nullopt;
    if (i > 13) continue;
    const int digit = absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
    millis = (millis << 4) | digit;
  }
  const char variant = absl::ascii_tolower(static_cast<unsigned char>(request_id[19]));
  if (request_id[14] != '7' || (variant != '8' && variant != '9' && variant != 'a' && variant != 'b')) {
    return std::nullopt;
  }
  return millis * 1000;
}

absl::Status RequestIdReused(const std::string& request_id) {
  return Failure(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                 "the request id was already used for another request; send a new request with a new id",
                 {{"request_id", request_id}, {"field", "request_id"}});
}

absl::Status CheckRequestTime(const std::string& request_id, UnixMicros now) {
  const std::optional<UnixMicros> time = TimeOfUuid7(request_id);
  if (!time.has_value()) return absl::OkStatus();
  if (now - *time >= kRequestIdLifeMicros) {
    return Failure(absl::StatusCode::kFailedPrecondition, "REQUEST_ID_EXPIRED",
                   "the UUIDv7 is older than 30 days, so its answer is forgotten and it is not executed",
                   {{"request_id", request_id}});
  }
  if (*time - now > kRequestIdAheadMicros) {
    return Failure(absl::StatusCode::kInvalidArgument, "REQUEST_ID_AHEAD",
                   "the UUIDv7 is more than a day in the future; set the client's clock", {{"request_id", request_id}});
  }
  return absl::OkStatus();
}

}  // namespace halles::partition
