// The state of orders placed here: lines, fulfilments, returns, and the running saga.
#ifndef HALLES_SERVICES_CHECKOUT_ORDER_STATE_H_
#define HALLES_SERVICES_CHECKOUT_ORDER_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/saga/v1/saga.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/amounts.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::order {

// An order has the id of its cart, and so lives in the same slot. Invariants, none of which Evolve breaks:
//   1. Attempts to place an order are numbered from 1; each begins only after the previous one was rejected. The cart
//      is IN_CHECKOUT while its order is being placed, and ORDERED for ever once the order is confirmed: the records
//      that begin and end an attempt hold the events of both (services/checkout/commands.h).
//   2. For each line of a confirmed order, the cancelled units, the handed-over units and the units of open fulfilments
//      add up to the units bought.
//   3. No line has more units returned than were handed over.
//   4. An order has at most one running saga, which places it, exchanges lines or moves a fulfilment. The row of the
//      saga and the timer kSagaTimer exist exactly while it runs.
//   5. A fulfilment has a timer, named by its id, exactly while it waits to be collected and is not being moved. Ids of
//      fulfilments are "f" and a number, so none equals kSagaTimer.
//   6. The version counts every record of the order except those that only advance a saga or change nothing.
//   7. The outcome of each attempt, exchange and reroute is kept, and never changes. They are numbered without
//      gaps.

inline constexpr absl::string_view kSagaTimer = "saga";

struct OrderKey {
  OrderId order;
  static constexpr std::array kFieldNames = {"order"};
  auto Fields() const { return std::tie(order); }
  auto Fields() { return std::tie(order); }
};

// Returns and exchanges share their ids. An exchange has its id from its beginning, and its row once it is complete.
struct ReturnKey {
  OrderId order;
  ReturnId return_id;
  static constexpr std::array kFieldNames = {"order", "return"};
  auto Fields() const { return std::tie(order, return_id); }
  auto Fields() { return std::tie(order, return_id); }
};

// Attempts to place the order are numbered from 1. Exchanges and reroutes share another sequence from 1.
struct OutcomeKey {
  OrderId order;
  uint32_t number = 0;
  static constexpr std::array kFieldNames = {"order", "number"};
  auto Fields() const { return std::tie(order, number); }
  auto Fields() { return std::tie(order, number); }
};

inline constexpr store::Table<OrderKey, rows::OrderRow> kOrders(20, "orders");
inline constexpr store::Table<OrderKey, saga::v1::Saga> kSagas(21, "sagas");
inline constexpr store::Table<ReturnKey, rows::ReturnRow> kReturns(22, "returns");
inline constexpr store::Table<OutcomeKey, rows::OutcomeRow> kAttempts(23, "attempts");
inline constexpr store::Table<OutcomeKey, rows::OutcomeRow> kUndertakings(26, "undertakings");

inline store::Schema AddTables(store::Schema schema) {
  return schema.Add(kOrders).Add(kSagas).Add(kReturns).Add(kAttempts).Add(kUndertakings);
}

// Tables whose lookups mostly miss.
inline constexpr std::array kMostlyAbsentTables = {kOrders.id(), kSagas.id(), kReturns.id()};

// True if the order has its number and was not cancelled.
inline bool IsCertain(v1::OrderState state) {
  return state == v1::ORDER_STATE_CONFIRMED || state == v1::ORDER_STATE_COMPLETED;
}

// The line or the fulfilment with this id; null if there is none.
v1::OrderLine* FindLine(rows::OrderRow* row, absl::string_view line_id);
const v1::OrderLine* FindLine(const rows::OrderRow& row, absl::string_view line_id);
v1::OrderFulfilment* FindFulfilment(rows::OrderRow* row, absl::string_view fulfilment_id);
const v1::OrderFulfilment* FindFulfilment(const rows::OrderRow& row, absl::string_view fulfilment_id);

// Whether the exchange that is under way has this id.
bool IsBeingExchanged(const rows::OrderRow& row, absl::string_view id);

// The data from which the value of a part of the line is computed.
SoldLine SoldLineOf(const v1::OrderLine& line);

// Folds one event. DATA_LOSS, and nothing is written, if it breaks an invariant or is unknown to this version.
absl::Status Evolve(store::Rows& state, const v1::OrderEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::order

#endif  // HALLES_SERVICES_CHECKOUT_ORDER_STATE_H_
