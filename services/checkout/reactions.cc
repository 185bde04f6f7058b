// Turns returns into requests to link them, and each step of a merge into a request to the other cart.
#include "services/checkout/reactions.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"

namespace halles::checkout {

std::vector<v1::LinkReturnRequest> LinkReturns(const v1::OrderEvent& event, const partition::FactContext& context) {
  if (event.event_case() != v1::OrderEvent::kReturnImported) return {};
  const v1::ReturnImported& imported = event.return_imported();
  if (!imported.has_original()) return {};
  absl::StatusOr<std::vector<v1::ReturnedItem>> items = ReturnedItems(imported.sale());
  if (!items.ok()) return {};  // such a return is refused before it is recorded
  v1::LinkReturnRequest request;
  request.set_order_id(OrderIdOf(context.tenant, imported.original()).ToString());
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

std::vector<v1::TakeCartRequest> TakeCarts(const v1::OrderEvent& event, const partition::FactContext& context) {
  if (event.event_case() != v1::OrderEvent::kCartGiven) return {};
  v1::TakeCartRequest request;
  request.set_cart_id(event.cart_given().into_cart_id());
  request.set_from_cart_id(std::string(context.aggregate_id));
  *request.mutable_given() = event.cart_given();
  return {std::move(request)};
}

std::vector<v1::SettleMergeRequest> SettleMerges(const v1::OrderEvent& event, const partition::FactContext& context) {
  v1::SettleMergeRequest request;
  request.set_into_cart_id(std::string(context.aggregate_id));
  if (event.event_case() == v1::OrderEvent::kCartTaken) {
    request.set_cart_id(event.cart_taken().from_cart_id());
    request.mutable_merged()->set_into_cart_id(std::string(context.aggregate_id));
    request.mutable_merged()->set_merge(event.cart_taken().merge());
    return {std::move(request)};
  }
  if (event.event_case() == v1::OrderEvent::kCartDeclined) {
    request.set_cart_id(event.cart_declined().from_cart_id());
    v1::CartReopened& reopened = *request.mutable_reopened();
    reopened.set_cause(absl::StrCat("cart ", context.aggregate_id, " declined: ", event.cart_declined().cause()));
    reopened.set_merge(event.cart_declined().merge());
    return {std::move(request)};
  }
  if (event.event_case() == v1::OrderEvent::kCartMergeUndone) {
    request.set_cart_id(event.cart_merge_undone().from_cart_id());
    v1::CartReopened& reopened = *request.mutable_reopened();
    *reopened.mutable_lines() = event.cart_merge_undone().lines();
    reopened.set_replaces_lines(true);
    reopened.set_cause(absl::StrCat("cart ", context.aggregate_id, " gave the lines back"));
    reopened.set_merge(event.cart_merge_undone().merge());
    return {std::move(request)};
  }
  return {};
}

}  // namespace halles::checkout
