// Orders that were placed here, and the stock and holds behind them, as tables.
#ifndef HALLES_SERVICES_HALLESCTL_PRINT_ORDER_H_
#define HALLES_SERVICES_HALLESCTL_PRINT_ORDER_H_

#include <string>
#include <vector>

#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"

namespace halles::hallesctl {

std::string LevelsText(const std::vector<inventory::v1::StockLevel>& levels, int width);
std::string HoldText(const inventory::v1::Hold& hold, int width);
std::string OrderText(const checkout::v1::Order& order, int width);
// Problems of lines, or of a whole cart; "" when there are none.
std::string ProblemsText(const google::protobuf::RepeatedPtrField<checkout::v1::Problem>& problems, int width);
// The locations of units, such as "shop-a, 2 of shop-b".
std::string AllocationsText(const google::protobuf::RepeatedPtrField<inventory::v1::Allocation>& allocations);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_PRINT_ORDER_H_
