// Registers the aggregate, the command, the view and the reactions of customer identity.
#include "services/customer_identity/definition.h"

#include <string>
#include <utility>
#include <vector>

#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/runtime_tables.h"
#include "services/customer_identity/commands.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/reactions.h"

namespace halles::customer_identity {
namespace {

constexpr uint32_t kStateFoldVersion = 2;
constexpr uint32_t kCustomersFoldVersion = 4;
// Event types of checkout, as in the protos of its events.
constexpr uint32_t kCartEventType = 1;
constexpr uint32_t kOrderEventType = 2;
constexpr uint32_t kImportEventType = 3;
constexpr uint32_t kStockEventType = 1;  // event type of inventory, as in inventory_events.proto

partition::ServiceDefinition DefineService() {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCustomerIdentity;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::AggregateDefinitionOf(kGraph)};
  service.Add(partition::CommandOf<v1::ObserveIdentifiersRequest>(
      [](const v1::ObserveIdentifiersRequest&) { return kRealm; }, partition::kNoDoor, &Decide, kGraph));
  return service;
}

template <typename Event>
void AddReaction(const char* name, uint32_t type, absl::Span<const int> fields, host::Definitions* definitions) {
  definitions->reactions.push_back(projection::ReactionOf<Event>(
      name, ServiceId::kCustomerIdentity, ServiceId::kCheckout, type,
      [](const Event& event, const partition::FactContext& context) { return React(event, context); }, fields,
      /*once_is_enough=*/true));
}

}  // namespace

void Define(host::Definitions* definitions) {
  definitions->services.push_back(DefineService());

  projection::ViewDefinition customers{
      ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, kCustomersFoldVersion, {}};
  customers.sources = {projection::ProjectionOf<checkout::v1::CartEvent>(ServiceId::kCheckout, kCartEventType, &Project,
                                                                         ProjectedCartFields()),
                       projection::ProjectionOf<checkout::v1::OrderEvent>(ServiceId::kCheckout, kOrderEventType,
                                                                          &Project, ProjectedOrderFields()),
                       projection::ProjectionOf<checkout::v1::ImportEvent>(ServiceId::kCheckout, kImportEventType,
                                                                           &Project, ProjectedImportFields()),
                       projection::ProjectionOf<inventory::v1::StockEvent>(ServiceId::kInventory, kStockEventType,
                                                                           &Project, ProjectedStockFields()),
                       projection::ProjectionOf<v1::IdentityEvent>(ServiceId::kCustomerIdentity, kGraph.type, &Project,
                                                                   absl::Span<const int>())};
  definitions->views.push_back(std::move(customers));

  AddReaction<checkout::v1::CartEvent>("identity-observes-carts", kCartEventType, ReactedCartFields(), definitions);
  AddReaction<checkout::v1::OrderEvent>("identity-observes-orders", kOrderEventType, ReactedOrderFields(), definitions);
  AddReaction<checkout::v1::ImportEvent>("identity-observes-imports", kImportEventType, ReactedImportFields(),
                                         definitions);

  definitions->schemas.AddState(ServiceId::kCustomerIdentity, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, CustomersSchema());
}

}  // namespace halles::customer_identity
