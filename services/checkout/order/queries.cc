// Reads orders placed here, and the outcomes of their sagas.
#include "services/checkout/order/queries.h"

#include <algorithm>
#include <limits>
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

namespace {

constexpr Position kNow = std::numeric_limits<Position>::max();

// The order with the returns that were recorded up to a position, oldest first.
absl::StatusOr<v1::Order> Show(const store::RowReader& state, SlotId slot, const OrderId& order, rows::OrderRow row,
                               Position until) {
  std::vector<std::pair<EventRef, rows::ReturnRow>> returns;
  kReturns.ForEach(
      state,
      [&](const ReturnKey&, const rows::ReturnRow& came_back, Position position) {
        if (position <= until) returns.emplace_back(EventRef{slot, position, came_back.event_index()}, came_back);
        return true;
      },
      order);
  RETURN_IF_ERROR(state.status());
  std::sort(returns.begin(), returns.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  v1::Order answer;
  answer.set_order_id(order.ToString());
  answer.set_state(row.state());
  answer.set_version(row.version());
  answer.set_number(row.number());
  *answer.mutable_origin() = std::move(*row.mutable_origin());
  *answer.mutable_lines() = std::move(*row.mutable_lines());
  *answer.mutable_total() = std::move(*row.mutable_total());
  *answer.mutable_fulfilments() = std::move(*row.mutable_fulfilments());
  for (auto& [ref, came_back] : returns) {
    v1::OrderReturn& order_return = *answer.add_returns();
    *order_return.mutable_returned() = std::move(*came_back.mutable_returned());
    order_return.set_event(ref.ToString());
  }
  *answer.mutable_problems() = std::move(*row.mutable_problems());
  answer.set_snapshot_hash(row.snapshot_hash());
  if (row.has_confirm_us()) *answer.mutable_confirm_time() = TimestampOf(row.confirm_us());
  return answer;
}

// The answer to a command from the outcome that was kept; nullopt if there is none yet. If the attempt failed, a
// refusal with `reason` and `why`.
template <class Response>
absl::StatusOr<std::optional<Response>> Answer(const store::RowReader& state, SlotId slot, const OrderId& order,
                                               const store::Table<OutcomeKey, rows::OutcomeRow>& outcomes,
                                               uint32_t number, const Response& begun, v1::RejectReason reason,
                                               absl::string_view why) {
  auto outcome = outcomes.Find(state, {order, number});
  RETURN_IF_ERROR(state.status());
  if (!outcome.has_value()) return std::optional<Response>();
  if (!outcome->row.has_order()) return RejectWith(reason, why, outcome->row.problems());
  std::optional<Response> response = begun;
  ASSIGN_OR_RETURN(*response->mutable_order(),
                   Show(state, slot, order, std::move(*outcome->row.mutable_order()), outcome->position));
  if constexpr (requires { response->mutable_difference(); }) {
    *response->mutable_difference() = outcome->row.difference();
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::Order> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order) {
  std::optional<rows::OrderRow> row = kOrders.Get(state, {order});
  RETURN_IF_ERROR(state.status());
  if (!row.has_value()) {
    return Failure(
        absl::StatusCode::kNotFound, "ORDER_UNKNOWN",
        absl::StrCat("order ", order.ToString(), " was not placed or imported, or the query did not wait for it"),
        {{"order_id", order.ToString()}});
  }
  return Show(state, slot, order, *std::move(row), kNow);
}

absl::StatusOr<std::optional<v1::PlaceOrderResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                const OrderId& order,
                                                                const v1::PlaceOrderResponse& begun) {
  return Answer(state, slot, order, kAttempts, begun.attempt(), begun, v1::REJECT_REASON_PLACEMENT_REJECTED,
                "the order cannot be placed");
}

absl::StatusOr<std::optional<v1::ExchangeLinesResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                   const OrderId& order,
                                                                   const v1::ExchangeLinesResponse& begun) {
  return Answer(state, slot, order, kUndertakings, begun.exchange(), begun, v1::REJECT_REASON_EXCHANGE_REJECTED,
                "the exchange cannot be made");
}

absl::StatusOr<std::optional<v1::RerouteFulfilmentResponse>> OutcomeOf(const store::RowReader& state, SlotId slot,
                                                                       const OrderId& order,
                                                                       const v1::RerouteFulfilmentResponse& begun) {
  // The fulfilment was there already.
  if (begun.reroute() == 0) return std::optional<v1::RerouteFulfilmentResponse>(begun);
  return Answer(state, slot, order, kUndertakings, begun.reroute(), begun, v1::REJECT_REASON_REROUTE_REJECTED,
                "the fulfilment cannot be moved");
}

}  // namespace halles::checkout::order
