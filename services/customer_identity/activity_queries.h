// The activities of a party: carts, orders and holds of the view "customers", joined by the query.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_

#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/token.h"
#include "libs/store/rows.h"
#include "services/customer_identity/party.h"

namespace halles::customer_identity {

// Carts, orders and holds that a view names, of each the newest.
inline constexpr size_t kActivitiesMax = 100;

// Adds carts, orders and holds of the party. The caller checks view.status() afterwards.
void AddActivities(const store::RowReader& view, const Party& party, v1::CustomerView* built);

// True when one of them changed at a position that is not in `seen`.
bool ChangedSince(const store::RowReader& view, const Party& party, const TokenPositions& seen);

// For each source the first position not seen; 0 for one that is not named.
Position SeenOf(const TokenPositions& seen, SlotId source);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_
