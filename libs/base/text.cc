// Decodes UTF-8 and strict base64url.
#include "libs/base/text.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"

namespace halles {
namespace {

// Whether all eight bytes are 0x20 to 0x7e: no byte has its high bit set, none falls below 0 when 0x20 is subtracted,
// and none reaches 0x80 when 1 is added.
bool AllPrintableAscii(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x80 * kOnes;
  return ((bytes | (bytes - 0x20 * kOnes) | (bytes + kOnes)) & kHigh) == 0;
}

}  // namespace

std::optional<size_t> PrintableLength(absl::string_view text) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++characters) {
    for (uint64_t word; text.size() - i >= sizeof(word); i += sizeof(word), characters += sizeof(word)) {
      std::memcpy(&word, text.data() + i, sizeof(word));
      if (!AllPrintableAscii(word)) break;
    }
    if (i == text.size()) break;
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
    // An overlong encoding, half of a surrogate pair, or beyond Unicode.
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
