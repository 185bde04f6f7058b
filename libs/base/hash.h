// Hashes and checksums. Their values are stored, so they never change.
#ifndef HALLES_LIBS_BASE_HASH_H_
#define HALLES_LIBS_BASE_HASH_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace halles {

// XXH3 of 64 bits with seed 0. Not collision resistant against chosen input.
uint64_t Hash64(absl::string_view data);

struct Hash128 {
  uint64_t lo = 0;
  uint64_t hi = 0;

  friend bool operator==(const Hash128&, const Hash128&) = default;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Hash128& hash) {
    return H::combine(std::move(h), hash.lo, hash.hi);
  }
  std::string Hex() const;  // 32 digits, hi first
};

// XXH3 of 128 bits over the length of `a` (8 bytes, little endian), `a` and `b`: no other pair gives the same bytes.
Hash128 Hash128Of(absl::string_view a, absl::string_view b);

struct Hash256 {
  std::array<uint8_t, 32> bytes{};

  friend bool operator==(const Hash256&, const Hash256&) = default;
  friend auto operator<=>(const Hash256&, const Hash256&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Hash256& hash) {
    return H::combine(std::move(h), hash.bytes);
  }
  absl::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  std::string Hex() const;
  // nullopt unless there are exactly 32 bytes.
  static std::optional<Hash256> FromBytes(absl::string_view bytes);
};

// SHA-256 of `a` followed by `b`.
Hash256 Sha256(absl::string_view a, absl::string_view b = {});

Hash256 HmacSha256(absl::string_view key, absl::string_view data);

// CRC-32C (Castagnoli) of `data`, continuing from `crc` of the preceding bytes.
uint32_t Crc32c(absl::string_view data, uint32_t crc = 0);

// Masks a CRC that is stored beside its data, because a CRC over bytes that contain their own CRC detects little.
constexpr uint32_t MaskCrc(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }
constexpr uint32_t UnmaskCrc(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace halles

#endif  // HALLES_LIBS_BASE_HASH_H_
