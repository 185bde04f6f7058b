// The queries about imported orders.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_

#include <optional>

#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/store/rows.h"

namespace halles::checkout::imports {

// The order with its returns, in the order in which they were recorded, and the events behind them. nullopt if no such
// order was imported, or if the state cannot be read; its status then has the error.
std::optional<v1::ImportedOrder> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_QUERIES_H_
