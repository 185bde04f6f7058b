// The returned part of an exchange.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/unix_time.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

// An order whose lines and fulfilments are larger takes no exchange: an answer of at most 4 MiB shows them, those of one
// more exchange (which fit a record) and the returns (kReturnBytesMax, return_lines.h).
inline constexpr size_t kOrderBytesMax = size_t{1} << 20;
// Maximum size that the states of a fulfilment add to it: the cause of a delay, a tracking reference, times, and the
// location that it moves to.
inline constexpr size_t kFulfilmentGrowthBytesMax = size_t{2} << 10;

// The document of the returned lines of an exchange, at their frozen prices. They must be lines of the order.
absl::StatusOr<v1::GoodsReturned> ReturnOf(const OrderId& order, const rows::OrderRow& row,
                                           const v1::ExchangeStarted& exchange, UnixMicros now);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_
