// The state of customer identity: known identifiers and the links between them.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_STATE_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_STATE_H_

#include <array>
#include <tuple>

#include "absl/status/status.h"
#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/rows.pb.h"

namespace halles::customer_identity {

// The key of the identity graph. The graph is one aggregate, called the realm, and so it is in one slot.
inline constexpr char kRealm[] = "realm";

// Two sets that only grow. Their content does not depend on the order of the events. Invariants, none of which Evolve
// breaks:
//   1. An identifier is observed once. Its row is the hashed identifier.
//   2. A link is recorded once, from the stronger identifier to the other. Both were observed before.
//   3. A link is strong if and only if both identifiers are of a type that belongs to one person.
//   4. No row ever changes. Each query computes parties from the links (party.h).

struct ObservedKey {
  uint8_t type = 0;
  Hash256 hash;
  static constexpr std::array kFieldNames = {"type", "hash"};
  auto Fields() const { return std::tie(type, hash); }
  auto Fields() { return std::tie(type, hash); }
};

struct LinkKey {
  uint8_t first_type = 0;
  Hash256 first_hash;
  uint8_t second_type = 0;
  Hash256 second_hash;
  static constexpr std::array kFieldNames = {"first_type", "first", "second_type", "second"};
  auto Fields() const { return std::tie(first_type, first_hash, second_type, second_hash); }
  auto Fields() { return std::tie(first_type, first_hash, second_type, second_hash); }
};

inline constexpr store::Table<ObservedKey, common::v1::Identifier> kObserved(1, "identifiers");
inline constexpr store::Table<LinkKey, rows::LinkRow> kLinks(2, "links");

inline store::Schema StateSchema() { return store::Schema().Add(kObserved).Add(kLinks); }

inline ObservedKey ObservedKeyOf(const IdentifierKey& key) { return {key.type, key.hash}; }
inline LinkKey LinkKeyOf(const IdentifierKey& first, const IdentifierKey& second) {
  return {first.type, first.hash, second.type, second.hash};
}

// STRONG if both are of a type that belongs to one person.
common::v1::EvidenceStrength StrengthOf(const common::v1::Identifier& a, const common::v1::Identifier& b);

// Folds one event. DATA_LOSS, and nothing is written, if it breaks an invariant or is unknown to this version.
absl::Status Evolve(store::Rows& state, const v1::IdentityEvent& event, const partition::FactContext& context);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_STATE_H_
