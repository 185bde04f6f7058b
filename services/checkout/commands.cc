// Decides on commands that concern several aggregates of checkout.
#include "services/checkout/commands.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_events.visit.h"
#include "libs/base/ids.h"
#include "libs/base/status.h"
#include "services/checkout/amounts.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/checks.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/order/checks.h"
#include "services/checkout/order/commands.h"

namespace halles::checkout {
namespace {

constexpr absl::string_view kOrderUnknown = "ORDER_UNKNOWN";

// Makes the event of a cart that follows from an event of its order, if any.
struct CartFact : PassesOver<saga::v1::SagaAdvanced, v1::OrderCancelled, v1::FulfilmentAdvanced,
                             v1::FulfilmentHandedOver, v1::FulfilmentDelayed, v1::FulfilmentEnded, v1::RerouteStarted,
                             v1::FulfilmentRerouted, v1::RerouteRefused, v1::GoodsReturned, v1::ExchangeStarted,
                             v1::ExchangeCommitted, v1::ExchangeRejected> {
  using PassesOver::operator();
  std::optional<v1::CartEvent> operator()(const v1::CheckoutStarted& started) const {
    v1::CartEvent event;
    event.mutable_cart_checkout_started()->set_attempt(started.attempt());
    return event;
  }
  std::optional<v1::CartEvent> operator()(const v1::OrderRejected& rejected) const {
    v1::CartEvent event;
    event.mutable_cart_checkout_failed()->set_attempt(rejected.attempt());
    *event.mutable_cart_checkout_failed()->mutable_problems() = rejected.problems();
    return event;
  }
  std::optional<v1::CartEvent> operator()(const v1::OrderConfirmed&) const {
    v1::CartEvent event;
    event.mutable_cart_ordered();
    return event;
  }
  std::optional<v1::CartEvent> operator()(NoEvent) const { return std::nullopt; }
};

// The same decision, in a type that can hold events of other aggregates too.
template <class Events, class Response, class Event>
partition::Decision<Response, Events> Widen(partition::Decision<Response, Event> decision) {
  partition::Decision<Response, Events> wide;
  wide.response = std::move(decision.response);
  wide.calls = std::move(decision.calls);
  wide.answer_is_final = decision.answer_is_final;
  for (partition::Fact<Event>& fact : decision.facts) {
    wide.facts.push_back({std::move(fact.aggregate_id), std::move(fact.event), fact.effective_time});
  }
  return wide;
}

// Adds the events of the cart to a decision about its order. Order and cart have the same id.
template <class Response>
OrderAndCart<Response> WithCart(absl::StatusOr<partition::Decision<Response, v1::OrderEvent>> decided) {
  RETURN_IF_ERROR(decided.status());
  std::vector<partition::Fact<v1::CartEvent>> of_cart;
  for (const partition::Fact<v1::OrderEvent>& fact : decided->facts) {
    std::optional<v1::CartEvent> event = Visit(fact.event, CartFact());
    if (event.has_value()) of_cart.push_back({fact.aggregate_id, *std::move(event)});
  }
  auto decision = Widen<std::variant<v1::OrderEvent, v1::CartEvent>>(*std::move(decided));
  for (partition::Fact<v1::CartEvent>& fact : of_cart) {
    decision.facts.push_back({std::move(fact.aggregate_id), std::move(fact.event)});
  }
  return decision;
}

// The problems that prevent placing the order and that need no answer from inventory.
order::Problems ProblemsOf(const rows::CartRow& cart, const v1::PlaceOrderRequest& request) {
  order::Problems problems;
  if (request.has_expected_total() && (request.expected_total().minor_units() != cart.total_minor_units() ||
                                       request.expected_total().currency_code() != cart.currency_code())) {
    order::AddProblem(
        v1::PROBLEM_KIND_TOTAL_CHANGED,
        absl::StrCat("the total is ", cart.total_minor_units(), " minor units of ", cart.currency_code(), ", not ",
                     request.expected_total().minor_units(), " of ", request.expected_total().currency_code()),
        &problems);
  }
  if (cart.delivery().kind_case() == v1::Delivery::KIND_NOT_SET) {
    order::AddProblem(v1::PROBLEM_KIND_DELIVERY_MISSING,
                      "the cart has no delivery: say how the goods reach the customer", &problems);
  }
  if (cart.lines() == 0) order::AddProblem(v1::PROBLEM_KIND_CART_EMPTY, "the cart has no lines", &problems);
  return problems;
}

order::PricedLines PricedLinesOf(const std::vector<rows::CartLineRow>& lines) {
  order::PricedLines priced;
  for (const rows::CartLineRow& from : lines) {
    v1::PricedLine& line = *priced.Add();
    line.set_line_id(from.line().line_id());
    line.set_sku(from.line().sku());
    line.set_units(from.line().units());
    *line.mutable_unit_price() = from.line().unit_price();
    *line.mutable_amount() = from.line().amount();
    line.set_description(from.line().description());
    line.set_hold_id(from.line().hold_id());
  }
  return priced;
}

}  // namespace

OrderAndCart<v1::PlaceOrderResponse> Decide(const store::RowReader& state, const v1::PlaceOrderRequest& request,
                                            const partition::CommandContext& context) {
  RETURN_IF_ERROR(Malformed(order::Validate(request)));
  const OrderId id = OrderId::FromString(request.cart_id());
  const std::optional<rows::CartRow> cart = cart::Find(state, id);
  if (!cart.has_value()) {
    return Reject(v1::REJECT_REASON_CART_UNKNOWN, absl::StrCat("there is no cart ", request.cart_id()),
                  {{"cart_id", request.cart_id()}});
  }
  if (cart->state() == v1::CART_STATE_IN_CHECKOUT || cart->state() == v1::CART_STATE_ORDERED) {
    // The record of the answer binds the request id to the attempt that it joins.
    partition::Decision<v1::PlaceOrderResponse, std::variant<v1::OrderEvent, v1::CartEvent>> joined;
    joined.response.set_attempt(cart->attempts());
    return joined;
  }
  if (cart->state() != v1::CART_STATE_OPEN) {
    const std::string is = v1::CartState_Name(cart->state());
    return Reject(v1::REJECT_REASON_CART_NOT_OPEN, absl::StrCat("the cart is ", is), {{"state", is}});
  }
  RETURN_IF_ERROR(CheckVersion(request, cart->version()));
  const order::Problems problems = ProblemsOf(*cart, request);
  if (!problems.empty()) {
    return order::RejectWith(v1::REJECT_REASON_PLACEMENT_REJECTED, "the order cannot be placed", problems);
  }

  const std::vector<rows::CartLineRow> lines = cart::LinesOf(state, id);
  order::Placement placement;
  placement.attempt = cart->attempts() + 1;
  placement.origin = request.has_origin() ? request.origin() : cart->origin();
  placement.identifiers = cart->identifiers();
  placement.lines = PricedLinesOf(lines);
  placement.currency_code = cart->currency_code();
  order::Undertaking& undertaking = placement.undertaking;
  undertaking.saga_id = absl::StrCat(request.cart_id(), "/", placement.attempt);
  undertaking.start = context.now;
  undertaking.order_id = request.cart_id();
  undertaking.document_id = request.cart_id();
  undertaking.site_id = placement.origin.site_id();
  undertaking.delivery = cart->delivery();
  if (cart->identifiers_size() > 0) undertaking.customer = &cart->identifiers(0);
  for (const rows::CartLineRow& line : lines) {
    if (line.line().hold_id().empty() || line.line().origins().empty()) continue;
    undertaking.carts_of_holds[line.line().hold_id()] = line.line().origins(0).cart_id();
  }
  return WithCart(order::Begin(placement, context));
}

OrderAndCart<v1::RecordOutcomesResponse> Decide(const store::RowReader& state, const v1::RecordOutcomesRequest& request,
                                                const partition::CommandContext& context) {
  return WithCart(order::Decide(state, request, context));
}

OrderAndCart<v1::OrderTimerDueResponse> Decide(const store::RowReader& state, const v1::OrderTimerDueRequest& request,
                                               const partition::CommandContext& context) {
  return WithCart(order::Decide(state, request, context));
}

absl::Status ImportedOr(const store::RowReader& state, const std::string& order_id, const absl::Status& decided) {
  if (ReasonOf(decided) != kOrderUnknown ||
      !imports::kImportedOrders.Contains(state, {OrderId::FromString(order_id)})) {
    return decided;
  }
  return Reject(v1::REJECT_REASON_ORDER_IMPORTED,
                absl::StrCat("order ", order_id,
                             " was imported: cancel, exchange and deliver it where it was "
                             "placed; only returns of it can be taken here"),
                {{"order_id", order_id}});
}

absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, std::variant<v1::OrderEvent, v1::ImportEvent>>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context) {
  using Events = std::variant<v1::OrderEvent, v1::ImportEvent>;
  if (imports::kImportedOrders.Contains(state, {OrderId::FromString(request.order_id())})) {
    ASSIGN_OR_RETURN(auto decision, imports::Decide(state, request, context));
    return Widen<Events>(std::move(decision));
  }
  ASSIGN_OR_RETURN(auto decision, order::Decide(state, request, context));
  return Widen<Events>(std::move(decision));
}

}  // namespace halles::checkout
