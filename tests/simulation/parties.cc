// Joins sets of identifiers, rule by rule.
#include "tests/simulation/parties.h"

#include <algorithm>
#include <iterator>

#include "libs/base/identifiers/identifier.h"

namespace halles::simulation {
namespace {

using Key = Parties::Key;
using Keys = std::set<Key>;

bool Strong(const Key& key) { return IsStrong(key.Type()); }

// Disjoint sets of identifiers.
class Sets {
 public:
  // The smallest identifier of the set that contains `key`.
  Key Of(const Key& key) {
    Key at = key;
    for (auto found = less_.find(at); found != less_.end(); found = less_.find(at)) at = found->second;
    return at;
  }
  void Join(const Key& a, const Key& b) {
    const Key first = Of(a);
    const Key second = Of(b);
    if (first != second) less_.emplace(std::max(first, second), std::min(first, second));
  }

 private:
  std::map<Key, Key> less_;
};

}  // namespace

void Parties::Link(const Key& a, const Key& b, Position position) {
  links_.push_back({position, {a, b}});
  keys_.insert({a, b});
}

Parties::Party Parties::Of(const Key& key, Position end) {
  const auto behind =
      std::partition_point(links_.begin(), links_.end(), [end](const auto& link) { return link.first < end; });
  Join(static_cast<size_t>(std::distance(links_.begin(), behind)));
  const auto known = party_of_.find(key);
  return known == party_of_.end() ? Party{{key}, {}} : parties_.at(known->second);
}

void Parties::Join(size_t count) {
  if (joined_ == count && !party_of_.empty()) return;
  joined_ = count;
  party_of_.clear();
  parties_.clear();
  std::map<Key, Keys> neighbours;
  for (size_t i = 0; i < count; ++i) {
    const auto& [a, b] = links_[i].second;
    neighbours[a].insert(b);
    neighbours[b].insert(a);
  }
  Sets sets;
  // Rule 1: strong links always join.
  for (const auto& [key, others] : neighbours) {
    for (const Key& other : others) {
      if (Strong(key) && Strong(other)) sets.Join(key, other);
    }
  }
  // Rule 2: a weak identifier belongs to the party of all its strong neighbours, or is shared.
  std::map<Key, Keys> owners;  // by weak identifier: the parties of its strong neighbours
  for (const auto& [key, others] : neighbours) {
    if (Strong(key)) continue;
    Keys& of = owners[key];
    for (const Key& other : others) {
      if (Strong(other)) of.insert(sets.Of(other));
    }
  }
  // Rule 3: free identifiers that are linked form a group; the party of its other neighbours may own it.
  Sets groups;
  std::map<Key, Keys> touched;  // by group
  for (const auto& [key, of] : owners) {
    if (!of.empty()) continue;
    for (const Key& other : neighbours.at(key)) {
      if (owners.at(other).empty()) groups.Join(key, other);
    }
  }
  for (const auto& [key, of] : owners) {
    if (!of.empty()) continue;
    for (const Key& other : neighbours.at(key)) {
      if (!owners.at(other).empty()) touched[groups.Of(key)].insert(other);
    }
  }
  for (const auto& [key, of] : owners) {
    if (of.size() == 1) sets.Join(key, *of.begin());
    if (!of.empty()) continue;
    const Key group = groups.Of(key);
    sets.Join(key, group);
    Keys homes;
    bool shared = false;
    for (const Key& other : touched[group]) {
      homes.insert(owners.at(other).begin(), owners.at(other).end());
      shared = shared || owners.at(other).size() > 1;
    }
    if (!shared && homes.size() == 1) sets.Join(key, *homes.begin());
  }
  for (const auto& [key, others] : neighbours) {
    const Key strongest = sets.Of(key);
    party_of_[key] = strongest;
    parties_[strongest].members.insert(key);
  }
  for (const auto& [key, of] : owners) {
    if (of.size() < 2) continue;
    for (const Key& owner : of) parties_.at(sets.Of(owner)).shared.insert(key);
  }
}

}  // namespace halles::simulation
