// Lists the parts of inventory.
#include "services/inventory/definition.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_events.pb.h"
#include "libs/partition/callable.h"
#include "libs/partition/runtime_tables.h"
#include "services/inventory/commands.h"
#include "services/inventory/projection.h"
#include "services/inventory/reactions.h"

namespace halles::inventory {
namespace {

constexpr uint32_t kStateFoldVersion = 1;
constexpr uint32_t kStockFoldVersion = 1;
constexpr uint32_t kOrderEventType = 1;  // of checkout, see checkout_events.proto

template <typename Request, typename Response>
void AddCallable(partition::ServiceDefinition* service) {
  service->callables.insert(partition::CallableOf<Request, Response, v1::StockEvent>(&Decide, kStockItem));
}

v1::ExpireHoldRequest Expire(const partition::TimerKey& timer) {
  v1::ExpireHoldRequest request;
  // A timer that names no hold is none of ours: the request names none either, and does nothing.
  const HoldKey key = HoldOfTimer(timer.key).value_or(HoldKey());
  request.set_sku(key.sku.ToString());
  request.set_hold_id(key.hold);
  return request;
}

// A stock event does not say its SKU: that is its aggregate.
projection::SourceProjection StockProjection() {
  projection::SourceProjection source =
      projection::ProjectionOf<v1::StockEvent>(ServiceId::kInventory, kStockItem.type, &Project);
  source.project = [project = std::move(source.project)](store::Rows& view, absl::string_view payload,
                                                         const partition::FactContext& context,
                                                         std::vector<std::string>* topics) {
    if (topics != nullptr) topics->push_back(TopicOf(context.aggregate_id));
    return project(view, payload, context, nullptr);
  };
  return source;
}

}  // namespace

std::string TopicOf(absl::string_view sku) { return absl::StrCat("stock/", sku); }

void Define(host::Definitions* definitions) {
  partition::ServiceDefinition service;
  service.id = ServiceId::kInventory;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::FoldOf(kStockItem)};
  service.mostly_absent_tables.assign(kMostlyAbsentTables.begin(), kMostlyAbsentTables.end());
  AddCallable<v1::ReserveStockRequest, v1::ReserveStockResponse>(&service);
  AddCallable<v1::MoveHoldRequest, v1::MoveHoldResponse>(&service);
  AddCallable<v1::CommitHoldRequest, v1::CommitHoldResponse>(&service);
  AddCallable<v1::ReleaseHoldRequest, v1::ReleaseHoldResponse>(&service);
  AddCallable<v1::CancelReservationRequest, v1::CancelReservationResponse>(&service);
  service.on_timer =
      partition::TimerTo<v1::ExpireHoldRequest, v1::ExpireHoldResponse, v1::StockEvent>(&Expire, &Decide, kStockItem);
  definitions->services.push_back(std::move(service));

  projection::ViewDefinition stock{ServiceId::kInventory, kStockView, kStockViewName, kStockFoldVersion, {}};
  stock.sources = {StockProjection()};
  definitions->views.push_back(std::move(stock));

  definitions->reactions.push_back(
      projection::ReactionOf<checkout::v1::OrderEvent, v1::ApplyOrderFactRequest, v1::ApplyOrderFactResponse>(
          "stock-follows", ServiceId::kInventory, ServiceId::kCheckout, kOrderEventType, &React,
          [](const v1::ApplyOrderFactRequest& request) { return request.sku(); }, &Decide, kStockItem));
  definitions->reactions.back().fields = ReactedFields();

  definitions->schemas.AddState(ServiceId::kInventory, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kInventory, kStockView, kStockViewName, StockSchema());
}

}  // namespace halles::inventory
