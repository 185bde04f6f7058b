// Encodes and decodes consistency tokens.
//
// Layout before base64url, integers little endian:
//   u8       version, 1
//   16 bytes install id
//   n times  u8 service, u16 slot, u64 position; ascending by service and slot, none twice
//   u32      masked CRC-32C of all of the above
#include "libs/base/token.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeadBytes = 1 + 16;
constexpr size_t kEntryBytes = 1 + 2 + 8;
constexpr size_t kCrcBytes = 4;
constexpr size_t kTokenBytesMax = kHeadBytes + kTokenSlotsMax * kEntryBytes + kCrcBytes;

template <typename T>
void Append(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

template <typename T>
T Take(absl::string_view* bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<T>(static_cast<uint8_t>((*bytes)[i])) << (8 * i));
  bytes->remove_prefix(sizeof(T));
  return value;
}

absl::Status Malformed() {
  return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_TOKEN",
                 "the consistency token is damaged; send it exactly as it was received");
}

}  // namespace

std::string EncodeToken(const InstallId& install, const TokenPositions& positions) {
  std::string bytes;
  bytes.reserve(kHeadBytes + positions.size() * kEntryBytes + kCrcBytes);
  Append(kVersion, &bytes);
  bytes.append(install.view().data(), install.view().size());
  for (const auto& [slot, position] : positions) {
    Append(static_cast<uint8_t>(slot.service), &bytes);
    Append(slot.slot, &bytes);
    Append(position, &bytes);
  }
  Append(MaskCrc(Crc32c(bytes)), &bytes);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<TokenPositions> DecodeToken(const InstallId& install, absl::string_view token) {
  TokenPositions positions;
  if (token.empty()) return positions;
  if (token.size() > kTokenBytesMax * 4 / 3 + 4) return Malformed();
  const std::optional<std::string> bytes_of_token = FromBase64Url(token);
  if (!bytes_of_token.has_value()) return Malformed();
  const absl::string_view decoded = *bytes_of_token;
  if (decoded.size() < kHeadBytes + kCrcBytes || (decoded.size() - kHeadBytes - kCrcBytes) % kEntryBytes != 0) {
    return Malformed();
  }
  absl::string_view crc_bytes = decoded.substr(decoded.size() - kCrcBytes);
  absl::string_view bytes = decoded.substr(0, decoded.size() - kCrcBytes);
  if (UnmaskCrc(Take<uint32_t>(&crc_bytes)) != Crc32c(bytes)) return Malformed();
  if (Take<uint8_t>(&bytes) != kVersion) return Malformed();
  if (bytes.substr(0, 16) != install.view()) {
    return Failure(absl::StatusCode::kInvalidArgument, "FOREIGN_TOKEN",
                   "the consistency token was issued by another installation",
                   {{"token_install", absl::BytesToHexString(bytes.substr(0, 16))}, {"install", install.Hex()}});
  }
  bytes.remove_prefix(16);
  while (!bytes.empty()) {
    SlotId slot;
    slot.service = static_cast<ServiceId>(Take<uint8_t>(&bytes));
    slot.slot = Take<uint16_t>(&bytes);
    const Position position = Take<uint64_t>(&bytes);
    if (!positions.empty() && !(positions.rbegin()->first < slot)) return Malformed();
    positions.emplace_hint(positions.end(), slot, position);
  }
  return positions;
}

absl::StatusOr<InstallId> InstallOfToken(absl::string_view token) {
  if (token.size() > kTokenBytesMax * 4 / 3 + 4) return Malformed();
  const std::optional<std::string> decoded = FromBase64Url(token);
  if (!decoded.has_value() || decoded->size() < kHeadBytes + kCrcBytes) return Malformed();
  const std::optional<InstallId> install = InstallId::FromBytes(absl::string_view(*decoded).substr(1, 16));
  if (!install.has_value()) return Malformed();
  RETURN_IF_ERROR(DecodeToken(*install, token).status());
  return *install;
}

void MergeToken(const TokenPositions& positions, TokenPositions* into) {
  for (const auto& [slot, position] : positions) {
    Position& merged = (*into)[slot];
    merged = std::max(merged, position);
  }
}

}  // namespace halles
