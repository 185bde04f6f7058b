// Hashes by xxHash and OpenSSL, and CRC-32C by the processor where it can.
#include "libs/base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <cstring>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace halles {
namespace {

void StoreLittleEndian64(uint64_t value, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

uint32_t CrcByTable(const uint8_t* data, size_t size, uint32_t crc) {
  for (size_t i = 0; i < size; ++i) crc = kCrcTable[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t CrcByProcessor(const uint8_t* data, size_t size, uint32_t crc) {
  uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = _mm_crc32_u8(crc, *data);
  return crc;
}
#endif

using CrcFunction = uint32_t (*)(const uint8_t*, size_t, uint32_t);

CrcFunction ChooseCrc() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return CrcByProcessor;
#endif
  return CrcByTable;
}

}  // namespace

uint64_t Hash64(absl::string_view data) { return XXH3_64bits(data.data(), data.size()); }

Hash128 Hash128Of(absl::string_view a, absl::string_view b) {
  constexpr size_t kInline = 512;  // most rows fit; hashing a copy in one pass is faster than a stream
  XXH128_hash_t hash;
  char buffer[kInline];
  StoreLittleEndian64(a.size(), buffer);
  if (8 + a.size() + b.size() <= kInline) {
    if (!a.empty()) std::memcpy(buffer + 8, a.data(), a.size());
    if (!b.empty()) std::memcpy(buffer + 8 + a.size(), b.data(), b.size());
    hash = XXH3_128bits(buffer, 8 + a.size() + b.size());
  } else {
    XXH3_state_t* const state = [] {
      thread_local std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> owned(XXH3_createState(), XXH3_freeState);
      return owned.get();
    }();
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, buffer, 8);
    XXH3_128bits_update(state, a.data(), a.size());
    XXH3_128bits_update(state, b.data(), b.size());
    hash = XXH3_128bits_digest(state);
  }
  return Hash128{hash.low64, hash.high64};
}

std::string Hash128::Hex() const { return absl::StrFormat("%016x%016x", hi, lo); }

std::string Hash256::Hex() const { return absl::BytesToHexString(view()); }

std::optional<Hash256> Hash256::FromBytes(absl::string_view bytes) {
  Hash256 hash;
  if (bytes.size() != hash.bytes.size()) return std::nullopt;
  std::memcpy(hash.bytes.data(), bytes.data(), bytes.size());
  return hash;
}

Hash256 Sha256(absl::string_view a, absl::string_view b) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Hash256 hash;
  EVP_DigestInit_ex2(context.get(), algorithm, nullptr);
  EVP_DigestUpdate(context.get(), a.data(), a.size());
  EVP_DigestUpdate(context.get(), b.data(), b.size());
  EVP_DigestFinal_ex(context.get(), hash.bytes.data(), nullptr);
  return hash;
}

Hash256 HmacSha256(absl::string_view key, absl::string_view data) {
  // Computed from its two hashes: HMAC() of OpenSSL would look up its algorithm by name at each call.
  constexpr size_t kBlock = 64;
  char inner[kBlock] = {};
  if (key.size() > kBlock) {
    const Hash256 short_key = Sha256(key);
    std::memcpy(inner, short_key.bytes.data(), short_key.bytes.size());
  } else if (!key.empty()) {
    std::memcpy(inner, key.data(), key.size());
  }
  char outer[kBlock];
  for (size_t i = 0; i < kBlock; ++i) {
    outer[i] = static_cast<char>(inner[i] ^ 0x5c);
    inner[i] = static_cast<char>(inner[i] ^ 0x36);
  }
  return Sha256({outer, kBlock}, Sha256({inner, kBlock}, data).view());
}

uint32_t Crc32c(absl::string_view data, uint32_t crc) {
  static const CrcFunction function = ChooseCrc();
  return ~function(reinterpret_cast<const uint8_t*>(data.data()), data.size(), ~crc);
}

}  // namespace halles
