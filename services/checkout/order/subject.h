// The order of a command, and the checks that all commands of orders share.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_SUBJECT_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_SUBJECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"
#include "services/checkout/order/checks.h"
#include "services/checkout/order/fulfilment.h"
#include "services/checkout/order/state.h"
#include "services/checkout/versions.h"

namespace halles::checkout::order {

struct Subject {
  OrderId order;
  rows::OrderRow row;
  int64_t next_version = 0;  // version after the record of the command
};

// The order, if it is confirmed and has the expected version.
template <class Request>
absl::StatusOr<Subject> FindSubject(const store::RowReader& state, const Request& request) {
  Subject subject{OrderId::FromString(request.order_id()), {}, 0};
  std::optional<rows::OrderRow> row = kOrders.Get(state, {subject.order});
  if (!row.has_value()) {
    return Reject(v1::REJECT_REASON_ORDER_UNKNOWN, absl::StrCat("there is no order ", request.order_id()),
                  {{"order_id", request.order_id()}});
  }
  if (!IsCertain(row->state())) {
    return Reject(v1::REJECT_REASON_ORDER_NOT_CONFIRMED,
                  absl::StrCat("the order is ", v1::OrderState_Name(row->state())),
                  {{"state", v1::OrderState_Name(row->state())}});
  }
  RETURN_IF_ERROR(CheckVersion(request, row->version()));
  subject.next_version = NextVersion(*row);
  subject.row = *std::move(row);
  return subject;
}

inline absl::Status CheckNotBusy(const rows::OrderRow& row) {
  if (row.pending_case() == rows::OrderRow::PENDING_NOT_SET) return absl::OkStatus();
  const bool exchange = row.pending_case() == rows::OrderRow::kExchange;
  return Reject(v1::REJECT_REASON_ORDER_BUSY,
                absl::StrCat(exchange ? "an exchange" : "a reroute", " of the order is under way: try again"),
                {{exchange ? "exchange_id" : "fulfilment_id",
                  exchange ? row.exchange().exchange_id() : row.reroute().fulfilment_id()}});
}

// The fulfilment, and its state after `move`.
struct Moved {
  const v1::OrderFulfilment* fulfilment;
  v1::FulfilmentState after;
};
inline absl::StatusOr<Moved> CheckMove(const rows::OrderRow& row, const std::string& fulfilment_id, Move move) {
  const v1::OrderFulfilment* fulfilment = FindFulfilment(row, fulfilment_id);
  if (fulfilment == nullptr) {
    return Reject(v1::REJECT_REASON_FULFILMENT_UNKNOWN, absl::StrCat("the order has no fulfilment ", fulfilment_id),
                  {{"fulfilment_id", fulfilment_id}});
  }
  const auto after = After(move, fulfilment->fulfilment().delivery(), fulfilment->state());
  if (!after.has_value()) {
    const std::string is = v1::FulfilmentState_Name(fulfilment->state());
    return Reject(v1::REJECT_REASON_FULFILMENT_STATE_FORBIDS,
                  absl::StrCat("cannot ", NameOf(move), " a fulfilment with this kind of delivery in state ", is),
                  {{"fulfilment_id", fulfilment_id}, {"state", is}, {"move", std::string(NameOf(move))}});
  }
  return Moved{fulfilment, *after};
}

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_SUBJECT_H_
