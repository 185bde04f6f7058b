// Reads the time out of a UUIDv7.
#include "libs/partition/request_id.h"

#include "absl/strings/ascii.h"

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

}  // namespace halles::partition
