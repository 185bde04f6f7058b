// What came back, as a document: which lines, what they are worth.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/unix_time.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

using ReturnedLines = google::protobuf::RepeatedPtrField<v1::ReturnedLine>;

// The document of a return or exchange: "<order>/<return>".
std::string DocumentIdOf(const OrderId& order, absl::string_view return_id);

// The return of lines of an order that was placed here, at its frozen prices. `lines` name lines of the order.
v1::GoodsReturned ReturnOf(const OrderId& order, const rows::OrderRow& row, absl::string_view return_id,
                           const v1::Origin& origin, const ReturnedLines& lines, UnixMicros now);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_RETURNS_H_
