// The reactions of checkout to its own events: they link returns to their orders, and merge carts.
#ifndef HALLES_SERVICES_CHECKOUT_REACTIONS_H_
#define HALLES_SERVICES_CHECKOUT_REACTIONS_H_

#include <vector>

#include "absl/types/span.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/partition/domain.h"

namespace halles::checkout {

// Field numbers of the events that a reaction handles.
using Fields = absl::Span<const int>;

// A return that names an order asks the order's slot to link it.
std::vector<v1::LinkReturnRequest> LinkReturns(const v1::ImportEvent& event, const partition::FactContext& context);
Fields LinkReturnsFields();

// A cart that gives its lines asks the other one to take them.
std::vector<v1::TakeCartRequest> TakeCarts(const v1::CartEvent& event, const partition::FactContext& context);
Fields TakeCartsFields();

// A cart that took lines, declined them or gives them back tells the cart that they came from.
std::vector<v1::SettleMergeRequest> SettleMerges(const v1::CartEvent& event, const partition::FactContext& context);
Fields SettleMergesFields();

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_REACTIONS_H_
