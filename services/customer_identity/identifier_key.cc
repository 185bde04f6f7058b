// Converts keys of identifiers to party ids and back.
#include "services/customer_identity/identifier_key.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/opaque_id.h"

namespace halles::customer_identity {
namespace {

constexpr absl::string_view kPrefix = "pty-";
constexpr size_t kHashDigits = 25;

bool KnownType(int type) {
  return type > common::v1::IDENTIFIER_TYPE_UNSPECIFIED && common::v1::IdentifierType_IsValid(type);
}

}  // namespace

std::optional<IdentifierKey> KeyOf(const common::v1::Identifier& identifier) {
  const std::optional<Hash256> hash = Hash256::FromBytes(identifier.keyed_hash());
  if (!hash.has_value() || !KnownType(identifier.type())) return std::nullopt;
  return IdentifierKey{static_cast<uint8_t>(identifier.type()), *hash};
}

PartyId PartyIdOf(const IdentifierKey& key) {
  const absl::string_view type = kBase32Digits.substr(key.type, 1);
  return PartyId::FromString(absl::StrCat(kPrefix, type, Base32(key.hash.view(), kHashDigits)));
}

std::optional<IdentifierKey> LeastKeyOf(absl::string_view party_id) {
  if (!absl::ConsumePrefix(&party_id, kPrefix) || party_id.size() != 1 + kHashDigits) return std::nullopt;
  IdentifierKey key;
  uint32_t bits = 0;
  int available = 0;
  size_t next = 0;
  for (size_t i = 0; i < party_id.size(); ++i) {
    const size_t digit = kBase32Digits.find(party_id[i]);
    if (digit == absl::string_view::npos) return std::nullopt;
    if (i == 0) {
      if (!KnownType(static_cast<int>(digit))) return std::nullopt;
      key.type = static_cast<uint8_t>(digit);
      continue;
    }
    bits = (bits << 5) | static_cast<uint32_t>(digit);
    available += 5;
    if (available >= 8) {
      available -= 8;
      key.hash.bytes[next++] = static_cast<uint8_t>(bits >> available);
    }
  }
  key.hash.bytes[next] = static_cast<uint8_t>(bits << (8 - available));
  return key;
}

}  // namespace halles::customer_identity
