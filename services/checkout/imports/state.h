// The state of imported orders and returns: the links between them, and the returns taken here.
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

// An imported order lives in the slot of its id, with all its returns. An imported return lives in the slot of its own
// id. Invariants, none of which Evolve breaks:
//   1. An order or a return is recorded once and never changes. It is the first event of its record.
//   2. The slot of an order has each return that names the order exactly once: as awaited until the order is recorded,
//      as linked from then on.
//   3. The returned quantity of (order, SKU) is the sum over the links of the order and over its returns taken here.
//   4. A link is in excess if, with it, more units of one of its SKUs were returned than the order sold, minus those
//      that it took back itself. Such a link is kept nevertheless.
//   5. A return taken here is recorded once under its id. The returned units of (order, line) are the sum over these
//      returns; imported returns name no lines.
//   6. The version of an order counts the records that changed it. The record of its import counts once, even if it
//      links returns.

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

// True if the return is in the row.
bool Awaits(const rows::AwaitedRow& row, absl::string_view return_id);

// Folds one event. The aggregate of ReturnImported is the return; that of all other events is the order. DATA_LOSS, and
// nothing is written, if the event breaks an invariant or is unknown to this version.
absl::Status Evolve(store::Rows& state, const v1::ImportEvent& event, const partition::FactContext& context);

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_STATE_H_
