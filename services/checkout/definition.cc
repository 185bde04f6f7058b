// Lists the parts of checkout.
#include "services/checkout/definition.h"

#include "libs/partition/runtime_tables.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/projection.h"
#include "services/checkout/reactions.h"

namespace halles::checkout {
namespace {

constexpr uint32_t kStateFoldVersion = 1;
constexpr uint32_t kTotalsFoldVersion = 1;

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

  definitions->reactions.push_back(
      projection::ReactionOf<v1::OrderEvent, v1::LinkReturnRequest, v1::LinkReturnResponse>(
          "checkout-links", ServiceId::kCheckout, ServiceId::kCheckout, kOrder.type, &React,
          [](const v1::LinkReturnRequest& request) { return request.order_id(); }, &Decide, kOrder));

  definitions->reactions.back().fields = {v1::OrderEvent::kReturnImportedFieldNumber};

  definitions->schemas.AddState(ServiceId::kCheckout, partition::WithRuntimeTables(StateSchema()))
      .AddView(ServiceId::kCheckout, kTotalsView, kTotalsViewName, TotalsSchema());
}

}  // namespace halles::checkout
