// Joins the activities of a party with the rows of their carts, orders and holds.
#include "services/customer_identity/activity_queries.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "libs/base/timestamp.h"
#include "services/customer_identity/customer_writer.h"
#include "services/customer_identity/projection.h"

namespace halles::customer_identity {
namespace {

bool NewerFirst(const ActivityKey& a, const ActivityKey& b) {
  return std::tie(a.newest_first, a.id, a.part) < std::tie(b.newest_first, b.id, b.part);
}

// The newest activities of one kind.
std::vector<ActivityKey> Newest(const store::RowReader& view, const Party& party, ActivityKind kind) {
  std::vector<ActivityKey> newest;
  for (const IdentifierKey& key : party.keys) {
    size_t taken = 0;
    kActivities.ForEach(
        view,
        [&](const ActivityKey& activity, const rows::MarkRow&, Position) {
          newest.push_back(activity);
          return ++taken < kActivitiesMax;
        },
        key.type, key.hash, static_cast<uint8_t>(kind));
  }
  std::sort(newest.begin(), newest.end(), NewerFirst);
  if (newest.size() > kActivitiesMax) newest.resize(kActivitiesMax);
  return newest;
}

void AddCart(const store::RowReader& view, const ActivityKey& activity, v1::CustomerView* built) {
  const auto found = kCarts.Find(view, {OrderId::FromString(activity.id.ToString()), activity.source});
  if (!found.has_value()) return;
  v1::CustomerCart& cart = *built->add_carts();
  cart.set_cart_id(activity.id.ToString());
  cart.set_state(found->row.state());
  cart.set_version(found->row.version());
  cart.set_channel(found->row.channel());
  cart.set_site_id(found->row.site_id());
  cart.set_lines(found->row.lines());
  cart.mutable_total()->set_currency_code(found->row.currency_code());
  cart.mutable_total()->set_minor_units(found->row.total_minor_units());
  *cart.mutable_open_time() = TimestampOf(found->row.open_us());
  cart.set_event(EventRef{activity.source, found->position, found->row.event_index()}.ToString());
}

void AddFulfilments(const store::RowReader& view, const OrderKey& key, v1::CustomerOrder* order) {
  kFulfilments.ForEach(
      view,
      [&](const FulfilmentKey& fulfilment, const rows::FulfilmentRow& row, Position position) {
        if (fulfilment.source != key.source) return true;
        v1::CustomerFulfilment& added = *order->add_fulfilments();
        added.set_fulfilment_id(fulfilment.fulfilment.ToString());
        added.set_state(row.state());
        added.set_location_id(row.location_id());
        added.set_units(row.units());
        added.set_delay_cause(row.delay_cause());
        if (row.has_promised_time()) *added.mutable_promised_time() = row.promised_time();
        if (row.has_collect_by_time()) *added.mutable_collect_by_time() = row.collect_by_time();
        added.set_tracking_reference(row.tracking_reference());
        added.set_event(EventRef{fulfilment.source, position, row.event_index()}.ToString());
        return true;
      },
      key.order);
  // Sorts "f2" before "f10".
  std::stable_sort(order->mutable_fulfilments()->begin(), order->mutable_fulfilments()->end(),
                   [](const v1::CustomerFulfilment& a, const v1::CustomerFulfilment& b) {
                     return a.fulfilment_id().size() < b.fulfilment_id().size();
                   });
}

// CONFIRMED until all fulfilments have ended; then COMPLETED if the customer has any goods, otherwise CANCELLED.
checkout::v1::OrderState StateOf(const v1::CustomerOrder& order, bool cancelled) {
  if (cancelled) return checkout::v1::ORDER_STATE_CANCELLED;
  bool handed_over = false;
  for (const v1::CustomerFulfilment& fulfilment : order.fulfilments()) {
    const bool has_goods = fulfilment.state() == checkout::v1::FULFILMENT_STATE_COLLECTED ||
                           fulfilment.state() == checkout::v1::FULFILMENT_STATE_COMPLETED;
    const bool ended = fulfilment.state() == checkout::v1::FULFILMENT_STATE_EXPIRED ||
                       fulfilment.state() == checkout::v1::FULFILMENT_STATE_CANCELLED;
    if (!has_goods && !ended) return checkout::v1::ORDER_STATE_CONFIRMED;
    handed_over = handed_over || has_goods;
  }
  return handed_over ? checkout::v1::ORDER_STATE_COMPLETED : checkout::v1::ORDER_STATE_CANCELLED;
}

void AddOrder(const store::RowReader& view, const ActivityKey& activity, v1::CustomerView* built) {
  const OrderKey key{OrderId::FromString(activity.id.ToString()), activity.source};
  const auto found = kOrders.Find(view, key);
  if (!found.has_value()) return;
  v1::CustomerOrder& order = *built->add_placed_orders();
  order.set_order_id(activity.id.ToString());
  order.set_number(found->row.number());
  order.set_channel(found->row.channel());
  order.set_site_id(found->row.site_id());
  *order.mutable_total() = found->row.total();
  order.set_lines(found->row.lines());
  *order.mutable_confirm_time() = TimestampOf(found->row.confirm_us());
  AddFulfilments(view, key, &order);
  order.set_state(StateOf(order, found->row.cancelled()));
  order.set_event(EventRef{activity.source, found->position, found->row.event_index()}.ToString());
}

void AddHold(const store::RowReader& view, const ActivityKey& activity, v1::CustomerView* built) {
  const auto found = kHolds.Find(view, {Sku::FromString(activity.id.ToString()), activity.part, activity.source});
  if (!found.has_value()) return;
  v1::CustomerHold& hold = *built->add_holds();
  hold.set_sku(activity.id.ToString());
  hold.set_hold_id(activity.part.ToString());
  for (const inventory::v1::Allocation& allocation : found->row.allocations()) {
    *hold.add_allocations() = allocation;
    hold.set_units(hold.units() + allocation.units());
  }
  hold.set_purpose(found->row.purpose());
  hold.set_owner_ref(found->row.owner_ref());
  *hold.mutable_hold_time() = TimestampOf(found->row.hold_us());
  if (found->row.has_expire_time()) *hold.mutable_expire_time() = found->row.expire_time();
  hold.set_event(EventRef{activity.source, found->position, found->row.event_index()}.ToString());
}

}  // namespace

void AddActivities(const store::RowReader& view, const Party& party, v1::CustomerView* built) {
  for (const ActivityKey& activity : Newest(view, party, ActivityKind::kCart)) AddCart(view, activity, built);
  for (const ActivityKey& activity : Newest(view, party, ActivityKind::kOrder)) AddOrder(view, activity, built);
  for (const ActivityKey& activity : Newest(view, party, ActivityKind::kHold)) AddHold(view, activity, built);
}

bool ChangedSince(const store::RowReader& view, const Party& party, const TokenPositions& seen) {
  bool changed = false;
  for (const IdentifierKey& key : party.keys) {
    kChanged.ForEach(
        view,
        [&](const SeenKey& mark, const rows::MarkRow&, Position position) {
          changed = position >= SeenOf(seen, mark.source);
          return !changed;
        },
        key.type, key.hash);
    if (changed) break;
  }
  return changed;
}

Position SeenOf(const TokenPositions& seen, SlotId source) {
  const auto it = seen.find(source);
  return it == seen.end() ? 0 : it->second;
}

}  // namespace halles::customer_identity
