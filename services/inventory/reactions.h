// What inventory does about facts of orders: holds become sales, goods leave, are free again, come back.
#ifndef HALLES_SERVICES_INVENTORY_REACTIONS_H_
#define HALLES_SERVICES_INVENTORY_REACTIONS_H_

#include <vector>

#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "libs/partition/domain.h"

namespace halles::inventory {

// One request per SKU, hold and location that the fact is about, in their order; nothing for facts that move no stock.
std::vector<v1::ApplyOrderFactRequest> React(const checkout::v1::OrderEvent& event,
                                             const partition::FactContext& context);

// Fields of OrderEvent that React answers to.
std::vector<int> ReactedFields();

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_REACTIONS_H_
