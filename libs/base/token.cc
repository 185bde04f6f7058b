// Issues and reads consistency tokens.
//
// Layout before base64url; a varint has 7 bits a byte, the low ones first, and the high bit in all bytes but the last:
//   u8       version, 2
//   8 bytes  the first of the install id
//   for each service, ascending:
//     u8       service
//     varint   2 * number of slots + 1 if a bitmap names them
//     bitmap   varint number of bytes, then the bytes; slot 0 is the lowest bit of the first, and the last is not 0
//     varint   the position of each slot, ascending; without a bitmap, before it the slot minus the one before minus 1,
//              of the first one the slot itself
//   8 bytes  the first of HMAC-SHA256 of all of the above, keyed with the SHA-256 of a fixed text and the key
#include "libs/base/token.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles {
namespace {

constexpr uint8_t kVersion = 2;
constexpr size_t kIssuerBytes = 8;
constexpr size_t kHeadBytes = 1 + kIssuerBytes;
constexpr size_t kMacBytes = 8;
constexpr uint64_t kSlotsMax = 65'536;

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

bool TakeVarint(absl::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    *value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

absl::Status Malformed() {
  return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_TOKEN",
                 "the consistency token is damaged; send it exactly as it was received");
}

// The slots of one service.
using Entries = absl::Span<const std::pair<uint16_t, Position>>;

void AppendService(ServiceId service, Entries entries, std::string* out) {
  const size_t bitmap_bytes = entries.back().first / 8 + 1;
  const bool with_bitmap = bitmap_bytes < entries.size();
  out->push_back(static_cast<char>(service));
  AppendVarint(2 * entries.size() + (with_bitmap ? 1 : 0), out);
  if (with_bitmap) {
    AppendVarint(bitmap_bytes, out);
    const size_t bitmap_at = out->size();
    out->resize(bitmap_at + bitmap_bytes);
    for (const auto& [slot, position] : entries) {
      char& byte = (*out)[bitmap_at + slot / 8];
      byte = static_cast<char>(byte | (1 << slot % 8));
    }
  }
  uint64_t next = 0;
  for (const auto& [slot, position] : entries) {
    if (!with_bitmap) AppendVarint(slot - next, out);
    AppendVarint(position, out);
    next = uint64_t{slot} + 1;
  }
}

bool TakeService(absl::string_view* bytes, TokenPositions* positions) {
  const auto service = static_cast<ServiceId>(static_cast<uint8_t>(bytes->front()));
  bytes->remove_prefix(1);
  uint64_t header = 0;
  if (!TakeVarint(bytes, &header) || header / 2 > kSlotsMax) return false;
  std::vector<uint16_t> slots;
  if (header % 2 == 1) {
    uint64_t size = 0;
    if (!TakeVarint(bytes, &size) || size > bytes->size() || size > kSlotsMax / 8) return false;
    for (uint64_t slot = 0; slot < size * 8; ++slot) {
      if ((static_cast<uint8_t>((*bytes)[slot / 8]) >> slot % 8 & 1) != 0) slots.push_back(static_cast<uint16_t>(slot));
    }
    bytes->remove_prefix(size);
    if (slots.size() != header / 2) return false;
  }
  uint64_t next = 0;
  for (uint64_t i = 0; i < header / 2; ++i) {
    uint64_t slot = 0;
    uint64_t position = 0;
    if (!slots.empty()) {
      slot = slots[i];
    } else {
      uint64_t skipped = 0;
      if (!TakeVarint(bytes, &skipped) || skipped >= kSlotsMax - next) return false;
      slot = next + skipped;
    }
    if (!TakeVarint(bytes, &position)) return false;
    Position& required = (*positions)[SlotId{service, static_cast<uint16_t>(slot)}];
    required = std::max(required, position);
    next = slot + 1;
  }
  return true;
}

// The bytes of a token of this version.
absl::StatusOr<std::string> BytesOf(absl::string_view token) {
  if (token.size() > kTokenCharsMax) return Malformed();
  std::optional<std::string> bytes = FromBase64Url(token);
  if (!bytes.has_value() || bytes->size() < kHeadBytes + kMacBytes) return Malformed();
  if ((*bytes)[0] == kVersion) return *std::move(bytes);
  return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_TOKEN",
                 absl::StrCat("the consistency token has version ", static_cast<uint8_t>((*bytes)[0]),
                              ", this build reads version ", kVersion, "; ask without a token"));
}

absl::Status TakePositions(absl::string_view bytes, TokenPositions* into) {
  bytes = bytes.substr(kHeadBytes, bytes.size() - kHeadBytes - kMacBytes);
  while (!bytes.empty()) {
    if (!TakeService(&bytes, into)) return Malformed();
  }
  return absl::OkStatus();
}

}  // namespace

TokenIssuer::TokenIssuer(const InstallId& install, absl::string_view key)
    : install_(install), key_(Sha256("halles consistency tokens\n", key)) {}

std::string TokenIssuer::Issue(const TokenPositions& positions) const {
  std::string bytes;
  bytes.push_back(static_cast<char>(kVersion));
  bytes.append(issuer().data(), issuer().size());
  std::vector<std::pair<uint16_t, Position>> entries;
  for (auto it = positions.begin(); it != positions.end();) {
    const ServiceId service = it->first.service;
    entries.clear();
    for (; it != positions.end() && it->first.service == service; ++it)
      entries.emplace_back(it->first.slot, it->second);
    AppendService(service, entries, &bytes);
  }
  const Hash256 code = HmacSha256(key_.view(), bytes);
  bytes.append(code.view().data(), kMacBytes);
  return absl::WebSafeBase64Escape(bytes);
}

absl::Status TokenIssuer::ReadOne(absl::string_view token, TokenPositions* into) const {
  ASSIGN_OR_RETURN(const std::string owned, BytesOf(token));
  const absl::string_view bytes = owned;
  if (bytes.substr(1, kIssuerBytes) != issuer()) {
    return Failure(
        absl::StatusCode::kInvalidArgument, "FOREIGN_TOKEN", "the consistency token was issued by another installation",
        {{"token_install_begins", absl::BytesToHexString(bytes.substr(1, kIssuerBytes))}, {"install", install_.Hex()}});
  }
  const size_t signed_bytes = bytes.size() - kMacBytes;
  const Hash256 code = HmacSha256(key_.view(), bytes.substr(0, signed_bytes));
  // Takes the same time whatever differs.
  int difference = 0;
  for (size_t i = 0; i < kMacBytes; ++i) difference |= code.view()[i] ^ bytes[signed_bytes + i];
  if (difference != 0) return Malformed();
  return TakePositions(bytes, into);
}

absl::StatusOr<TokenPositions> TokenIssuer::Read(absl::string_view tokens) const {
  TokenPositions positions;
  if (tokens.empty()) return positions;
  if (tokens.size() > kTokenCharsMax) return Malformed();
  for (const absl::string_view token : absl::StrSplit(tokens, '.')) RETURN_IF_ERROR(ReadOne(token, &positions));
  return positions;
}

absl::StatusOr<TokenContent> ContentOfToken(absl::string_view token) {
  ASSIGN_OR_RETURN(const std::string bytes, BytesOf(token));
  TokenContent content;
  content.issuer = bytes.substr(1, kIssuerBytes);
  RETURN_IF_ERROR(TakePositions(bytes, &content.positions));
  return content;
}

void MergeToken(const TokenPositions& positions, TokenPositions* into) {
  for (const auto& [slot, position] : positions) {
    Position& merged = (*into)[slot];
    merged = std::max(merged, position);
  }
}

}  // namespace halles
