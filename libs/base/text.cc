// Walks UTF-8; base64url one way only.
#include "libs/base/text.h"

#include <cstdint>

#include "absl/strings/escaping.h"

namespace halles {

std::optional<size_t> PrintableLength(absl::string_view text) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++characters) {
    const auto lead = static_cast<uint8_t>(text[i]);
    size_t bytes;
    uint32_t point;
    if (lead < 0x80) {
      bytes = 1;
      point = lead;
    } else if (lead >> 5 == 0x6) {
      bytes = 2;
      point = lead & 0x1f;
    } else if (lead >> 4 == 0xe) {
      bytes = 3;
      point = lead & 0x0f;
    } else if (lead >> 3 == 0x1e) {
      bytes = 4;
      point = lead & 0x07;
    } else {
      return std::nullopt;
    }
    if (text.size() - i < bytes) return std::nullopt;
    for (size_t k = 1; k < bytes; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      if (next >> 6 != 0x2) return std::nullopt;
      point = (point << 6) | (next & 0x3f);
    }
    // Longer than it need be, half of a pair, or beyond Unicode.
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[bytes] || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff) return std::nullopt;
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return std::nullopt;
    i += bytes;
  }
  return characters;
}

std::optional<std::string> FromBase64Url(absl::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(text, &bytes) || absl::WebSafeBase64Escape(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace halles
