// Builders for checkout's tests: imported records, carts, returns, and their events and commands.
#ifndef HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_
#define HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "libs/base/money.h"
#include "libs/testing/given_when_then.h"
#include "services/checkout/amounts.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/checks.h"
#include "services/checkout/commands.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"
#include "services/checkout/reactions.h"

namespace halles::checkout {

inline constexpr SlotId kSlot{ServiceId::kCheckout, 17};

struct ImportDomain {
  using Event = v1::ImportEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return imports::Evolve(rows, event, context);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    return imports::Decide(rows, command, context);
  }
};
using GivenImports = testing::Given<ImportDomain>;

struct CartDomain {
  using Event = v1::CartEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return cart::Evolve(rows, event, context);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    return cart::Decide(rows, command, context);
  }
};

// Carts, the orders that they become, and imports.
struct CheckoutDomain {
  using Event = std::variant<v1::CartEvent, v1::OrderEvent, v1::ImportEvent>;
  static absl::Status Evolve(store::Rows& rows, const v1::CartEvent& event, const partition::FactContext& context) {
    return cart::Evolve(rows, event, context);
  }
  static absl::Status Evolve(store::Rows& rows, const v1::OrderEvent& event, const partition::FactContext& context) {
    return order::Evolve(rows, event, context);
  }
  static absl::Status Evolve(store::Rows& rows, const v1::ImportEvent& event, const partition::FactContext& context) {
    return imports::Evolve(rows, event, context);
  }
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return std::visit([&](const auto& one) { return Evolve(rows, one, context); }, event);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    if constexpr (requires { checkout::Decide(rows, command, context); }) {
      return checkout::Decide(rows, command, context);
    } else if constexpr (requires { cart::Decide(rows, command, context); }) {
      return cart::Decide(rows, command, context);
    } else if constexpr (requires { imports::Decide(rows, command, context); }) {
      return imports::Decide(rows, command, context);
    } else {
      return order::Decide(rows, command, context);
    }
  }
};
using GivenCheckout = testing::Given<CheckoutDomain>;

inline common::v1::Decimal Exact(const std::string& text) {
  const halles::Decimal decimal = halles::Decimal::Parse(text).value();
  common::v1::Decimal exact;
  exact.set_unscaled(static_cast<int64_t>(decimal.unscaled()));
  exact.set_scale(static_cast<uint32_t>(decimal.scale()));
  return exact;
}

inline common::v1::Money Pence(int64_t minor_units) {
  common::v1::Money money;
  money.set_currency_code("GBP");
  money.set_minor_units(minor_units);
  return money;
}

inline v1::ExternalRef Ref(const std::string& external_id) {
  v1::ExternalRef external;
  external.set_source("uci");
  external.set_external_id(external_id);
  return external;
}

// A hashed identifier whose hash is the seed, repeated.
inline common::v1::Identifier Hashed(common::v1::IdentifierType type, char seed) {
  common::v1::Identifier identifier;
  identifier.set_type(type);
  if (type <= common::v1::IDENTIFIER_TYPE_LOYALTY_CARD) identifier.set_issuer("uci");
  identifier.set_keyed_hash(std::string(32, seed));
  identifier.set_key_id(1);
  return identifier;
}
inline common::v1::Identifier Customer(char seed) { return Hashed(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID, seed); }
inline common::v1::Identifier Phone(char seed) { return Hashed(common::v1::IDENTIFIER_TYPE_PHONE, seed); }

inline v1::ImportLine Line(v1::LineKind kind, const std::string& sku, const std::string& quantity,
                           const std::string& price) {
  v1::ImportLine line;
  line.set_kind(kind);
  line.set_sku(sku);
  *line.mutable_quantity() = Exact(quantity);
  *line.mutable_unit_price() = Exact(price);
  return line;
}
inline v1::ImportLine Sold(const std::string& sku, const std::string& quantity, const std::string& price = "2.55") {
  return Line(v1::LINE_KIND_SALE, sku, quantity, price);
}
// A returned line. `quantity` has no sign, as on a receipt.
inline v1::ImportLine Back(const std::string& sku, const std::string& quantity, const std::string& price = "2.55") {
  return Line(v1::LINE_KIND_RETURN, sku, quantity == "0" ? quantity : "-" + quantity, price);
}

// Minutes after 2010-12-01 00:00 UTC.
inline google::protobuf::Timestamp Minute(int minute) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'291'161'600 + int64_t{60} * minute);
  return time;
}
inline google::protobuf::Timestamp Day(int year, int month, int day) {
  google::protobuf::Timestamp time;
  time.set_seconds(absl::ToUnixSeconds(absl::FromCivil(absl::CivilDay(year, month, day), absl::UTCTimeZone())));
  return time;
}

inline v1::ImportRecord Record(const std::string& external_id, std::vector<v1::ImportLine> lines, int minute = 0) {
  v1::ImportRecord record;
  *record.mutable_external() = Ref(external_id);
  *record.mutable_recorded_time() = Minute(minute);
  record.set_channel(common::v1::CHANNEL_WEB);
  record.set_site_id("uci-online");
  record.set_currency_code("GBP");
  for (v1::ImportLine& line : lines) *record.add_lines() = std::move(line);
  return record;
}

inline v1::ImportOrderRequest Import(v1::ImportRecord record) {
  v1::ImportOrderRequest request;
  request.set_request_id("request");
  *request.mutable_order() = std::move(record);
  return request;
}
inline v1::ImportOrderRequest ImportOrder(const std::string& external_id, std::vector<v1::ImportLine> lines) {
  return Import(Record(external_id, std::move(lines)));
}

inline v1::ImportReturnRequest ImportReturn(v1::ImportRecord record, const std::string& original = "") {
  v1::ImportReturnRequest request;
  request.set_request_id("request");
  *request.mutable_return_record() = std::move(record);
  if (!original.empty()) *request.mutable_original() = Ref(original);
  return request;
}

// Events as the rules make them.
inline v1::ImportEvent OrderImported(const v1::ImportRecord& record) {
  v1::ImportEvent event;
  v1::OrderImported& imported = *event.mutable_order_imported();
  *imported.mutable_sale() = imports::BuildSale("order", record).value();
  imported.set_content_hash(imports::ContentHash(imported.sale(), nullptr));
  return event;
}
inline v1::ImportEvent ReturnImported(const v1::ImportRecord& record, const std::string& original = "") {
  v1::ImportEvent event;
  v1::ReturnImported& imported = *event.mutable_return_imported();
  *imported.mutable_sale() = imports::BuildSale("return_record", record).value();
  if (!original.empty()) *imported.mutable_original() = Ref(original);
  imported.set_content_hash(
      imports::ContentHash(imported.sale(), imported.has_original() ? &imported.original() : nullptr));
  return event;
}

// The request that the reaction makes from a return.
inline v1::LinkReturnRequest LinkOf(const v1::ImportRecord& record, const std::string& original) {
  const std::string id = imports::ReturnIdOf("", record.external()).ToString();
  partition::FactContext context;
  context.aggregate_id = id;
  return LinkReturns(ReturnImported(record, original), context).at(0);
}
inline v1::ImportEvent ReturnAwaited(const v1::LinkReturnRequest& request) {
  v1::ImportEvent event;
  *event.mutable_return_awaited()->mutable_linked_return() = request.linked_return();
  return event;
}
inline v1::ImportEvent ReturnLinked(const v1::LinkReturnRequest& request, bool excess = false) {
  v1::ImportEvent event;
  *event.mutable_return_linked()->mutable_linked_return() = request.linked_return();
  event.mutable_return_linked()->set_excess(excess);
  return event;
}

// Carts ---------------------------------------------------------------------------------------------------------------

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

// The line as events hold it, with its amount.
inline v1::CartLine Priced(v1::CartLine line) {
  *line.mutable_amount() = MoneyOf("GBP", AmountOf(line.units(), line.unit_price(), "GBP").value());
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

// The lines of a cart in order, with their units, such as "a:2 b:1".
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

// Carts of one slot whose requests to each other arrive immediately.
class GivenCarts : public testing::Given<CartDomain> {
 public:
  GivenCarts() : testing::Given<CartDomain>(kSlot) {}

  // Records the command and all requests between carts that follow from it.
  template <class Command>
  auto Settle(const Command& command) {
    auto outcome = Record(command);
    if (!outcome.status().ok()) return outcome;
    for (const auto& fact : outcome.facts()) Deliver(fact.event, fact.aggregate_id);
    return outcome;
  }

  void Deliver(const v1::CartEvent& event, const std::string& cart_id) {
    partition::FactContext context;
    context.aggregate_id = cart_id;
    for (const auto& request : TakeCarts(event, context)) Settle(request);
    for (const auto& request : SettleMerges(event, context)) Settle(request);
  }

  std::string Lines(const std::string& cart_id) const { return LinesIn(rows(), cart_id); }
  rows::CartRow Cart(const std::string& cart_id) const { return CartIn(rows(), cart_id); }
};

// Returns -------------------------------------------------------------------------------------------------------------

inline constexpr char kOrderId[] = "c-1";

// A request about the order.
template <class Request>
Request Of(Request request = {}) {
  request.set_request_id("request");
  request.set_order_id(kOrderId);
  return request;
}
inline v1::Origin InShop(const std::string& site) {
  v1::Origin origin;
  origin.set_channel(common::v1::CHANNEL_SHOP);
  origin.set_site_id(site);
  return origin;
}

inline v1::ReturnedLine BackOf(const std::string& line_id, int64_t units) {
  v1::ReturnedLine line;
  line.set_line_id(line_id);
  line.set_units(units);
  line.set_disposition(v1::DISPOSITION_RESTOCK);
  return line;
}
inline v1::ReturnLinesRequest TakeBack(const std::string& return_id, const std::vector<v1::ReturnedLine>& lines) {
  v1::ReturnLinesRequest request = Of<v1::ReturnLinesRequest>();
  request.set_return_id(return_id);
  *request.mutable_origin() = InShop("nice");
  request.set_location_id("nice-stock");
  for (const v1::ReturnedLine& line : lines) *request.add_lines() = line;
  return request;
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_TEST_BUILDERS_H_
