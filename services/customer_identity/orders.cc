// Projects carts and the orders that they become: the activities of a customer, and their entries in the timeline.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/cart_events.visit.h"
#include "halles/checkout/v1/order_events.visit.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/customer_identity/customer_writer.h"

namespace halles::customer_identity {
namespace {

checkout::v1::ExternalRef Here(std::string id) {
  checkout::v1::ExternalRef external;
  external.set_source(kHere);
  external.set_external_id(std::move(id));
  return external;
}

// A cart while one of its events is folded.
class CartFold {
 public:
  explicit CartFold(CustomerWriter* writer)
      : writer_(*writer), id_(writer->context().aggregate_id), key_{OrderId::FromString(id_), writer->context().slot} {
    std::optional<decltype(kCarts)::Found> found = kCarts.Find(writer->view(), key_);
    if (!found.has_value()) return;
    known_ = true;
    counted_ = found->position == writer->context().position;
    row_ = std::move(found->row);
  }

  bool known() const { return known_; }
  rows::CartRow& row() { return row_; }

  absl::Status Add(const checkout::v1::CartLine& line) {
    rows::CartLineRow line_row;
    if (line.origins_size() > 0) line_row.set_origin_cart_id(line.origins(line.origins_size() - 1).cart_id());
    return Put(KeyOfLine(line.line_id()), std::move(line_row), line.amount());
  }

  absl::Status Change(const checkout::v1::CartLineChanged& changed) {
    const CartLineKey key = KeyOfLine(changed.line_id());
    std::optional<rows::CartLineRow> line_row = kCartLines.Get(writer_.view(), key);
    if (!line_row.has_value()) return absl::OkStatus();
    Remove(key, *line_row);
    return changed.units() == 0 ? absl::OkStatus() : Put(key, *std::move(line_row), changed.amount());
  }

  // Removes the lines that came directly from this cart; all lines if `cart_id` is empty.
  void RemoveFrom(const std::string& cart_id) {
    std::vector<std::pair<CartLineKey, rows::CartLineRow>> lines;
    kCartLines.ForEach(
        writer_.view(),
        [&](const CartLineKey& key, const rows::CartLineRow& line_row, Position) {
          if (key.source == key_.source && (cart_id.empty() || line_row.origin_cart_id() == cart_id)) {
            lines.emplace_back(key, line_row);
          }
          return true;
        },
        key_.cart);
    for (const auto& [key, line_row] : lines) Remove(key, line_row);
  }

  // Sets the customer of the cart. The timeline entry of its opening moves to the new customer.
  absl::Status SetCustomer(const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers) {
    if (identifiers.empty()) return absl::OkStatus();
    for (const common::v1::Identifier& identifier : identifiers) writer_.Touch(identifier);
    const common::v1::Identifier& customer = identifiers[0];
    if (row_.has_customer()) {
      if (KeyOf(row_.customer()) == KeyOf(customer)) return absl::OkStatus();
      RETURN_IF_ERROR(RemoveActivity());
      RETURN_IF_ERROR(writer_.DropFact(row_.customer(), FactOf(v1::TIMELINE_KIND_CART_OPENED, row_.open_us())));
    }
    *row_.mutable_customer() = customer;
    RETURN_IF_ERROR(AddActivity());
    return writer_.PutFact(customer, FactOf(v1::TIMELINE_KIND_CART_OPENED, row_.open_us()));
  }

  // Adds the cart to the activities of its customer, or removes it from them.
  absl::Status AddActivity() {
    if (!row_.has_customer()) return absl::OkStatus();
    return writer_.AddActivity(row_.customer(), ActivityKind::kCart, row_.open_us(), id_);
  }
  absl::Status RemoveActivity() {
    if (!row_.has_customer()) return absl::OkStatus();
    return writer_.RemoveActivity(row_.customer(), ActivityKind::kCart, row_.open_us(), id_);
  }

  absl::Status Tell(v1::TimelineKind kind, std::string detail) {
    if (!row_.has_customer()) return absl::OkStatus();
    rows::FactRow fact = FactOf(kind, writer_.context().logical_time);
    fact.set_detail(std::move(detail));
    return writer_.PutFact(row_.customer(), std::move(fact));
  }

  // Several events of one record count once.
  absl::Status Write() {
    if (!counted_) row_.set_version(row_.version() + 1);
    row_.set_event_index(writer_.context().index);
    kCarts.Put(writer_.view(), key_, row_);
    return row_.has_customer() ? writer_.MarkChanged(row_.customer()) : absl::OkStatus();
  }

  // Removes the cart, which can no longer change.
  absl::Status Drop() {
    RemoveFrom("");
    kCarts.Delete(writer_.view(), key_);
    return RemoveActivity();
  }

 private:
  CartLineKey KeyOfLine(const std::string& line_id) const {
    return {key_.cart, PartId::FromString(line_id), key_.source};
  }

  absl::Status Put(const CartLineKey& key, rows::CartLineRow line_row, const common::v1::Money& amount) {
    int64_t total = 0;
    if (__builtin_add_overflow(row_.total_minor_units(), amount.minor_units(), &total)) {
      return writer_.Broken("the total overflows");
    }
    line_row.set_minor_units(amount.minor_units());
    row_.set_total_minor_units(total);
    row_.set_lines(row_.lines() + 1);
    kCartLines.Put(writer_.view(), key, line_row);
    return absl::OkStatus();
  }

  void Remove(const CartLineKey& key, const rows::CartLineRow& line_row) {
    row_.set_total_minor_units(row_.total_minor_units() - line_row.minor_units());
    row_.set_lines(row_.lines() - 1);
    kCartLines.Delete(writer_.view(), key);
  }

  rows::FactRow FactOf(v1::TimelineKind kind, UnixMicros at) const {
    rows::FactRow fact;
    fact.set_kind(kind);
    *fact.mutable_time() = TimestampOf(at);
    fact.set_channel(row_.channel());
    fact.set_site_id(row_.site_id());
    *fact.mutable_external() = Here(id_);
    fact.set_id(id_);
    return fact;
  }

  CustomerWriter& writer_;
  const std::string id_;
  const CartKey key_;
  rows::CartRow row_;
  bool known_ = false;
  bool counted_ = false;  // an earlier event of the record was counted
};

absl::Status ProjectOpened(const checkout::v1::CartOpened& opened, CustomerWriter* writer) {
  CartFold cart(writer);
  rows::CartRow& row = cart.row();
  row.set_state(checkout::v1::CART_STATE_OPEN);
  row.set_channel(opened.origin().channel());
  row.set_site_id(opened.origin().site_id());
  row.set_currency_code(opened.currency_code());
  row.set_open_us(writer->context().logical_time);
  return cart.Write();
}

// Applies a change to a cart that exists.
template <typename Change>
absl::Status ProjectCart(CustomerWriter* writer, const Change& change) {
  CartFold cart(writer);
  if (!cart.known()) return writer->Broken("the cart is unknown");
  RETURN_IF_ERROR(change(cart));
  return cart.Write();
}

absl::Status ProjectState(checkout::v1::CartState state, CustomerWriter* writer) {
  return ProjectCart(writer, [state](CartFold& cart) {
    cart.row().set_state(state);
    return absl::OkStatus();
  });
}

absl::Status ProjectMerged(const checkout::v1::CartMerged& merged, CustomerWriter* writer) {
  return ProjectCart(writer, [&](CartFold& cart) -> absl::Status {
    cart.row().set_state(checkout::v1::CART_STATE_MERGED);
    cart.RemoveFrom("");
    RETURN_IF_ERROR(cart.Tell(v1::TIMELINE_KIND_CART_MERGED, merged.into_cart_id()));
    return cart.RemoveActivity();
  });
}

absl::Status ProjectReopened(const checkout::v1::CartReopened& reopened, CustomerWriter* writer) {
  return ProjectCart(writer, [&](CartFold& cart) -> absl::Status {
    cart.row().set_state(checkout::v1::CART_STATE_OPEN);
    if (reopened.replaces_lines()) {
      cart.RemoveFrom("");
      for (const checkout::v1::CartLine& line : reopened.lines()) RETURN_IF_ERROR(cart.Add(line));
    }
    return cart.AddActivity();
  });
}

absl::Status ProjectAbandoned(CustomerWriter* writer) {
  CartFold cart(writer);
  if (!cart.known()) return writer->Broken("the cart is unknown");
  RETURN_IF_ERROR(cart.Tell(v1::TIMELINE_KIND_CART_ABANDONED, ""));
  return cart.Drop();
}

// An order while one of its events is folded. Orders without a customer have no rows.
class OrderFold {
 public:
  explicit OrderFold(CustomerWriter* writer)
      : writer_(*writer),
        id_(writer->context().aggregate_id),
        key_{OrderId::FromString(id_), writer->context().slot},
        row_(kOrders.Get(writer->view(), key_)) {}

  bool known() const { return row_.has_value(); }
  rows::OrderRow& row() { return *row_; }
  const std::string& id() const { return id_; }

  void Write() {
    row_->set_event_index(writer_.context().index);
    kOrders.Put(writer_.view(), key_, *row_);
  }

  void Plan(const checkout::v1::Fulfilment& planned) {
    rows::FulfilmentRow row;
    row.set_state(checkout::v1::FULFILMENT_STATE_RESERVED);
    row.set_location_id(planned.location_id());
    for (const checkout::v1::FulfilmentLine& line : planned.lines()) row.set_units(row.units() + line.units());
    if (planned.delivery().shipment().has_promised_time()) {
      *row.mutable_promised_time() = planned.delivery().shipment().promised_time();
    }
    Put(planned.fulfilment_id(), std::move(row));
  }

  // Changes a fulfilment, if it exists.
  template <typename Change>
  void Advance(const std::string& fulfilment_id, const Change& change) {
    std::optional<rows::FulfilmentRow> row = kFulfilments.Get(writer_.view(), KeyOfFulfilment(fulfilment_id));
    if (!row.has_value()) return;
    change(&*row);
    Put(fulfilment_id, *std::move(row));
  }

  // Adds an entry of a fulfilment to the timeline. Its reversal counts for the site at which the order was placed.
  absl::Status Tell(const std::string& fulfilment_id, v1::TimelineKind kind, std::string detail,
                    const checkout::v1::SaleRecord* reversal = nullptr) {
    rows::FactRow fact;
    fact.set_kind(kind);
    *fact.mutable_time() = TimestampOf(writer_.context().logical_time);
    fact.set_channel(row_->channel());
    const std::optional<rows::FulfilmentRow> row = kFulfilments.Get(writer_.view(), KeyOfFulfilment(fulfilment_id));
    if (row.has_value()) fact.set_location_id(row->location_id());
    *fact.mutable_external() = Here(absl::StrCat(id_, "/", fulfilment_id));
    fact.set_id(fulfilment_id);
    fact.set_detail(std::move(detail));
    if (reversal != nullptr) {
      fact.set_site_id(reversal->site_id());
      *fact.mutable_net() = reversal->net();
      fact.set_lines(static_cast<uint32_t>(reversal->lines_size()));
    }
    RETURN_IF_ERROR(writer_.MarkChanged(row_->customer()));
    return writer_.PutFact(row_->customer(), std::move(fact));
  }

 private:
  FulfilmentKey KeyOfFulfilment(const std::string& fulfilment_id) const {
    return {key_.order, PartId::FromString(fulfilment_id), key_.source};
  }
  void Put(const std::string& fulfilment_id, rows::FulfilmentRow row) {
    row.set_event_index(writer_.context().index);
    kFulfilments.Put(writer_.view(), KeyOfFulfilment(fulfilment_id), row);
  }

  CustomerWriter& writer_;
  const std::string id_;
  const OrderKey key_;
  std::optional<rows::OrderRow> row_;
};

absl::Status ProjectConfirmed(const checkout::v1::OrderConfirmed& confirmed, CustomerWriter* writer) {
  const checkout::v1::SaleRecord& sale = confirmed.sale();
  const std::string id(writer->context().aggregate_id);
  if (sale.identifiers().empty()) return absl::OkStatus();  // no customer
  rows::OrderRow row;
  *row.mutable_customer() = sale.identifiers(0);
  row.set_number(confirmed.number());
  row.set_channel(sale.channel());
  row.set_site_id(sale.site_id());
  *row.mutable_total() = sale.net();
  row.set_lines(static_cast<uint32_t>(sale.lines_size()));
  row.set_confirm_us(writer->context().logical_time);
  row.set_event_index(writer->context().index);
  kOrders.Put(writer->view(), {OrderId::FromString(id), writer->context().slot}, row);
  OrderFold order(writer);
  for (const checkout::v1::Fulfilment& planned : confirmed.fulfilments()) order.Plan(planned);
  RETURN_IF_ERROR(writer->AddActivity(row.customer(), ActivityKind::kOrder, row.confirm_us(), id));
  return writer->PutSale(sale, v1::TIMELINE_KIND_ORDER, id);
}

absl::Status ProjectCancelled(const checkout::v1::OrderCancelled& cancelled, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  order.row().set_cancelled(true);
  order.Write();
  for (const checkout::v1::Fulfilment& ended : cancelled.fulfilments()) {
    order.Advance(ended.fulfilment_id(),
                  [](rows::FulfilmentRow* row) { row->set_state(checkout::v1::FULFILMENT_STATE_CANCELLED); });
  }
  rows::FactRow fact;
  fact.set_kind(v1::TIMELINE_KIND_CANCELLATION);
  *fact.mutable_time() = TimestampOf(writer->context().logical_time);
  fact.set_channel(order.row().channel());
  fact.set_site_id(order.row().site_id());
  *fact.mutable_external() = Here(order.id());
  fact.set_id(order.id());
  fact.set_detail(cancelled.cause());
  if (cancelled.reversal().has_net()) *fact.mutable_net() = cancelled.reversal().net();
  fact.set_lines(static_cast<uint32_t>(cancelled.reversal().lines_size()));
  RETURN_IF_ERROR(writer->MarkChanged(order.row().customer()));
  return writer->PutFact(order.row().customer(), std::move(fact));
}

absl::Status ProjectAdvanced(const checkout::v1::FulfilmentAdvanced& advanced, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  order.Advance(advanced.fulfilment_id(), [&](rows::FulfilmentRow* row) {
    row->set_state(advanced.state());
    if (advanced.has_collect_by_time()) *row->mutable_collect_by_time() = advanced.collect_by_time();
  });
  const bool prepared = advanced.state() == checkout::v1::FULFILMENT_STATE_PREPARED;
  const bool ready = advanced.state() == checkout::v1::FULFILMENT_STATE_READY;
  return order.Tell(advanced.fulfilment_id(),
                    prepared ? v1::TIMELINE_KIND_FULFILMENT_PREPARED
                    : ready  ? v1::TIMELINE_KIND_FULFILMENT_READY
                             : v1::TIMELINE_KIND_FULFILMENT_COMPLETED,
                    "");
}

absl::Status ProjectHandedOver(const checkout::v1::FulfilmentHandedOver& handed_over, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  const std::string& id = handed_over.fulfilment().fulfilment_id();
  order.Advance(id, [&](rows::FulfilmentRow* row) {
    row->set_state(handed_over.state());
    row->set_tracking_reference(handed_over.tracking_reference());
  });
  const bool shipped = handed_over.state() == checkout::v1::FULFILMENT_STATE_SHIPPED;
  return order.Tell(id, shipped ? v1::TIMELINE_KIND_FULFILMENT_SHIPPED : v1::TIMELINE_KIND_FULFILMENT_COLLECTED,
                    handed_over.tracking_reference());
}

absl::Status ProjectDelayed(const checkout::v1::FulfilmentDelayed& delayed, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  order.Advance(delayed.fulfilment_id(), [&](rows::FulfilmentRow* row) {
    row->set_delay_cause(delayed.cause());
    row->clear_promised_time();
    if (delayed.has_promised_time()) *row->mutable_promised_time() = delayed.promised_time();
  });
  return order.Tell(delayed.fulfilment_id(), v1::TIMELINE_KIND_FULFILMENT_DELAYED, delayed.cause());
}

absl::Status ProjectEnded(const checkout::v1::FulfilmentEnded& ended, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  const std::string& id = ended.fulfilment().fulfilment_id();
  order.Advance(id, [&](rows::FulfilmentRow* row) { row->set_state(ended.state()); });
  const bool expired = ended.state() == checkout::v1::FULFILMENT_STATE_EXPIRED;
  return order.Tell(id, expired ? v1::TIMELINE_KIND_FULFILMENT_EXPIRED : v1::TIMELINE_KIND_FULFILMENT_CANCELLED,
                    ended.cause(), ended.reversal().has_net() ? &ended.reversal() : nullptr);
}

absl::Status ProjectRerouted(const checkout::v1::FulfilmentRerouted& rerouted, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  order.Advance(rerouted.fulfilment_id(),
                [&](rows::FulfilmentRow* row) { row->set_location_id(rerouted.to_location_id()); });
  return order.Tell(rerouted.fulfilment_id(), v1::TIMELINE_KIND_FULFILMENT_REROUTED, rerouted.from_location_id());
}

// Return and sale are one fact, because one event is behind them.
absl::Status ProjectExchange(const checkout::v1::ExchangeCommitted& exchange, CustomerWriter* writer) {
  OrderFold order(writer);
  if (!order.known()) return absl::OkStatus();
  for (const checkout::v1::Fulfilment& planned : exchange.fulfilments()) order.Plan(planned);
  rows::FactRow fact;
  fact.set_kind(v1::TIMELINE_KIND_EXCHANGE);
  *fact.mutable_time() = exchange.sale().recorded_time();
  fact.set_channel(exchange.sale().channel());
  fact.set_site_id(exchange.sale().site_id());
  *fact.mutable_external() = exchange.sale().external();
  fact.set_id(exchange.exchange_id());
  *fact.mutable_net() = exchange.difference();
  fact.set_lines(static_cast<uint32_t>(exchange.sale().lines_size() + exchange.returned().sale().lines_size()));
  RETURN_IF_ERROR(writer->MarkChanged(order.row().customer()));
  return writer->PutFact(order.row().customer(), std::move(fact));
}

struct CartProjector : PassesOver<checkout::v1::CartDeclined> {
  using PassesOver::operator();

  absl::Status operator()(const checkout::v1::CartOpened& opened) const { return ProjectOpened(opened, writer); }
  absl::Status operator()(const checkout::v1::CartLinesAdded& added) const {
    return ProjectCart(writer, [&](CartFold& cart) { return AddLines(added.lines(), &cart); });
  }
  absl::Status operator()(const checkout::v1::CartLineChanged& changed) const {
    return ProjectCart(writer, [&](CartFold& cart) { return cart.Change(changed); });
  }
  absl::Status operator()(const checkout::v1::CartCustomerSet& set) const {
    return ProjectCart(writer, [&](CartFold& cart) { return cart.SetCustomer(set.identifiers()); });
  }
  absl::Status operator()(const checkout::v1::CartDeliverySet&) const {
    return ProjectCart(writer, [](CartFold&) { return absl::OkStatus(); });
  }
  absl::Status operator()(const checkout::v1::CartGiven&) const {
    return ProjectState(checkout::v1::CART_STATE_MERGING, writer);
  }
  absl::Status operator()(const checkout::v1::CartTaken& taken) const {
    return ProjectCart(writer, [&](CartFold& cart) -> absl::Status {
      RETURN_IF_ERROR(AddLines(taken.lines(), &cart));
      return cart.SetCustomer(taken.identifiers());
    });
  }
  absl::Status operator()(const checkout::v1::CartMerged& merged) const { return ProjectMerged(merged, writer); }
  absl::Status operator()(const checkout::v1::CartMergeUndone& undone) const {
    return ProjectCart(writer, [&](CartFold& cart) {
      cart.RemoveFrom(undone.from_cart_id());
      return absl::OkStatus();
    });
  }
  absl::Status operator()(const checkout::v1::CartReopened& reopened) const {
    return ProjectReopened(reopened, writer);
  }
  absl::Status operator()(const checkout::v1::CartAbandoned&) const { return ProjectAbandoned(writer); }
  absl::Status operator()(const checkout::v1::CartCheckoutStarted&) const {
    return ProjectState(checkout::v1::CART_STATE_IN_CHECKOUT, writer);
  }
  absl::Status operator()(const checkout::v1::CartCheckoutFailed&) const {
    return ProjectState(checkout::v1::CART_STATE_OPEN, writer);
  }
  // From now on, the view shows the order instead.
  absl::Status operator()(const checkout::v1::CartOrdered&) const {
    CartFold cart(writer);
    return cart.known() ? cart.Drop() : writer->Broken("the cart is unknown");
  }
  absl::Status operator()(NoEvent) const { return writer->Broken("this version does not know the event"); }

  static absl::Status AddLines(const google::protobuf::RepeatedPtrField<checkout::v1::CartLine>& lines,
                               CartFold* cart) {
    for (const checkout::v1::CartLine& line : lines) RETURN_IF_ERROR(cart->Add(line));
    return absl::OkStatus();
  }

  CustomerWriter* writer;
};

struct OrderProjector : PassesOver<checkout::v1::CheckoutStarted, saga::v1::SagaAdvanced, checkout::v1::OrderRejected,
                                   checkout::v1::RerouteStarted, checkout::v1::RerouteRefused,
                                   checkout::v1::ExchangeStarted, checkout::v1::ExchangeRejected> {
  using PassesOver::operator();

  absl::Status operator()(const checkout::v1::OrderConfirmed& confirmed) const {
    return ProjectConfirmed(confirmed, writer);
  }
  absl::Status operator()(const checkout::v1::OrderCancelled& cancelled) const {
    return ProjectCancelled(cancelled, writer);
  }
  absl::Status operator()(const checkout::v1::FulfilmentAdvanced& advanced) const {
    return ProjectAdvanced(advanced, writer);
  }
  absl::Status operator()(const checkout::v1::FulfilmentHandedOver& handed_over) const {
    return ProjectHandedOver(handed_over, writer);
  }
  absl::Status operator()(const checkout::v1::FulfilmentDelayed& delayed) const {
    return ProjectDelayed(delayed, writer);
  }
  absl::Status operator()(const checkout::v1::FulfilmentEnded& ended) const { return ProjectEnded(ended, writer); }
  absl::Status operator()(const checkout::v1::FulfilmentRerouted& rerouted) const {
    return ProjectRerouted(rerouted, writer);
  }
  absl::Status operator()(const checkout::v1::GoodsReturned& returned) const { return writer->PutReturn(returned); }
  absl::Status operator()(const checkout::v1::ExchangeCommitted& exchange) const {
    return ProjectExchange(exchange, writer);
  }
  absl::Status operator()(NoEvent) const { return writer->Broken("this version does not know the event"); }

  CustomerWriter* writer;
};

}  // namespace

absl::Status Project(store::Rows& view, const checkout::v1::CartEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  return Visit(event, CartProjector{{}, &writer});
}

absl::Status Project(store::Rows& view, const checkout::v1::OrderEvent& event, const partition::FactContext& context,
                     std::vector<std::string>* topics) {
  CustomerWriter writer(view, context, topics);
  return Visit(event, OrderProjector{{}, &writer});
}

absl::Span<const int> ProjectedCartFields() { return kHandledFields<checkout::v1::CartEvent, CartProjector>; }
absl::Span<const int> ProjectedOrderFields() { return kHandledFields<checkout::v1::OrderEvent, OrderProjector>; }

}  // namespace halles::customer_identity
