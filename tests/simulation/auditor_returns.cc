// Checks returned goods: no more units than were sold, and refunds to the exact minor unit (I26).
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/base/money.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/order/state.h"
#include "tests/simulation/auditor.h"

namespace halles::simulation {
namespace {

// The returns of a line.
struct Back {
  int64_t units = 0;
  int64_t minor_units = 0;
};

// Adds a return by line. The document has the lines of the return in the same order.
void AddReturn(const checkout::v1::GoodsReturned& returned, std::map<std::string, Back>* back) {
  for (int i = 0; i < returned.lines_size(); ++i) {
    Back& line = (*back)[returned.lines(i).line_id()];
    line.units += returned.lines(i).units();
    line.minor_units -= returned.sale().lines(i).amount().minor_units();
  }
}

// The amount of these units, rounded half up.
int64_t PartOf(int64_t amount, int64_t all, int64_t units) { return (2 * amount * units + all) / (2 * all); }

}  // namespace

void Auditor::CheckImportedReturns(const std::string& where, const Slot& slot, const std::string& order) {
  const auto imported = checkout::imports::kImportedOrders.Get(slot.rows, {OrderId::FromString(order)});
  if (!imported.has_value()) return;  // an imported return, or a return that waits for its order
  std::map<std::string, Back> back;
  checkout::imports::kReturnsHere.ForEach(
      slot.rows,
      [&back](const checkout::imports::LinkKey&, const checkout::rows::ReturnRow& row, Position) {
        AddReturn(row.returned(), &back);
        return true;
      },
      OrderId::FromString(order));
  if (back.empty()) return;
  // An imported return may already have refunded a part of what is returned here.
  bool only_here = true;
  checkout::imports::kLinks.ForEach(
      slot.rows, [&only_here](const auto&, const auto&, Position) { return only_here = false; },
      OrderId::FromString(order));
  for (int i = 0; i < imported->sale().lines_size(); ++i) {
    const checkout::v1::RecordedLine& line = imported->sale().lines(i);
    const Back& of = back[absl::StrCat(i + 1)];
    // The workload imports whole units, without a discount on the whole order.
    const int64_t units = line.quantity().unscaled();
    if (line.quantity().scale() != 0 || of.units > units) {
      findings_.Add("I26", absl::StrCat(where, ": line ", i + 1, " of ", order, " has more units returned than sold"));
    }
    const int64_t expected = PartOf(line.amount().minor_units(), units, of.units);
    if (of.minor_units > expected || (only_here && of.minor_units != expected)) {
      findings_.Add("I26", absl::StrCat(where, ": ", of.minor_units, " were refunded for ", of.units, " of ", units,
                                        " units of line ", i + 1, " of ", order, ", not ", expected));
    }
  }
}

void Auditor::CheckReturnsAtRest(const Slot& slot, const OrderId& id, const checkout::rows::OrderRow& order) {
  std::map<std::string, Back> back;
  checkout::order::kReturns.ForEach(
      slot.rows,
      [&back](const checkout::order::ReturnKey&, const checkout::rows::ReturnRow& row, Position) {
        AddReturn(row.returned(), &back);
        return true;
      },
      id);
  for (const checkout::v1::OrderLine& line : order.lines()) {
    const std::string what = absl::StrCat(id.ToString(), ": line ", line.line().line_id());
    const Back& of = back[line.line().line_id()];
    if (line.cancelled_units() + line.handed_over_units() > line.line().units() ||
        line.returned_units() > line.handed_over_units()) {
      findings_.Add("I26", absl::StrCat(what, " has more units returned than handed over"));
    }
    const int64_t cost = line.line().amount().minor_units();
    const bool all = line.returned_units() == line.line().units();
    if (of.units != line.returned_units() || of.minor_units > cost || (all && of.minor_units != cost)) {
      findings_.Add("I26", absl::StrCat(what, ": ", of.minor_units, " of ", cost, " were refunded for ", of.units,
                                        " of ", line.line().units(), " units"));
    }
  }
}

}  // namespace halles::simulation
