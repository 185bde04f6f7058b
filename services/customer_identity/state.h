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

// The identity graph is one realm and so one slot: this is its key.
inline constexpr char kRealm[] = "realm";

// Two sets that only grow. Their content does not depend on the order of the events. Invariants, each of which Evolve
// refuses to break:
//   1. An identifier is observed once, hashed; its row is the identifier.
//   2. A link is recorded once, from the stronger to the other, and both of them are observed.
//   3. A link is strong exactly when both of its identifiers are of a type that belongs to one person.
//   4. Nothing is ever rewritten: who is one party with whom is computed from the links when it is asked (party.h).

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

// STRONG when both belong to one person.
common::v1::EvidenceStrength StrengthOf(const common::v1::Identifier& a, const common::v1::Identifier& b);

// Folds one fact. DATA_LOSS, and nothing is written, when the event breaks an invariant or is none that this version knows.
absl::Status Evolve(store::Rows& state, const v1::IdentityEvent& event, const partition::FactContext& context);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_STATE_H_
