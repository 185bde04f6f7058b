// Checks customers: no observation is lost, and parties depend on the set of links alone.
#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/state.h"
#include "tests/simulation/auditor.h"

namespace halles::simulation {
namespace {

using customer_identity::IdentifierKey;

// True if the graph has all identifiers of the observation, and a link from the strongest to each of the others.
bool IsKnown(const store::RowReader& graph, const customer_identity::v1::ObserveIdentifiersRequest& request) {
  std::set<IdentifierKey> keys;  // strongest first
  for (const common::v1::Identifier& identifier : request.identifiers()) {
    const std::optional<IdentifierKey> key = customer_identity::KeyOf(identifier);
    if (!key.has_value()) return false;
    keys.insert(*key);
  }
  return std::all_of(keys.begin(), keys.end(), [&](const IdentifierKey& key) {
    return customer_identity::kObserved.Contains(graph, customer_identity::ObservedKeyOf(key)) &&
           (key == *keys.begin() ||
            customer_identity::kLinks.Contains(graph, customer_identity::LinkKeyOf(*keys.begin(), key)));
  });
}

}  // namespace

void Auditor::LeaveOut(SlotId id, const Slot& slot, SlotId source, std::pair<Position, uint32_t> end,
                       std::deque<Due>* due) {
  while (!due->empty() && due->front().when_new != nullptr &&
         std::pair(due->front().position, due->front().number) < end) {
    const auto* observation =
        dynamic_cast<const customer_identity::v1::ObserveIdentifiersRequest*>(due->front().when_new.get());
    if (observation == nullptr || !IsKnown(slot.rows, *observation)) {
      findings_.Add("I8", absl::StrCat(id.ToString(), " never records the identifiers of ", source.ToString(), "@",
                                       due->front().position));
    }
    due->pop_front();
  }
}

void Auditor::TakeLinks(Position position, const log::v1::Event& event) {
  customer_identity::v1::IdentityEvent identity;
  if (!identity.ParseFromString(event.payload()) || !identity.has_identifiers_linked()) return;
  const auto first = customer_identity::KeyOf(identity.identifiers_linked().first());
  const auto second = customer_identity::KeyOf(identity.identifiers_linked().second());
  if (first.has_value() && second.has_value()) parties_.Link(*first, *second, position);
}

void Auditor::CheckParty(SlotId graph, Position at, const IdentifierKey& key,
                         const absl::StatusOr<customer_identity::Party>& party, absl::string_view who) {
  CatchUp(graph);
  const std::string id = customer_identity::PartyIdOf(key).ToString();
  if (!party.ok()) {
    findings_.Add("I17", absl::StrCat(who, " finds no party of ", id, ": ", party.status().message()));
    return;
  }
  ++parties_checked_;
  const Parties::Party expected = parties_.Of(key, at);
  std::set<IdentifierKey> shared;
  for (const common::v1::Identifier& identifier : party->shared) {
    if (const auto of = customer_identity::KeyOf(identifier); of.has_value()) shared.insert(*of);
  }
  if (std::set<IdentifierKey>(party->keys.begin(), party->keys.end()) != expected.members ||
      party->id != customer_identity::PartyIdOf(*expected.members.begin()) || shared != expected.shared) {
    findings_.Add("I17", absl::StrCat(who, " finds ", party->keys.size(), " identifiers in the party of ", id, " and ",
                                      shared.size(), " shared, but the links before ", at, " give ",
                                      expected.members.size(), " and ", expected.shared.size()));
  }
}

}  // namespace halles::simulation
