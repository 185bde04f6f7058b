// Computes a second time which identifiers are one party, from the set of links (I17).
#ifndef HALLES_TESTS_SIMULATION_PARTIES_H_
#define HALLES_TESTS_SIMULATION_PARTIES_H_

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "libs/base/slot.h"
#include "services/customer_identity/identifier_key.h"

namespace halles::simulation {

// Applies the three rules of services/customer_identity/party.h to all identifiers at once, by joining sets and without
// the view. The result does not depend on the order of the links.
// Thread safety: none.
class Parties {
 public:
  using Key = customer_identity::IdentifierKey;

  struct Party {
    std::set<Key> members;
    std::set<Key> shared;  // weak ones that are linked to it and to other parties
  };

  // Adds the link that the log has at this position. Positions must not decrease from call to call.
  void Link(const Key& a, const Key& b, Position position);

  // The party of the identifier, from the links before `end`.
  Party Of(const Key& key, Position end);

  // All linked identifiers.
  std::vector<Key> keys() const { return {keys_.begin(), keys_.end()}; }

 private:
  // Computes the parties from the first `count` links.
  void Join(size_t count);

  std::vector<std::pair<Position, std::pair<Key, Key>>> links_;
  std::set<Key> keys_;
  size_t joined_ = 0;             // number of links from which `parties_` was computed
  std::map<Key, Key> party_of_;   // by identifier: the strongest of its party
  std::map<Key, Party> parties_;  // by strongest
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PARTIES_H_
