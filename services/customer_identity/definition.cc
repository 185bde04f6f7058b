// Lists the parts of customer identity.
#include "services/customer_identity/definition.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "halles/checkout/v1/checkout_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "libs/partition/command_definition.h"
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

partition::ServiceDefinition DefineService() {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCustomerIdentity;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::AggregateDefinitionOf(kGraph)};
  service.Add(partition::CommandOf<v1::ObserveIdentifiersRequest>(
      [](const v1::ObserveIdentifiersRequest&) { return kRealm; }, partition::kNoDoor, &Decide, kGraph));
  return service;
}

// The kinds of an event but those that are passed over.
template <typename Event>
std::vector<int> FieldsBut(const std::vector<int>& passed_over) {
  std::vector<int> fields;
  const google::protobuf::Descriptor& event = *Event::descriptor();
  for (int i = 0; i < event.field_count(); ++i) {
    const int number = event.field(i)->number();
    if (std::find(passed_over.begin(), passed_over.end(), number) == passed_over.end()) fields.push_back(number);
  }
  return fields;
}

}  // namespace

void Define(host::Definitions* definitions) {
  definitions->services.push_back(DefineService());

  projection::ViewDefinition customers{
      ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, kCustomersFoldVersion, {}};
  customers.sources = {
      projection::ProjectionOf<checkout::v1::OrderEvent>(ServiceId::kCheckout, kOrderEventType, &Project,
                                                         FieldsBut<checkout::v1::OrderEvent>(UnprojectedOrderEvents())),
      projection::ProjectionOf<inventory::v1::StockEvent>(
          ServiceId::kInventory, kStockEventType, &Project,
          FieldsBut<inventory::v1::StockEvent>(UnprojectedStockEvents())),
      projection::ProjectionOf<v1::IdentityEvent>(ServiceId::kCustomerIdentity, kGraph.type, &Project,
                                                  absl::Span<const int>())};
  definitions->views.push_back(std::move(customers));

  definitions->reactions.push_back(projection::ReactionOf<checkout::v1::OrderEvent>(
      "identity-observes", ServiceId::kCustomerIdentity, ServiceId::kCheckout, kOrderEventType, &React,
      ReactedOrderEvents(), /*once_is_enough=*/true));

  definitions->schemas.AddState(ServiceId::kCustomerIdentity, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCustomerIdentity, kCustomersView, kCustomersViewName, CustomersSchema());
}

}  // namespace halles::customer_identity
