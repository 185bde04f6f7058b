// Reads imported orders.
#include "services/checkout/imports/queries.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/state.h"

namespace halles::checkout::imports {

std::optional<v1::ImportedOrder> FindOrder(const store::RowReader& state, SlotId slot, const OrderId& order) {
  const auto found = kImportedOrders.Find(state, {order});
  if (!found.has_value()) return std::nullopt;
  std::vector<std::pair<EventRef, v1::ImportedOrderReturn>> returns;
  kLinks.ForEach(
      state,
      [&](const LinkKey&, const rows::LinkRow& row, Position position) {
        v1::ImportedOrderReturn taken;
        *taken.mutable_elsewhere() = row.link().linked_return();
        taken.set_excess(row.link().excess());
        returns.emplace_back(EventRef{slot, position, row.event_index()}, std::move(taken));
        return true;
      },
      order);
  kReturnsHere.ForEach(
      state,
      [&](const LinkKey&, const rows::ReturnRow& row, Position position) {
        v1::ImportedOrderReturn taken;
        *taken.mutable_here() = row.returned();
        returns.emplace_back(EventRef{slot, position, row.event_index()}, std::move(taken));
        return true;
      },
      order);
  if (!state.status().ok()) return std::nullopt;
  std::sort(returns.begin(), returns.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  v1::ImportedOrder answer;
  answer.set_order_id(order.ToString());
  answer.set_version(CountsOf(state, order).version());
  *answer.mutable_sale() = found->row.sale();
  answer.set_event(EventRef{slot, found->position, 0}.ToString());
  for (auto& [ref, taken] : returns) {
    taken.set_event(ref.ToString());
    *answer.add_returns() = std::move(taken);
  }
  return answer;
}

}  // namespace halles::checkout::imports
