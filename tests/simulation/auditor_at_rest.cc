// Checks of a world at rest, in which nothing is in progress.
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/partition/runtime_tables.h"
#include "services/checkout/cart/state.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/order/state.h"
#include "services/inventory/state.h"
#include "tests/simulation/auditor.h"

namespace halles::simulation {
namespace {

// Maximum time after which a due timer must have been handled.
constexpr UnixMicros kTimerPatience = int64_t{60} * 1'000'000;

}  // namespace

bool Auditor::IsCertainOrder(const std::string& order) const {
  const SlotId id = SlotOf(ServiceId::kCheckout, "", order, log_.identity().slots.of(ServiceId::kCheckout));
  const auto row = checkout::order::kOrders.Get(slots_.at(id).rows, {OrderId::FromString(order)});
  return row.has_value() && checkout::order::IsCertain(row->state());
}

void Auditor::CheckRest(UnixMicros now) {
  CatchUp();
  std::map<std::string, std::map<std::string, int64_t>> documents;
  for (auto& [slot_id, slot] : slots_) {
    const SlotId id = slot_id;
    for (auto& [source, due] : slot.due) {
      LeaveOut(id, slot, source, {std::numeric_limits<Position>::max(), 0}, &due);
      if (!due.empty()) {
        findings_.Add("I8",
                      absl::StrCat(id.ToString(), " never reacts to ", source.ToString(), "@", due.front().position));
      }
    }
    partition::kTimers.ForEach(slot.rows, [&](const partition::TimerKey& timer, const auto&, Position) {
      if (timer.due_us >= now - kTimerPatience) return false;
      findings_.Add("I21", absl::StrCat(id.ToString(), ": timer ", timer.name, " of ", timer.aggregate_key,
                                        " has been overdue for ", (now - timer.due_us) / 1'000'000, " s"));
      return true;
    });
    if (id.service == ServiceId::kCheckout) CheckOrdersAtRest(slot, &documents);
    if (id.service == ServiceId::kInventory) CheckHoldsAtRest(slot);
  }
  CheckNumbersAtRest(documents);
}

void Auditor::CheckOrdersAtRest(const Slot& slot, std::map<std::string, std::map<std::string, int64_t>>* documents) {
  checkout::order::kSagas.ForEach(slot.rows, [&](const checkout::order::OrderKey& key, const auto&, Position) {
    findings_.Add("I22", absl::StrCat("the saga of ", key.order.ToString(), " has not ended"));
    return true;
  });
  checkout::cart::kCarts.ForEach(slot.rows, [&](const checkout::cart::CartKey& key, const auto& cart, Position) {
    if (cart.state() == checkout::v1::CART_STATE_MERGING || cart.state() == checkout::v1::CART_STATE_IN_CHECKOUT) {
      findings_.Add("I22", absl::StrCat("cart ", key.cart.ToString(), " is at rest in state ", cart.state()));
    }
    return true;
  });
  checkout::order::kOrders.ForEach(slot.rows, [&](const auto& key, const checkout::rows::OrderRow& order, Position) {
    const std::string id = key.order.ToString();
    if (order.state() == checkout::v1::ORDER_STATE_PLACING)
      findings_.Add("I22", absl::StrCat(id, " is still being placed"));
    if (order.number() > 0) (*documents)[order.origin().site_id()][id] = order.number();
    if (checkout::order::IsCertain(order.state()) && order.number() == 0) {
      findings_.Add("I25", absl::StrCat(id, " is confirmed but has no number"));
    }
    int64_t total = 0;
    for (const checkout::v1::OrderLine& line : order.lines()) {
      if (line.exchange_id().empty()) total += line.line().amount().minor_units();
    }
    CheckReturnsAtRest(slot, key.order, order);
    if (total != order.total().minor_units())
      findings_.Add("I18", absl::StrCat(id, " has another total than its lines"));
    return true;
  });
}

void Auditor::CheckNumbersAtRest(const std::map<std::string, std::map<std::string, int64_t>>& documents) {
  for (const auto& [id, slot] : slots_) {
    if (id.service != ServiceId::kCheckout) continue;
    std::map<std::string, int64_t> counts;
    checkout::numbers::kNumbers.ForEach(
        slot.rows, [&](const auto& key, const checkout::rows::NumberRow& row, Position) {
          ++counts[key.site.ToString()];
          // Exchanges get numbers too, but their documents are no orders.
          const SlotId home =
              SlotOf(ServiceId::kCheckout, "", key.document, log_.identity().slots.of(ServiceId::kCheckout));
          const OrderId order = OrderId::FromString(key.document);
          if (!checkout::order::kOrders.Get(slots_.at(home).rows, {order}).has_value()) return true;
          const auto site = documents.find(key.site.ToString());
          if (site == documents.end() || !site->second.contains(key.document) ||
              site->second.at(key.document) != row.number()) {
            findings_.Add("I25",
                          absl::StrCat("number ", row.number(), " of ", key.site.ToString(), " belongs to no order"));
          }
          return true;
        });
    checkout::numbers::kSeries.ForEach(
        slot.rows, [&](const checkout::numbers::SeriesKey& key, const checkout::rows::NumberSeriesRow& row, Position) {
          if (row.last() != counts[key.site.ToString()]) {
            findings_.Add("I25", absl::StrCat("the numbers of ", key.site.ToString(), " have a gap"));
          }
          return true;
        });
  }
}

void Auditor::CheckHoldsAtRest(const Slot& slot) {
  std::map<std::pair<std::string, std::string>, std::pair<int64_t, int64_t>> promised;  // held and committed
  inventory::kHolds.ForEach(
      slot.rows, [&](const inventory::HoldKey& key, const inventory::rows::HoldRow& hold, Position) {
        const bool held = hold.state() == inventory::v1::HOLD_STATE_HELD;
        for (const inventory::v1::Allocation& allocation : hold.allocations()) {
          auto& [of_holds, of_sales] = promised[{key.sku.ToString(), allocation.location_id()}];
          (held ? of_holds : of_sales) += allocation.units();
        }
        if (held && hold.purpose() == inventory::v1::HOLD_PURPOSE_CHECKOUT) {
          findings_.Add("I22",
                        absl::StrCat("hold ", key.hold, " of ", key.sku.ToString(), " is neither sold nor released"));
        }
        // A hold that contradicts an event of its order is reported as such, and left for people to resolve.
        const bool told = contradicted_.contains({key.sku.ToString(), key.hold});
        if (!held && !told && !IsCertainOrder(hold.order_id())) {
          findings_.Add("I25", absl::StrCat("hold ", key.hold, " is committed to ", hold.order_id(),
                                            ", which is no confirmed order"));
        }
        return true;
      });
  inventory::kLevels.ForEach(slot.rows, [&](const inventory::LevelKey& key, const auto& level, Position) {
    if (std::pair(level.held(), level.committed()) != promised[{key.sku.ToString(), key.location.ToString()}]) {
      findings_.Add("I23", absl::StrCat("the promises of ", key.sku.ToString(), " at ", key.location.ToString(),
                                        " are not the sum of its holds"));
    }
    return true;
  });
}

}  // namespace halles::simulation
