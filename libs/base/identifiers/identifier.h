// Identifiers of customers: normalised, checked, and replaced by keyed hashes before anything is stored.
#ifndef HALLES_LIBS_BASE_IDENTIFIERS_IDENTIFIER_H_
#define HALLES_LIBS_BASE_IDENTIFIERS_IDENTIFIER_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"
#include "halles/common/v1/common.pb.h"

namespace halles {

inline constexpr int kIdentifiersMax = 8;  // per event
inline constexpr size_t kIdentifierCharactersMax = 254;
inline constexpr size_t kIssuerCharactersMax = 64;
inline constexpr size_t kIdentifierHashBytes = 32;

// The keys that identifiers are hashed with. New hashes use the newest key, which has the highest id; older keys are
// kept by id.
// Limits: an identifier that was hashed with an older key counts as a different identifier; there is no key rotation.
// Thread safety: immutable once shared.
class IdentifierKeys {
 public:
  static constexpr size_t kKeyBytes = 32;

  // INVALID_ARGUMENT for id 0, an id that is taken, or a key that has not exactly 32 bytes.
  absl::Status Add(uint32_t key_id, absl::string_view key);

  bool empty() const { return keys_.empty(); }
  // The id of the newest key; 0 when there is none.
  uint32_t newest_id() const { return keys_.empty() ? 0 : keys_.rbegin()->first; }
  // FAILED_PRECONDITION when there is no key.
  absl::StatusOr<std::string> Newest() const;

 private:
  std::map<uint32_t, std::string> keys_;
};

// True for types that belong to one person; false for types that several people may share, such as a phone.
bool IsStrong(common::v1::IdentifierType type);

// Whether `a` sorts before `b`: by the strength of the type, then by hash. Both must be hashed.
bool StrongerThan(const common::v1::Identifier& a, const common::v1::Identifier& b);

// Whether both are the same identifier. Both must be hashed.
bool SameIdentifier(const common::v1::Identifier& a, const common::v1::Identifier& b);

// Sorts with the strongest first and removes duplicates. All must be hashed.
void SortIdentifiers(google::protobuf::RepeatedPtrField<common::v1::Identifier>* identifiers);

// Normalises the value, checks it and replaces it by its keyed hash:
//   keyed_hash = HMAC-SHA-256(key, u8 type, u32 length and bytes of issuer, u32 length and bytes of value), big endian.
// Phones are normalised to E.164, e-mail addresses to lower case; leading and trailing spaces are removed. Errors are
// INVALID_ARGUMENT, with reason CARD_NUMBER_REFUSED if the value looks like a card number. They name `field` and never
// repeat the value.
absl::Status HashIdentifier(const IdentifierKeys& keys, absl::string_view field, common::v1::Identifier* identifier);

// Hashes all identifiers, sorts them with the strongest first, and removes duplicates. Errors name "<field>[2].value".
absl::Status HashIdentifiers(const IdentifierKeys& keys, absl::string_view field,
                             google::protobuf::RepeatedPtrField<common::v1::Identifier>* identifiers);

// OK for an identifier as HashIdentifier leaves it: no value, a 32-byte hash, a type, and an issuer if the type needs
// one.
absl::Status CheckHashed(absl::string_view field, const common::v1::Identifier& identifier);

// True when the digits, without spaces and dashes, are 12 to 19 and end in the check digit of a card number.
bool LooksLikeCardNumber(absl::string_view text);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_IDENTIFIERS_IDENTIFIER_H_
