// Turns orders, returns and carts into observations.
#include "services/customer_identity/reactions.h"

#include <utility>

#include "halles/checkout/v1/cart_events.visit.h"
#include "halles/checkout/v1/import_events.visit.h"
#include "halles/checkout/v1/order_events.visit.h"

namespace halles::customer_identity {
namespace {

using Requests = std::vector<v1::ObserveIdentifiersRequest>;
using Identifiers = google::protobuf::RepeatedPtrField<common::v1::Identifier>;

Requests Observe(const Identifiers& identifiers) {
  if (identifiers.empty()) return {};
  v1::ObserveIdentifiersRequest request;
  *request.mutable_identifiers() = identifiers;
  return {std::move(request)};
}

struct CartReaction
    : PassesOver<checkout::v1::CartOpened, checkout::v1::CartLinesAdded, checkout::v1::CartLineChanged,
                 checkout::v1::CartDeliverySet, checkout::v1::CartGiven, checkout::v1::CartTaken,
                 checkout::v1::CartDeclined, checkout::v1::CartMerged, checkout::v1::CartMergeUndone,
                 checkout::v1::CartReopened, checkout::v1::CartAbandoned, checkout::v1::CartCheckoutStarted,
                 checkout::v1::CartCheckoutFailed, checkout::v1::CartOrdered> {
  using PassesOver::operator();
  Requests operator()(const checkout::v1::CartCustomerSet& set) const { return Observe(set.identifiers()); }
  Requests operator()(NoEvent) const { return {}; }
};

struct OrderReaction
    : PassesOver<checkout::v1::CheckoutStarted, saga::v1::SagaAdvanced, checkout::v1::OrderRejected,
                 checkout::v1::OrderCancelled, checkout::v1::FulfilmentAdvanced, checkout::v1::FulfilmentHandedOver,
                 checkout::v1::FulfilmentDelayed, checkout::v1::FulfilmentEnded, checkout::v1::RerouteStarted,
                 checkout::v1::FulfilmentRerouted, checkout::v1::RerouteRefused, checkout::v1::GoodsReturned,
                 checkout::v1::ExchangeStarted, checkout::v1::ExchangeCommitted, checkout::v1::ExchangeRejected> {
  using PassesOver::operator();
  Requests operator()(const checkout::v1::OrderConfirmed& confirmed) const {
    return Observe(confirmed.sale().identifiers());
  }
  Requests operator()(NoEvent) const { return {}; }
};

struct ImportReaction
    : PassesOver<checkout::v1::ReturnAwaited, checkout::v1::ReturnLinked, checkout::v1::GoodsReturned> {
  using PassesOver::operator();
  Requests operator()(const checkout::v1::OrderImported& imported) const {
    return Observe(imported.sale().identifiers());
  }
  Requests operator()(const checkout::v1::ReturnImported& imported) const {
    return Observe(imported.sale().identifiers());
  }
  Requests operator()(NoEvent) const { return {}; }
};

}  // namespace

Requests React(const checkout::v1::CartEvent& event, const partition::FactContext&) {
  return Visit(event, CartReaction());
}
Requests React(const checkout::v1::OrderEvent& event, const partition::FactContext&) {
  return Visit(event, OrderReaction());
}
Requests React(const checkout::v1::ImportEvent& event, const partition::FactContext&) {
  return Visit(event, ImportReaction());
}

absl::Span<const int> ReactedCartFields() { return kHandledFields<checkout::v1::CartEvent, CartReaction>; }
absl::Span<const int> ReactedOrderFields() { return kHandledFields<checkout::v1::OrderEvent, OrderReaction>; }
absl::Span<const int> ReactedImportFields() { return kHandledFields<checkout::v1::ImportEvent, ImportReaction>; }

}  // namespace halles::customer_identity
