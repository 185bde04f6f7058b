// The list of stories, and the small ones: shoes, lipstick, goods in another shop, a social network.
#include "services/hallesctl/story/stories.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "services/hallesctl/message_json.h"
#include "services/hallesctl/story/shop.h"

namespace halles::hallesctl {

using checkout::v1::CheckoutService;
using checkout::v1::ImportOrderRequest;
using checkout::v1::Order;
using checkout::v1::OrderService;
using customer_identity::v1::CustomerView;
using inventory::v1::InventoryService;

const std::vector<Story>& Stories() {
  static const auto* const kStories = new std::vector<Story>{
      {"T02-shoes", "a pair of shoes is held for a fitting, and nobody else can buy it", TellShoes},
      {"T03-lipstick", "a lipstick is reserved in the app, seen by the staff and collected later", TellLipstick},
      {"T06-ship-elsewhere", "a till sells goods that only another shop has, and ships them to a known address",
       TellShipElsewhere},
      {"T09-last-unit", "thousands want the last unit over all channels, some tills offline: one sale", TellLastUnit},
      {"T14-rebuild", "state and views are rebuilt from the log while clients write", TellRebuild},
      {"T20-social", "a network delivers one order five times, and its return before it: one order", TellSocial},
  };
  return *kStories;
}

void TellShoes(Script& script, const StoryOptions& /*options*/) {
  Shop shop(script);
  const std::string shoes = shop.Sku("shoes-42");
  const std::string fitting = script.Own("fitting");
  script.Expect("pairs that anybody knows of", shop.Available(shoes, kShopA), 0);
  shop.Delivered("one pair of size 42 comes to shop A", shoes, kShopA, 1);
  shop.Delivered("and one to shop B", shoes, kShopB, 1);
  script.Expect("pairs that her phone shows in shop A", shop.Available(shoes, kShopA), 1);
  shop.Hold("she books a fitting in shop A", {.sku = shoes,
                                              .hold = fitting,
                                              .location = kShopA,
                                              .owner = absl::StrCat("cart/", fitting),
                                              .purpose = inventory::v1::HOLD_PURPOSE_APPOINTMENT});
  script.Expect("pairs that a phone shows in shop A now", shop.Available(shoes, kShopA), 0);

  Basket walk_in{.cart = script.Own("walk-in"),
                 .channel = common::v1::CHANNEL_SHOP,
                 .site = kShopA,
                 .lines = {{"1", shoes, 1, 12900}},
                 .delivery = CarryOut(kShopA)};
  shop.Fill("a walk-in brings the box to the till", walk_in);
  const checkout::v1::Problem problem = shop.BuyRefused("the till does not sell it", walk_in);
  script.ExpectWord("because of", WordOf(problem.kind()), "insufficient_stock");
  script.Expect("pairs that the till could sell here", problem.available_units(), 0);
  script.Expect("pairs that it offers in shop B", shop.Available(shoes, kShopB), 1);
  walk_in.delivery = Shipment("vault-walk-in", {kShopB});
  script.Call("the walk-in takes that one, sent home", &checkout::v1::CartService::Stub::SetCartDelivery,
              *script.client().carts, DeliveryOf(walk_in));
  const Order sent = shop.Buy("and buys it", walk_in);
  script.ExpectWord("it is sent from",
                    sent.fulfilments_size() == 1 ? sent.fulfilments(0).fulfilment().location_id() : "", kShopB);
  script.Expect("pairs that wait for the fitting", shop.Level(shoes, kShopA).held_units(), 1);

  inventory::v1::ExtendHoldRequest over;
  over.set_sku(shoes);
  over.set_hold_id(fitting);
  over.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) + 2);
  script.Call("her hour is over in two seconds, and she does not come", &InventoryService::Stub::ExtendHold,
              *script.client().inventory, over);
  script.Await(
      "pairs in shop A that are free with the slot", [&] { return shop.Available(shoes, kShopA); }, 1);
  script.ExpectWord("the fitting has", WordOf(shop.HoldOf(shoes, fitting).state()), "expired");

  const std::string second = script.Own("second");
  shop.Hold("somebody else books a fitting", {.sku = shoes,
                                              .hold = second,
                                              .location = kShopA,
                                              .owner = absl::StrCat("cart/", second),
                                              .purpose = inventory::v1::HOLD_PURPOSE_APPOINTMENT});
  const Basket fits{.cart = second,
                    .channel = common::v1::CHANNEL_SHOP,
                    .site = kShopA,
                    .lines = {{"1", shoes, 1, 12900, second}},
                    .delivery = CarryOut(kShopA)};
  shop.Fill("comes, and the pair fits", fits);
  const Order bought = shop.Buy("buys what was kept", fits);
  shop.HandOver("and takes it along", bought);
  script.Await(
      "pairs left in shop A", [&] { return shop.Level(shoes, kShopA).on_hand_units(); }, 0);
  script.Expect("held there", shop.Level(shoes, kShopA).held_units(), 0);
  script.Expect("sold and still there", shop.Level(shoes, kShopA).committed_units(), 0);
}

void TellLipstick(Script& script, const StoryOptions& /*options*/) {
  Shop shop(script);
  const std::string lipstick = shop.Sku("lipstick-shade-10");
  const common::v1::Identifier card = LoyaltyCard(script.Own("card"));
  ImportOrderRequest past;
  past.set_request_id(script.NextRequestId());
  past.mutable_order()->mutable_external()->set_source("story");
  past.mutable_order()->mutable_external()->set_external_id(script.Own("last-time"));
  past.mutable_order()->mutable_recorded_time()->set_seconds(absl::ToUnixSeconds(absl::Now() - absl::Hours(90 * 24)));
  past.mutable_order()->set_channel(common::v1::CHANNEL_SHOP);
  past.mutable_order()->set_site_id(kShopA);
  past.mutable_order()->set_currency_code("EUR");
  *past.mutable_order()->add_identifiers() = card;
  checkout::v1::ImportLine& line = *past.mutable_order()->add_lines();
  line.set_kind(checkout::v1::LINE_KIND_SALE);
  line.set_sku(lipstick);
  line.mutable_quantity()->set_unscaled(1);
  line.mutable_exact_amount()->set_unscaled(2490);
  line.mutable_exact_amount()->set_scale(2);
  script.Call("90 days ago she bought shade 10 in shop A", &CheckoutService::Stub::ImportOrder,
              *script.client().checkout, past);
  shop.Delivered("shop A has two of them again", lipstick, kShopA, 2);

  const std::string cart = script.Own("date");
  std::string token = shop.Hold("in the app she reserves one, to collect on Saturday",
                                {.sku = lipstick,
                                 .hold = cart,
                                 .location = kShopA,
                                 .owner = absl::StrCat("cart/", cart),
                                 .purpose = inventory::v1::HOLD_PURPOSE_DATED_PICKUP,
                                 .lasts = absl::Hours(72),
                                 .customer = {card}});
  CustomerView view = shop.View(card, token);
  script.Expect("reservations that the staff of shop A sees on her view", view.holds_size(), 1);
  if (view.holds_size() == 1) {
    script.ExpectWord("for", WordOf(view.holds(0).purpose()), "dated_pickup");
    script.ExpectWord("of", view.holds(0).sku(), lipstick);
    script.ExpectWord("that waits in", view.holds(0).allocations(0).location_id(), kShopA);
  }
  script.Expect("of two, others can buy", shop.Available(lipstick, kShopA), 1);

  const Basket basket{.cart = cart,
                      .channel = common::v1::CHANNEL_SHOP,
                      .site = kShopA,
                      .lines = {{"1", lipstick, 1, 2490, cart}},
                      .delivery = CarryOut(kShopA),
                      .customer = {card}};
  shop.Fill("on Saturday she shows her card at the till", basket);
  const Order order = shop.Buy("and buys what was kept for her", basket);
  shop.HandOver("takes it along", order);
  script.Await(
      "left on the shelf", [&] { return shop.Level(lipstick, kShopA).on_hand_units(); }, 1);
  script.Expect("that others can buy", shop.Available(lipstick, kShopA), 1);
  // Orders and stock have separate logs; the view has both in the end.
  script.Await(
      "reservations on her view", [&] { return shop.View(card, "").holds_size(); }, 0);
  script.Await(
      "orders on her view: the one of 90 days ago, and this one", [&] { return shop.View(card, "").orders(); }, 2);
  view = shop.View(card, "");
  script.Expect("cents that both come to", view.net_size() == 1 ? view.net(0).money().minor_units() : 0, 4980);
}

void TellShipElsewhere(Script& script, const StoryOptions& /*options*/) {
  Shop shop(script);
  const std::string coat = shop.Sku("coat");
  const std::string scarf = shop.Sku("scarf");
  shop.Delivered("shop B has one coat", coat, kShopB, 1);
  shop.Delivered("shop C has three coats", coat, kShopC, 3);
  shop.Delivered("and two scarves", scarf, kShopC, 2);
  const common::v1::Identifier card = LoyaltyCard(script.Own("card"));
  const Basket web{.cart = script.Own("web"),
                   .channel = common::v1::CHANNEL_WEB,
                   .site = script.Own("web-shop"),
                   .lines = {{"1", scarf, 1, 3900}},
                   .delivery = Shipment(script.Own("vault"), {kShopC}),
                   .customer = {card}};
  shop.Fill("last week she filled a basket on the web", web);
  shop.HandOver("shop C sent it", shop.Buy("and bought it", web));
  script.Await(
      "scarves left", [&] { return shop.Level(scarf, kShopC).on_hand_units(); }, 1);

  script.Expect("coats in shop A, where she stands now", shop.Available(coat, kShopA), 0);
  const Order known = shop.Find(web.cart);
  const std::string address =
      known.fulfilments().empty() ? "" : known.fulfilments(0).fulfilment().delivery().shipment().address_token();
  script.ExpectWord("address that the till finds on her last order", address, script.Own("vault"));
  Basket till{.cart = script.Own("too-much"),
              .channel = common::v1::CHANNEL_SHOP,
              .site = kShopA,
              .lines = {{"1", coat, 2, 24900}, {"2", scarf, 2, 3900}},
              .delivery = Shipment(address, {kShopA, kShopB, kShopC}),
              .customer = {card}};
  shop.Fill("two coats and two scarves, sent to it", till);
  const checkout::v1::Problem problem = shop.BuyRefused("that is a scarf more than there is: nothing is sold", till);
  script.ExpectWord("because of line", problem.line_id(), "2");
  script.Expect("coats that are held for it", shop.Level(coat, kShopC).held_units(), 0);

  till.cart = script.Own("till");
  till.lines[1].units = 1;
  shop.Fill("two coats and one scarf", till);
  const Order order = shop.Buy("the till of shop A sells them", till);
  script.Expect("parcels", order.fulfilments_size(), 1);
  if (order.fulfilments_size() == 1) {
    script.ExpectWord("sent from", order.fulfilments(0).fulfilment().location_id(), kShopC);
    script.ExpectWord("to", order.fulfilments(0).fulfilment().delivery().shipment().address_token(), address);
    for (const auto& line : order.fulfilments(0).fulfilment().lines()) {
      const inventory::v1::Hold hold = shop.HoldOf(line.sku(), line.hold_id());
      script.Expect(absl::StrCat("places that one hold of line ", line.line_id(), " lies in"), hold.allocations_size(),
                    1);
    }
  }
  script.Await(
      "coats of shop C that are sold", [&] { return shop.Level(coat, kShopC).committed_units(); }, 2);
  script.Expect("coats in shop B, untouched", shop.Available(coat, kShopB), 1);
  shop.HandOver("shop C sends the parcel", order);
  script.Await(
      "coats left in shop C", [&] { return shop.Level(coat, kShopC).on_hand_units(); }, 1);
  script.Await(
      "scarves left in shop C", [&] { return shop.Level(scarf, kShopC).on_hand_units(); }, 0);
}

void TellSocial(Script& script, const StoryOptions& /*options*/) {
  constexpr int kCopies = 5;
  constexpr int64_t kCents = 4990;
  Client& client = script.client();
  const std::string network = script.Own("network");
  checkout::v1::ImportRecord order;
  order.mutable_external()->set_source(network);
  order.mutable_external()->set_external_id("post-1");
  order.mutable_recorded_time()->set_seconds(absl::ToUnixSeconds(absl::Now()) - 60);
  order.set_channel(common::v1::CHANNEL_SOCIAL);
  order.set_site_id(network);
  order.set_currency_code("EUR");
  checkout::v1::ImportLine& line = *order.add_lines();
  line.set_kind(checkout::v1::LINE_KIND_SALE);
  line.set_sku("bag");
  line.mutable_quantity()->set_unscaled(1);
  line.mutable_exact_amount()->set_unscaled(kCents);
  line.mutable_exact_amount()->set_scale(2);
  checkout::v1::ImportReturnRequest back;
  *back.mutable_return_record() = order;
  back.mutable_return_record()->mutable_external()->set_external_id("back-1");
  checkout::v1::ImportLine& returned = *back.mutable_return_record()->mutable_lines(0);
  returned.set_kind(checkout::v1::LINE_KIND_RETURN);
  returned.mutable_quantity()->set_unscaled(-1);
  returned.mutable_exact_amount()->set_unscaled(-kCents);
  *back.mutable_original() = order.external();
  std::string token =
      script.Call("the network delivers the return first", &CheckoutService::Stub::ImportReturn, *client.checkout, back)
          .consistency_token();
  std::string id;
  for (int copy = 1; copy <= kCopies; ++copy) {
    ImportOrderRequest request;
    // Some copies repeat the same request, others have request ids of their own.
    request.set_request_id(absl::StrCat("story/", network, "/", copy % 2));
    if (copy == kCopies) request.set_request_id(absl::StrCat("story/", network, "/late"));
    *request.mutable_order() = order;
    const auto answer = script.Call(absl::StrCat("delivers the order, time ", copy, " of ", kCopies),
                                    &CheckoutService::Stub::ImportOrder, *client.checkout, request);
    if (id.empty()) id = answer.order_id();
    script.ExpectWord("its id", answer.order_id(), id);
    token = answer.consistency_token();
    if (copy == 2) {
      script.Call("and the return once more", &CheckoutService::Stub::ImportReturn, *client.checkout, back);
    }
  }
  order.mutable_lines(0)->mutable_exact_amount()->set_unscaled(kCents + 1);
  ImportOrderRequest other;
  *other.mutable_order() = order;
  script.CallRefused("a sixth with another price is no copy", "EXTERNAL_ID_REUSED", &CheckoutService::Stub::ImportOrder,
                     *client.checkout, other);
  const auto totals = [&] {
    checkout::v1::GetTotalsRequest request;
    request.set_site_id(network);
    request.set_consistency_token(token);
    const auto answer = script.Ask(&CheckoutService::Stub::GetTotals, *client.checkout, request);
    return answer.rows().empty() ? checkout::v1::Totals() : answer.rows(0).totals();
  };
  script.Expect("orders of the network", totals().orders(), 1);
  script.Await(
      "returns of it", [&] { return totals().returns(); }, 1);
  script.Expect("cents that both come to", totals().net_minor_units(), 0);
  checkout::v1::GetOrderRequest asked;
  asked.set_order_id(id);
  script.Await(
      "returns that the order knows of",
      [&] { return script.Ask(&OrderService::Stub::GetOrder, *client.orders, asked).imported().returns_size(); }, 1);
}

}  // namespace halles::hallesctl
