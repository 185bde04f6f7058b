// Folds facts about orders and returns.
#include "services/checkout/imports/state.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "services/checkout/broken.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/order/state.h"

namespace halles::checkout {
namespace {

absl::Status EvolveOrder(store::Rows& state, const v1::OrderImported& imported, const partition::FactContext& context) {
  const ImportedOrderKey key{OrderId::FromString(context.aggregate_id)};
  if (context.index != 0) return Broken(context, "an order must be the first event of its record");
  if (kImportedOrders.Contains(state, key)) return Broken(context, "the order is recorded already");
  kImportedOrders.Put(state, key, imported);
  return absl::OkStatus();
}

absl::Status EvolveReturn(store::Rows& state, const v1::ReturnImported& imported,
                          const partition::FactContext& context) {
  const ImportedReturnKey key{ReturnId::FromString(context.aggregate_id)};
  if (context.index != 0) return Broken(context, "a return must be the first event of its record");
  if (kImportedReturns.Contains(state, key)) return Broken(context, "the return is recorded already");
  kImportedReturns.Put(state, key, imported);
  return absl::OkStatus();
}

// The order in which waiting returns are linked.
bool Before(const v1::LinkedReturn& a, const v1::LinkedReturn& b) {
  const auto rank = [](const v1::LinkedReturn& r) {
    return std::make_tuple(r.recorded_time().seconds(), r.recorded_time().nanos(), r.external().external_id(),
                           r.external().source());
  };
  return rank(a) < rank(b);
}

absl::Status EvolveAwaited(store::Rows& state, const v1::ReturnAwaited& awaited,
                           const partition::FactContext& context) {
  const ImportedOrderKey key{OrderId::FromString(context.aggregate_id)};
  if (kImportedOrders.Contains(state, key)) return Broken(context, "the order that is awaited is recorded");
  rows::AwaitedRow row = kAwaited.Get(state, key).value_or(rows::AwaitedRow());
  if (Awaits(row, awaited.linked_return().return_id())) return Broken(context, "the return waits already");
  *row.add_returns() = awaited.linked_return();
  std::sort(row.mutable_returns()->begin(), row.mutable_returns()->end(), Before);
  kAwaited.Put(state, key, row);
  return absl::OkStatus();
}

// Takes the return out of those that wait, if it is there.
void StopAwaiting(store::Rows& state, const ImportedOrderKey& key, absl::string_view return_id) {
  std::optional<rows::AwaitedRow> row = kAwaited.Get(state, key);
  if (!row.has_value() || !Awaits(*row, return_id)) return;
  auto* returns = row->mutable_returns();
  returns->erase(std::remove_if(returns->begin(), returns->end(),
                                [&](const v1::LinkedReturn& waiting) { return waiting.return_id() == return_id; }),
                 returns->end());
  if (returns->empty()) {
    kAwaited.Delete(state, key);
  } else {
    kAwaited.Put(state, key, *row);
  }
}

absl::Status EvolveLinked(store::Rows& state, const v1::ReturnLinked& linked, const partition::FactContext& context) {
  const OrderId order = OrderId::FromString(context.aggregate_id);
  const LinkKey key{order, ReturnId::FromString(linked.linked_return().return_id())};
  if (!kImportedOrders.Contains(state, {order})) return Broken(context, "the order of the link is not recorded");
  if (kLinks.Contains(state, key)) return Broken(context, "the return is linked already");

  std::vector<std::pair<ReturnedKey, Decimal>> sums;
  for (const v1::ReturnedItem& item : linked.linked_return().items()) {
    ReturnedKey returned_key{order, Sku::FromString(item.sku())};
    const std::optional<rows::ReturnedRow> before = kReturned.Get(state, returned_key);
    const absl::StatusOr<Decimal> quantity = ExactOf(item.quantity());
    if (!quantity.ok()) return Broken(context, quantity.status().message());
    ASSIGN_OR_RETURN(const Decimal so_far, Decimal::Parse(before.has_value() ? before->quantity() : "0"));
    const absl::StatusOr<Decimal> sum = so_far.Add(*quantity);
    if (!sum.ok()) return Broken(context, sum.status().message());
    sums.emplace_back(std::move(returned_key), *sum);
  }
  for (const auto& [returned_key, sum] : sums) {
    rows::ReturnedRow row;
    row.set_quantity(sum.ToString());
    kReturned.Put(state, returned_key, row);
  }
  StopAwaiting(state, {order}, linked.linked_return().return_id());
  rows::LinkRow row;
  *row.mutable_link() = linked;
  row.set_event_index(context.index);
  kLinks.Put(state, key, row);
  return absl::OkStatus();
}

}  // namespace

bool Awaits(const rows::AwaitedRow& row, absl::string_view return_id) {
  return std::any_of(row.returns().begin(), row.returns().end(),
                     [&](const v1::LinkedReturn& waiting) { return waiting.return_id() == return_id; });
}

absl::Status Evolve(store::Rows& state, const v1::OrderEvent& event, const partition::FactContext& context) {
  switch (event.event_case()) {
    case v1::OrderEvent::kOrderImported:
      return EvolveOrder(state, event.order_imported(), context);
    case v1::OrderEvent::kReturnImported:
      return EvolveReturn(state, event.return_imported(), context);
    case v1::OrderEvent::kReturnAwaited:
      return EvolveAwaited(state, event.return_awaited(), context);
    case v1::OrderEvent::kReturnLinked:
      return EvolveLinked(state, event.return_linked(), context);
    case v1::OrderEvent::kCartOpened:
    case v1::OrderEvent::kCartLinesAdded:
    case v1::OrderEvent::kCartLineChanged:
    case v1::OrderEvent::kCartCustomerSet:
    case v1::OrderEvent::kCartDeliverySet:
    case v1::OrderEvent::kCartGiven:
    case v1::OrderEvent::kCartTaken:
    case v1::OrderEvent::kCartDeclined:
    case v1::OrderEvent::kCartMerged:
    case v1::OrderEvent::kCartMergeUndone:
    case v1::OrderEvent::kCartReopened:
    case v1::OrderEvent::kCartAbandoned:
      return cart::Evolve(state, event, context);
    case v1::OrderEvent::kCheckoutStarted:
    case v1::OrderEvent::kSagaAdvanced:
    case v1::OrderEvent::kOrderConfirmed:
    case v1::OrderEvent::kOrderRejected:
    case v1::OrderEvent::kOrderCancelled:
    case v1::OrderEvent::kFulfilmentAdvanced:
    case v1::OrderEvent::kFulfilmentHandedOver:
    case v1::OrderEvent::kFulfilmentDelayed:
    case v1::OrderEvent::kFulfilmentEnded:
    case v1::OrderEvent::kRerouteStarted:
    case v1::OrderEvent::kFulfilmentRerouted:
    case v1::OrderEvent::kRerouteRefused:
    case v1::OrderEvent::kGoodsReturned:
    case v1::OrderEvent::kExchangeStarted:
    case v1::OrderEvent::kExchangeCommitted:
    case v1::OrderEvent::kExchangeRejected:
      return order::Evolve(state, event, context);
    case v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return Broken(context, "it is no event that this version knows");
}

}  // namespace halles::checkout
