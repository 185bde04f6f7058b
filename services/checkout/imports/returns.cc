// Decides on returns of imported orders taken here.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"
#include "services/checkout/imports/commands.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/imports/worth.h"
#include "services/checkout/return_lines.h"
#include "services/checkout/versions.h"

namespace halles::checkout::imports {
namespace {

// The index of the sold line with this id, which is its number from "1"; -1 if there is none.
int FindSold(const v1::SaleRecord& sale, const std::string& line_id) {
  int number = 0;
  if (!absl::SimpleAtoi(line_id, &number) || absl::StrCat(number) != line_id) return -1;
  if (number < 1 || number > sale.lines_size()) return -1;
  return sale.lines(number - 1).kind() == v1::LINE_KIND_SALE ? number - 1 : -1;
}

// The quantity of each SKU that may still be returned: the quantity sold minus those returned in the same record, by
// imports and here; 0 if more was returned.
absl::StatusOr<std::map<std::string, Decimal>> LeftBySku(const store::RowReader& state, const OrderId& order,
                                                         const v1::SaleRecord& sale) {
  std::map<std::string, Decimal> left = KeptBySku(sale);
  for (auto& [sku, sum] : left) {
    const auto row = kReturned.Get(state, {order, Sku::FromString(sku)});
    if (!row.has_value()) continue;
    ASSIGN_OR_RETURN(const Decimal returned, Decimal::Parse(row->quantity()));
    ASSIGN_OR_RETURN(sum, sum.Sub(returned));
    if (sum.negative()) sum = Decimal();
  }
  return left;
}

// Ids of the returns taken here for which `takes` is true, then of the imported returns that contain the SKU.
std::vector<std::string> ReturnsOf(const store::RowReader& state, const OrderId& order, const std::string& sku,
                                   absl::FunctionRef<bool(const v1::GoodsReturned&)> takes) {
  std::vector<std::string> found;
  kReturnsHere.ForEach(
      state,
      [&](const LinkKey& key, const rows::ReturnRow& row, Position) {
        if (takes(row.returned())) found.push_back(key.return_id.ToString());
        return true;
      },
      order);
  kLinks.ForEach(
      state,
      [&](const LinkKey& key, const rows::LinkRow& row, Position) {
        for (const v1::ReturnedItem& item : row.link().linked_return().items()) {
          if (item.sku() == sku) found.push_back(key.return_id.ToString());
        }
        return true;
      },
      order);
  return found;
}

absl::Status CheckLeftBySku(const ReturnedLines& lines, const std::map<std::string, Decimal>& left, TakenBy taken_by) {
  std::map<std::string, int64_t> taken;
  for (const v1::ReturnedLine& line : lines) {
    const int64_t asked = taken[line.sku()] += line.units();
    const auto of = left.find(line.sku());
    const Decimal units = of == left.end() ? Decimal() : of->second;
    if (Decimal::Compare(Decimal::FromInt(asked), units) > 0) {
      return ExceedsBought(line, line.sku(), asked, units, taken_by);
    }
  }
  return absl::OkStatus();
}

}  // namespace

rows::ImportedCountsRow CountsOf(const store::RowReader& state, const OrderId& order) {
  return kImportedCounts.Get(state, {order}).value_or(rows::ImportedCountsRow());
}

absl::StatusOr<partition::Decision<v1::ReturnLinesResponse, v1::ImportEvent>> Decide(
    const store::RowReader& state, const v1::ReturnLinesRequest& request, const partition::CommandContext& context) {
  RETURN_IF_ERROR(Malformed(checkout::Validate(request)));
  const OrderId order = OrderId::FromString(request.order_id());
  const std::optional<v1::OrderImported> imported = kImportedOrders.Get(state, {order});
  if (!imported.has_value()) {
    return Reject(v1::REJECT_REASON_ORDER_UNKNOWN, absl::StrCat("there is no order ", request.order_id()),
                  {{"order_id", request.order_id()}});
  }
  const v1::SaleRecord& sale = imported->sale();
  const rows::ImportedCountsRow counts = CountsOf(state, order);
  RETURN_IF_ERROR(CheckVersion(request, counts.version()));
  const std::vector<int64_t> worth = WorthOf(sale);
  ReturnedLines lines = request.lines();
  ASSIGN_OR_RETURN(const ReturnableLines returnable,
                   FindLines(&lines, [&](const v1::ReturnedLine& line) -> std::optional<Returnable> {
                     const int index = FindSold(sale, line.line_id());
                     if (index < 0) return std::nullopt;
                     const v1::RecordedLine& from = sale.lines(index);
                     const auto row = kReturnedLines.Get(state, {order, LineId::FromString(line.line_id())});
                     const int64_t gone = row.has_value() ? row->units() : 0;
                     Returnable of;
                     of.sku = from.sku();
                     of.description = from.description();
                     if (from.has_unit_price()) of.unit_price = from.unit_price();
                     of.sold = {worth[index], from.quantity().unscaled(), from.quantity().scale(), gone};
                     const Decimal quantity = ExactOf(from.quantity()).value_or(Decimal());
                     of.left = quantity.Sub(Decimal::FromInt(gone)).value_or(Decimal());
                     return of;
                   }));
  if (kReturnsHere.Contains(state, {order, ReturnId::FromString(request.return_id())})) {
    return ReturnExists(request.return_id());
  }
  RETURN_IF_ERROR(CheckLeft(lines, returnable, [&](const v1::ReturnedLine& line) {
    return ReturnsOf(state, order, "", [&](const auto& returned) { return TakesFrom(returned.lines(), line); });
  }));
  ASSIGN_OR_RETURN(const auto left, LeftBySku(state, order, sale));
  RETURN_IF_ERROR(CheckLeftBySku(lines, left, [&](const v1::ReturnedLine& line) {
    return ReturnsOf(state, order, line.sku(), [&](const v1::GoodsReturned& returned) {
      return std::any_of(returned.lines().begin(), returned.lines().end(),
                         [&](const v1::ReturnedLine& taken) { return taken.sku() == line.sku(); });
    });
  }));

  RETURN_IF_ERROR(CheckRoom(request.order_id(), counts));

  std::vector<int64_t> values = ValuesOf(lines, returnable);
  Payable payable(state, order, sale, worth);
  for (int i = 0; i < lines.size(); ++i) values[i] = payable.Take(lines[i].sku(), values[i]);

  partition::Decision<v1::ReturnLinesResponse, v1::ImportEvent> decision;
  partition::Fact<v1::ImportEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = request.order_id();
  v1::GoodsReturned& returned = *fact.event.mutable_goods_returned();
  ASSIGN_OR_RETURN(returned, DocumentReturn({order, request.return_id(), request.origin(), request.location_id(),
                                             sale.currency_code(), sale.identifiers()},
                                            lines, returnable, values, context.now));
  *decision.response.mutable_net() = returned.sale().net();
  decision.response.set_version(NextVersion(counts));
  return decision;
}

}  // namespace halles::checkout::imports
