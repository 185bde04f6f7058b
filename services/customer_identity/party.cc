// Searches the identity graph.
#include "services/customer_identity/party.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "services/customer_identity/projection.h"

namespace halles::customer_identity {
namespace {

constexpr uint8_t kFirstWeakType = common::v1::IDENTIFIER_TYPE_PHONE;

bool IsStrongKey(const IdentifierKey& key) { return IsStrong(key.Type()); }

absl::Status TooLarge() {
  return Failure(absl::StatusCode::kResourceExhausted, "PARTY_TOO_LARGE",
                 absl::StrCat("more than ", kPartyIdentifiersMax, " identifiers are linked to each other"),
                 {{"identifiers_max", absl::StrCat(kPartyIdentifiersMax)}});
}

}  // namespace

absl::StatusOr<Party> PartyFinder::Find(const IdentifierKey& key) {
  links_seen_.clear();
  if (IsStrongKey(key)) {
    ASSIGN_OR_RETURN(const Keys component, Component(key));
    return PartyOf(component);
  }
  ASSIGN_OR_RETURN(const Place place, PlaceOf(key));
  switch (place.standing) {
    case Standing::kOwned:
      return PartyOf(place.component);
    case Standing::kShared:
      return Finish({key}, {});
    case Standing::kFree:
      break;
  }
  ASSIGN_OR_RETURN(const Group group, GroupOf(key));
  ASSIGN_OR_RETURN(const std::optional<Keys> home, HomeOf(group));
  return home.has_value() ? PartyOf(*home) : Finish(group.members, {});
}

absl::StatusOr<std::vector<Party>> PartyFinder::FindSharing(const IdentifierKey& key, size_t parties_max) {
  std::vector<Party> parties;
  if (IsStrongKey(key)) return parties;
  ASSIGN_OR_RETURN(const Place place, PlaceOf(key));
  if (place.standing != Standing::kShared) return parties;
  Keys covered;
  absl::Status status;
  ForEachNeighbour(key, /*strong=*/true, [&](const IdentifierKey& neighbour) {
    if (covered.count(neighbour) > 0) return true;
    if (parties.size() == parties_max) {
      status = Failure(absl::StatusCode::kResourceExhausted, "TOO_MANY_PARTIES",
                       absl::StrCat("more than ", parties_max, " parties share this identifier"),
                       {{"parties_max", absl::StrCat(parties_max)}});
      return false;
    }
    PartyFinder finder(view_);
    absl::StatusOr<Party> party = finder.Find(neighbour);
    status = party.status();
    if (!party.ok()) return false;
    covered.insert(party->keys.begin(), party->keys.end());
    parties.push_back(*std::move(party));
    return true;
  });
  RETURN_IF_ERROR(status);
  std::sort(parties.begin(), parties.end(), [](const Party& a, const Party& b) { return a.id < b.id; });
  return parties;
}

template <class Visit>
void PartyFinder::ForEachNeighbour(const IdentifierKey& key, bool strong, const Visit& visit) {
  NeighbourKey start{key.type, key.hash};
  if (!strong) start.neighbour_type = kFirstWeakType;
  kNeighbours.ForEachFrom(
      view_, start,
      [&](const NeighbourKey& found, const rows::LinkRow&, Position position) {
        const IdentifierKey neighbour{found.neighbour_type, found.neighbour_hash};
        if (strong && !IsStrongKey(neighbour)) return false;  // the weak ones come last
        Saw(found.source, position);
        return static_cast<bool>(visit(neighbour));
      },
      key.type, key.hash);
}

absl::StatusOr<PartyFinder::Keys> PartyFinder::Component(const IdentifierKey& strong) {
  Keys component = {strong};
  std::vector<IdentifierKey> open = {strong};
  while (!open.empty()) {
    const IdentifierKey key = open.back();
    open.pop_back();
    ForEachNeighbour(key, /*strong=*/true, [&](const IdentifierKey& neighbour) {
      if (component.insert(neighbour).second) open.push_back(neighbour);
      return component.size() <= kPartyIdentifiersMax;
    });
    if (component.size() > kPartyIdentifiersMax) return TooLarge();
  }
  return component;
}

bool PartyFinder::OwnedBy(const IdentifierKey& weak, const Keys& component) {
  bool any = false;
  bool all = true;
  ForEachNeighbour(weak, /*strong=*/true, [&](const IdentifierKey& neighbour) {
    any = true;
    all = component.count(neighbour) > 0;
    return all;
  });
  return any && all;
}

bool PartyFinder::IsFree(const IdentifierKey& weak) {
  bool free = true;
  ForEachNeighbour(weak, /*strong=*/true, [&free](const IdentifierKey&) { return free = false; });
  return free;
}

absl::StatusOr<PartyFinder::Place> PartyFinder::PlaceOf(const IdentifierKey& weak) {
  std::optional<IdentifierKey> first;
  ForEachNeighbour(weak, /*strong=*/true, [&first](const IdentifierKey& neighbour) {
    first = neighbour;
    return false;
  });
  if (!first.has_value()) return Place{Standing::kFree, {}};
  ASSIGN_OR_RETURN(Keys component, Component(*first));
  if (!OwnedBy(weak, component)) return Place{Standing::kShared, {}};
  return Place{Standing::kOwned, std::move(component)};
}

absl::StatusOr<PartyFinder::Group> PartyFinder::GroupOf(const IdentifierKey& free) {
  Group group;
  group.members = {free};
  std::vector<IdentifierKey> open = {free};
  while (!open.empty()) {
    const IdentifierKey key = open.back();
    open.pop_back();
    const auto size = [&group] { return group.members.size() + group.touched.size(); };
    ForEachNeighbour(key, /*strong=*/false, [&](const IdentifierKey& neighbour) {
      if (group.members.count(neighbour) > 0 || group.touched.count(neighbour) > 0) return true;
      if (IsFree(neighbour)) {
        group.members.insert(neighbour);
        open.push_back(neighbour);
      } else {
        group.touched.insert(neighbour);
      }
      return size() <= kPartyIdentifiersMax;
    });
    if (size() > kPartyIdentifiersMax) return TooLarge();
  }
  return group;
}

absl::StatusOr<std::optional<PartyFinder::Keys>> PartyFinder::HomeOf(const Group& group) {
  if (group.touched.empty()) return std::optional<Keys>();
  ASSIGN_OR_RETURN(Place place, PlaceOf(*group.touched.begin()));
  if (place.standing != Standing::kOwned) return std::optional<Keys>();
  for (const IdentifierKey& touched : group.touched) {
    if (!OwnedBy(touched, place.component)) return std::optional<Keys>();
  }
  return std::optional<Keys>(std::move(place.component));
}

absl::StatusOr<Party> PartyFinder::PartyOf(const Keys& component) {
  Keys weak;
  for (const IdentifierKey& key : component) {
    ForEachNeighbour(key, /*strong=*/false, [&](const IdentifierKey& neighbour) {
      weak.insert(neighbour);
      return weak.size() <= kPartyIdentifiersMax;
    });
    if (component.size() + weak.size() > kPartyIdentifiersMax) return TooLarge();
  }
  Keys owned;
  Keys shared;
  for (const IdentifierKey& key : weak) (OwnedBy(key, component) ? owned : shared).insert(key);

  Keys members = component;
  members.insert(owned.begin(), owned.end());
  Keys asked;
  for (const IdentifierKey& key : owned) {
    Keys free;
    ForEachNeighbour(key, /*strong=*/false, [&](const IdentifierKey& neighbour) {
      if (weak.count(neighbour) == 0 && asked.count(neighbour) == 0 && IsFree(neighbour)) free.insert(neighbour);
      return free.size() <= kPartyIdentifiersMax;
    });
    if (free.size() > kPartyIdentifiersMax) return TooLarge();
    for (const IdentifierKey& start : free) {
      if (asked.count(start) > 0) continue;
      ASSIGN_OR_RETURN(const Group group, GroupOf(start));
      asked.insert(group.members.begin(), group.members.end());
      const bool ours = std::all_of(group.touched.begin(), group.touched.end(),
                                    [&](const IdentifierKey& touched) { return OwnedBy(touched, component); });
      if (ours) members.insert(group.members.begin(), group.members.end());
      if (members.size() + asked.size() > 2 * kPartyIdentifiersMax) return TooLarge();
    }
  }
  if (members.size() > kPartyIdentifiersMax) return TooLarge();
  return Finish(members, shared);
}

absl::StatusOr<Party> PartyFinder::Finish(const Keys& members, const Keys& shared) {
  Party party;
  party.id = PartyIdOf(*members.begin());
  party.keys.assign(members.begin(), members.end());
  for (const IdentifierKey& key : members) party.identifiers.push_back(Describe(key));
  for (const IdentifierKey& key : shared) party.shared.push_back(Describe(key));
  RETURN_IF_ERROR(view_.status());
  party.links_seen = links_seen_;
  return party;
}

common::v1::Identifier PartyFinder::Describe(const IdentifierKey& key) {
  common::v1::Identifier identifier;
  identifier.set_type(key.Type());
  identifier.set_keyed_hash(key.hash.view().data(), key.hash.view().size());
  kSeen.ForEach(
      view_,
      [&](const SeenKey& seen, const common::v1::Identifier& row, Position position) {
        Saw(seen.source, position);
        identifier = row;
        return false;
      },
      key.type, key.hash);
  return identifier;
}

void PartyFinder::Saw(SlotId source, Position position) {
  Position& next = links_seen_[source];
  next = std::max(next, position + 1);
}

}  // namespace halles::customer_identity
