// Decides on returns and exchanges.
#include "services/checkout/order/returns.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "libs/base/money.h"
#include "libs/saga/saga.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/order/amounts.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/plan.h"
#include "services/checkout/order/subject.h"

namespace halles::checkout::order {
namespace {

// Of what a line may give back.
struct Returnable {
  std::string sku;
  std::string description;
  std::optional<common::v1::Decimal> unit_price;
  SoldLine sold;
  Decimal left;        // units that may come back; not all of an imported line need be whole pieces
  bool waits = false;  // more of it will be handed over
};

// What lines of one command take from the same lines.
using Taken = std::map<std::string, int64_t>;

absl::Status LineUnknown(const v1::ReturnedLine& line) {
  return Reject(v1::REJECT_REASON_LINE_UNKNOWN,
                absl::StrCat("the order has no line ", line.line_id(), " of ", line.sku()),
                {{"line_id", line.line_id()}});
}

absl::Status CheckReturnIsNew(const State& state, const OrderId& order, const std::string& return_id) {
  if (!kReturns.Contains(state, {order, ReturnId::FromString(return_id)})) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_RETURN_EXISTS, absl::StrCat("the order has a return or exchange ", return_id),
                {{"return_id", return_id}});
}

Returnable ReturnableOf(const rows::OrderRow& row, const v1::OrderLine& line) {
  Returnable of;
  of.sku = line.line().sku();
  of.description = line.line().description();
  of.unit_price = line.line().unit_price();
  of.sold = SoldLineOf(line);
  int64_t left = line.handed_over_units() - line.returned_units();
  // What an exchange that is under way takes back is taken.
  for (const v1::ReturnedLine& pending : row.exchange().returned_lines()) {
    if (pending.line_id() == line.line().line_id()) left -= pending.units();
  }
  of.left = Decimal::FromInt(left);
  of.waits = line.handed_over_units() + line.cancelled_units() < line.line().units();
  return of;
}

// Fills in the SKUs; `find(line)` gives what a line may give back, or nullopt when there is no such line.
template <class Find>
absl::StatusOr<std::map<std::string, Returnable>> CheckLines(ReturnedLines* lines, const Find& find) {
  std::map<std::string, Returnable> returnable;
  for (v1::ReturnedLine& line : *lines) {
    std::optional<Returnable> found = find(line);
    if (!found.has_value() || (!line.sku().empty() && line.sku() != found->sku)) return LineUnknown(line);
    line.set_sku(found->sku);
    returnable.emplace(line.line_id(), *std::move(found));
  }
  return returnable;
}

// Each line, with what other lines of the command take from it, against what is left.
absl::Status CheckLeft(const ReturnedLines& lines, const std::map<std::string, Returnable>& returnable, bool waits) {
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const Returnable& of = returnable.at(line.line_id());
    const int64_t asked = taken[line.line_id()] += line.units();
    if (of.waits != waits || Decimal::Compare(Decimal::FromInt(asked), of.left) <= 0) continue;
    const Metadata metadata = {
        {"line_id", line.line_id()}, {"asked_units", absl::StrCat(asked)}, {"returnable_units", of.left.ToString()}};
    if (waits) {
      return Reject(v1::REJECT_REASON_NOT_HANDED_OVER,
                    absl::StrCat("of line ", line.line_id(), " only ", of.left.ToString(),
                                 " were handed over and are "
                                 "not back, not ",
                                 asked, ": cancel the others"),
                    metadata);
    }
    return Reject(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT,
                  absl::StrCat("of line ", line.line_id(), " only ", of.left.ToString(), " can come back, not ", asked),
                  metadata);
  }
  return absl::OkStatus();
}

v1::GoodsReturned DocumentReturn(const OrderId& order, absl::string_view return_id, const v1::Origin& origin,
                                 absl::string_view currency_code,
                                 const google::protobuf::RepeatedPtrField<common::v1::Identifier>& identifiers,
                                 const ReturnedLines& lines, const std::map<std::string, Returnable>& returnable,
                                 UnixMicros now) {
  v1::GoodsReturned returned;
  returned.set_return_id(std::string(return_id));
  returned.set_location_id(origin.site_id());
  *returned.mutable_lines() = lines;
  v1::SaleRecord& sale = *returned.mutable_sale();
  sale = DocumentOf(DocumentIdOf(order, return_id), origin, currency_code, identifiers, now);
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const Returnable& of = returnable.at(line.line_id());
    int64_t& before = taken[line.line_id()];
    const int64_t amount = PartOf(of.sold.amount, of.sold.all, of.sold.scale, of.sold.gone + before, line.units());
    before += line.units();
    AddTakenOff(v1::LINE_KIND_RETURN, of.sku, of.description, of.unit_price.has_value() ? &*of.unit_price : nullptr,
                line.units(), amount, &sale);
  }
  return returned;
}

partition::Decision<v1::ReturnLinesResponse, v1::OrderEvent> Returned(const OrderId& order, v1::GoodsReturned returned,
                                                                      int64_t version) {
  partition::Decision<v1::ReturnLinesResponse, v1::OrderEvent> decision;
  *decision.response.mutable_net() = returned.sale().net();
  decision.response.set_version(version);
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = order.ToString();
  *fact.event.mutable_goods_returned() = std::move(returned);
  return decision;
}

// The line of an imported order that `line_id` counts to, from "1", if goods were sold by it.
const v1::RecordedLine* FindImported(const v1::SaleRecord& sale, const std::string& line_id) {
  int index = 0;
  if (!absl::SimpleAtoi(line_id, &index) || absl::StrCat(index) != line_id) return nullptr;
  if (index < 1 || index > sale.lines_size() || sale.lines(index - 1).kind() != v1::LINE_KIND_SALE) return nullptr;
  return &sale.lines(index - 1);
}

// Goods of one SKU that an imported order may still get back: sold, less what came back by imports and here.
absl::StatusOr<std::map<std::string, Decimal>> LeftBySku(const State& state, const OrderId& order,
                                                         const v1::SaleRecord& sale) {
  std::map<std::string, Decimal> left;
  for (const v1::RecordedLine& line : sale.lines()) {
    if (line.kind() != v1::LINE_KIND_SALE) continue;
    ASSIGN_OR_RETURN(const Decimal quantity, ExactOf(line.quantity()));
    Decimal& sum = left[line.sku()];
    ASSIGN_OR_RETURN(sum, sum.Add(quantity));
  }
  for (auto& [sku, sum] : left) {
    const auto row = kReturned.Get(state, {order, Sku::FromString(sku)});
    if (!row.has_value()) continue;
    ASSIGN_OR_RETURN(const Decimal returned, Decimal::Parse(row->quantity()));
    ASSIGN_OR_RETURN(sum, sum.Sub(returned));
  }
  return left;
}

absl::Status CheckLeftBySku(const ReturnedLines& lines, const std::map<std::string, Decimal>& left) {
  Taken taken;
  for (const v1::ReturnedLine& line : lines) {
    const int64_t asked = taken[line.sku()] += line.units();
    const auto of = left.find(line.sku());
    if (of != left.end() && Decimal::Compare(Decimal::FromInt(asked), of->second) <= 0) continue;
    const std::string units = of == left.end() ? "0" : of->second.ToString();
    return Reject(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT,
                  absl::StrCat("of ", line.sku(), " only ", units, " can come back, not ", asked),
                  {{"line_id", line.line_id()}, {"asked_units", absl::StrCat(asked)}, {"returnable_units", units}});
  }
  return absl::OkStatus();
}

Decided<v1::ReturnLinesResponse> ReturnImported(const State& state, const v1::ReturnLinesRequest& request,
                                                const OrderId& order, const v1::SaleRecord& sale, UnixMicros now) {
  ReturnedLines lines = request.lines();
  const auto find = [&](const v1::ReturnedLine& line) -> std::optional<Returnable> {
    const v1::RecordedLine* from = FindImported(sale, line.line_id());
    if (from == nullptr) return std::nullopt;
    const rows::ReturnedLineRow row =
        kReturnedLines.Get(state, {order, LineId::FromString(line.line_id())}).value_or(rows::ReturnedLineRow());
    Returnable of;
    of.sku = from->sku();
    of.description = from->description();
    if (from->has_unit_price()) of.unit_price = from->unit_price();
    of.sold = {from->amount().minor_units(), from->quantity().unscaled(), from->quantity().scale(), row.units()};
    const Decimal quantity = ExactOf(from->quantity()).value_or(Decimal());
    of.left = quantity.Sub(Decimal::FromInt(row.units())).value_or(Decimal());
    return of;
  };
  ASSIGN_OR_RETURN(const auto returnable, CheckLines(&lines, find));
  RETURN_IF_ERROR(CheckReturnIsNew(state, order, request.return_id()));
  RETURN_IF_ERROR(CheckLeft(lines, returnable, /*waits=*/false));
  ASSIGN_OR_RETURN(const auto left, LeftBySku(state, order, sale));
  RETURN_IF_ERROR(CheckLeftBySku(lines, left));
  return Returned(order,
                  DocumentReturn(order, request.return_id(), request.origin(), sale.currency_code(), sale.identifiers(),
                                 lines, returnable, now),
                  0);
}

absl::StatusOr<std::map<std::string, Returnable>> CheckReturned(const State& state, const Subject& subject,
                                                                const std::string& return_id, ReturnedLines* lines) {
  const auto find = [&](const v1::ReturnedLine& line) -> std::optional<Returnable> {
    const v1::OrderLine* from = FindLine(subject.row, line.line_id());
    if (from == nullptr) return std::nullopt;
    return ReturnableOf(subject.row, *from);
  };
  ASSIGN_OR_RETURN(auto returnable, CheckLines(lines, find));
  RETURN_IF_ERROR(CheckReturnIsNew(state, subject.order, return_id));
  RETURN_IF_ERROR(CheckLeft(*lines, returnable, /*waits=*/true));
  RETURN_IF_ERROR(CheckLeft(*lines, returnable, /*waits=*/false));
  return returnable;
}

absl::StatusOr<v1::PriceSnapshot> PriceNewLines(const v1::ExchangeLinesRequest& request,
                                                const std::string& currency_code) {
  PricedLines lines;
  for (const v1::ExchangeLine& from : request.new_lines()) {
    v1::PricedLine& line = *lines.Add();
    line.set_line_id(from.line_id());
    line.set_sku(from.sku());
    line.set_units(from.units());
    *line.mutable_unit_price() = from.unit_price();
    ASSIGN_OR_RETURN(const int64_t amount, AmountOf(from.units(), from.unit_price(), currency_code));
    *line.mutable_amount() = MoneyOf(currency_code, amount);
    line.set_description(from.description());
  }
  return SnapshotOf(std::move(lines), currency_code);
}

}  // namespace

std::string DocumentIdOf(const OrderId& order, absl::string_view return_id) {
  return absl::StrCat(order.ToString(), "/", return_id);
}

v1::GoodsReturned ReturnOf(const OrderId& order, const rows::OrderRow& row, absl::string_view return_id,
                           const v1::Origin& origin, const ReturnedLines& lines, UnixMicros now) {
  std::map<std::string, Returnable> returnable;
  for (const v1::ReturnedLine& line : lines) {
    const v1::OrderLine* from = FindLine(row, line.line_id());
    returnable.emplace(line.line_id(), from == nullptr ? Returnable() : ReturnableOf(row, *from));
  }
  return DocumentReturn(order, return_id, origin, row.currency_code(), row.identifiers(), lines, returnable, now);
}

Decided<v1::ReturnLinesResponse> Decide(const State& state, const v1::ReturnLinesRequest& request,
                                        const Context& context) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  const OrderId order = OrderId::FromString(request.order_id());
  if (const auto imported = kImportedOrders.Get(state, {order}); imported.has_value()) {
    return ReturnImported(state, request, order, imported->sale(), context.now);
  }
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  ReturnedLines lines = request.lines();
  ASSIGN_OR_RETURN(const auto returnable, CheckReturned(state, subject, request.return_id(), &lines));
  return Returned(order,
                  DocumentReturn(order, request.return_id(), request.origin(), subject.row.currency_code(),
                                 subject.row.identifiers(), lines, returnable, context.now),
                  subject.next_version);
}

Decided<v1::ExchangeLinesResponse> Decide(const State& state, const v1::ExchangeLinesRequest& request,
                                          const Context& context) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  RETURN_IF_ERROR(CheckNotBusy(subject.row));
  for (const v1::ExchangeLine& line : request.new_lines()) {
    if (FindLine(subject.row, line.line_id()) == nullptr) continue;
    return Reject(v1::REJECT_REASON_LINE_EXISTS, absl::StrCat("the order has a line ", line.line_id()),
                  {{"line_id", line.line_id()}});
  }
  ReturnedLines lines = request.returned_lines();
  RETURN_IF_ERROR(CheckReturned(state, subject, request.exchange_id(), &lines).status());
  absl::StatusOr<v1::PriceSnapshot> snapshot = PriceNewLines(request, subject.row.currency_code());
  if (!snapshot.ok()) return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, snapshot.status().message());

  Undertaking undertaking;
  undertaking.saga_id = absl::StrCat(request.order_id(), "/x", subject.row.undertakings() + 1);
  undertaking.order_id = request.order_id();
  undertaking.document_id = DocumentIdOf(subject.order, request.exchange_id());
  undertaking.site_id = request.origin().site_id();
  undertaking.delivery = request.delivery();
  if (subject.row.identifiers_size() > 0) undertaking.customer = &subject.row.identifiers(0);
  std::optional<saga::v1::Plan> plan = PlanOrder(undertaking, snapshot->lines());
  if (!plan.has_value()) {
    google::protobuf::RepeatedPtrField<v1::Problem> problems;
    problems.Add()->set_kind(v1::PROBLEM_KIND_TOO_LARGE);
    return RejectWith(v1::REJECT_REASON_EXCHANGE_REJECTED, "the exchange has too many SKUs and locations", problems);
  }

  partition::Decision<v1::ExchangeLinesResponse, v1::OrderEvent> decision;
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = subject.order.ToString();
  v1::ExchangeStarted& started = *fact.event.mutable_exchange_started();
  started.set_exchange_id(request.exchange_id());
  *started.mutable_returned_lines() = std::move(lines);
  *started.mutable_snapshot() = *std::move(snapshot);
  *started.mutable_delivery() = request.delivery();
  *started.mutable_origin() = request.origin();
  saga::Advance advance = saga::Begin(*std::move(plan), context.now, kSagaOptions);
  partition::Fact<v1::OrderEvent>& intent = decision.facts.emplace_back();
  intent.aggregate_id = subject.order.ToString();
  *intent.event.mutable_saga_advanced() = std::move(advance.event);
  decision.calls = std::move(advance.calls);
  return decision;
}

}  // namespace halles::checkout::order
