// Folds events of imported orders and returns.
#include "services/checkout/imports/state.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "halles/checkout/v1/import_events.visit.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "services/checkout/broken.h"
#include "services/checkout/checks.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/versions.h"

namespace halles::checkout::imports {
namespace {

// The order in which waiting returns are linked: by time, then by external id.
bool Before(const v1::LinkedReturn& a, const v1::LinkedReturn& b) {
  const auto rank = [](const v1::LinkedReturn& r) {
    return std::make_tuple(r.recorded_time().seconds(), r.recorded_time().nanos(), r.external().external_id(),
                           r.external().source());
  };
  return rank(a) < rank(b);
}

// Removes the return from those that wait, if it is one of them.
void StopAwaiting(store::Rows& state, const ImportedOrderKey& key, absl::string_view return_id) {
  std::optional<rows::AwaitedRow> row = kAwaited.Get(state, key);
  if (!row.has_value() || !Awaits(*row, return_id)) return;
  auto* returns = row->mutable_returns();
  returns->erase(std::remove_if(returns->begin(), returns->end(),
                                [&](const v1::LinkedReturn& waiting) { return waiting.return_id() == return_id; }),
                 returns->end());
  if (returns->empty()) {
    kAwaited.Delete(state, key);
  } else {
    kAwaited.Put(state, key, *row);
  }
}

// The returned quantities of the order with `items` included, for the SKUs in `items` only.
using Sums = std::map<Sku, Decimal>;
absl::StatusOr<Sums> ReturnedWith(const store::Rows& state, const OrderId& order, const Sums& items) {
  Sums sums;
  for (const auto& [sku, quantity] : items) {
    const std::optional<rows::ReturnedRow> before = kReturned.Get(state, {order, sku});
    ASSIGN_OR_RETURN(const Decimal so_far, Decimal::Parse(before.has_value() ? before->quantity() : "0"));
    ASSIGN_OR_RETURN(sums[sku], so_far.Add(quantity));
  }
  return sums;
}

void PutReturned(store::Rows& state, const OrderId& order, const Sums& sums) {
  for (const auto& [sku, sum] : sums) {
    rows::ReturnedRow row;
    row.set_quantity(sum.ToString());
    kReturned.Put(state, {order, sku}, row);
  }
}

// Counts the record of this event of the order, and the return that the event adds, if any.
template <class Returned>
void Count(store::Rows& state, const OrderId& order, const partition::FactContext& context, const Returned* returned) {
  rows::ImportedCountsRow counts = kImportedCounts.Get(state, {order}).value_or(rows::ImportedCountsRow());
  CountVersion(&counts, context);
  if (returned != nullptr) CountReturn(*returned, &counts);
  kImportedCounts.Put(state, {order}, counts);
}

// Folds one event; DATA_LOSS if it breaks an invariant.
struct Evolver {
  absl::Status operator()(const v1::OrderImported& imported) {
    const ImportedOrderKey key{OrderId::FromString(context.aggregate_id)};
    if (context.index != 0) return Broken(context, "an order must be the first event of its record");
    if (kImportedOrders.Contains(state, key)) return Broken(context, "the order is recorded already");
    kImportedOrders.Put(state, key, imported);
    Count<v1::ReturnLinked>(state, key.order, context, nullptr);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::ReturnImported& imported) {
    const ImportedReturnKey key{ReturnId::FromString(context.aggregate_id)};
    if (context.index != 0) return Broken(context, "a return must be the first event of its record");
    if (kImportedReturns.Contains(state, key)) return Broken(context, "the return is recorded already");
    kImportedReturns.Put(state, key, imported);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::ReturnAwaited& awaited) {
    const ImportedOrderKey key{OrderId::FromString(context.aggregate_id)};
    if (kImportedOrders.Contains(state, key)) return Broken(context, "the awaited order is recorded already");
    rows::AwaitedRow row = kAwaited.Get(state, key).value_or(rows::AwaitedRow());
    if (Awaits(row, awaited.linked_return().return_id())) return Broken(context, "the return waits already");
    *row.add_returns() = awaited.linked_return();
    std::sort(row.mutable_returns()->begin(), row.mutable_returns()->end(), Before);
    kAwaited.Put(state, key, row);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::ReturnLinked& linked) {
    const OrderId order = OrderId::FromString(context.aggregate_id);
    const LinkKey key{order, ReturnId::FromString(linked.linked_return().return_id())};
    if (!kImportedOrders.Contains(state, {order})) return Broken(context, "the order of the link is not recorded");
    if (kLinks.Contains(state, key)) return Broken(context, "the return is linked already");

    Sums items;
    for (const v1::ReturnedItem& item : linked.linked_return().items()) {
      const absl::StatusOr<Decimal> quantity = ExactOf(item.quantity());
      if (!quantity.ok()) return Broken(context, quantity.status().message());
      items[Sku::FromString(item.sku())] = *quantity;
    }
    const absl::StatusOr<Sums> sums = ReturnedWith(state, order, items);
    if (!sums.ok()) return Broken(context, sums.status().message());
    PutReturned(state, order, *sums);
    StopAwaiting(state, {order}, linked.linked_return().return_id());
    rows::LinkRow row;
    *row.mutable_link() = linked;
    row.set_event_index(context.index);
    kLinks.Put(state, key, row);
    Count(state, order, context, &linked);
    return absl::OkStatus();
  }

  absl::Status operator()(const v1::GoodsReturned& returned) {
    const OrderId order = OrderId::FromString(context.aggregate_id);
    const LinkKey key{order, ReturnId::FromString(returned.return_id())};
    if (!kImportedOrders.Contains(state, {order})) return Broken(context, "the order is not recorded");
    if (kReturnsHere.Contains(state, key)) return Broken(context, "the return is recorded already");
    Sums items;
    std::map<LineId, int64_t> by_line;
    for (const v1::ReturnedLine& line : returned.lines()) {
      Decimal& sum = items[Sku::FromString(line.sku())];
      const absl::StatusOr<Decimal> more = sum.Add(Decimal::FromInt(line.units()));
      if (!more.ok()) return Broken(context, more.status().message());
      sum = *more;
      by_line[LineId::FromString(line.line_id())] += line.units();
    }
    const absl::StatusOr<Sums> sums = ReturnedWith(state, order, items);
    if (!sums.ok()) return Broken(context, sums.status().message());
    PutReturned(state, order, *sums);
    for (const auto& [line, units] : by_line) {
      rows::ReturnedLineRow row = kReturnedLines.Get(state, {order, line}).value_or(rows::ReturnedLineRow());
      row.set_units(row.units() + units);
      kReturnedLines.Put(state, {order, line}, row);
    }
    rows::ReturnRow row;
    *row.mutable_returned() = returned;
    row.set_event_index(context.index);
    kReturnsHere.Put(state, key, row);
    Count(state, order, context, &returned);
    return absl::OkStatus();
  }

  absl::Status operator()(NoEvent) const { return Broken(context, "this version does not know the event"); }

  store::Rows& state;
  const partition::FactContext& context;
};

}  // namespace

bool Awaits(const rows::AwaitedRow& row, absl::string_view return_id) {
  return std::any_of(row.returns().begin(), row.returns().end(),
                     [&](const v1::LinkedReturn& waiting) { return waiting.return_id() == return_id; });
}

absl::Status Evolve(store::Rows& state, const v1::ImportEvent& event, const partition::FactContext& context) {
  return Visit(event, Evolver{state, context});
}

}  // namespace halles::checkout::imports
