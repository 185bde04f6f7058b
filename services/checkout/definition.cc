// Lists the parts of checkout.
#include "services/checkout/definition.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "libs/partition/callable.h"
#include "libs/partition/runtime_tables.h"
#include "libs/saga/saga.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/numbers/commands.h"
#include "services/checkout/numbers/state.h"
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

// A reaction of checkout to its own facts, asked for those in `fields` only.
template <typename Response, typename Request, size_t kFields>
projection::ReactionDefinition OwnReaction(std::string name, const std::array<int, kFields>& fields,
                                           std::vector<Request> (*react)(const v1::OrderEvent&,
                                                                         const partition::FactContext&),
                                           std::function<std::string(const Request&)> aggregate_key) {
  projection::ReactionDefinition reaction = projection::ReactionOf<v1::OrderEvent, Request, Response>(
      std::move(name), ServiceId::kCheckout, ServiceId::kCheckout, kOrder.type, react, std::move(aggregate_key),
      &Decide, kOrder);
  reaction.fields.assign(fields.begin(), fields.end());
  return reaction;
}

projection::ReactionDefinition DefineReactions() {
  return projection::MergeReactions(
      "checkout",
      {OwnReaction<v1::LinkReturnResponse, v1::LinkReturnRequest>(
           "links", kLinkReturnsFields, &LinkReturns,
           [](const v1::LinkReturnRequest& request) { return request.order_id(); }),
       OwnReaction<v1::TakeCartResponse, v1::TakeCartRequest>(
           "takes", kTakeCartsFields, &TakeCarts, [](const v1::TakeCartRequest& request) { return request.cart_id(); }),
       OwnReaction<v1::SettleMergeResponse, v1::SettleMergeRequest>(
           "merges", kSettleMergesFields, &SettleMerges,
           [](const v1::SettleMergeRequest& request) { return request.cart_id(); })});
}

// The same projection, asked for events that begin with a field that `wants`; others are not even parsed.
template <typename Wants>
projection::SourceProjection Only(projection::SourceProjection projection, const Wants& wants) {
  projection.project = [project = std::move(projection.project), wants](
                           store::Rows& rows, absl::string_view payload, const partition::FactContext& context,
                           std::vector<std::string>* topics) -> absl::Status {
    return wants(projection::FirstFieldOf(payload)) ? project(rows, payload, context, topics) : absl::OkStatus();
  };
  return projection;
}

projection::ViewDefinition DefineWork() {
  projection::ViewDefinition work{ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, kWorkFoldVersion, {}};
  work.sources = {Only(projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &order::ProjectWork),
                       [](int field) { return field >= order::kWorkFieldsFrom; }),
                  Only(projection::ProjectionOf<inventory::v1::StockEvent>(
                           ServiceId::kInventory, order::kStockEventType, &order::ProjectStock),
                       [](int field) {
                         return std::find(order::kStockFields.begin(), order::kStockFields.end(), field) !=
                                order::kStockFields.end();
                       })};
  return work;
}

v1::RecordOutcomesRequest OutcomesRequest(std::vector<partition::CallOutcome> outcomes) {
  v1::RecordOutcomesRequest request;
  for (partition::CallOutcome& outcome : outcomes) {
    request.set_order_id(outcome.reply_key);
    v1::CallOutcome& told = *request.add_outcomes();
    told.set_tag(std::move(outcome.reply_tag));
    told.set_succeeded(outcome.kind == partition::CallOutcome::Kind::kSucceeded);
    told.set_response(std::move(outcome.response));
    if (!told.succeeded()) told.set_refusal(saga::EncodeRefusal(outcome.refusal));
  }
  return request;
}

// Of a key that cart::TimerKey made.
v1::OrderTimerDueRequest TimerRequest(const partition::TimerKey& timer) {
  v1::OrderTimerDueRequest request;
  const std::pair<std::string, std::string> parts = absl::StrSplit(timer.key, absl::MaxSplits('/', 1));
  request.set_order_id(parts.first);
  request.set_timer(parts.second);
  return request;
}

}  // namespace

void Define(host::Definitions* definitions) {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCheckout;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::FoldOf(kOrder), partition::FoldOf(kNumberSeries)};
  service.mostly_absent_tables.assign(kMostlyAbsentTables.begin(), kMostlyAbsentTables.end());
  service.mostly_absent_tables.insert(service.mostly_absent_tables.end(), order::kMostlyAbsentTables.begin(),
                                      order::kMostlyAbsentTables.end());
  service.mostly_absent_tables.push_back(numbers::kNumbers.id());
  service.callables.insert(partition::CallableOf<v1::AssignOrderNumberRequest, v1::AssignOrderNumberResponse>(
      &numbers::Decide, kNumberSeries));
  service.on_outcome = partition::OutcomesTo<v1::RecordOutcomesRequest, v1::RecordOutcomesResponse>(
      &OutcomesRequest, &order::Decide, kOrder);
  service.on_timer =
      partition::TimerTo<v1::OrderTimerDueRequest, v1::OrderTimerDueResponse>(&TimerRequest, &order::Decide, kOrder);
  definitions->services.push_back(std::move(service));

  projection::ViewDefinition totals{ServiceId::kCheckout, kTotalsView, kTotalsViewName, kTotalsFoldVersion, {}};
  totals.sources = {projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &Project)};
  definitions->views.push_back(std::move(totals));
  definitions->views.push_back(DefineWork());

  definitions->reactions.push_back(DefineReactions());

  definitions->schemas
      .AddState(ServiceId::kCheckout, partition::WithRuntimeTables(numbers::AddTables(order::AddTables(StateSchema()))))
      .AddView(ServiceId::kCheckout, kTotalsView, kTotalsViewName, TotalsSchema())
      .AddView(ServiceId::kCheckout, order::kWorkView, order::kWorkViewName, order::WorkSchema());
}

}  // namespace halles::checkout
