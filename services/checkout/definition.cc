// Registers the aggregates, commands, views and reactions of checkout.
#include "services/checkout/definition.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/runtime_tables.h"
#include "libs/saga/saga.h"
#include "services/checkout/cart/checks.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/commands.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/numbers/commands.h"
#include "services/checkout/order/checks.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/work.h"
#include "services/checkout/projection.h"
#include "services/checkout/reactions.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/series.h"

namespace halles::checkout {
namespace {

constexpr uint32_t kStateFoldVersion = 5;
constexpr uint32_t kTotalsFoldVersion = 3;
constexpr uint32_t kWorkFoldVersion = 4;

// Imports -------------------------------------------------------------------------------------------------------------

constexpr auto kDecideImport = [](const store::RowReader& state, const auto& request,
                                  const partition::CommandContext& context) {
  return imports::Decide(state, request, context);
};

void AddImportCommands(partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<v1::ImportOrderRequest>(
      [](const v1::ImportOrderRequest& request) {
        return imports::OrderIdOf(imports::kTenant, request.order().external()).ToString();
      },
      [](const partition::Preparation& with, v1::ImportOrderRequest* request) -> absl::Status {
        RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "order.identifiers",
                                        request->mutable_order()->mutable_identifiers()));
        return imports::Validate(*request);
      },
      kDecideImport, kImport));
  service->Add(partition::CommandOf<v1::ImportReturnRequest>(
      [](const v1::ImportReturnRequest& request) {
        return imports::ReturnIdOf(imports::kTenant, request.return_record().external()).ToString();
      },
      [](const partition::Preparation& with, v1::ImportReturnRequest* request) -> absl::Status {
        RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "return_record.identifiers",
                                        request->mutable_return_record()->mutable_identifiers()));
        return imports::Validate(*request);
      },
      kDecideImport, kImport));
  service->Add(partition::CommandOf<v1::LinkReturnRequest>(
      [](const v1::LinkReturnRequest& request) { return request.order_id(); }, partition::kNoDoor, kDecideImport,
      kImport));
}

// Carts ---------------------------------------------------------------------------------------------------------------

constexpr auto kCheckCart = [](const partition::Preparation&, const auto* request) { return cart::Validate(*request); };

// For commands with identifiers in clear: replaces them by hashes, so that none passes the door.
constexpr auto kHashCustomer = [](const partition::Preparation& with, auto* request) -> absl::Status {
  RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "identifiers", request->mutable_identifiers()));
  return cart::Validate(*request);
};

template <typename Request, typename Prepare>
void AddCartCommand(Prepare prepare, partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<Request>(
      [](const Request& request) { return request.cart_id(); }, prepare,
      [](const store::RowReader& state, const Request& request, const partition::CommandContext& context) {
        return cart::Decide(state, request, context);
      },
      kCart));
}

void AddCartCommands(partition::ServiceDefinition* service) {
  AddCartCommand<v1::AddCartLinesRequest>(kHashCustomer, service);
  AddCartCommand<v1::ChangeCartLineRequest>(kCheckCart, service);
  AddCartCommand<v1::SetCartDeliveryRequest>(kHashCustomer, service);
  AddCartCommand<v1::SetCartCustomerRequest>(kHashCustomer, service);
  AddCartCommand<v1::MergeCartsRequest>(kCheckCart, service);
  AddCartCommand<v1::UndoMergeCartsRequest>(kCheckCart, service);
  AddCartCommand<v1::TakeCartRequest>(partition::kNoDoor, service);
  AddCartCommand<v1::SettleMergeRequest>(partition::kNoDoor, service);
  AddCartCommand<v1::CartTimerDueRequest>(partition::kNoDoor, service);
}

// Orders --------------------------------------------------------------------------------------------------------------

constexpr auto kCheckOrder = [](const partition::Preparation&, const auto* request) {
  return order::Validate(*request);
};
constexpr auto kOrderOf = [](const auto& request) { return request.order_id(); };
// Calls a rule of services/checkout/commands.h.
constexpr auto kDecideTogether = [](const store::RowReader& state, const auto& request,
                                    const partition::CommandContext& context) {
  return Decide(state, request, context);
};

template <typename Request>
void AddOrderCommand(partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<Request>(kOrderOf, kCheckOrder, kDecideTogether, kOrder));
}

void AddOrderCommands(partition::ServiceDefinition* service) {
  AddOrderCommand<v1::CancelOrderRequest>(service);
  AddOrderCommand<v1::ExchangeLinesRequest>(service);
  AddOrderCommand<v1::PrepareFulfilmentRequest>(service);
  AddOrderCommand<v1::ReadyFulfilmentRequest>(service);
  AddOrderCommand<v1::CollectFulfilmentRequest>(service);
  AddOrderCommand<v1::ShipFulfilmentRequest>(service);
  AddOrderCommand<v1::CompleteFulfilmentRequest>(service);
  AddOrderCommand<v1::DelayFulfilmentRequest>(service);
  AddOrderCommand<v1::CancelFulfilmentRequest>(service);
  AddOrderCommand<v1::RerouteFulfilmentRequest>(service);
  service->Add(partition::CommandOf<v1::PlaceOrderRequest>(
      [](const v1::PlaceOrderRequest& request) { return request.cart_id(); }, kCheckOrder, kDecideTogether, kOrder,
      kCart));
  service->Add(
      partition::CommandOf<v1::RecordOutcomesRequest>(kOrderOf, partition::kNoDoor, kDecideTogether, kOrder, kCart));
  service->Add(
      partition::CommandOf<v1::OrderTimerDueRequest>(kOrderOf, partition::kNoDoor, kDecideTogether, kOrder, kCart));
  service->Add(partition::CommandOf<v1::ReturnLinesRequest>(
      kOrderOf, [](const partition::Preparation&, const v1::ReturnLinesRequest* request) { return Validate(*request); },
      kDecideTogether, kOrder, kImport));
  service->Add(partition::CommandOf<v1::AssignOrderNumberRequest>(
      [](const v1::AssignOrderNumberRequest& request) { return SeriesOf(request.site_id()); }, partition::kNoDoor,
      &numbers::Decide, kOrderNumber));
}

std::unique_ptr<google::protobuf::Message> OutcomesRequest(std::vector<partition::CallOutcome> outcomes) {
  auto request = std::make_unique<v1::RecordOutcomesRequest>();
  for (partition::CallOutcome& outcome : outcomes) {
    request->set_order_id(outcome.reply_to.key);
    v1::CallOutcome& told = *request->add_outcomes();
    told.set_tag(std::move(outcome.reply_tag));
    told.set_succeeded(outcome.kind == partition::CallOutcome::Kind::kSucceeded);
    told.set_response(std::move(outcome.response));
    if (!told.succeeded()) told.set_refusal(saga::EncodeRefusal(outcome.refusal));
  }
  return request;
}

std::unique_ptr<google::protobuf::Message> CartTimerRequest(const partition::TimerKey& timer) {
  auto request = std::make_unique<v1::CartTimerDueRequest>();
  request->set_cart_id(timer.aggregate_key);
  return request;
}

std::unique_ptr<google::protobuf::Message> OrderTimerRequest(const partition::TimerKey& timer) {
  auto request = std::make_unique<v1::OrderTimerDueRequest>();
  request->set_order_id(timer.aggregate_key);
  request->set_timer(timer.name);
  return request;
}

// Definition ----------------------------------------------------------------------------------------------------------

partition::ServiceDefinition DefineService() {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCheckout;
  service.fold_version = kStateFoldVersion;
  partition::AggregateDefinition cart = partition::AggregateDefinitionOf(kCart);
  cart.on_timer = &CartTimerRequest;
  partition::AggregateDefinition order = partition::AggregateDefinitionOf(kOrder);
  order.on_timer = &OrderTimerRequest;
  order.on_outcomes = &OutcomesRequest;
  service.aggregates = {std::move(cart), std::move(order), partition::AggregateDefinitionOf(kImport),
                        partition::AggregateDefinitionOf(kOrderNumber)};
  const auto mostly_absent = [&](absl::Span<const uint16_t> tables) {
    service.mostly_absent_tables.insert(service.mostly_absent_tables.end(), tables.begin(), tables.end());
  };
  mostly_absent(cart::kMostlyAbsentTables);
  mostly_absent(order::kMostlyAbsentTables);
  mostly_absent(imports::kMostlyAbsentTables);
  service.mostly_absent_tables.push_back(numbers::kNumbers.id());
  AddImportCommands(&service);
  AddCartCommands(&service);
  AddOrderCommands(&service);
  return service;
}

void DefineViews(std::vector<projection::ViewDefinition>* views) {
  projection::ViewDefinition totals{ServiceId::kCheckout, kTotalsView, kTotalsViewName, kTotalsFoldVersion, {}};
  totals.sources = {projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &Project, nullptr,
                                                             TotalsOrderFields()),
                    projection::ProjectionOf<v1::ImportEvent>(ServiceId::kCheckout, kImport.type, &Project, nullptr,
                                                              TotalsImportFields())};
  views->push_back(std::move(totals));

  projection::ViewDefinition work{ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, kWorkFoldVersion, {}};
  work.sources = {
      projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &order::ProjectWork, nullptr,
                                               order::WorkFields()),
      projection::ProjectionOf<inventory::v1::StockEvent>(ServiceId::kInventory, order::kStockEventType,
                                                          &order::ProjectStock, nullptr, order::StockFields())};
  views->push_back(std::move(work));
}

// Reactions of checkout to its own events.
void DefineReactions(std::vector<projection::ReactionDefinition>* reactions) {
  constexpr ServiceId kSelf = ServiceId::kCheckout;
  reactions->push_back(
      projection::ReactionOf<v1::ImportEvent>("links", kSelf, kSelf, kImport.type, &LinkReturns, LinkReturnsFields()));
  reactions->push_back(
      projection::ReactionOf<v1::CartEvent>("takes", kSelf, kSelf, kCart.type, &TakeCarts, TakeCartsFields()));
  reactions->push_back(
      projection::ReactionOf<v1::CartEvent>("merges", kSelf, kSelf, kCart.type, &SettleMerges, SettleMergesFields()));
}

store::Schema StateSchema() {
  return numbers::AddTables(imports::AddTables(order::AddTables(cart::AddTables(store::Schema()))));
}

}  // namespace

void Define(host::Definitions* definitions) {
  definitions->services.push_back(DefineService());
  DefineViews(&definitions->views);
  DefineReactions(&definitions->reactions);
  definitions->schemas.AddState(ServiceId::kCheckout, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCheckout, kTotalsView, kTotalsViewName, TotalsSchema())
      .AddView(ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, order::WorkSchema());
}

}  // namespace halles::checkout
