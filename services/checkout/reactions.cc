// Turns returns into requests to link them, and each step of a merge into a request to the other cart.
#include "services/checkout/reactions.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/cart_events.visit.h"
#include "halles/checkout/v1/import_events.visit.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"

namespace halles::checkout {
namespace {

struct LinkReturnsReaction : PassesOver<v1::OrderImported, v1::ReturnAwaited, v1::ReturnLinked, v1::GoodsReturned> {
  using PassesOver::operator();
  using Requests = std::vector<v1::LinkReturnRequest>;

  Requests operator()(const v1::ReturnImported& imported) const {
    if (!imported.has_original()) return {};
    absl::StatusOr<std::vector<v1::ReturnedItem>> items = imports::ReturnedItems(imported.sale());
    if (!items.ok()) return {};  // such a return is refused before it is recorded
    v1::LinkReturnRequest request;
    request.set_order_id(imports::OrderIdOf(context.tenant, imported.original()).ToString());
    v1::LinkedReturn& linked_return = *request.mutable_linked_return();
    linked_return.set_return_id(std::string(context.aggregate_id));
    *linked_return.mutable_external() = imported.sale().external();
    *linked_return.mutable_recorded_time() = imported.sale().recorded_time();
    linked_return.set_channel(imported.sale().channel());
    linked_return.set_site_id(imported.sale().site_id());
    for (v1::ReturnedItem& item : *items) *linked_return.add_items() = std::move(item);
    *linked_return.mutable_net() = imported.sale().net();
    linked_return.set_lines(static_cast<uint32_t>(imported.sale().lines_size()));
    linked_return.set_names_customer(imported.sale().identifiers_size() > 0);
    return {std::move(request)};
  }
  Requests operator()(NoEvent) const { return {}; }

  const partition::FactContext& context;
};

// Events of a cart that concern no other cart.
using OfOneCart =
    PassesOver<v1::CartOpened, v1::CartLinesAdded, v1::CartLineChanged, v1::CartCustomerSet, v1::CartDeliverySet,
               v1::CartAbandoned, v1::CartCheckoutStarted, v1::CartCheckoutFailed, v1::CartOrdered>;
// Events that end a merge in the cart that gave its lines.
using MergeEnds = PassesOver<v1::CartMerged, v1::CartReopened>;

struct TakeCartsReaction : OfOneCart, MergeEnds, PassesOver<v1::CartTaken, v1::CartDeclined, v1::CartMergeUndone> {
  using MergeEnds::operator();
  using OfOneCart::operator();
  using PassesOver<v1::CartTaken, v1::CartDeclined, v1::CartMergeUndone>::operator();
  using Requests = std::vector<v1::TakeCartRequest>;

  Requests operator()(const v1::CartGiven& given) const {
    v1::TakeCartRequest request;
    request.set_cart_id(given.into_cart_id());
    request.set_from_cart_id(std::string(context.aggregate_id));
    *request.mutable_given() = given;
    return {std::move(request)};
  }
  Requests operator()(NoEvent) const { return {}; }

  const partition::FactContext& context;
};

struct SettleMergesReaction : OfOneCart, MergeEnds, PassesOver<v1::CartGiven> {
  using MergeEnds::operator();
  using OfOneCart::operator();
  using PassesOver<v1::CartGiven>::operator();
  using Requests = std::vector<v1::SettleMergeRequest>;

  Requests operator()(const v1::CartTaken& taken) const {
    v1::SettleMergeRequest request = To(taken.from_cart_id());
    request.mutable_merged()->set_into_cart_id(std::string(context.aggregate_id));
    request.mutable_merged()->set_merge(taken.merge());
    return {std::move(request)};
  }
  Requests operator()(const v1::CartDeclined& declined) const {
    v1::SettleMergeRequest request = To(declined.from_cart_id());
    v1::CartReopened& reopened = *request.mutable_reopened();
    reopened.set_cause(absl::StrCat("cart ", context.aggregate_id, " declined: ", declined.cause()));
    reopened.set_merge(declined.merge());
    return {std::move(request)};
  }
  Requests operator()(const v1::CartMergeUndone& undone) const {
    v1::SettleMergeRequest request = To(undone.from_cart_id());
    v1::CartReopened& reopened = *request.mutable_reopened();
    *reopened.mutable_lines() = undone.lines();
    reopened.set_replaces_lines(true);
    reopened.set_cause(absl::StrCat("cart ", context.aggregate_id, " gave the lines back"));
    reopened.set_merge(undone.merge());
    return {std::move(request)};
  }
  Requests operator()(NoEvent) const { return {}; }

  v1::SettleMergeRequest To(const std::string& from_cart_id) const {
    v1::SettleMergeRequest request;
    request.set_cart_id(from_cart_id);
    request.set_into_cart_id(std::string(context.aggregate_id));
    return request;
  }

  const partition::FactContext& context;
};

}  // namespace

std::vector<v1::LinkReturnRequest> LinkReturns(const v1::ImportEvent& event, const partition::FactContext& context) {
  return Visit(event, LinkReturnsReaction{{}, context});
}
Fields LinkReturnsFields() { return kHandledFields<v1::ImportEvent, LinkReturnsReaction>; }

std::vector<v1::TakeCartRequest> TakeCarts(const v1::CartEvent& event, const partition::FactContext& context) {
  return Visit(event, TakeCartsReaction{{}, {}, {}, context});
}
Fields TakeCartsFields() { return kHandledFields<v1::CartEvent, TakeCartsReaction>; }

std::vector<v1::SettleMergeRequest> SettleMerges(const v1::CartEvent& event, const partition::FactContext& context) {
  return Visit(event, SettleMergesReaction{{}, {}, {}, context});
}
Fields SettleMergesFields() { return kHandledFields<v1::CartEvent, SettleMergesReaction>; }

}  // namespace halles::checkout
