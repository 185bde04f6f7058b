// The queries of customer identity's door, from the view "customers": who a customer is and what the customer did.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_QUERIES_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_QUERIES_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/token.h"
#include "libs/store/rows.h"
#include "services/customer_identity/party.h"

namespace halles::customer_identity {

inline constexpr int kTimelinePageMax = 500;
inline constexpr int kTimelinePageDefault = 50;
// Events that a view names, all kinds of sums together, when all are asked for; beyond, RESOURCE_EXHAUSTED
// (TOO_MANY_EVENTS): the timeline has them page by page.
inline constexpr size_t kViewEventsMax = 10'000;
// Entries that one update of a watch holds; a watcher that is further behind gets a snapshot instead.
inline constexpr size_t kChangeEntriesMax = 1'000;
// Parties that FindCustomer names for one shared identifier.
inline constexpr size_t kCandidatesMax = 50;

// The identifier in `name` is hashed by the door in all of these. INVALID_ARGUMENT for a name that cannot be; NOT_FOUND
// (CUSTOMER_UNKNOWN) for one that nothing is known of; RESOURCE_EXHAUSTED beyond the limits above.

// The party that the name belongs to. A customer whose order is already in the view is found by the identifier of that
// order, even before the identity graph has the identifier.
absl::StatusOr<Party> ResolveParty(const store::RowReader& view, const v1::CustomerName& name);

// The one view. OUT_OF_RANGE (AMOUNT_OVERFLOW) when a sum does not fit 64 bits.
absl::StatusOr<v1::CustomerView> BuildCustomerView(const store::RowReader& view, const Party& party,
                                                   bool include_events);

// A page of what the party did, newest first, ties by external id. The door adds the token of consistency.
absl::StatusOr<v1::ListTimelineResponse> ListTimeline(const store::RowReader& view,
                                                      const v1::ListTimelineRequest& request);

// The parties that the identifier may belong to, its owner first; empty if it is unknown.
absl::StatusOr<std::vector<v1::Candidate>> FindCandidates(const store::RowReader& view,
                                                          const common::v1::Identifier& identifier);

// What a watcher that has seen `seen` (for each source of the view the first position not seen) must be told: nothing, a
// snapshot when identifiers were joined or too much is new, or what is new. The door adds the resume token.
absl::StatusOr<std::optional<v1::WatchCustomerResponse>> NextUpdate(const store::RowReader& view,
                                                                    const v1::CustomerName& name,
                                                                    const TokenPositions& seen);

// The first update of a watch.
absl::StatusOr<v1::WatchCustomerResponse> Snapshot(const store::RowReader& view, const v1::CustomerName& name);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_QUERIES_H_
