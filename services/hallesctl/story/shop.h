// The actions in stories: goods arrive and are held, baskets are filled and bought, parcels are shipped.
#ifndef HALLES_SERVICES_HALLESCTL_STORY_SHOP_H_
#define HALLES_SERVICES_HALLESCTL_STORY_SHOP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/hallesctl/story/script.h"

namespace halles::hallesctl {

inline constexpr char kShopA[] = "shop-a";
inline constexpr char kShopB[] = "shop-b";
inline constexpr char kShopC[] = "shop-c";

// A line of a basket: `cents` for one unit.
struct Wanted {
  std::string line, sku;
  int64_t units = 1;
  int64_t cents = 0;
  std::string hold;  // hold of these units; empty: none
};

struct Basket {
  std::string cart;
  common::v1::Channel channel = common::v1::CHANNEL_WEB;
  std::string site;
  std::vector<Wanted> lines;
  checkout::v1::Delivery delivery;
  std::vector<common::v1::Identifier> customer;  // in clear; empty if unknown
};

checkout::v1::Delivery CarryOut(absl::string_view location);
checkout::v1::Delivery Shipment(absl::string_view address_token, const std::vector<std::string>& locations);
common::v1::Identifier LoyaltyCard(absl::string_view number);

// The requests of a basket, without request ids.
checkout::v1::AddCartLinesRequest LinesOf(const Basket& basket);
checkout::v1::SetCartDeliveryRequest DeliveryOf(const Basket& basket);
checkout::v1::PlaceOrderRequest OrderOf(const Basket& basket);

// The parameters of a hold.
struct HoldWish {
  std::string sku, hold, location, owner;
  int64_t units = 1;
  inventory::v1::HoldPurpose purpose = inventory::v1::HOLD_PURPOSE_CART;
  absl::Duration lasts = absl::Hours(1);
  std::vector<common::v1::Identifier> customer;
};
inventory::v1::ReserveStockRequest RequestOf(const HoldWish& wish);

// Lifetime: the script outlives it.
class Shop {
 public:
  explicit Shop(Script& script) : script_(script), client_(script.client()) {}

  // A SKU of this run, whose stock changes are reported from now on.
  std::string Sku(absl::string_view name);
  void Delivered(absl::string_view says, const std::string& sku, const std::string& location, int64_t units);
  inventory::v1::StockLevel Level(const std::string& sku, const std::string& location);
  int64_t Available(const std::string& sku, const std::string& location) {
    return Level(sku, location).available_units();
  }
  inventory::v1::Hold HoldOf(const std::string& sku, const std::string& hold);

  // Holds stock; returns the token of the answer.
  std::string Hold(absl::string_view says, const HoldWish& wish);
  void HoldRefused(absl::string_view says, const HoldWish& wish);

  // Fills the basket and sets its delivery.
  void Fill(absl::string_view says, const Basket& basket);
  // Places the order.
  checkout::v1::Order Buy(absl::string_view says, const Basket& basket);
  // Tries to place the order; returns the first problem that the refusal names.
  checkout::v1::Problem BuyRefused(absl::string_view says, const Basket& basket);
  // Hands over all fulfilments of the order: collected if carried out, shipped otherwise.
  void HandOver(absl::string_view says, const checkout::v1::Order& order);
  checkout::v1::Order Find(const std::string& id);

  // The view of the customer, at the token.
  customer_identity::v1::CustomerView View(const common::v1::Identifier& customer, const std::string& token);

 private:
  Script& script_;
  Client& client_;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_STORY_SHOP_H_
