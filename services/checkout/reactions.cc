// Turns returns into requests to link them.
#include "services/checkout/reactions.h"

#include <string>
#include <utility>

#include "services/checkout/order/ids.h"
#include "services/checkout/order/record.h"

namespace halles::checkout {
namespace {

std::vector<v1::LinkReturnRequest> Link(const v1::ReturnImported& imported, const partition::FactContext& context) {
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
  linked_return.set_structure_id(imported.sale().structure_id());
  for (v1::ReturnedItem& item : *items) *linked_return.add_items() = std::move(item);
  *linked_return.mutable_net() = imported.sale().net();
  linked_return.set_lines(static_cast<uint32_t>(imported.sale().lines_size()));
  linked_return.set_names_customer(imported.sale().identifiers_size() > 0);
  return {std::move(request)};
}

}  // namespace

std::vector<v1::LinkReturnRequest> React(const v1::OrderEvent& event, const partition::FactContext& context) {
  switch (event.event_case()) {
    case v1::OrderEvent::kReturnImported:
      return Link(event.return_imported(), context);
    case v1::OrderEvent::kOrderImported:
    case v1::OrderEvent::kReturnAwaited:
    case v1::OrderEvent::kReturnLinked:
    case v1::OrderEvent::EVENT_NOT_SET:
      break;
  }
  return {};
}

}  // namespace halles::checkout
