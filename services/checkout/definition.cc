// Lists the parts of checkout.
#include "services/checkout/definition.h"

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libs/partition/runtime_tables.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/projection.h"
#include "services/checkout/reactions.h"

namespace halles::checkout {
namespace {

constexpr uint32_t kStateFoldVersion = 1;
constexpr uint32_t kTotalsFoldVersion = 1;

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

}  // namespace

void Define(host::Definitions* definitions) {
  partition::ServiceDefinition service;
  service.id = ServiceId::kCheckout;
  service.fold_version = kStateFoldVersion;
  service.aggregates = {partition::FoldOf(kOrder)};
  service.mostly_absent_tables.assign(kMostlyAbsentTables.begin(), kMostlyAbsentTables.end());
  definitions->services.push_back(std::move(service));

  projection::ViewDefinition totals{ServiceId::kCheckout, kTotalsView, kTotalsViewName, kTotalsFoldVersion, {}};
  totals.sources = {projection::ProjectionOf<v1::OrderEvent>(ServiceId::kCheckout, kOrder.type, &Project)};
  definitions->views.push_back(std::move(totals));

  definitions->reactions.push_back(DefineReactions());

  definitions->schemas.AddState(ServiceId::kCheckout, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCheckout, kTotalsView, kTotalsViewName, TotalsSchema());
}

}  // namespace halles::checkout
