// Encodes and decodes page tokens.
//
// Layout before base64url, integers big endian:
//   u8       version, 1
//   u64      Hash64 of the request
//   n bytes  place
//   u32      masked CRC-32C of all of the above
#include "libs/base/page_token.h"

#include <cstdint>

#include "absl/strings/escaping.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles {
namespace {

constexpr char kVersion = 1;
constexpr size_t kHeadBytes = 1 + 8;
constexpr size_t kCrcBytes = 4;
constexpr size_t kTokenBytesMax = 4096;

void Append(uint64_t value, int width, std::string* out) {
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::string Head(absl::string_view request) {
  std::string head(1, kVersion);
  Append(Hash64(request), 8, &head);
  return head;
}

std::string CrcOf(absl::string_view bytes) {
  std::string crc;
  Append(MaskCrc(Crc32c(bytes)), kCrcBytes, &crc);
  return crc;
}

}  // namespace

std::string EncodePageToken(absl::string_view request, absl::string_view place) {
  std::string bytes = Head(request);
  bytes.append(place.data(), place.size());
  bytes += CrcOf(bytes);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<std::string> DecodePageToken(absl::string_view request, absl::string_view token) {
  if (token.empty()) return std::string();
  const std::optional<std::string> bytes = token.size() > kTokenBytesMax ? std::nullopt : FromBase64Url(token);
  if (!bytes.has_value() || bytes->size() < kHeadBytes + kCrcBytes || (*bytes)[0] != kVersion) {
    return InvalidField("page_token", "is damaged; send it exactly as it was received");
  }
  const absl::string_view covered(bytes->data(), bytes->size() - kCrcBytes);
  if (CrcOf(covered) != bytes->substr(covered.size())) {
    return InvalidField("page_token", "is damaged; send it exactly as it was received");
  }
  if (covered.substr(0, kHeadBytes) != Head(request)) {
    return InvalidField("page_token",
                        "belongs to another request; all other fields must stay the same from page to page");
  }
  return std::string(covered.substr(kHeadBytes));
}

}  // namespace halles
