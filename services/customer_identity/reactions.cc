// Turns orders, returns and carts into observations.
#include "services/customer_identity/reactions.h"

#include <utility>

namespace halles::customer_identity {
namespace {

using Identifiers = google::protobuf::RepeatedPtrField<common::v1::Identifier>;

std::vector<v1::ObserveIdentifiersRequest> Observe(const Identifiers& identifiers) {
  if (identifiers.empty()) return {};
  v1::ObserveIdentifiersRequest request;
  *request.mutable_identifiers() = identifiers;
  return {std::move(request)};
}

}  // namespace

std::vector<int> ReactedOrderEvents() {
  return {checkout::v1::OrderEvent::kOrderImportedFieldNumber, checkout::v1::OrderEvent::kReturnImportedFieldNumber,
          checkout::v1::OrderEvent::kCartCustomerSetFieldNumber, checkout::v1::OrderEvent::kOrderConfirmedFieldNumber};
}

std::vector<v1::ObserveIdentifiersRequest> React(const checkout::v1::OrderEvent& event, const partition::FactContext&) {
  switch (event.event_case()) {
    case checkout::v1::OrderEvent::kOrderImported:
      return Observe(event.order_imported().sale().identifiers());
    case checkout::v1::OrderEvent::kReturnImported:
      return Observe(event.return_imported().sale().identifiers());
    case checkout::v1::OrderEvent::kCartCustomerSet:
      return Observe(event.cart_customer_set().identifiers());
    case checkout::v1::OrderEvent::kOrderConfirmed:
      return Observe(event.order_confirmed().sale().identifiers());
    case checkout::v1::OrderEvent::kReturnAwaited:
    case checkout::v1::OrderEvent::kReturnLinked:  // its customer was observed on the order, here and below
    case checkout::v1::OrderEvent::kCartOpened:
    case checkout::v1::OrderEvent::kCartLinesAdded:
    case checkout::v1::OrderEvent::kCartLineChanged:
    case checkout::v1::OrderEvent::kCartDeliverySet:
    case checkout::v1::OrderEvent::kCartGiven:
    case checkout::v1::OrderEvent::kCartTaken:
    case checkout::v1::OrderEvent::kCartDeclined:
    case checkout::v1::OrderEvent::kCartMerged:
    case checkout::v1::OrderEvent::kCartMergeUndone:
    case checkout::v1::OrderEvent::kCartReopened:
    case checkout::v1::OrderEvent::kCartAbandoned:
    case checkout::v1::OrderEvent::kCheckoutStarted:
    case checkout::v1::OrderEvent::kSagaAdvanced:
    case checkout::v1::OrderEvent::kOrderRejected:
    case checkout::v1::OrderEvent::kOrderCancelled:
    case checkout::v1::OrderEvent::kFulfilmentAdvanced:
    case checkout::v1::OrderEvent::kFulfilmentHandedOver:
    case checkout::v1::OrderEvent::kFulfilmentDelayed:
    case checkout::v1::OrderEvent::kFulfilmentEnded:
    case checkout::v1::OrderEvent::kRerouteStarted:
    case checkout::v1::OrderEvent::kFulfilmentRerouted:
    case checkout::v1::OrderEvent::kRerouteRefused:
    case checkout::v1::OrderEvent::kGoodsReturned:
    case checkout::v1::OrderEvent::kExchangeStarted:
    case checkout::v1::OrderEvent::kExchangeCommitted:
    case checkout::v1::OrderEvent::kExchangeRejected:
    case checkout::v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return {};
}

}  // namespace halles::customer_identity
