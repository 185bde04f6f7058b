// The queries of checkout's door: one order, and totals.
#ifndef HALLES_SERVICES_CHECKOUT_QUERIES_H_
#define HALLES_SERVICES_CHECKOUT_QUERIES_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/store/rows.h"

namespace halles::checkout {

inline constexpr int kTotalsPageMax = 1000;

// The id of the order that the request names. INVALID_ARGUMENT if it names none.
absl::StatusOr<OrderId> NameOfOrder(absl::string_view tenant, const v1::GetOrderRequest& request);

// The order from the state of `slot`, placed here or imported, with its returns and the events behind them. NOT_FOUND
// with reason ORDER_UNKNOWN. The door adds the consistency token.
absl::StatusOr<v1::GetOrderResponse> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order);

// One page of totals from the view; the door adds the consistency token. INVALID_ARGUMENT for an invalid field,
// OUT_OF_RANGE (AMOUNT_OVERFLOW) if a sum does not fit into 64 bits.
// Limits: reads the rows by month (currencies x channels x months x slots) and those by site (sites instead of
// months), unless the request splits or filters by site: then every row of kTotals that the filters leave.
absl::StatusOr<v1::GetTotalsResponse> QueryTotals(const store::RowReader& view, const v1::GetTotalsRequest& request);

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_QUERIES_H_
