// Decides on events of orders as the commands do, but records a contradiction instead of refusing it.
#include <string>
#include <utility>

#include "services/inventory/commands.h"
#include "services/inventory/decisions.h"

namespace halles::inventory {
namespace {

using partition::Decision;
using ApplyDecision = Decision<v1::ApplyOrderFactResponse, v1::StockEvent>;

// The events of the command, or the contradiction that its refusal describes.
template <typename Response>
StockDecision<v1::ApplyOrderFactResponse> Applied(const v1::ApplyOrderFactRequest& request,
                                                  StockDecision<Response> decided) {
  ApplyDecision decision;
  if (decided.ok()) {
    decision.facts = std::move(decided->facts);
    return decision;
  }
  if (decided.status().code() != absl::StatusCode::kFailedPrecondition) return decided.status();
  v1::StockContradicted& contradicted = *AddFact(request.sku(), &decision).mutable_stock_contradicted();
  contradicted.set_hold_id(request.hold_id());
  contradicted.set_order_id(request.order_id());
  contradicted.set_cause(std::string(decided.status().message()));
  return decision;
}

// A command on behalf of an order. Reactions have no request id, so one is derived from the order.
template <typename Command>
Command OfOrder(const v1::ApplyOrderFactRequest& request) {
  Command command;
  command.set_request_id(absl::StrCat("order/", request.order_id()));
  command.set_sku(request.sku());
  return command;
}

template <typename Command>
Command OfHold(const v1::ApplyOrderFactRequest& request) {
  Command command = OfOrder<Command>(request);
  command.set_hold_id(request.hold_id());
  return command;
}

template <typename Command>
Command OfUnits(const v1::ApplyOrderFactRequest& request) {
  Command command = OfHold<Command>(request);
  v1::Allocation& allocation = *command.add_allocations();
  allocation.set_location_id(request.location_id());
  allocation.set_units(request.units());
  return command;
}

}  // namespace

StockDecision<v1::ApplyOrderFactResponse> Decide(const store::RowReader& state,
                                                 const v1::ApplyOrderFactRequest& request,
                                                 const partition::CommandContext& context) {
  // Without a SKU there is no aggregate to record a contradiction for.
  RETURN_IF_ERROR(CheckShape(request));
  switch (request.kind()) {
    case v1::ORDER_FACT_KIND_COMMIT: {
      auto command = OfHold<v1::CommitHoldRequest>(request);
      command.set_order_id(request.order_id());
      return Applied(request, Decide(state, command, context));
    }
    case v1::ORDER_FACT_KIND_SHIP:
      return Applied(request, Decide(state, OfUnits<v1::ShipStockRequest>(request), context));
    case v1::ORDER_FACT_KIND_RELEASE:
      return Applied(request, Decide(state, OfUnits<v1::ReleaseHoldRequest>(request), context));
    case v1::ORDER_FACT_KIND_RETURN: {
      auto command = OfOrder<v1::ReturnStockRequest>(request);
      command.set_location_id(request.location_id());
      command.set_units(request.units());
      command.set_unusable_units(request.unusable_units());
      command.set_reference(request.reference());
      return Applied(request, Decide(state, command, context));
    }
    case v1::ORDER_FACT_KIND_UNSPECIFIED:
    case v1::OrderFactKind_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::OrderFactKind_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return Malformed(InvalidField("kind", "must be given"));
}

}  // namespace halles::inventory
