// The vocabulary of tests about carts.
#ifndef HALLES_SERVICES_CHECKOUT_CART_TEST_BUILDERS_H_
#define HALLES_SERVICES_CHECKOUT_CART_TEST_BUILDERS_H_

#include <string>
#include <vector>

#include "services/checkout/cart/commands.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout {

inline v1::Origin WebOrigin() {
  v1::Origin origin;
  origin.set_channel(common::v1::CHANNEL_WEB);
  origin.set_site_id("web");
  return origin;
}

inline v1::CartLine CartLineOf(const std::string& line_id, int64_t units = 1, const std::string& price = "2.55",
                               const std::string& sku = "shoe") {
  v1::CartLine line;
  line.set_line_id(line_id);
  line.set_sku(sku);
  line.set_units(units);
  *line.mutable_unit_price() = Exact(price);
  return line;
}

inline v1::AddCartLinesRequest Add(const std::string& cart_id, const std::vector<v1::CartLine>& lines) {
  v1::AddCartLinesRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  *request.mutable_origin() = WebOrigin();
  request.set_currency_code("GBP");
  for (const v1::CartLine& line : lines) *request.add_lines() = line;
  return request;
}

inline v1::ChangeCartLineRequest Change(const std::string& cart_id, const std::string& line_id, int64_t units) {
  v1::ChangeCartLineRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  *request.mutable_origin() = WebOrigin();
  request.set_line_id(line_id);
  request.set_units(units);
  return request;
}

inline v1::SetCartDeliveryRequest PickUpAt(const std::string& cart_id, const std::string& location) {
  v1::SetCartDeliveryRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  request.mutable_delivery()->mutable_pickup()->set_location_id(location);
  return request;
}

inline v1::SetCartCustomerRequest SetCustomerOf(const std::string& cart_id, const common::v1::Identifier& customer) {
  v1::SetCartCustomerRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  *request.add_identifiers() = customer;
  return request;
}

inline v1::MergeCartsRequest MergeInto(const std::string& cart_id, const std::string& into) {
  v1::MergeCartsRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  request.set_into_cart_id(into);
  return request;
}

inline v1::UndoMergeCartsRequest UndoMerge(const std::string& cart_id, const std::string& from) {
  v1::UndoMergeCartsRequest request;
  request.set_request_id("request");
  request.set_cart_id(cart_id);
  request.set_from_cart_id(from);
  return request;
}

// "a:2 b:1": the lines of a cart, in order, with their units.
inline std::string LinesIn(const store::RowReader& state, const std::string& cart_id) {
  std::string text;
  for (const rows::CartLineRow& row : cart::LinesOf(state, OrderId::FromString(cart_id))) {
    if (!text.empty()) text += " ";
    text += row.line().line_id() + ":" + std::to_string(row.line().units());
  }
  return text;
}

inline rows::CartRow CartIn(const store::RowReader& state, const std::string& cart_id) {
  return cart::Find(state, OrderId::FromString(cart_id)).value_or(rows::CartRow());
}

// Carts of one slot whose messages to each other arrive at once.
class GivenCarts : public GivenImports {
 public:
  GivenCarts() : GivenImports(kSlot) {}

  // Records the command and whatever the carts say to each other because of it.
  template <class Command>
  auto Settle(const Command& command) {
    auto outcome = Record(command);
    if (!outcome.status().ok()) return outcome;
    for (const auto& fact : outcome.facts()) Deliver(fact.event, fact.aggregate_id);
    return outcome;
  }

  void Deliver(const v1::OrderEvent& event, const std::string& cart_id) {
    partition::FactContext context;
    context.aggregate_id = cart_id;
    for (const auto& request : TakeCarts(event, context)) Settle(request);
    for (const auto& request : SettleMerges(event, context)) Settle(request);
  }

  std::string Lines(const std::string& cart_id) const { return LinesIn(rows(), cart_id); }
  rows::CartRow Cart(const std::string& cart_id) const { return CartIn(rows(), cart_id); }
};

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_CART_TEST_BUILDERS_H_
