// Builds requests and sends them.
#include "services/hallesctl/story/shop.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace halles::hallesctl {

using checkout::v1::AddCartLinesRequest;
using checkout::v1::CartLine;
using checkout::v1::CartService;
using checkout::v1::Delivery;
using checkout::v1::Order;
using checkout::v1::OrderProblems;
using checkout::v1::OrderService;
using checkout::v1::PlaceOrderRequest;
using checkout::v1::SetCartDeliveryRequest;
using inventory::v1::InventoryService;
using inventory::v1::StockLevel;

namespace {

constexpr absl::string_view kProblemsUrl = "type.googleapis.com/halles.checkout.v1.OrderProblems";
constexpr char kCurrency[] = "EUR";
constexpr uint32_t kCents = 2;

}  // namespace

Delivery CarryOut(absl::string_view location) {
  Delivery delivery;
  delivery.mutable_carry_out()->set_location_id(std::string(location));
  return delivery;
}

Delivery Shipment(absl::string_view address_token, const std::vector<std::string>& locations) {
  Delivery delivery;
  delivery.mutable_shipment()->set_address_token(std::string(address_token));
  for (const std::string& location : locations) delivery.mutable_shipment()->add_source_location_ids(location);
  return delivery;
}

common::v1::Identifier LoyaltyCard(absl::string_view number) {
  common::v1::Identifier card;
  card.set_type(common::v1::IDENTIFIER_TYPE_LOYALTY_CARD);
  card.set_issuer("story");
  card.set_value(std::string(number));
  return card;
}

AddCartLinesRequest LinesOf(const Basket& basket) {
  AddCartLinesRequest request;
  request.set_cart_id(basket.cart);
  request.mutable_origin()->set_channel(basket.channel);
  request.mutable_origin()->set_site_id(basket.site);
  request.set_currency_code(kCurrency);
  for (const Wanted& wanted : basket.lines) {
    CartLine& line = *request.add_lines();
    line.set_line_id(wanted.line);
    line.set_sku(wanted.sku);
    line.set_units(wanted.units);
    line.mutable_unit_price()->set_unscaled(wanted.cents);
    line.mutable_unit_price()->set_scale(kCents);
    line.set_hold_id(wanted.hold);
  }
  request.mutable_identifiers()->Assign(basket.customer.begin(), basket.customer.end());
  return request;
}

SetCartDeliveryRequest DeliveryOf(const Basket& basket) {
  SetCartDeliveryRequest request;
  request.set_cart_id(basket.cart);
  *request.mutable_delivery() = basket.delivery;
  return request;
}

PlaceOrderRequest OrderOf(const Basket& basket) {
  PlaceOrderRequest request;
  request.set_cart_id(basket.cart);
  return request;
}

inventory::v1::ReserveStockRequest RequestOf(const HoldWish& wish) {
  inventory::v1::ReserveStockRequest request;
  request.set_sku(wish.sku);
  request.set_hold_id(wish.hold);
  request.add_lines()->set_units(wish.units);
  request.add_candidate_location_ids(wish.location);
  request.set_purpose(wish.purpose);
  request.mutable_owner()->set_ref(wish.owner);
  if (!wish.customer.empty()) *request.mutable_owner()->mutable_customer() = wish.customer[0];
  request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now() + wish.lasts));
  return request;
}

std::string Shop::Sku(absl::string_view name) {
  std::string sku = script_.Own(name);
  script_.Watch(sku);
  return sku;
}

void Shop::Delivered(absl::string_view says, const std::string& sku, const std::string& location, int64_t units) {
  inventory::v1::ReceiveStockRequest request;
  request.set_sku(sku);
  request.set_location_id(location);
  request.set_units(units);
  script_.Call(says, &InventoryService::Stub::ReceiveStock, *client_.inventory, request);
}

StockLevel Shop::Level(const std::string& sku, const std::string& location) {
  inventory::v1::GetAvailabilityRequest request;
  request.set_sku(sku);
  request.add_location_ids(location);
  request.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
  const auto answer = script_.Ask(&InventoryService::Stub::GetAvailability, *client_.inventory, request);
  return answer.levels().empty() ? StockLevel() : answer.levels(0);
}

inventory::v1::Hold Shop::HoldOf(const std::string& sku, const std::string& hold) {
  inventory::v1::GetHoldRequest request;
  request.set_sku(sku);
  request.set_hold_id(hold);
  return script_.Ask(&InventoryService::Stub::GetHold, *client_.inventory, request).hold();
}

std::string Shop::Hold(absl::string_view says, const HoldWish& wish) {
  return script_.Call(says, &InventoryService::Stub::ReserveStock, *client_.inventory, RequestOf(wish))
      .consistency_token();
}

void Shop::HoldRefused(absl::string_view says, const HoldWish& wish) {
  script_.CallRefused(says, "INSUFFICIENT_STOCK", &InventoryService::Stub::ReserveStock, *client_.inventory,
                      RequestOf(wish));
}

void Shop::Fill(absl::string_view says, const Basket& basket) {
  script_.Call(says, &CartService::Stub::AddCartLines, *client_.carts, LinesOf(basket));
  script_.Call("and says how it reaches the customer", &CartService::Stub::SetCartDelivery, *client_.carts,
               DeliveryOf(basket));
}

Order Shop::Buy(absl::string_view says, const Basket& basket) {
  return script_.Call(says, &OrderService::Stub::PlaceOrder, *client_.orders, OrderOf(basket)).order();
}

checkout::v1::Problem Shop::BuyRefused(absl::string_view says, const Basket& basket) {
  script_.CallRefused(says, "PLACEMENT_REJECTED", &OrderService::Stub::PlaceOrder, *client_.orders, OrderOf(basket));
  const absl::optional<absl::Cord> payload = script_.refusal().GetPayload(kProblemsUrl);
  if (OrderProblems why; payload.has_value() && why.ParseFromString(std::string(*payload)) && why.problems_size() > 0) {
    return why.problems(0);
  }
  script_.Fail("the refusal names no problem");
  return {};
}

void Shop::HandOver(absl::string_view says, const Order& order) {
  for (const auto& each : order.fulfilments()) {
    const std::string& id = each.fulfilment().fulfilment_id();
    if (!each.fulfilment().delivery().has_shipment()) {
      checkout::v1::CollectFulfilmentRequest request;
      request.set_order_id(order.order_id());
      request.set_fulfilment_id(id);
      script_.Call(says, &OrderService::Stub::CollectFulfilment, *client_.orders, request);
      continue;
    }
    checkout::v1::PrepareFulfilmentRequest prepare;
    prepare.set_order_id(order.order_id());
    prepare.set_fulfilment_id(id);
    script_.Call(absl::StrCat(each.fulfilment().location_id(), " picks it"), &OrderService::Stub::PrepareFulfilment,
                 *client_.orders, prepare);
    checkout::v1::ShipFulfilmentRequest ship;
    ship.set_order_id(order.order_id());
    ship.set_fulfilment_id(id);
    ship.set_tracking_reference(script_.Own("parcel"));
    script_.Call(says, &OrderService::Stub::ShipFulfilment, *client_.orders, ship);
  }
}

Order Shop::Find(const std::string& id) {
  checkout::v1::GetOrderRequest request;
  request.set_order_id(id);
  return script_.Ask(&OrderService::Stub::GetOrder, *client_.orders, request).placed();
}

customer_identity::v1::CustomerView Shop::View(const common::v1::Identifier& customer, const std::string& token) {
  customer_identity::v1::GetCustomerViewRequest request;
  *request.mutable_customer()->mutable_identifier() = customer;
  request.set_consistency_token(token);
  return script_
      .Ask(&customer_identity::v1::CustomerIdentityService::Stub::GetCustomerView, *client_.customers, request)
      .view();
}

}  // namespace halles::hallesctl
