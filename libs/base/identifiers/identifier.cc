// Normalises and hashes identifiers.
#include "libs/base/identifiers/identifier.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles {
namespace {

using common::v1::Identifier;

std::string Path(absl::string_view field, absl::string_view member) { return absl::StrCat(field, ".", member); }

void AppendPart(absl::string_view part, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(part.size() >> shift));
  absl::StrAppend(out, part);
}

bool HasIssuer(common::v1::IdentifierType type) {
  return type == common::v1::IDENTIFIER_TYPE_EXTERNAL_ID || type == common::v1::IDENTIFIER_TYPE_LOYALTY_CARD;
}

absl::Status CheckTypeAndIssuer(absl::string_view field, const Identifier& identifier) {
  if (identifier.type() == common::v1::IDENTIFIER_TYPE_UNSPECIFIED ||
      !common::v1::IdentifierType_IsValid(identifier.type())) {
    return InvalidField(Path(field, "type"), "must say what the identifier is");
  }
  if (!HasIssuer(identifier.type())) {
    if (!identifier.issuer().empty()) return InvalidField(Path(field, "issuer"), "must be empty for this type");
    return absl::OkStatus();
  }
  const std::optional<size_t> length = PrintableLength(identifier.issuer());
  if (!length.has_value() || *length < 1 || *length > kIssuerCharactersMax) {
    return InvalidField(Path(field, "issuer"), "must have 1 to 64 printable characters for this type");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NormalPhone(absl::string_view field, absl::string_view value) {
  constexpr size_t kDigitsMin = 8;
  constexpr size_t kDigitsMax = 15;
  std::string phone;
  for (const char c : value) {
    if (c == ' ' || c == '-' || c == '.' || c == '(' || c == ')') continue;
    phone.push_back(c);
  }
  if (absl::StartsWith(phone, "00")) phone.replace(0, 2, "+");
  const bool international = absl::StartsWith(phone, "+");
  const size_t digits = phone.size() - (international ? 1 : 0);
  const bool clean = std::all_of(phone.begin() + (international ? 1 : 0), phone.end(), absl::ascii_isdigit);
  if (!international || !clean || digits < kDigitsMin || digits > kDigitsMax || phone[1] == '0') {
    return InvalidField(field, "must be a phone number with its country, such as +33612345678");
  }
  return phone;
}

absl::StatusOr<std::string> NormalEmail(absl::string_view field, absl::string_view value) {
  std::string email = absl::AsciiStrToLower(value);
  const size_t at = email.find('@');
  const bool spaced = std::any_of(email.begin(), email.end(), absl::ascii_isspace);
  if (at == std::string::npos || at == 0 || at + 1 == email.size() || email.find('@', at + 1) != std::string::npos ||
      spaced) {
    return InvalidField(field, "must be an e-mail address such as name@example.com");
  }
  return email;
}

absl::StatusOr<std::string> NormalValue(absl::string_view field, const Identifier& identifier) {
  const absl::string_view value = absl::StripAsciiWhitespace(identifier.value());
  const std::optional<size_t> length = PrintableLength(value);
  if (!length.has_value() || *length < 1 || *length > kIdentifierCharactersMax) {
    return InvalidField(field, "must have 1 to 254 printable characters");
  }
  switch (identifier.type()) {
    case common::v1::IDENTIFIER_TYPE_PHONE:
      return NormalPhone(field, value);
    case common::v1::IDENTIFIER_TYPE_EMAIL:
      return NormalEmail(field, value);
    case common::v1::IDENTIFIER_TYPE_CARD_FINGERPRINT:
      if (LooksLikeCardNumber(value)) {
        return Failure(absl::StatusCode::kInvalidArgument, "CARD_NUMBER_REFUSED",
                       absl::StrCat(field, ": looks like a card number; send the provider's fingerprint instead"),
                       {{"field", std::string(field)}});
      }
      return std::string(value);
    case common::v1::IDENTIFIER_TYPE_EXTERNAL_ID:
    case common::v1::IDENTIFIER_TYPE_LOYALTY_CARD:
      return std::string(value);
    case common::v1::IDENTIFIER_TYPE_UNSPECIFIED:
    case common::v1::IdentifierType_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::IdentifierType_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return InvalidField(field, "has no known type");
}

}  // namespace

absl::Status IdentifierKeys::Add(uint32_t key_id, absl::string_view key) {
  if (key_id == 0) return absl::InvalidArgumentError("identifier key 0 cannot be: ids begin with 1");
  if (key.size() != kKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("identifier key ", key_id, " has not 32 bytes"));
  }
  if (!keys_.emplace(key_id, key).second) {
    return absl::InvalidArgumentError(absl::StrCat("identifier key ", key_id, " is there twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> IdentifierKeys::Newest() const {
  if (keys_.empty()) return absl::FailedPreconditionError("there is no key to hash identifiers with");
  return keys_.rbegin()->second;
}

bool IsStrong(common::v1::IdentifierType type) {
  return type != common::v1::IDENTIFIER_TYPE_UNSPECIFIED && type < common::v1::IDENTIFIER_TYPE_PHONE;
}

bool StrongerThan(const Identifier& a, const Identifier& b) {
  return a.type() != b.type() ? a.type() < b.type() : a.keyed_hash() < b.keyed_hash();
}

bool SameIdentifier(const Identifier& a, const Identifier& b) {
  return a.type() == b.type() && a.keyed_hash() == b.keyed_hash();
}

void SortIdentifiers(google::protobuf::RepeatedPtrField<Identifier>* identifiers) {
  std::sort(identifiers->begin(), identifiers->end(), StrongerThan);
  identifiers->erase(std::unique(identifiers->begin(), identifiers->end(), SameIdentifier), identifiers->end());
}

absl::Status HashIdentifier(const IdentifierKeys& keys, absl::string_view field, Identifier* identifier) {
  RETURN_IF_ERROR(CheckTypeAndIssuer(field, *identifier));
  if (!identifier->keyed_hash().empty()) return InvalidField(Path(field, "keyed_hash"), "is output only");
  if (identifier->key_id() != 0) return InvalidField(Path(field, "key_id"), "is output only");
  ASSIGN_OR_RETURN(const std::string value, NormalValue(Path(field, "value"), *identifier));
  ASSIGN_OR_RETURN(const std::string key, keys.Newest());
  std::string input(1, static_cast<char>(identifier->type()));
  AppendPart(identifier->issuer(), &input);
  AppendPart(value, &input);
  const Hash256 hash = HmacSha256(key, input);
  identifier->clear_value();
  identifier->set_keyed_hash(hash.view().data(), hash.view().size());
  identifier->set_key_id(keys.newest_id());
  return absl::OkStatus();
}

absl::Status HashIdentifiers(const IdentifierKeys& keys, absl::string_view field,
                             google::protobuf::RepeatedPtrField<Identifier>* identifiers) {
  if (identifiers->size() > kIdentifiersMax) {
    return InvalidField(field, absl::StrCat("has ", identifiers->size(), " entries; at most 8 are taken"));
  }
  for (int i = 0; i < identifiers->size(); ++i) {
    RETURN_IF_ERROR(HashIdentifier(keys, absl::StrCat(field, "[", i, "]"), identifiers->Mutable(i)));
  }
  SortIdentifiers(identifiers);
  return absl::OkStatus();
}

absl::Status CheckHashed(absl::string_view field, const Identifier& identifier) {
  RETURN_IF_ERROR(CheckTypeAndIssuer(field, identifier));
  if (!identifier.value().empty()) return InvalidField(Path(field, "value"), "is in clear");
  if (identifier.keyed_hash().size() != kIdentifierHashBytes) {
    return InvalidField(Path(field, "keyed_hash"), "must have 32 bytes");
  }
  return absl::OkStatus();
}

bool LooksLikeCardNumber(absl::string_view text) {
  constexpr int kDigitsMin = 12;
  constexpr int kDigitsMax = 19;
  int digits = 0;
  int sum = 0;
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    if (*c == ' ' || *c == '-') continue;
    if (!absl::ascii_isdigit(static_cast<unsigned char>(*c))) return false;
    const int digit = *c - '0';
    const int doubled = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digits % 2 == 1 ? doubled : digit;
    ++digits;
  }
  return digits >= kDigitsMin && digits <= kDigitsMax && sum % 10 == 0;
}

}  // namespace halles
