// Lists the parts of customer identity.
#include "services/customer_identity/definition.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "libs/partition/runtime_tables.h"
#include "services/customer_identity/commands.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/reactions.h"

namespace halles::customer_identity {
namespace {

constexpr uint32_t kStateFoldVersion = 1;
constexpr uint32_t kCustomersFoldVersion = 1;
constexpr uint32_t kOrderEventType = 1;  // of checkout, see checkout_events.proto

void AddTopics(const checkout::v1::SaleRecord& sale, std::vector<std::string>* topics) {
  for (const common::v1::Identifier& identifier : sale.identifiers()) topics->push_back(TopicOf(identifier));
}

void TopicsOfOrder(const checkout::v1::OrderEvent& event, std::vector<std::string>* topics) {
  switch (event.event_case()) {
    case checkout::v1::OrderEvent::kOrderImported:
      return AddTopics(event.order_imported().sale(), topics);
    case checkout::v1::OrderEvent::kReturnImported:
      return AddTopics(event.return_imported().sale(), topics);
    case checkout::v1::OrderEvent::kReturnLinked:
      if (event.return_linked().has_customer()) topics->push_back(TopicOf(event.return_linked().customer()));
      return;
    case checkout::v1::OrderEvent::kReturnAwaited:
    case checkout::v1::OrderEvent::kCartOpened:
    case checkout::v1::OrderEvent::kCartLinesAdded:
    case checkout::v1::OrderEvent::kCartLineChanged:
    case checkout::v1::OrderEvent::kCartCustomerSet:
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
    case checkout::v1::OrderEvent::kOrderConfirmed:
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
      return;
  }
}

void TopicsOfGraph(const v1::IdentityEvent& event, std::vector<std::string>* topics) {
  switch (event.event_case()) {
    case v1::IdentityEvent::kIdentifierObserved:
      topics->push_back(TopicOf(event.identifier_observed().identifier()));
      return;
    case v1::IdentityEvent::kIdentifiersLinked:
      topics->push_back(TopicOf(event.identifiers_linked().first()));
      topics->push_back(TopicOf(event.identifiers_linked().second()));
      return;
    case v1::IdentityEvent::EVENT_NOT_SET:
      return;
  }
}

}  // namespace

std::string TopicOf(const common::v1::Identifier& identifier) {
  return absl::StrCat(static_cast<int>(identifier.type()), ":", identifier.keyed_hash());
}

void Define(host::Definitions* definitions) {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCustomerIdentity;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::FoldOf(kGraph)};
  service.mostly_absent_tables = {};
  definitions->services.push_back(std::move(service));

  projection::ViewDefinition customers{
      ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, kCustomersFoldVersion, {}};
  customers.sources = {
      projection::ProjectionOf<checkout::v1::OrderEvent>(ServiceId::kCheckout, kOrderEventType, &Project,
                                                         &TopicsOfOrder),
      projection::ProjectionOf<v1::IdentityEvent>(ServiceId::kCustomerIdentity, kGraph.type, &Project, &TopicsOfGraph)};
  definitions->views.push_back(std::move(customers));

  definitions->reactions.push_back(
      projection::ReactionOf<checkout::v1::OrderEvent, v1::ObserveIdentifiersRequest, v1::ObserveIdentifiersResponse>(
          "identity-observes", ServiceId::kCustomerIdentity, ServiceId::kCheckout, kOrderEventType, &React,
          [](const v1::ObserveIdentifiersRequest&) { return std::string(kRealm); }, &Decide, kGraph, kRealm,
          /*once_is_enough=*/true));

  definitions->schemas.AddState(ServiceId::kCustomerIdentity, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, CustomersSchema());
}

}  // namespace halles::customer_identity
