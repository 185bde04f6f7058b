// T09: thousands of clients want one unit over web, app and tills, and some tills go offline meanwhile.
#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "services/hallesctl/story/shop.h"
#include "services/hallesctl/story/stories.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::CartService;
using checkout::v1::OrderService;
using inventory::v1::InventoryService;

constexpr int kTills = 20;
constexpr int kOfflineTills = 3;
constexpr int kThreads = 96;
constexpr char kOfflineSale[] = "the till that held it sells it offline, and reports it when it is back online";

// All connections to halles: web, app, and one for each till.
struct Doors {
  explicit Doors(const Client& like) {
    for (int i = 0; i < 2 + kTills; ++i) {
      clients.push_back(std::make_unique<Client>(OpenChannel(like.target), like.target, like.timeout));
    }
  }
  std::vector<std::unique_ptr<Client>> clients;
};

// A buyer of the unit. A third of them use the web, a third the app, and the others are at tills.
struct Buyer {
  Buyer(const Script& script, absl::string_view race, const std::string& sku, int number) : client(number % 3) {
    if (client == 2) client += (number / 3) % kTills;
    const bool at_till = client >= 2;
    basket.cart = script.Own(absl::StrCat(race, "-", number));
    basket.channel = client == 0   ? common::v1::CHANNEL_WEB
                     : client == 1 ? common::v1::CHANNEL_APP
                                   : common::v1::CHANNEL_SHOP;
    basket.site = script.Own(client == 0 ? "web" : client == 1 ? "app" : "tills");
    basket.lines = {{"1", sku, 1, 9900}};
    basket.delivery = at_till ? CarryOut(kShopA) : Shipment("vault", {kShopA});
  }
  bool offline() const { return client >= 2 && client < 2 + kOfflineTills; }

  int client;
  Basket basket;
};

struct Outcome {
  std::atomic<int64_t> bought{0};   // counters only, read after the threads have ended
  std::atomic<int64_t> refused{0};  // because another buyer had the unit
  std::atomic<int64_t> broken{0};   // ended in another way
};

// Calls `work(i)` for each i below `count`, on many threads.
template <typename Work>
void ForAll(int count, const Work& work) {
  std::atomic<int> next{0};  // hands out numbers; no ordering needed
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int at = next++; at < count; at = next++) work(at);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

template <typename Request>
Request Named(Request request, const Script& script, const Buyer& buyer) {
  request.set_request_id(
      absl::StrCat("story/", script.name(), "/", buyer.basket.cart, "/", Request::descriptor()->name()));
  return request;
}

HoldWish Allotment(const Script& script, const std::string& sku, int till) {
  return {.sku = sku,
          .hold = script.Own(absl::StrCat("allotment-", till)),
          .location = kShopA,
          .owner = absl::StrCat("till/", till),
          .purpose = inventory::v1::HOLD_PURPOSE_OFFLINE_ALLOTMENT,
          .lasts = absl::Hours(12)};
}

// The race. Buyers at an offline till never reach halles. With `ask_for_allotments`, the offline tills ask for an
// allotment in the middle of the race, just before they go offline. Returns the tills that got one.
std::vector<int> Race(Script& script, absl::string_view race, const std::string& sku, int count,
                      bool ask_for_allotments, Outcome* outcome) {
  Doors doors(script.client());
  std::vector<Buyer> buyers;
  for (int i = 0; i < count; ++i) {
    Buyer buyer(script, race, sku, i);
    if (!buyer.offline()) buyers.push_back(std::move(buyer));
  }
  ForAll(static_cast<int>(buyers.size()), [&](int i) {
    const Buyer& buyer = buyers[static_cast<size_t>(i)];
    Client& client = *doors.clients[static_cast<size_t>(buyer.client)];
    const bool filled =
        Insist(client, &CartService::Stub::AddCartLines, *client.carts, Named(LinesOf(buyer.basket), script, buyer))
            .ok();
    const auto named = Named(DeliveryOf(buyer.basket), script, buyer);
    if (!filled || !Insist(client, &CartService::Stub::SetCartDelivery, *client.carts, named).ok()) ++outcome->broken;
  });
  script.Show(absl::StrCat(buyers.size(), " baskets are filled over web, app and ", kTills - kOfflineTills, " tills"));
  std::vector<std::atomic<bool>> allotted(kOfflineTills);
  const int allotments = ask_for_allotments ? kOfflineTills : 0;
  const int half = static_cast<int>(buyers.size()) / 2;
  ForAll(static_cast<int>(buyers.size()) + allotments, [&](int i) {
    if (i >= half && i < half + allotments) {
      const int till = i - half;
      Client& client = *doors.clients[static_cast<size_t>(2 + till)];
      auto request = RequestOf(Allotment(script, sku, till));
      request.set_request_id(absl::StrCat("story/", script.name(), "/", request.hold_id()));
      const auto held = Insist(client, &InventoryService::Stub::ReserveStock, *client.inventory, request);
      if (held.ok()) allotted[static_cast<size_t>(till)] = true;
      if (!held.ok() && ReasonOf(held.status()) != "INSUFFICIENT_STOCK") ++outcome->broken;
      return;
    }
    const Buyer& buyer = buyers[static_cast<size_t>(i < half ? i : i - allotments)];
    Client& client = *doors.clients[static_cast<size_t>(buyer.client)];
    const auto named = Named(OrderOf(buyer.basket), script, buyer);
    const auto placed = Insist(client, &OrderService::Stub::PlaceOrder, *client.orders, named);
    if (placed.ok()) {
      ++outcome->bought;
    } else if (ReasonOf(placed.status()) == "PLACEMENT_REJECTED") {
      ++outcome->refused;
    } else {
      ++outcome->broken;
    }
  });
  std::vector<int> tills;
  for (int till = 0; till < kOfflineTills; ++till) {
    if (allotted[static_cast<size_t>(till)]) tills.push_back(till);
  }
  return tills;
}

// The till is online again: its offline sale is recorded here.
void Reconnect(Script& script, const std::string& sku, int till) {
  const std::string hold = Allotment(script, sku, till).hold;
  inventory::v1::CommitHoldRequest commit;
  commit.set_sku(sku);
  commit.set_hold_id(hold);
  commit.set_order_id(script.Own(absl::StrCat("ticket-", till)));
  script.Call(kOfflineSale, &InventoryService::Stub::CommitHold, *script.client().inventory, commit);
  inventory::v1::ShipStockRequest ship;
  ship.set_sku(sku);
  ship.set_hold_id(hold);
  script.Call("it left the shop then", &InventoryService::Stub::ShipStock, *script.client().inventory, ship);
}

// Units that are committed, or were shipped as sold.
int64_t Sold(Shop& shop, const std::string& sku) {
  const inventory::v1::StockLevel level = shop.Level(sku, kShopA);
  return 1 - level.on_hand_units() + level.committed_units();
}

}  // namespace

void TellLastUnit(Script& script, const StoryOptions& options) {
  Shop shop(script);
  const int clients = static_cast<int>(options.clients);

  const std::string first = shop.Sku("kept-offline");
  shop.Delivered("one is there", first, kShopA, 1);
  shop.Hold("till 1 is about to go offline and reserves the unit that it may sell", Allotment(script, first, 0));
  shop.HoldRefused("there is nothing for till 2", Allotment(script, first, 1));
  shop.HoldRefused("and nothing for till 3", Allotment(script, first, 2));
  Outcome kept;
  Race(script, "kept", first, std::max(clients / 10, 1), false, &kept);
  script.Expect("online clients that got the unit of the offline till", kept.bought, 0);
  script.Expect("clients that got no clear answer", kept.broken, 0);
  Reconnect(script, first, 0);
  script.Expect("units sold of the one", Sold(shop, first), 1);
  script.Expect("held", shop.Level(first, kShopA).held_units(), 0);

  const std::string last = shop.Sku("last-unit");
  shop.Delivered("again one is there", last, kShopA, 1);
  Outcome outcome;
  const absl::Time began = absl::Now();
  const std::vector<int> tills = Race(script, "last", last, clients, true, &outcome);
  script.Show(absl::StrCat(clients, " clients want it, of ", kTills, " tills ", kOfflineTills,
                           " are cut off in the middle: ", outcome.bought.load(), " bought it, ",
                           outcome.refused.load(), " were refused, ", clients - outcome.bought - outcome.refused,
                           " stood at an offline till, ", tills.size(), " such tills had one; ",
                           absl::FormatDuration(absl::Trunc(absl::Now() - began, absl::Milliseconds(1)))));
  script.Expect("clients that got no clear answer", outcome.broken, 0);
  for (const int till : tills) Reconnect(script, last, till);
  script.Expect("sales, online and offline", outcome.bought + static_cast<int64_t>(tills.size()), 1);
  script.Await(
      "units sold of the one", [&] { return Sold(shop, last); }, 1);
  script.Expect("units still held", shop.Level(last, kShopA).held_units(), 0);
  script.Expect("available", shop.Available(last, kShopA), 0);
}

}  // namespace halles::hallesctl
