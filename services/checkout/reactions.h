// What checkout does about its own facts: returns find their orders.
#ifndef HALLES_SERVICES_CHECKOUT_REACTIONS_H_
#define HALLES_SERVICES_CHECKOUT_REACTIONS_H_

#include <vector>

#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/partition/domain.h"

namespace halles::checkout {

// A return that names an order asks the order's slot to link it; nothing else is reacted to.
std::vector<v1::LinkReturnRequest> React(const v1::OrderEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_REACTIONS_H_
