// Turns returns into requests to link them.
#include "services/checkout/reactions.h"

#include <string>
#include <utility>

#include "services/checkout/order/ids.h"
#include "services/checkout/order/record.h"

namespace halles::checkout {
namespace {

std::vector<v1::LinkReturnRequest> Link(const v1::ReturnImported& imported, const partition::FactContext& context) {
  if (!imported.has_original()) return {};
  absl::StatusOr<std::vector<v1::ReturnedItem>> items = ReturnedItems(imported.sale());
  if (!items.ok()) return {};  // such a return is refused before it is recorded
  v1::LinkReturnRequest request;
  request.set_order_id(OrderIdOf(context.tenant, imported.original()).ToString());
  v1::LinkedReturn& linked_return = *request.mutable_linked_return();
  linked_return.set_return_id(std::string(context.aggregate_id));
  *linked_return.mutable_external() = imported.sale().external();
  *linked_return.mutable_recorded_time() = imported.sale().recorded_time();
  linked_return.set_channel(imported.sale().channel());
  linked_return.set_structure_id(imported.sale().structure_id());
  for (v1::ReturnedItem& item : *items) *linked_return.add_items() = std::move(item);
  *linked_return.mutable_net() = imported.sale().net();
  linked_return.set_lines(static_cast<uint32_t>(imported.sale().lines_size()));
  linked_return.set_names_customer(imported.sale().identifiers_size() > 0);
  return {std::move(request)};
}

}  // namespace

std::vector<v1::LinkReturnRequest> React(const v1::OrderEvent& event, const partition::FactContext& context) {
  switch (event.event_case()) {
    case v1::OrderEvent::kReturnImported:
      return Link(event.return_imported(), context);
    case v1::OrderEvent::kOrderImported:
    case v1::OrderEvent::kReturnAwaited:
    case v1::OrderEvent::kReturnLinked:
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
    case v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return {};
}

}  // namespace halles::checkout
