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
//   1. Strong links always join: strong identifiers that they connect belong to one party.
//   2. If all strong neighbours of a weak identifier belong to one party, it belongs to that party. If they belong to
//      several, it is shared and forms a party of its own, so facts known by it alone belong to no other party.
//   3. A weak identifier without strong neighbours is free. Free identifiers that weak links connect form a group. If
//      all other weak identifiers that the group is linked to belong to one party by rule 2, the group belongs to it
//      too. If they belong to several parties, if one of them is shared, or if there are none, the group is a party of
//      its own. The order of the links does not matter.

// Maximum number of identifiers that the search for one party reads. Beyond it, RESOURCE_EXHAUSTED (PARTY_TOO_LARGE).
inline constexpr size_t kPartyIdentifiersMax = 1000;

struct Party {
  PartyId id;                                       // that of its strongest identifier
  std::vector<IdentifierKey> keys;                  // strongest first
  std::vector<common::v1::Identifier> identifiers;  // the same, hashed
  std::vector<common::v1::Identifier> shared;       // weak ones that are linked to it and to other parties
  TokenPositions links_seen;                        // for each source of the graph: the position after its last link
};

// Finds parties in one state of the view "customers".
// Lifetime: the rows outlive it.
class PartyFinder {
 public:
  using Keys = std::set<IdentifierKey>;

  explicit PartyFinder(const store::RowReader& view) : view_(view) {}

  // The party of an identifier, known or not. An identifier without links is a party by itself.
  absl::StatusOr<Party> Find(const IdentifierKey& key);

  // The parties that share the identifier, sorted by id; empty if it is not shared. RESOURCE_EXHAUSTED
  // (TOO_MANY_PARTIES) beyond `parties_max`.
  absl::StatusOr<std::vector<Party>> FindSharing(const IdentifierKey& key, size_t parties_max);

 private:
  // Where the strong neighbours of a weak identifier are: nowhere, in one component, or in several.
  enum class Standing { kFree, kOwned, kShared };
  struct Place {
    Standing standing = Standing::kFree;
    Keys component;  // set if owned
  };
  // Free identifiers that are linked to each other, and the other weak identifiers that they are linked to.
  struct Group {
    Keys members;
    Keys touched;
  };

  // Calls `visit(key)` for each neighbour of the wanted kind until it returns false.
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
