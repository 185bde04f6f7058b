// Computes parties: which identifiers are one party depends only on the set of links.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_PARTY_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_PARTY_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/ids.h"
#include "libs/base/token.h"
#include "libs/store/rows.h"
#include "services/customer_identity/identifier_key.h"

namespace halles::customer_identity {

// Every identifier belongs to exactly one party:
//   1. Strong links always join: the strong identifiers that they connect are one party's.
//   2. A weak identifier whose strong neighbours are all of one party belongs to that party. When they are of several
//      parties it is shared: a party of its own, so facts known by it alone belong to no other party.
//   3. A weak identifier without strong neighbours is free. Free ones that weak links connect stay together. When the
//      other weak identifiers that they are linked with all belong to one party by rule 2, they belong to it too; when
//      these are of several parties, or one of them is shared, or there are none, they are a party of their own.
// The order of the links does not matter.

// Maximum number of identifiers that the search for one party reads. Beyond it, RESOURCE_EXHAUSTED (PARTY_TOO_LARGE).
inline constexpr size_t kPartyIdentifiersMax = 1000;

struct Party {
  PartyId id;                                       // of its strongest identifier
  std::vector<IdentifierKey> keys;                  // strongest first
  std::vector<common::v1::Identifier> identifiers;  // the same, hashed
  std::vector<common::v1::Identifier> shared;       // weak ones that are linked with it and with others
  TokenPositions links_seen;                        // for each source of the graph the first position behind its links
};

// Finds parties in one state of the view "customers".
// Lifetime: the rows outlive it.
class PartyFinder {
 public:
  using Keys = std::set<IdentifierKey>;

  explicit PartyFinder(const store::RowReader& view) : view_(view) {}

  // The party of an identifier, known or not: one without links is a party.
  absl::StatusOr<Party> Find(const IdentifierKey& key);

  // The parties that share the identifier, sorted by id; none when it is not shared. RESOURCE_EXHAUSTED
  // (TOO_MANY_PARTIES) beyond `parties_max`.
  absl::StatusOr<std::vector<Party>> FindSharing(const IdentifierKey& key, size_t parties_max);

 private:
  // Of a weak identifier: its strong neighbours are nowhere, in one component, or in several.
  enum class Standing { kFree, kOwned, kShared };
  struct Place {
    Standing standing = Standing::kFree;
    Keys component;  // when owned
  };
  // Free identifiers that are linked to each other, and the other weak identifiers that they are linked to.
  struct Group {
    Keys members;
    Keys touched;
  };

  // Calls `visit(key)` for each neighbour of the wanted kind until it answers false.
  template <class Visit>
  void ForEachNeighbour(const IdentifierKey& key, bool strong, const Visit& visit);

  absl::StatusOr<Keys> Component(const IdentifierKey& strong);
  bool OwnedBy(const IdentifierKey& weak, const Keys& component);
  bool IsFree(const IdentifierKey& weak);
  absl::StatusOr<Place> PlaceOf(const IdentifierKey& weak);
  absl::StatusOr<Group> GroupOf(const IdentifierKey& free);
  absl::StatusOr<std::optional<Keys>> HomeOf(const Group& group);
  absl::StatusOr<Party> PartyOf(const Keys& component);
  absl::StatusOr<Party> Finish(const Keys& members, const Keys& shared);
  common::v1::Identifier Describe(const IdentifierKey& key);
  void Saw(SlotId source, Position position);

  const store::RowReader& view_;
  TokenPositions links_seen_;
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_PARTY_H_
