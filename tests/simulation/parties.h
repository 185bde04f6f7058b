// Which identifiers are one party, computed once more from the set of links (I17).
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

// The three rules of services/customer_identity/party.h for all identifiers at once, by joining sets, and without the
// view: nothing in here knows in which order the links came.
// Thread safety: none.
class Parties {
 public:
  using Key = customer_identity::IdentifierKey;

  struct Party {
    std::set<Key> members;
    std::set<Key> shared;  // weak ones that are linked with it and with others
  };

  // The log holds the link at this position, which is not before those of earlier calls.
  void Link(const Key& a, const Key& b, Position position);

  // The party of the identifier by the links below `end`.
  Party Of(const Key& key, Position end);

  // All that are linked.
  std::vector<Key> keys() const { return {keys_.begin(), keys_.end()}; }

 private:
  // Joins by the first `count` links.
  void Join(size_t count);

  std::vector<std::pair<Position, std::pair<Key, Key>>> links_;
  std::set<Key> keys_;
  size_t joined_ = 0;             // links that `parties_` was computed of
  std::map<Key, Key> party_of_;   // by identifier: the strongest of its party
  std::map<Key, Party> parties_;  // by strongest
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PARTIES_H_
