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
// Maximum number of events that a view names over all its sums, if events are requested. Beyond it, RESOURCE_EXHAUSTED
// (TOO_MANY_EVENTS); the timeline has them page by page.
inline constexpr size_t kViewEventsMax = 10'000;
// Maximum number of entries in one update of a watch. A watcher that is further behind gets a snapshot instead.
inline constexpr size_t kChangeEntriesMax = 1'000;
// Maximum number of parties that FindCustomer names for one shared identifier.
inline constexpr size_t kCandidatesMax = 50;

// The door hashes the identifier in `name` before it calls these. INVALID_ARGUMENT for an invalid name; NOT_FOUND
// (CUSTOMER_UNKNOWN) for an unknown customer; RESOURCE_EXHAUSTED beyond the limits above.

// The party that the name belongs to. A customer whose order is already in the view is found by the identifier of that
// order, even before the identity graph has the identifier.
absl::StatusOr<Party> ResolveParty(const store::RowReader& view, const v1::CustomerName& name);

// The one view of the customer. OUT_OF_RANGE (AMOUNT_OVERFLOW) if a sum does not fit into 64 bits.
absl::StatusOr<v1::CustomerView> BuildCustomerView(const store::RowReader& view, const Party& party,
                                                   bool include_events);

// A page of the timeline, sorted newest first, then by external id. The door adds the consistency token.
absl::StatusOr<v1::ListTimelineResponse> ListTimeline(const store::RowReader& view,
                                                      const v1::ListTimelineRequest& request);

// The parties that the identifier may belong to, its owner first; empty if it is unknown.
absl::StatusOr<std::vector<v1::Candidate>> FindCandidates(const store::RowReader& view,
                                                          const common::v1::Identifier& identifier);

// The next update for a watcher; `seen` has the first position not seen for each source of the view. nullopt if nothing
// is new; a snapshot if links of the party or too many facts are new; otherwise the change. The door adds the resume
// token.
absl::StatusOr<std::optional<v1::WatchCustomerResponse>> NextUpdate(const store::RowReader& view,
                                                                    const v1::CustomerName& name,
                                                                    const TokenPositions& seen);

// The first update of a watch.
absl::StatusOr<v1::WatchCustomerResponse> Snapshot(const store::RowReader& view, const v1::CustomerName& name);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_QUERIES_H_
