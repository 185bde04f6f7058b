// The activities of a party: carts, orders and holds of the view "customers", joined by the query.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_

#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/token.h"
#include "libs/store/rows.h"
#include "services/customer_identity/party.h"

namespace halles::customer_identity {

// Maximum number of carts, of orders and of holds that a view names: the newest of each kind.
inline constexpr size_t kActivitiesMax = 100;

// Adds carts, orders and holds of the party. The caller checks view.status() afterwards.
void AddActivities(const store::RowReader& view, const Party& party, v1::CustomerView* built);

// True if a cart, order or hold of the party changed at a position that `seen` does not include.
bool ChangedSince(const store::RowReader& view, const Party& party, const TokenPositions& seen);

// The first position of the source that was not seen; 0 if `seen` does not name the source.
Position SeenOf(const TokenPositions& seen, SlotId source);

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_ACTIVITY_QUERIES_H_
