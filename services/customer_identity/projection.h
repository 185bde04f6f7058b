// The view "customers": facts and activities per identifier, and the identity graph.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_events.pb.h"
#include "halles/inventory/v1/inventory_events.pb.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/rows.pb.h"

namespace halles::customer_identity {

inline constexpr uint8_t kCustomersView = 1;
inline constexpr char kCustomersViewName[] = "customers";

// A fact is stored under the strongest identifier that it names, so nothing is counted twice and a join moves no row.
// The facts of one identifier are sorted newest first, then by external id, over all sources.
struct FactKey {
  uint8_t type = 0;
  Hash256 hash;
  int64_t newest_first = 0;  // minus microseconds since 1970
  ExternalId external;
  SourceId system;
  uint8_t kind = 0;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "newest_first", "external", "system", "kind", "source"};
  auto Fields() const { return std::tie(type, hash, newest_first, external, system, kind, source); }
  auto Fields() { return std::tie(type, hash, newest_first, external, system, kind, source); }
};

struct SeenKey {
  uint8_t type = 0;
  Hash256 hash;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "source"};
  auto Fields() const { return std::tie(type, hash, source); }
  auto Fields() { return std::tie(type, hash, source); }
};

// Every link has two rows, one from each side. The strong neighbours of an identifier come first.
struct NeighbourKey {
  uint8_t type = 0;
  Hash256 hash;
  uint8_t neighbour_type = 0;
  Hash256 neighbour_hash;
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "neighbour_type", "neighbour", "source"};
  auto Fields() const { return std::tie(type, hash, neighbour_type, neighbour_hash, source); }
  auto Fields() { return std::tie(type, hash, neighbour_type, neighbour_hash, source); }
};

// A line, a fulfilment or a hold.
using PartId = StringId<struct PartTag>;

struct CartKey {
  OrderId cart;
  SlotId source;
  static constexpr std::array kFieldNames = {"cart", "source"};
  auto Fields() const { return std::tie(cart, source); }
  auto Fields() { return std::tie(cart, source); }
};

struct CartLineKey {
  OrderId cart;
  PartId line;
  SlotId source;
  static constexpr std::array kFieldNames = {"cart", "line", "source"};
  auto Fields() const { return std::tie(cart, line, source); }
  auto Fields() { return std::tie(cart, line, source); }
};

struct OrderKey {
  OrderId order;
  SlotId source;
  static constexpr std::array kFieldNames = {"order", "source"};
  auto Fields() const { return std::tie(order, source); }
  auto Fields() { return std::tie(order, source); }
};

struct FulfilmentKey {
  OrderId order;
  PartId fulfilment;
  SlotId source;
  static constexpr std::array kFieldNames = {"order", "fulfilment", "source"};
  auto Fields() const { return std::tie(order, fulfilment, source); }
  auto Fields() { return std::tie(order, fulfilment, source); }
};

struct HoldKey {
  Sku sku;
  PartId hold;
  SlotId source;
  static constexpr std::array kFieldNames = {"sku", "hold", "source"};
  auto Fields() const { return std::tie(sku, hold, source); }
  auto Fields() { return std::tie(sku, hold, source); }
};

// The activities of a customer: carts, orders and holds, each kind newest first.
enum class ActivityKind : uint8_t { kCart = 1, kOrder = 2, kHold = 3 };

struct ActivityKey {
  uint8_t type = 0;
  Hash256 hash;
  uint8_t kind = 0;          // ActivityKind
  int64_t newest_first = 0;  // minus microseconds since 1970, of its beginning
  PartId id;                 // cart, order or SKU
  PartId part;               // the hold; empty for a cart or order
  SlotId source;
  static constexpr std::array kFieldNames = {"type", "hash", "kind", "newest_first", "id", "part", "source"};
  auto Fields() const { return std::tie(type, hash, kind, newest_first, id, part, source); }
  auto Fields() { return std::tie(type, hash, kind, newest_first, id, part, source); }
};

inline constexpr store::Table<FactKey, rows::FactRow> kFacts(1, "facts");
inline constexpr store::Table<SeenKey, common::v1::Identifier> kSeen(2, "identifiers");
inline constexpr store::Table<NeighbourKey, rows::LinkRow> kNeighbours(3, "neighbours");
inline constexpr store::Table<CartKey, rows::CartRow> kCarts(4, "carts");
inline constexpr store::Table<CartLineKey, rows::CartLineRow> kCartLines(5, "cart_lines");
inline constexpr store::Table<OrderKey, rows::OrderRow> kOrders(6, "orders");
inline constexpr store::Table<FulfilmentKey, rows::FulfilmentRow> kFulfilments(7, "fulfilments");
inline constexpr store::Table<HoldKey, rows::HoldRow> kHolds(8, "holds");
// kActivities lists the activities of an identifier. kChanged has a row per identifier, whose position says when
// something of it last changed.
inline constexpr store::Table<ActivityKey, rows::MarkRow> kActivities(9, "activities");
inline constexpr store::Table<SeenKey, rows::MarkRow> kChanged(10, "changed");

inline store::Schema CustomersSchema() {
  return store::Schema()
      .Add(kFacts)
      .Add(kSeen)
      .Add(kNeighbours)
      .Add(kCarts)
      .Add(kCartLines)
      .Add(kOrders)
      .Add(kFulfilments)
      .Add(kHolds)
      .Add(kActivities)
      .Add(kChanged);
}

// The external source of facts that were recorded here, not imported.
inline constexpr char kHere[] = "halles";

// The topic of an identifier, which events touch and watchers listen to.
std::string TopicOf(const common::v1::Identifier& identifier);

// Each folds one event into rows of its source slot, and reads no other rows: queries join rows of several slots. Adds
// the topics that the event touches to `topics`, unless it is null. DATA_LOSS if this version does not know the event
// or an identifier in it is not hashed.
absl::Status Project(store::Rows& view, const checkout::v1::CartEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics = nullptr);
absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics = nullptr);
absl::Status Project(store::Rows& view, const checkout::v1::ImportEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics = nullptr);
absl::Status Project(store::Rows& view, const inventory::v1::StockEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics = nullptr);
absl::Status Project(store::Rows& view, const v1::IdentityEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics = nullptr);

// Field numbers of the events that Project handles.
absl::Span<const int> ProjectedCartFields();
absl::Span<const int> ProjectedOrderFields();
absl::Span<const int> ProjectedImportFields();
absl::Span<const int> ProjectedStockFields();

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_PROJECTION_H_
