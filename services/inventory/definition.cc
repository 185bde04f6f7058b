// Lists the parts of inventory.
#include "services/inventory/definition.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/runtime_tables.h"
#include "services/inventory/commands.h"
#include "services/inventory/limits.h"
#include "services/inventory/projection.h"
#include "services/inventory/reactions.h"

namespace halles::inventory {
namespace {

constexpr uint32_t kStateFoldVersion = 2;
constexpr uint32_t kStockFoldVersion = 1;
// Types of checkout's events, as their protos state them.
constexpr uint32_t kOrderEventType = 2;
constexpr uint32_t kImportEventType = 3;

constexpr auto kCheckLimits = [](const partition::Preparation&, const auto* request) { return Validate(*request); };

// Replaces a customer in clear by the keyed hash.
absl::Status PrepareReservation(const partition::Preparation& with, v1::ReserveStockRequest* request) {
  if (request->owner().has_customer()) {
    RETURN_IF_ERROR(
        HashIdentifier(*with.identifier_keys, "owner.customer", request->mutable_owner()->mutable_customer()));
  }
  return Validate(*request);
}

// Registers a command; its aggregate is the SKU in its request.
template <typename Request, typename Prepare>
void Add(Prepare prepare, partition::ServiceDefinition* service) {
  service->Add(partition::CommandOf<Request>(
      [](const Request& request) { return request.sku(); }, prepare,
      [](const store::RowReader& state, const Request& request, const partition::CommandContext& context) {
        return Decide(state, request, context);
      },
      kStockItem));
}

void AddCommands(partition::ServiceDefinition* service) {
  Add<v1::ReceiveStockRequest>(kCheckLimits, service);
  Add<v1::CountStockRequest>(kCheckLimits, service);
  Add<v1::AdjustStockRequest>(kCheckLimits, service);
  Add<v1::AllowBackorderRequest>(kCheckLimits, service);
  Add<v1::ReserveStockRequest>(&PrepareReservation, service);
  Add<v1::ExtendHoldRequest>(kCheckLimits, service);
  Add<v1::MoveHoldRequest>(kCheckLimits, service);
  Add<v1::ReleaseHoldRequest>(kCheckLimits, service);
  Add<v1::CommitHoldRequest>(kCheckLimits, service);
  Add<v1::ShipStockRequest>(kCheckLimits, service);
  Add<v1::CancelReservationRequest>(kCheckLimits, service);
  Add<v1::ReturnStockRequest>(kCheckLimits, service);
  Add<v1::SendTransferRequest>(kCheckLimits, service);
  Add<v1::ReceiveTransferRequest>(kCheckLimits, service);
  Add<v1::ExpireHoldRequest>(partition::kNoDoor, service);
  Add<v1::ApplyOrderFactRequest>(partition::kNoDoor, service);
}

// The timers of a SKU expire its holds.
std::unique_ptr<google::protobuf::Message> Expire(const partition::TimerKey& timer) {
  auto request = std::make_unique<v1::ExpireHoldRequest>();
  request->set_sku(timer.aggregate_key);
  request->set_hold_id(timer.name);
  return request;
}

partition::ServiceDefinition DefineService() {
  partition::ServiceDefinition service;
  service.id = ServiceId::kInventory;
  service.fold_version = kStateFoldVersion;
  partition::AggregateDefinition stock_item = partition::AggregateDefinitionOf(kStockItem);
  stock_item.on_timer = &Expire;
  service.aggregates = {std::move(stock_item)};
  service.mostly_absent_tables.assign(kMostlyAbsentTables.begin(), kMostlyAbsentTables.end());
  service.mostly_absent_tables_by_time.assign(kMostlyAbsentTablesByTime.begin(), kMostlyAbsentTablesByTime.end());
  AddCommands(&service);
  return service;
}

// A stock event does not name its SKU; the SKU is the aggregate.
absl::Status ProjectAndName(store::Rows& view, const v1::StockEvent& event, const partition::FactContext& context,
                            std::vector<std::string>* topics) {
  if (topics != nullptr) topics->push_back(TopicOf(context.aggregate_id));
  return Project(view, event, context);
}

constexpr auto kReact = [](const auto& event, const partition::FactContext& context) { return React(event, context); };

}  // namespace

std::string TopicOf(absl::string_view sku) { return absl::StrCat("stock/", sku); }

void Define(host::Definitions* definitions) {
  definitions->services.push_back(DefineService());

  projection::ViewDefinition stock{ServiceId::kInventory, kStockView, kStockViewName, kStockFoldVersion, {}};
  stock.sources = {projection::ProjectionOf<v1::StockEvent>(ServiceId::kInventory, kStockItem.type, &ProjectAndName)};
  definitions->views.push_back(std::move(stock));

  definitions->reactions.push_back(projection::ReactionOf<checkout::v1::OrderEvent>(
      "stock-follows-orders", ServiceId::kInventory, ServiceId::kCheckout, kOrderEventType, kReact,
      ReactedOrderFields()));
  definitions->reactions.push_back(projection::ReactionOf<checkout::v1::ImportEvent>(
      "stock-follows-imports", ServiceId::kInventory, ServiceId::kCheckout, kImportEventType, kReact,
      ReactedImportFields()));

  definitions->schemas.AddState(ServiceId::kInventory, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kInventory, kStockView, kStockViewName, StockSchema());
}

}  // namespace halles::inventory
