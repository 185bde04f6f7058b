// Reads orders that are placed here.
#include "services/checkout/order/queries.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/checkout/amounts.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"

namespace halles::checkout::order {

absl::StatusOr<v1::Order> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order) {
  std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  RETURN_IF_ERROR(state.status());
  if (!row.has_value()) {
    return Failure(absl::StatusCode::kNotFound, "ORDER_UNKNOWN",
                   absl::StrCat("no order ", order.ToString(), " was placed or imported (yet)"),
                   {{"order_id", order.ToString()}});
  }
  std::vector<std::pair<EventRef, rows::ReturnRow>> returns;
  kReturns.ForEach(
      state,
      [&](const ReturnKey&, const rows::ReturnRow& came_back, Position position) {
        returns.emplace_back(EventRef{slot, position, came_back.event_index()}, came_back);
        return true;
      },
      order);
  RETURN_IF_ERROR(state.status());
  std::sort(returns.begin(), returns.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  v1::Order answer;
  answer.set_order_id(order.ToString());
  answer.set_state(row->state());
  answer.set_version(row->version());
  answer.set_number(row->number());
  *answer.mutable_origin() = std::move(*row->mutable_origin());
  *answer.mutable_lines() = std::move(*row->mutable_lines());
  *answer.mutable_total() = std::move(*row->mutable_total());
  *answer.mutable_fulfilments() = std::move(*row->mutable_fulfilments());
  for (auto& [ref, came_back] : returns) {
    v1::OrderReturn& order_return = *answer.add_returns();
    *order_return.mutable_returned() = std::move(*came_back.mutable_returned());
    order_return.set_event(ref.ToString());
  }
  *answer.mutable_problems() = std::move(*row->mutable_problems());
  answer.set_snapshot_hash(row->snapshot_hash());
  if (row->confirm_us() != 0) *answer.mutable_confirm_time() = TimestampOf(row->confirm_us());
  return answer;
}

absl::StatusOr<std::optional<v1::PlaceOrderResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                const v1::PlaceOrderRequest& request) {
  const OrderId order = OrderId::FromString(request.cart_id());
  const std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value() || row->state() == v1::ORDER_STATE_PLACING) return std::optional<v1::PlaceOrderResponse>();
  if (row->state() == v1::ORDER_STATE_REJECTED) {
    return RejectWith(v1::REJECT_REASON_PLACEMENT_REJECTED, "the order cannot be placed", row->problems());
  }
  std::optional<v1::PlaceOrderResponse> response(std::in_place);
  ASSIGN_OR_RETURN(*response->mutable_order(), FindOrder(state, slot, order));
  return response;
}

absl::StatusOr<std::optional<v1::ExchangeLinesResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                   const v1::ExchangeLinesRequest& request) {
  const OrderId order = OrderId::FromString(request.order_id());
  const std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value() || row->exchange().exchange_id() == request.exchange_id()) {
    return std::optional<v1::ExchangeLinesResponse>();
  }
  const auto exchanged = kReturns.Get(state, {order, ReturnId::FromString(request.exchange_id())});
  if (!exchanged.has_value()) {
    google::protobuf::RepeatedPtrField<v1::Problem> problems;  // of a later exchange: those of this one are gone
    if (row->exchange_rejected().exchange_id() == request.exchange_id()) problems = row->exchange_rejected().problems();
    return RejectWith(v1::REJECT_REASON_EXCHANGE_REJECTED, "the exchange cannot be made", problems);
  }
  std::optional<v1::ExchangeLinesResponse> response(std::in_place);
  ASSIGN_OR_RETURN(*response->mutable_order(), FindOrder(state, slot, order));
  *response->mutable_difference() = exchanged->difference();
  return response;
}

absl::StatusOr<std::optional<v1::RerouteFulfilmentResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                       const v1::RerouteFulfilmentRequest& request) {
  const OrderId order = OrderId::FromString(request.order_id());
  const std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  if (!row.has_value() || row->reroute().fulfilment_id() == request.fulfilment_id()) {
    return std::optional<v1::RerouteFulfilmentResponse>();
  }
  const v1::OrderFulfilment* fulfilment = FindFulfilment(*row, request.fulfilment_id());
  if (fulfilment == nullptr || fulfilment->fulfilment().location_id() != request.to_location_id()) {
    google::protobuf::RepeatedPtrField<v1::Problem> problems;
    if (row->reroute_refused().fulfilment_id() == request.fulfilment_id()) problems = row->reroute_refused().problems();
    return RejectWith(v1::REJECT_REASON_REROUTE_REJECTED, "the fulfilment cannot be moved", problems);
  }
  std::optional<v1::RerouteFulfilmentResponse> response(std::in_place);
  ASSIGN_OR_RETURN(*response->mutable_order(), FindOrder(state, slot, order));
  return response;
}

}  // namespace halles::checkout::order
