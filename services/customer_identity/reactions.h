// The reactions of customer identity to other services: identifiers that were seen together are linked.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_REACTIONS_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_REACTIONS_H_

#include <vector>

#include "absl/types/span.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "libs/partition/domain.h"

namespace halles::customer_identity {

// An order, return or cart with a customer makes the identity graph (kRealm) observe its identifiers. There is no
// reaction to later events of an order, because they name the same customer.
std::vector<v1::ObserveIdentifiersRequest> React(const checkout::v1::CartEvent& event,
                                                 const partition::FactContext& context);
std::vector<v1::ObserveIdentifiersRequest> React(const checkout::v1::OrderEvent& event,
                                                 const partition::FactContext& context);
std::vector<v1::ObserveIdentifiersRequest> React(const checkout::v1::ImportEvent& event,
                                                 const partition::FactContext& context);

// Field numbers of the events that it reacts to.
absl::Span<const int> ReactedCartFields();
absl::Span<const int> ReactedOrderFields();
absl::Span<const int> ReactedImportFields();

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_REACTIONS_H_
