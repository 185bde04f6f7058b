// The state of imported orders and returns: their links, and the returns that were taken here.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_STATE_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_STATE_H_

#include <array>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/base/ids.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"
#include "libs/store/table.h"
#include "services/checkout/rows.pb.h"

namespace halles::checkout::imports {

// An imported order lives in the slot of its id, with everything that came back of it; an imported return lives in the slot
// of its own id.
// Invariants, each of which Evolve refuses to break:
//   1. An order and a return are recorded once and never changed; each is the first event of its record.
//   2. A return that names an order is known in the order's slot exactly once: awaited as long as the order is not
//      recorded, linked from then on.
//   3. The returned quantity of (order, SKU) is the sum over the order's links and over what was taken back here.
//   4. A link is in excess when, with it, more of one of its SKUs came back than the order sold
//      and did not take back itself. It is kept all the same.
//   5. A return that was taken here is recorded once under its id. The returned units of (order, line) are the sum over
//      such returns: those that were imported name no lines.
//   6. The version of an order counts the records that changed it; that of its import is the first, whatever it links.

struct ImportedOrderKey {
  OrderId order;
  static constexpr std::array kFieldNames = {"order"};
  auto Fields() const { return std::tie(order); }
  auto Fields() { return std::tie(order); }
};

struct ImportedReturnKey {
  ReturnId return_id;
  static constexpr std::array kFieldNames = {"return"};
  auto Fields() const { return std::tie(return_id); }
  auto Fields() { return std::tie(return_id); }
};

struct LinkKey {
  OrderId order;
  ReturnId return_id;
  static constexpr std::array kFieldNames = {"order", "return"};
  auto Fields() const { return std::tie(order, return_id); }
  auto Fields() { return std::tie(order, return_id); }
};

struct ReturnedKey {
  OrderId order;
  Sku sku;
  static constexpr std::array kFieldNames = {"order", "sku"};
  auto Fields() const { return std::tie(order, sku); }
  auto Fields() { return std::tie(order, sku); }
};

struct ReturnedLineKey {
  OrderId order;
  LineId line;
  static constexpr std::array kFieldNames = {"order", "line"};
  auto Fields() const { return std::tie(order, line); }
  auto Fields() { return std::tie(order, line); }
};

inline constexpr store::Table<ImportedOrderKey, v1::OrderImported> kImportedOrders(1, "imported_orders");
inline constexpr store::Table<ImportedReturnKey, v1::ReturnImported> kImportedReturns(2, "imported_returns");
inline constexpr store::Table<ImportedOrderKey, rows::AwaitedRow> kAwaited(3, "awaited");
inline constexpr store::Table<LinkKey, rows::LinkRow> kLinks(4, "links");
inline constexpr store::Table<ReturnedKey, rows::ReturnedRow> kReturned(5, "returned");

inline constexpr store::Table<LinkKey, rows::ReturnRow> kReturnsHere(6, "returns_here");
inline constexpr store::Table<ReturnedLineKey, rows::ReturnedLineRow> kReturnedLines(7, "returned_lines");
inline constexpr store::Table<ImportedOrderKey, rows::ImportedCountsRow> kImportedCounts(8, "imported_counts");

inline store::Schema AddTables(store::Schema schema) {
  return schema.Add(kImportedOrders)
      .Add(kImportedReturns)
      .Add(kAwaited)
      .Add(kLinks)
      .Add(kReturned)
      .Add(kReturnsHere)
      .Add(kReturnedLines)
      .Add(kImportedCounts);
}

// Tables whose lookups mostly miss.
inline constexpr std::array kMostlyAbsentTables = {kImportedOrders.id(), kImportedReturns.id(), kAwaited.id(),
                                                   kReturnsHere.id(), kReturnedLines.id()};

// True when the return is in the row.
bool Awaits(const rows::AwaitedRow& row, absl::string_view return_id);

// Folds one fact. The aggregate of ReturnImported is the return, that of all others the order. DATA_LOSS, and nothing
// is written, if the event breaks an invariant or is unknown to this version.
absl::Status Evolve(store::Rows& state, const v1::ImportEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_STATE_H_
