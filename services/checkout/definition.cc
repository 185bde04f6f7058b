// Lists the parts of checkout.
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
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/numbers/commands.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/order/checks.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"
#include "services/checkout/order/work.h"
#include "services/checkout/projection.h"
#include "services/checkout/reactions.h"

namespace halles::checkout {
namespace {

constexpr uint32_t kStateFoldVersion = 2;
constexpr uint32_t kTotalsFoldVersion = 2;
constexpr uint32_t kWorkFoldVersion = 1;

// Imports -------------------------------------------------------------------------------------------------------------

constexpr auto kDecide = [](const store::RowReader& state, const auto& request,
                            const partition::CommandContext& context) { return Decide(state, request, context); };

void AddImportCommands(partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<v1::ImportOrderRequest>(
      [](const v1::ImportOrderRequest& request) { return OrderIdOf(kTenant, request.order().external()).ToString(); },
      [](const partition::Preparation& with, v1::ImportOrderRequest* request) -> absl::Status {
        RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "order.identifiers",
                                        request->mutable_order()->mutable_identifiers()));
        return Validate(*request);
      },
      kDecide, kOrder));
  service->Add(partition::CommandOf<v1::ImportReturnRequest>(
      [](const v1::ImportReturnRequest& request) {
        return ReturnIdOf(kTenant, request.return_record().external()).ToString();
      },
      [](const partition::Preparation& with, v1::ImportReturnRequest* request) -> absl::Status {
        RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "return_record.identifiers",
                                        request->mutable_return_record()->mutable_identifiers()));
        return Validate(*request);
      },
      kDecide, kOrder));
  service->Add(partition::CommandOf<v1::LinkReturnRequest>(
      [](const v1::LinkReturnRequest& request) { return request.order_id(); }, partition::kNoDoor, kDecide, kOrder));
}

// Carts ---------------------------------------------------------------------------------------------------------------

constexpr auto kCheckCart = [](const partition::Preparation&, const auto* request) { return Validate(*request); };

// Of a command with a customer in clear, who does not get beyond this point.
constexpr auto kHashCustomer = [](const partition::Preparation& with, auto* request) -> absl::Status {
  RETURN_IF_ERROR(HashIdentifiers(*with.identifier_keys, "identifiers", request->mutable_identifiers()));
  return Validate(*request);
};

template <typename Request, typename Prepare>
void AddCartCommand(Prepare prepare, partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<Request>([](const Request& request) { return request.cart_id(); }, prepare, kDecide,
                                             kOrder));
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
}

// Orders --------------------------------------------------------------------------------------------------------------

constexpr auto kCheckOrder = [](const partition::Preparation&, const auto* request) {
  return order::Validate(*request);
};
constexpr auto kDecideOrder = [](const store::RowReader& state, const auto& request,
                                 const partition::CommandContext& context) {
  return order::Decide(state, request, context);
};

template <typename Request, typename Prepare>
void AddOrderCommand(Prepare prepare, partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<Request>([](const Request& request) { return request.order_id(); }, prepare,
                                             kDecideOrder, kOrder));
}

void AddOrderCommands(partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<v1::PlaceOrderRequest>(
      [](const v1::PlaceOrderRequest& request) { return request.cart_id(); }, kCheckOrder, kDecideOrder, kOrder));
  AddOrderCommand<v1::CancelOrderRequest>(kCheckOrder, service);
  AddOrderCommand<v1::ReturnLinesRequest>(kCheckOrder, service);
  AddOrderCommand<v1::ExchangeLinesRequest>(kCheckOrder, service);
  AddOrderCommand<v1::PrepareFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::ReadyFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::CollectFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::ShipFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::CompleteFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::DelayFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::CancelFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::RerouteFulfilmentRequest>(kCheckOrder, service);
  AddOrderCommand<v1::RecordOutcomesRequest>(partition::kNoDoor, service);
  AddOrderCommand<v1::OrderTimerDueRequest>(partition::kNoDoor, service);
  service->Add(partition::CommandOf<v1::AssignOrderNumberRequest>(
      [](const v1::AssignOrderNumberRequest& request) { return numbers::SeriesOf(request.site_id()); },
      partition::kNoDoor, &numbers::Decide, kNumberSeries));
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

std::unique_ptr<google::protobuf::Message> TimerRequest(const partition::TimerKey& timer) {
  auto request = std::make_unique<v1::OrderTimerDueRequest>();
  request->set_order_id(timer.aggregate_key);
  request->set_timer(timer.name);
  return request;
}

// What a process is told ----------------------------------------------------------------------------------------------

partition::ServiceDefinition DefineService() {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCheckout;
  service.fold_version = kStateFoldVersion;
  partition::AggregateDefinition order = partition::AggregateDefinitionOf(kOrder);
  order.on_timer = &TimerRequest;
  order.on_outcomes = &OutcomesRequest;
  service.aggregates = {std::move(order), partition::AggregateDefinitionOf(kNumberSeries)};
  service.mostly_absent_tables.assign(kMostlyAbsentTables.begin(), kMostlyAbsentTables.end());
  service.mostly_absent_tables.insert(service.mostly_absent_tables.end(), order::kMostlyAbsentTables.begin(),
                                      order::kMostlyAbsentTables.end());
  service.mostly_absent_tables.push_back(numbers::kNumbers.id());
  AddImportCommands(&service);
  AddCartCommands(&service);
  AddOrderCommands(&service);
  return service;
}

void DefineViews(std::vector<projection::ViewDefinition>* views) {
  projection::ViewDefinition totals{ServiceId::kCheckout, kTotalsView, kTotalsViewName, kTotalsFoldVersion, {}};
  totals.sources = {projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &Project)};
  views->push_back(std::move(totals));

  projection::ViewDefinition work{ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, kWorkFoldVersion, {}};
  work.sources = {
      projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &order::ProjectWork, nullptr,
                                               order::WorkFields()),
      projection::ProjectionOf<inventory::v1::StockEvent>(ServiceId::kInventory, order::kStockEventType,
                                                          &order::ProjectStock, nullptr, order::kStockFields)};
  views->push_back(std::move(work));
}

// Reactions of checkout to its own facts, each asked for those in its list only.
void DefineReactions(std::vector<projection::ReactionDefinition>* reactions) {
  const auto add = [reactions](const char* name, auto react, absl::Span<const int> fields) {
    reactions->push_back(projection::ReactionOf<v1::OrderEvent>(name, ServiceId::kCheckout, ServiceId::kCheckout,
                                                                kOrder.type, react, fields));
  };
  add("links", &LinkReturns, kLinkReturnsFields);
  add("takes", &TakeCarts, kTakeCartsFields);
  add("merges", &SettleMerges, kSettleMergesFields);
}

}  // namespace

void Define(host::Definitions* definitions) {
  definitions->services.push_back(DefineService());
  DefineViews(&definitions->views);
  DefineReactions(&definitions->reactions);
  definitions->schemas
      .AddState(ServiceId::kCheckout, partition::WithRuntimeTables(numbers::AddTables(order::AddTables(StateSchema()))))
      .AddView(ServiceId::kCheckout, kTotalsView, kTotalsViewName, TotalsSchema())
      .AddView(ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, order::WorkSchema());
}

}  // namespace halles::checkout
