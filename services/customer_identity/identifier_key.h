// The key of an identifier in tables, and the party id derived from it.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_IDENTIFIER_KEY_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_IDENTIFIER_KEY_H_

#include <cstdint>
#include <optional>
#include <tuple>

#include "absl/strings/string_view.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/hash.h"
#include "libs/base/ids.h"

namespace halles::customer_identity {

// Sorts strongest first: by type, then by hash.
struct IdentifierKey {
  uint8_t type = 0;
  Hash256 hash;

  common::v1::IdentifierType Type() const { return static_cast<common::v1::IdentifierType>(type); }
  friend bool operator==(const IdentifierKey&, const IdentifierKey&) = default;
  friend auto operator<=>(const IdentifierKey&, const IdentifierKey&) = default;
};

// nullopt unless the identifier is hashed and its type is known.
std::optional<IdentifierKey> KeyOf(const common::v1::Identifier& identifier);

// "pty-", one digit for the type and 25 digits for the first 125 bits of the hash. So the ids of one party sort
// strongest first, and an id leads to its identifier without a table.
PartyId PartyIdOf(const IdentifierKey& key);

// The smallest key with this party id; nullopt if it is no party id.
std::optional<IdentifierKey> LeastKeyOf(absl::string_view party_id);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_IDENTIFIER_KEY_H_
