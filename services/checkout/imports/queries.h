// What the door of orders answers about imported orders from state.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_

#include <optional>

#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/store/rows.h"

namespace halles::checkout::imports {

// The order with what came back of it, in the order in which that became known here, and the events behind each. Nullopt
// when no such order was imported (yet), or the state cannot be read, as its status then says.
std::optional<v1::ImportedOrder> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_
