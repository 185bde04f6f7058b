// Builders for customer identity's tests: identifiers, events, and a view that follows several logs.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_TEST_BUILDERS_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_TEST_BUILDERS_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "halles/checkout/v1/cart_events.pb.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "halles/checkout/v1/order_events.pb.h"
#include "halles/customer_identity/v1/customer_identity_internal.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/hash.h"
#include "libs/testing/given_when_then.h"
#include "services/customer_identity/commands.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/party.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/queries.h"
#include "services/customer_identity/reactions.h"
#include "services/customer_identity/state.h"

namespace halles::customer_identity {

inline constexpr SlotId kRealmSlot{ServiceId::kCustomerIdentity, 3};

struct IdentityDomain {
  using Event = v1::IdentityEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return customer_identity::Evolve(rows, event, context);
  }
  template <class Command>
  static auto Decide(const store::RowReader& rows, const Command& command, const partition::CommandContext& context) {
    return customer_identity::Decide(rows, command, context);
  }
};
using GivenRealm = testing::Given<IdentityDomain>;

// Hashed identifiers. The name determines the hash, and hashes sort like the first letters of the names.
inline common::v1::Identifier Hashed(common::v1::IdentifierType type, const std::string& name) {
  common::v1::Identifier identifier;
  identifier.set_type(type);
  if (type <= common::v1::IDENTIFIER_TYPE_LOYALTY_CARD) identifier.set_issuer("uci");
  identifier.set_keyed_hash(name.substr(0, 1) + std::string(Sha256(name).view().substr(1)));
  identifier.set_key_id(1);
  return identifier;
}
inline common::v1::Identifier Customer(const std::string& name) {
  return Hashed(common::v1::IDENTIFIER_TYPE_EXTERNAL_ID, name);
}
inline common::v1::Identifier Card(const std::string& name) {
  return Hashed(common::v1::IDENTIFIER_TYPE_LOYALTY_CARD, name);
}
inline common::v1::Identifier Email(const std::string& name) { return Hashed(common::v1::IDENTIFIER_TYPE_EMAIL, name); }
inline common::v1::Identifier Phone(const std::string& name) { return Hashed(common::v1::IDENTIFIER_TYPE_PHONE, name); }

inline PartyId IdOf(const common::v1::Identifier& identifier) { return PartyIdOf(*KeyOf(identifier)); }

inline v1::CustomerName Named(const common::v1::Identifier& identifier) {
  v1::CustomerName name;
  *name.mutable_identifier() = identifier;
  return name;
}
inline v1::CustomerName Named(const PartyId& id) {
  v1::CustomerName name;
  name.set_party_id(id.ToString());
  return name;
}

using Identifiers = std::vector<common::v1::Identifier>;

inline v1::ObserveIdentifiersRequest Observe(const Identifiers& identifiers) {
  v1::ObserveIdentifiersRequest request;
  for (const common::v1::Identifier& identifier : identifiers) *request.add_identifiers() = identifier;
  return request;
}

inline v1::IdentityEvent Observed(const common::v1::Identifier& identifier) {
  v1::IdentityEvent event;
  *event.mutable_identifier_observed()->mutable_identifier() = identifier;
  return event;
}
inline v1::IdentityEvent Linked(const common::v1::Identifier& first, const common::v1::Identifier& second,
                                common::v1::EvidenceStrength strength) {
  v1::IdentityEvent event;
  *event.mutable_identifiers_linked()->mutable_first() = first;
  *event.mutable_identifiers_linked()->mutable_second() = second;
  event.mutable_identifiers_linked()->set_strength(strength);
  return event;
}

// An order or return as checkout records it. Only the number of its lines matters here.
struct Sale {
  std::string id;  // also its external id
  Identifiers identifiers;
  int64_t pence = 100;
  int minute = 0;
  common::v1::Channel channel = common::v1::CHANNEL_SHOP;
  std::string site = "shop-1";
  std::string currency = "GBP";
  int lines = 1;
};

inline checkout::v1::SaleRecord RecordOf(const Sale& sale) {
  checkout::v1::SaleRecord record;
  record.mutable_external()->set_source("uci");
  record.mutable_external()->set_external_id(sale.id);
  record.mutable_recorded_time()->set_seconds(1'291'161'600 + int64_t{60} * sale.minute);
  record.set_channel(sale.channel);
  record.set_site_id(sale.site);
  record.set_currency_code(sale.currency);
  for (const common::v1::Identifier& identifier : sale.identifiers) *record.add_identifiers() = identifier;
  for (int i = 0; i < sale.lines; ++i) record.add_lines()->set_sku("s");
  record.mutable_net()->set_currency_code(sale.currency);
  record.mutable_net()->set_minor_units(sale.pence);
  return record;
}
inline checkout::v1::ImportEvent Order(const Sale& sale) {
  checkout::v1::ImportEvent event;
  *event.mutable_order_imported()->mutable_sale() = RecordOf(sale);
  return event;
}
inline checkout::v1::ImportEvent Return(const Sale& sale) {
  checkout::v1::ImportEvent event;
  *event.mutable_return_imported()->mutable_sale() = RecordOf(sale);
  return event;
}
// A return without a customer, linked to the order of `customer`.
inline checkout::v1::ImportEvent LinkedTo(const common::v1::Identifier& customer, const Sale& sale) {
  const checkout::v1::SaleRecord record = RecordOf(sale);
  checkout::v1::ImportEvent event;
  checkout::v1::ReturnLinked& linked = *event.mutable_return_linked();
  checkout::v1::LinkedReturn& linked_return = *linked.mutable_linked_return();
  linked_return.set_return_id("ret-" + sale.id);
  *linked_return.mutable_external() = record.external();
  *linked_return.mutable_recorded_time() = record.recorded_time();
  linked_return.set_channel(record.channel());
  linked_return.set_site_id(record.site_id());
  *linked_return.mutable_net() = record.net();
  linked_return.set_lines(static_cast<uint32_t>(record.lines_size()));
  *linked.mutable_customer() = customer;
  return event;
}

// Events of carts and placed orders of checkout, and of stock of inventory.
inline checkout::v1::CartEvent Opened(common::v1::Channel channel = common::v1::CHANNEL_WEB) {
  checkout::v1::CartEvent event;
  checkout::v1::CartOpened& opened = *event.mutable_cart_opened();
  opened.mutable_origin()->set_channel(channel);
  opened.mutable_origin()->set_site_id("web");
  opened.set_currency_code("GBP");
  return event;
}
inline checkout::v1::CartLine CartLine(const std::string& id, int64_t units, int64_t pence,
                                       const std::string& came_from = "") {
  checkout::v1::CartLine line;
  line.set_line_id(id);
  line.set_sku("s");
  line.set_units(units);
  line.mutable_amount()->set_currency_code("GBP");
  line.mutable_amount()->set_minor_units(units * pence);
  if (!came_from.empty()) line.add_origins()->set_cart_id(came_from);
  return line;
}
inline checkout::v1::CartEvent LinesAdded(const std::vector<checkout::v1::CartLine>& lines) {
  checkout::v1::CartEvent event;
  for (const auto& line : lines) *event.mutable_cart_lines_added()->add_lines() = line;
  return event;
}
inline checkout::v1::CartEvent LineChanged(const std::string& id, int64_t units, int64_t pence) {
  checkout::v1::CartEvent event;
  event.mutable_cart_line_changed()->set_line_id(id);
  event.mutable_cart_line_changed()->set_units(units);
  event.mutable_cart_line_changed()->mutable_amount()->set_currency_code("GBP");
  event.mutable_cart_line_changed()->mutable_amount()->set_minor_units(units * pence);
  return event;
}
inline checkout::v1::CartEvent CustomerSet(const Identifiers& identifiers) {
  checkout::v1::CartEvent event;
  event.mutable_cart_customer_set();
  for (const auto& identifier : identifiers) *event.mutable_cart_customer_set()->add_identifiers() = identifier;
  return event;
}
inline checkout::v1::Fulfilment Planned(const std::string& id, const std::string& location, int64_t units = 1) {
  checkout::v1::Fulfilment fulfilment;
  fulfilment.set_fulfilment_id(id);
  fulfilment.set_location_id(location);
  fulfilment.add_lines()->set_units(units);
  return fulfilment;
}
// A sale that was recorded here, in the form of an imported one.
inline checkout::v1::SaleRecord PlacedSale(const Sale& sale) {
  checkout::v1::SaleRecord record = RecordOf(sale);
  record.mutable_external()->set_source(kHere);
  return record;
}
inline checkout::v1::OrderEvent Confirmed(const Sale& sale, int64_t number,
                                          const std::vector<checkout::v1::Fulfilment>& fulfilments) {
  checkout::v1::OrderEvent event;
  checkout::v1::OrderConfirmed& confirmed = *event.mutable_order_confirmed();
  confirmed.set_number(number);
  *confirmed.mutable_sale() = PlacedSale(sale);
  for (const auto& fulfilment : fulfilments) *confirmed.add_fulfilments() = fulfilment;
  return event;
}
inline checkout::v1::OrderEvent Advanced(const std::string& fulfilment_id, checkout::v1::FulfilmentState state) {
  checkout::v1::OrderEvent event;
  event.mutable_fulfilment_advanced()->set_fulfilment_id(fulfilment_id);
  event.mutable_fulfilment_advanced()->set_state(state);
  return event;
}
inline checkout::v1::OrderEvent HandedOver(const std::string& fulfilment_id, checkout::v1::FulfilmentState state) {
  checkout::v1::OrderEvent event;
  event.mutable_fulfilment_handed_over()->mutable_fulfilment()->set_fulfilment_id(fulfilment_id);
  event.mutable_fulfilment_handed_over()->set_state(state);
  return event;
}
inline checkout::v1::OrderEvent Ended(const std::string& fulfilment_id, checkout::v1::FulfilmentState state,
                                      const Sale& reversal) {
  checkout::v1::OrderEvent event;
  event.mutable_fulfilment_ended()->mutable_fulfilment()->set_fulfilment_id(fulfilment_id);
  event.mutable_fulfilment_ended()->set_state(state);
  *event.mutable_fulfilment_ended()->mutable_reversal() = PlacedSale(reversal);
  return event;
}
// A return taken here, of an order placed here or imported.
template <class Event = checkout::v1::OrderEvent>
Event GoodsReturned(const std::string& return_id, const Sale& sale) {
  Event event;
  event.mutable_goods_returned()->set_return_id(return_id);
  event.mutable_goods_returned()->set_location_id("back-room");
  *event.mutable_goods_returned()->mutable_sale() = PlacedSale(sale);
  return event;
}
inline inventory::v1::StockEvent Held(const std::string& hold_id, const Identifiers& customer, int64_t units,
                                      inventory::v1::HoldPurpose purpose = inventory::v1::HOLD_PURPOSE_DATED_PICKUP,
                                      const std::string& replaces = "") {
  inventory::v1::StockEvent event;
  inventory::v1::StockHeld& held = *event.mutable_stock_held();
  held.set_hold_id(hold_id);
  held.add_allocations()->set_location_id("shop-1");
  held.mutable_allocations(0)->set_units(units);
  held.set_purpose(purpose);
  held.mutable_owner()->set_ref("cart/c-1");
  if (!customer.empty()) *held.mutable_owner()->mutable_customer() = customer[0];
  held.set_replaced_hold_id(replaces);
  return event;
}

// An event of checkout.
using Fact = std::variant<checkout::v1::CartEvent, checkout::v1::OrderEvent, checkout::v1::ImportEvent>;

// The view "customers" and the identity graph, fed with events as in a process, but without the runtime.
class GivenCustomers {
 public:
  explicit GivenCustomers(const std::vector<Identifiers>& observations = {}) {
    for (const Identifiers& identifiers : observations) Observe(identifiers);
  }

  // The realm decides and records, and the view follows its log.
  void Observe(const Identifiers& identifiers) { Submit(customer_identity::Observe(identifiers)); }

  // Projects an event of checkout at `position` of `slot`, without reacting to it.
  void Project(const Fact& fact, uint16_t slot, Position position) {
    Fold(fact, SlotId{ServiceId::kCheckout, slot}, position, 0, AggregateOf(fact));
  }
  // Reacts to an event of checkout.
  void React(const Fact& fact) {
    const auto requests = std::visit([](const auto& event) { return customer_identity::React(event, {}); }, fact);
    for (const v1::ObserveIdentifiersRequest& request : requests) Submit(request);
  }
  // Projects events of one cart or order, each a record of its own at this minute, and reacts to them.
  GivenCustomers& Records(const std::string& order, const std::vector<Fact>& events, int minute = 0) {
    for (const auto& event : events) {
      Fold(event, SlotId{ServiceId::kCheckout, 17}, next_++, 0, order, minute);
      React(event);
    }
    return *this;
  }
  // Projects events of the stock of a SKU in the same way.
  GivenCustomers& Stocks(const std::string& sku, const std::vector<inventory::v1::StockEvent>& events, int minute = 0) {
    for (const auto& event : events) Fold(event, SlotId{ServiceId::kInventory, 5}, next_stock_++, 0, sku, minute);
    return *this;
  }
  void Project(const inventory::v1::StockEvent& event, uint16_t slot, Position position, const std::string& sku) {
    Fold(event, SlotId{ServiceId::kInventory, slot}, position, 0, sku);
  }

  // The topics that events have touched since the last call.
  std::vector<std::string> TakeTopics() { return std::exchange(topics_, {}); }

  // Projects an event at the next position of slot 17, and reacts to it.
  GivenCustomers& Happens(const Fact& event) {
    Project(event, 17, next_++);
    React(event);
    return *this;
  }

  const store::MemoryRows& view() const { return view_; }
  const GivenRealm& realm() const { return realm_; }
  store::MemoryRows& mutable_view() { return view_; }

  // The positions of a watch that has seen everything so far.
  TokenPositions Seen() const {
    return {{SlotId{ServiceId::kCheckout, 17}, next_},
            {SlotId{ServiceId::kInventory, 5}, next_stock_},
            {kRealmSlot, realm_.next_position()}};
  }

  v1::CustomerView ViewOf(const v1::CustomerName& name, bool include_events = false) const {
    const absl::StatusOr<Party> party = ResolveParty(view_, name);
    EXPECT_TRUE(party.ok()) << party.status();
    if (!party.ok()) return v1::CustomerView();
    return BuildCustomerView(view_, *party, include_events).value();
  }

 private:
  void Submit(const v1::ObserveIdentifiersRequest& request) {
    const Position position = realm_.next_position();
    const auto outcome = realm_.Record(request);
    uint32_t index = 0;
    for (const auto& fact : outcome.facts()) Fold(fact.event, kRealmSlot, position, index++, kRealm);
  }

  static std::string AggregateOf(const Fact& fact) {
    const auto* event = std::get_if<checkout::v1::ImportEvent>(&fact);
    if (event == nullptr) return "c-1";
    if (event->has_return_imported()) return "ret-" + event->return_imported().sale().external().external_id();
    return "ord-" + event->order_imported().sale().external().external_id();
  }

  template <class... Events>
  void Fold(const std::variant<Events...>& fact, SlotId slot, Position position, uint32_t index,
            const std::string& aggregate, int minute = 0) {
    std::visit([&](const auto& event) { Fold(event, slot, position, index, aggregate, minute); }, fact);
  }

  template <class Event>
  void Fold(const Event& event, SlotId slot, Position position, uint32_t index, const std::string& aggregate,
            int minute = 0) {
    view_.set_position(position);
    partition::FactContext context;
    context.slot = slot;
    context.position = position;
    context.index = index;
    context.aggregate_id = aggregate;
    context.logical_time = (1'291'161'600 + int64_t{60} * minute) * 1'000'000;
    const absl::Status status = customer_identity::Project(view_, event, context, &topics_);
    EXPECT_TRUE(status.ok()) << status;
  }

  GivenRealm realm_{kRealmSlot};
  store::MemoryRows view_;
  std::vector<std::string> topics_;
  Position next_ = 0;
  Position next_stock_ = 0;
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_TEST_BUILDERS_H_
