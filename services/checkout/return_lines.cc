// Checks returned lines, and builds the document of a return.
#include "services/checkout/return_lines.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_service.limits.h"
#include "libs/base/status.h"
#include "services/checkout/checks.h"

namespace halles::checkout {
namespace {

// Units that the lines of one command return, by line of the order.
using Taken = std::map<std::string, int64_t>;

absl::Status LineUnknown(const v1::ReturnedLine& line) {
  return Reject(v1::REJECT_REASON_LINE_UNKNOWN,
                absl::StrCat("the order has no line ", line.line_id(), " of ", line.sku()),
                {{"line_id", line.line_id()}});
}

}  // namespace

absl::Status Validate(const v1::ReturnLinesRequest& request) { return CheckLimits(request); }

absl::StatusOr<ReturnableLines> FindLines(ReturnedLines* lines,
                                          absl::FunctionRef<std::optional<Returnable>(const v1::ReturnedLine&)> find) {
  ReturnableLines returnable;
  for (v1::ReturnedLine& line : *lines) {
    std::optional<Returnable> found = find(line);
    if (!found.has_value() || (!line.sku().empty() && line.sku() != found->sku)) return LineUnknown(line);
    line.set_sku(found->sku);
    returnable.emplace(line.line_id(), *std::move(found));
  }
  return returnable;
}

bool TakesFrom(const ReturnedLines& lines, const v1::ReturnedLine& line) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const v1::ReturnedLine& other) { return other.line_id() == line.line_id(); });
}

absl::Status ReturnExists(const std::string& return_id) {
  return Reject(v1::REJECT_REASON_RETURN_EXISTS, absl::StrCat("the order already has a return or exchange ", return_id),
                {{"return_id", return_id}});
}

absl::Status CheckHandedOver(const ReturnedLines& lines, const ReturnableLines& returnable) {
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const Returnable& of = returnable.at(line.line_id());
    const int64_t asked = taken[line.line_id()] += line.units();
    if (!of.waits || Decimal::Compare(Decimal::FromInt(asked), of.left) <= 0) continue;
    return Reject(
        v1::REJECT_REASON_NOT_HANDED_OVER,
        absl::StrCat("only ", of.left.ToString(), " units of line ", line.line_id(),
                     " were handed over and not returned, not ", asked, ": cancel the others"),
        {{"line_id", line.line_id()}, {"asked_units", absl::StrCat(asked)}, {"returnable_units", of.left.ToString()}});
  }
  return absl::OkStatus();
}

absl::Status CheckLeft(const ReturnedLines& lines, const ReturnableLines& returnable, TakenBy taken_by) {
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const Returnable& of = returnable.at(line.line_id());
    const int64_t asked = taken[line.line_id()] += line.units();
    if (of.waits || Decimal::Compare(Decimal::FromInt(asked), of.left) <= 0) continue;
    return ExceedsBought(line, absl::StrCat("line ", line.line_id()), asked, of.left, taken_by);
  }
  return absl::OkStatus();
}

absl::Status ExceedsBought(const v1::ReturnedLine& line, const std::string& what, int64_t asked, const Decimal& left,
                           TakenBy taken_by) {
  std::vector<std::string> returns = taken_by(line);
  if (returns.size() > kReturnsNamedMax) returns.resize(kReturnsNamedMax);
  const std::string names = absl::StrJoin(returns, ",");
  return Reject(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT,
                absl::StrCat("only ", left.ToString(), " units of ", what, " can be returned, not ", asked,
                             names.empty() ? "" : ": others were returned with ", names),
                {{"line_id", line.line_id()},
                 {"asked_units", absl::StrCat(asked)},
                 {"returnable_units", left.ToString()},
                 {"return_ids", names}});
}

absl::Status TooManyReturns(const std::string& order_id, int64_t returns, int64_t return_bytes) {
  return Reject(
      v1::REJECT_REASON_TOO_MANY_RETURNS,
      absl::StrCat("the order has ", returns, " returns of ", return_bytes, " bytes; it may have at most ", kReturnsMax,
                   ", or ", kReturnBytesMax, " bytes"),
      {{"order_id", order_id}, {"returns", absl::StrCat(returns)}, {"return_bytes", absl::StrCat(return_bytes)}});
}

std::string DocumentIdOf(const OrderId& order, absl::string_view return_id) {
  return absl::StrCat(order.ToString(), "/", return_id);
}

std::vector<int64_t> ValuesOf(const ReturnedLines& lines, const ReturnableLines& returnable) {
  std::vector<int64_t> values;
  values.reserve(lines.size());
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const SoldLine& sold = returnable.at(line.line_id()).sold;
    int64_t& before = taken[line.line_id()];
    values.push_back(PartOf(sold.amount, sold.all, sold.scale, sold.gone + before, line.units()));
    before += line.units();
  }
  return values;
}

absl::StatusOr<v1::GoodsReturned> DocumentReturn(const ReturnHead& head, const ReturnedLines& lines,
                                                 const ReturnableLines& returnable, const std::vector<int64_t>& values,
                                                 UnixMicros now) {
  v1::GoodsReturned returned;
  returned.set_return_id(head.return_id);
  returned.set_location_id(head.location_id);
  *returned.mutable_lines() = lines;
  v1::SaleRecord& sale = *returned.mutable_sale();
  sale = DocumentOf(DocumentIdOf(head.order, head.return_id), head.origin, head.currency_code, head.identifiers, now);
  for (int i = 0; i < lines.size(); ++i) {
    const Returnable& of = returnable.at(lines[i].line_id());
    RETURN_IF_ERROR(AddTakenOff(v1::LINE_KIND_RETURN, of.sku, of.description,
                                of.unit_price.has_value() ? &*of.unit_price : nullptr, lines[i].units(), values[i],
                                &sale));
  }
  return returned;
}

}  // namespace halles::checkout
