// Applies one step after the other to an order that is being placed.
#include "tests/simulation/order_saga_world.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/status.h"
#include "libs/saga/saga.h"
#include "services/checkout/cart/commands.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/commands.h"
#include "services/checkout/numbers/commands.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"
#include "services/inventory/commands.h"
#include "services/inventory/reactions.h"
#include "services/inventory/state.h"

namespace halles::simulation {
namespace {

namespace shop = checkout::v1;
namespace goods = inventory::v1;

constexpr SlotId kCheckoutSlot{ServiceId::kCheckout, 1};
constexpr SlotId kStockSlot{ServiceId::kInventory, 1};
constexpr char kOrder[] = "c-1";
constexpr char kPlace[] = "paris";
constexpr char kSite[] = "web";

std::string SkuName(size_t index) { return absl::StrCat("sku-", index); }

absl::Status Evolve(store::Rows& rows, const shop::CartEvent& event, const partition::FactContext& context) {
  return checkout::cart::Evolve(rows, event, context);
}
absl::Status Evolve(store::Rows& rows, const shop::OrderEvent& event, const partition::FactContext& context) {
  return checkout::order::Evolve(rows, event, context);
}
template <typename... Events>
absl::Status Evolve(store::Rows& rows, const std::variant<Events...>& event, const partition::FactContext& context) {
  return std::visit([&](const auto& one) { return Evolve(rows, one, context); }, event);
}

// The event, if it is of an order.
const shop::OrderEvent* OrderEventIn(const shop::CartEvent&) { return nullptr; }
const shop::OrderEvent* OrderEventIn(const shop::OrderEvent& event) { return &event; }
template <typename... Events>
const shop::OrderEvent* OrderEventIn(const std::variant<Events...>& event) {
  return std::get_if<shop::OrderEvent>(&event);
}

partition::FactContext At(SlotId slot, Position position, UnixMicros now) {
  partition::FactContext context;
  context.slot = slot;
  context.position = position;
  context.logical_time = now;
  context.effective_time = now;
  return context;
}

template <typename Facts, typename Evolve>
absl::Status EvolveAll(const Facts& facts, store::MemoryRows* rows, partition::FactContext context, Evolve evolve) {
  rows->set_position(context.position);
  for (const auto& fact : facts) {
    context.aggregate_id = fact.aggregate_id;
    RETURN_IF_ERROR(evolve(*rows, fact.event, context));
    ++context.index;
  }
  return rows->status();
}

// The row without the fields that cannot influence later steps: positions, and times on which no decision depends.
std::string Forgetful(const std::string& key, const std::string& value) {
  if (absl::StartsWith(key, checkout::cart::kCarts.Prefix())) {
    checkout::rows::CartRow row;
    row.ParseFromString(value);
    row.clear_counted_to();
    row.clear_last_change_us();
    row.clear_abandon_us();
    return row.SerializeAsString();
  }
  if (absl::StartsWith(key, checkout::order::kOrders.Prefix())) {
    checkout::rows::OrderRow row;
    row.ParseFromString(value);
    row.clear_confirm_us();
    return row.SerializeAsString();
  }
  if (absl::StartsWith(key, checkout::order::kSagas.Prefix())) {
    saga::v1::Saga row;
    row.ParseFromString(value);
    row.clear_plan();
    row.clear_changed_us();
    return row.SerializeAsString();
  }
  return value;
}

void AppendRows(const store::MemoryRows& rows, std::string* bytes) {
  for (const auto& [key, row] : rows.rows()) absl::StrAppend(bytes, key, "=", Forgetful(key, row.value), "\n");
}

}  // namespace

std::string Message::Bytes() const {
  return is_call ? absl::StrCat("call ", call.reply_tag) : absl::StrCat("outcome ", outcome);
}

template <typename Request>
void World::Command(const Request& request) {
  partition::CommandContext context;
  context.now = now_;
  const auto decision = [&] {
    if constexpr (requires { checkout::Decide(checkout_, request, context); }) {
      return checkout::Decide(checkout_, request, context);
    } else {
      return checkout::cart::Decide(checkout_, request, context);
    }
  }();
  if (!decision.ok()) {
    fault_ = absl::StrCat("refused: ", decision.status().ToString());
    return;
  }
  if (!decision->facts.empty()) Record(decision->facts);
  Send(decision->calls);
}

template <typename Event>
void World::Record(const std::vector<partition::Fact<Event>>& facts) {
  const absl::Status evolved =
      EvolveAll(facts, &checkout_, At(kCheckoutSlot, next_checkout_++, now_),
                [](store::Rows& rows, const auto& event, const partition::FactContext& context) {
                  return Evolve(rows, event, context);
                });
  if (!evolved.ok()) fault_ = evolved.ToString();
  for (const partition::Fact<Event>& fact : facts) {
    const shop::OrderEvent* event = OrderEventIn(fact.event);
    if (event != nullptr && (event->has_order_confirmed() || event->has_order_cancelled())) facts_.push_back(*event);
  }
}

void World::Send(const std::vector<partition::OutgoingCall>& calls) {
  for (const partition::OutgoingCall& call : calls) wire_.push_back({true, call, ""});
}

World::World(const Scenario& scenario) : scenario_(scenario) {
  shop::AddCartLinesRequest add;
  add.set_request_id("add");
  add.set_cart_id(kOrder);
  add.mutable_origin()->set_channel(common::v1::CHANNEL_WEB);
  add.mutable_origin()->set_site_id(kSite);
  add.set_currency_code("EUR");
  for (size_t i = 0; i < scenario.stock.size(); ++i) {
    shop::CartLine& line = *add.add_lines();
    line.set_line_id(absl::StrCat("l", i));
    line.set_sku(SkuName(i));
    line.set_units(1);
    line.mutable_unit_price()->set_unscaled(10);
    if (scenario.stock[i] > 0) Receive(SkuName(i), scenario.stock[i]);
  }
  Command(add);
  shop::SetCartDeliveryRequest delivery;
  delivery.set_request_id("delivery");
  delivery.set_cart_id(kOrder);
  delivery.mutable_delivery()->mutable_shipment()->set_address_token("token");
  delivery.mutable_delivery()->mutable_shipment()->add_source_location_ids(kPlace);
  Command(delivery);
  shop::PlaceOrderRequest place;
  place.set_request_id("place");
  place.set_cart_id(kOrder);
  Command(place);
}

void World::Receive(const std::string& sku, int64_t units) {
  goods::ReceiveStockRequest request;
  request.set_request_id("receive");
  request.set_sku(sku);
  request.set_location_id(kPlace);
  request.set_units(units);
  Stock(request);
}

void World::ReleaseHold(size_t sku) {
  goods::ReleaseHoldRequest request;
  request.set_request_id("release");
  request.set_sku(SkuName(sku));
  request.set_hold_id(absl::StrCat(kOrder, "/1"));
  Stock(request);
}

void World::Reroute(const std::string& place) {
  shop::RerouteFulfilmentRequest request;
  request.set_request_id("reroute");
  request.set_order_id(kOrder);
  request.set_fulfilment_id("f1");
  request.set_to_location_id(place);
  Command(request);
}

std::optional<checkout::rows::OutcomeRow> World::Rerouted() const {
  return checkout::order::kUndertakings.Get(checkout_, {OrderId::FromString(kOrder), 1});
}

template <typename Request>
void World::Stock(const Request& request) {
  partition::CommandContext context;
  context.now = now_;
  const auto decision = inventory::Decide(stock_, request, context);
  const absl::Status evolved = decision.ok()
                                   ? EvolveAll(decision->facts, &stock_, At(kStockSlot, 0, now_), &inventory::Evolve)
                                   : decision.status();
  if (!evolved.ok()) fault_ = evolved.ToString();
}

template <typename Request, typename Decide, typename Evolve>
void World::Answer(const partition::OutgoingCall& call, store::MemoryRows* rows, SlotId slot, Decide decide,
                   Evolve evolve) {
  shop::CallOutcome outcome;
  outcome.set_tag(call.reply_tag);
  const auto recorded = answers_.find(call.request_id);
  if (recorded != answers_.end() && !scenario_.forget_answers) {
    outcome.set_succeeded(true);
    outcome.set_response(recorded->second);
  } else {
    Request request;
    request.ParseFromString(call.request);
    partition::CommandContext context;
    context.request_id = call.request_id;
    context.now = now_;
    const auto decision = decide(*rows, request, context);
    outcome.set_succeeded(decision.ok());
    if (decision.ok()) {
      outcome.set_response(decision->response.SerializeAsString());
      if (!decision->facts.empty()) {
        const Position position = slot == kStockSlot ? 0 : next_checkout_++;
        const absl::Status evolved = EvolveAll(decision->facts, rows, At(slot, position, now_), evolve);
        if (!evolved.ok()) fault_ = evolved.ToString();
        answers_[call.request_id] = outcome.response();
      }
    } else {
      outcome.set_refusal(saga::EncodeRefusal(decision.status()));
    }
  }
  wire_.push_back({false, {}, outcome.SerializeAsString()});
}

void World::Execute(const partition::OutgoingCall& call) {
  const auto stock = [this, &call]<typename Request>(const Request&) {
    Answer<Request>(
        call, &stock_, kStockSlot,
        [](const store::RowReader& rows, const Request& request, const partition::CommandContext& context) {
          return inventory::Decide(rows, request, context);
        },
        &inventory::Evolve);
  };
  if (call.method == goods::ReserveStockRequest::descriptor()->full_name()) {
    stock(goods::ReserveStockRequest());
  } else if (call.method == goods::CancelReservationRequest::descriptor()->full_name()) {
    stock(goods::CancelReservationRequest());
    if (scenario_.forget_tombstones) ForgetTombstones();
  } else if (call.method == goods::MoveHoldRequest::descriptor()->full_name()) {
    stock(goods::MoveHoldRequest());
  } else if (call.method == shop::AssignOrderNumberRequest::descriptor()->full_name()) {
    Answer<shop::AssignOrderNumberRequest>(call, &checkout_, kCheckoutSlot, &checkout::numbers::Decide,
                                           &checkout::numbers::Evolve);
  } else {
    fault_ = absl::StrCat("no service answers ", call.method);
  }
}

void World::ForgetTombstones() {
  std::vector<std::string> forgotten;
  for (const auto& [key, row] : stock_.rows()) {
    if (absl::StartsWith(key, inventory::kCancelled.Prefix()) || absl::StartsWith(key, inventory::kEnded.Prefix())) {
      forgotten.push_back(key);
    }
  }
  for (const std::string& key : forgotten) stock_.Delete(key);
}

void World::Deliver(size_t index) {
  const Message message = wire_[index];
  wire_.erase(wire_.begin() + static_cast<ptrdiff_t>(index));
  if (message.is_call) {
    Execute(message.call);
    return;
  }
  shop::RecordOutcomesRequest request;
  request.set_order_id(kOrder);
  request.add_outcomes()->ParseFromString(message.outcome);
  Command(request);
}

int64_t World::SagaDue() const {
  const auto saga = checkout::order::kSagas.Get(checkout_, {OrderId::FromString(kOrder)});
  return saga.has_value() ? saga::NextDue(*saga) : 0;
}

void World::FireTimer() {
  now_ = std::max(now_, SagaDue());
  shop::OrderTimerDueRequest request;
  request.set_order_id(kOrder);
  request.set_timer(std::string(checkout::order::kSagaTimer));
  Command(request);
}

void World::React() {
  partition::FactContext context = At(kCheckoutSlot, 0, now_);
  context.aggregate_id = kOrder;
  for (const goods::ApplyOrderFactRequest& request : inventory::React(facts_[reacted_], context)) {
    partition::CommandContext command;
    command.now = now_;
    const auto decision = inventory::Decide(stock_, request, command);
    const absl::Status evolved = decision.ok()
                                     ? EvolveAll(decision->facts, &stock_, At(kStockSlot, 0, now_), &inventory::Evolve)
                                     : decision.status();
    if (!evolved.ok()) fault_ = evolved.ToString();
  }
  ++reacted_;
}

std::vector<World::Choice> World::Choices() const {
  std::vector<Choice> choices;
  const Budget& budget = scenario_.budget;
  std::set<std::string> seen;
  for (size_t i = 0; i < wire_.size(); ++i) {
    if (!seen.insert(wire_[i].Bytes()).second) continue;  // an equal message was considered already
    choices.push_back({Act::kDeliver, i});
    if (budget.losses > 0) choices.push_back({Act::kLose, i});
    if (budget.doubles > 0) choices.push_back({Act::kDouble, i});
  }
  if (budget.crashes > 0) choices.push_back({Act::kCrash});
  if (SagaDue() != 0 && budget.timers > 0) {
    choices.push_back({Act::kTimer});
    choices.push_back({Act::kGiveUp});
  }
  if (reacted_ < facts_.size()) choices.push_back({Act::kReact});
  if (budget.receipts > 0) choices.push_back({Act::kReceive});
  return choices;
}

int World::choices() const { return static_cast<int>(Choices().size()); }

std::string World::Describe(int choice) const {
  const Choice chosen = Choices()[static_cast<size_t>(choice)];
  shop::CallOutcome outcome;
  const bool message = chosen.message < wire_.size();
  if (message) outcome.ParseFromString(wire_[chosen.message].outcome);
  const std::string what = !message                        ? ""
                           : wire_[chosen.message].is_call ? "call " + wire_[chosen.message].call.reply_tag
                           : outcome.succeeded()           ? "success of " + outcome.tag()
                                                           : "refusal of " + outcome.tag();
  switch (chosen.act) {
    case Act::kDeliver:
      return "deliver " + what;
    case Act::kLose:
      return "lose " + what;
    case Act::kDouble:
      return "duplicate " + what;
    case Act::kCrash:
      return "crash";
    case Act::kTimer:
      return "timer";
    case Act::kGiveUp:
      return "timer after a long time";
    case Act::kReact:
      return "inventory reacts";
    case Act::kReceive:
      return "goods arrive";
  }
  return "";
}

void World::Choose(int choice) {
  const Choice chosen = Choices()[static_cast<size_t>(choice)];
  Budget& budget = scenario_.budget;
  switch (chosen.act) {
    case Act::kDeliver:
      Deliver(chosen.message);
      break;
    case Act::kLose:
      --budget.losses;
      wire_.erase(wire_.begin() + static_cast<ptrdiff_t>(chosen.message));
      break;
    case Act::kDouble:
      --budget.doubles;
      wire_.push_back(Message(wire_[chosen.message]));
      break;
    case Act::kCrash:
      --budget.crashes;
      wire_.clear();
      break;
    case Act::kTimer:
      --budget.timers;
      FireTimer();
      break;
    case Act::kGiveUp:
      --budget.timers;
      now_ += saga::kGiveUpMicros;
      FireTimer();
      break;
    case Act::kReact:
      React();
      break;
    case Act::kReceive:
      --budget.receipts;
      scenario_.stock.back() += 1;
      Receive(SkuName(scenario_.stock.size() - 1), 1);
      break;
  }
}

bool World::quiet() const { return wire_.empty() && SagaDue() == 0 && reacted_ == facts_.size(); }

void World::Finish() {
  for (int steps = 0; !quiet() && fault_.empty(); ++steps) {
    if (steps == 1000) {
      fault_ = "the world does not come to rest";
      return;
    }
    if (!wire_.empty()) {
      Deliver(0);
    } else if (reacted_ < facts_.size()) {
      React();
    } else {
      FireTimer();
    }
  }
}

bool World::confirmed() const {
  const auto order = checkout::order::kOrders.Get(checkout_, {OrderId::FromString(kOrder)});
  return order.has_value() && order->state() == shop::ORDER_STATE_CONFIRMED;
}

std::string World::Fault() const {
  if (!fault_.empty()) return fault_;
  const auto cart = checkout::cart::Find(checkout_, OrderId::FromString(kOrder));
  const auto order = checkout::order::kOrders.Get(checkout_, {OrderId::FromString(kOrder)});
  if (!cart.has_value() || !order.has_value()) return "there is no cart or no order";
  for (size_t i = 0; i < scenario_.stock.size(); ++i) {
    const auto level = inventory::kLevels.Get(stock_, {Sku::FromString(SkuName(i)), LocationId::FromString(kPlace)})
                           .value_or(inventory::rows::LevelRow());
    const std::string where = absl::StrCat(SkuName(i), ": on hand ", level.on_hand(), ", held ", level.held(),
                                           ", committed ", level.committed());
    if (level.on_hand() != scenario_.stock[i]) return absl::StrCat("the units on hand changed: ", where);
    if (level.held() + level.committed() > level.on_hand()) return absl::StrCat("oversold: ", where);
    if (!quiet()) continue;
    if (level.held() != 0) return absl::StrCat("held after the end: ", where);
    if (level.committed() != (confirmed() ? 1 : 0)) return absl::StrCat("committed wrongly: ", where);
  }
  if (!quiet()) return "";
  const auto series = checkout::numbers::kSeries.Get(checkout_, {SiteId::FromString(kSite)});
  const int64_t numbers = series.has_value() ? series->last() : 0;
  if (confirmed()) {
    if (cart->state() != shop::CART_STATE_ORDERED) return "the order is confirmed but its cart is not ordered";
    if (order->number() != 1 || numbers != 1) return "the confirmed order has no number, or several";
    return "";
  }
  if (order->state() != shop::ORDER_STATE_REJECTED) return "the order is neither confirmed nor rejected";
  if (cart->state() != shop::CART_STATE_OPEN || cart->problems().empty()) return "the cart is not open with problems";
  if (numbers != 0) return "a rejected order used up a number";
  return "";
}

Hash128 World::Fingerprint() const {
  std::string bytes;
  AppendRows(checkout_, &bytes);
  AppendRows(stock_, &bytes);
  for (const auto& [id, response] : answers_) absl::StrAppend(&bytes, id, " ");
  std::vector<std::string> wire;
  for (const Message& message : wire_) wire.push_back(message.Bytes());
  std::sort(wire.begin(), wire.end());
  for (const std::string& message : wire) absl::StrAppend(&bytes, message, "\n");
  const Budget& budget = scenario_.budget;
  absl::StrAppend(&bytes, reacted_, " ", now_, " ", budget.losses, " ", budget.doubles, " ", budget.crashes, " ");
  absl::StrAppend(&bytes, budget.timers, " ", budget.receipts);
  return Hash128Of("", bytes);
}

}  // namespace halles::simulation
