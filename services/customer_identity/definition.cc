// Lists the parts of customer identity.
#include "services/customer_identity/definition.h"

#include <string>

#include "halles/checkout/v1/checkout_events.pb.h"
#include "libs/partition/runtime_tables.h"
#include "services/customer_identity/commands.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/reactions.h"

namespace halles::customer_identity {
namespace {

constexpr uint32_t kStateFoldVersion = 1;
constexpr uint32_t kCustomersFoldVersion = 2;
constexpr uint32_t kOrderEventType = 1;  // of checkout, see checkout_events.proto
constexpr uint32_t kStockEventType = 1;  // of inventory, see inventory_events.proto

}  // namespace

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
                                                         UnprojectedOrderEvents()),
      projection::ProjectionOf<inventory::v1::StockEvent>(ServiceId::kInventory, kStockEventType, &Project,
                                                          UnprojectedStockEvents()),
      projection::ProjectionOf<v1::IdentityEvent>(ServiceId::kCustomerIdentity, kGraph.type, &Project, {})};
  definitions->views.push_back(std::move(customers));

  definitions->reactions.push_back(
      projection::ReactionOf<checkout::v1::OrderEvent, v1::ObserveIdentifiersRequest, v1::ObserveIdentifiersResponse>(
          "identity-observes", ServiceId::kCustomerIdentity, ServiceId::kCheckout, kOrderEventType, &React,
          [](const v1::ObserveIdentifiersRequest&) { return std::string(kRealm); }, &Decide, kGraph, kRealm,
          /*once_is_enough=*/true));
  definitions->reactions.back().fields = ReactedOrderEvents();

  definitions->schemas.AddState(ServiceId::kCustomerIdentity, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, CustomersSchema());
}

}  // namespace halles::customer_identity
