// Base 32, and ids derived from hashes.
#include "libs/base/opaque_id.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace halles {
namespace {

constexpr size_t kIdDigits = 26;

}  // namespace

std::string Base32(absl::string_view bytes, size_t digits) {
  std::string text;
  text.reserve(digits);
  uint32_t bits = 0;
  int available = 0;
  size_t next = 0;
  while (text.size() < digits) {
    if (available < 5) {
      bits = (bits << 8) | static_cast<uint8_t>(bytes[next++]);
      available += 8;
    }
    available -= 5;
    text.push_back(kBase32Digits[(bits >> available) & 31]);
  }
  return text;
}

Hash256 HashOfParts(std::initializer_list<absl::string_view> parts) {
  std::string bytes;
  for (const absl::string_view part : parts) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(part.size() >> shift));
    absl::StrAppend(&bytes, part);
  }
  return Sha256(bytes);
}

std::string OpaqueId(absl::string_view prefix, std::initializer_list<absl::string_view> parts) {
  return absl::StrCat(prefix, Base32(HashOfParts(parts).view(), kIdDigits));
}

}  // namespace halles
