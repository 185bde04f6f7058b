// Decides on returns and exchanges of orders placed here.
#include "services/checkout/order/returns.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/saga/saga.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/plan.h"
#include "services/checkout/order/subject.h"

namespace halles::checkout::order {
namespace {

Returnable ReturnableOf(const rows::OrderRow& row, const v1::OrderLine& line) {
  Returnable of;
  of.sku = line.line().sku();
  of.description = line.line().description();
  of.unit_price = line.line().unit_price();
  of.sold = SoldLineOf(line);
  int64_t left = line.handed_over_units() - line.returned_units();
  // An exchange in progress has taken its units already.
  for (const v1::ReturnedLine& pending : row.exchange().returned_lines()) {
    if (pending.line_id() == line.line().line_id()) left -= pending.units();
  }
  of.left = Decimal::FromInt(left);
  of.waits = line.handed_over_units() + line.cancelled_units() < line.line().units();
  return of;
}

absl::StatusOr<ReturnableLines> CheckReturned(const State& state, const Subject& subject, const std::string& return_id,
                                              ReturnedLines* lines) {
  ASSIGN_OR_RETURN(ReturnableLines returnable,
                   FindLines(lines, [&](const v1::ReturnedLine& line) -> std::optional<Returnable> {
                     const v1::OrderLine* from = FindLine(subject.row, line.line_id());
                     if (from == nullptr) return std::nullopt;
                     return ReturnableOf(subject.row, *from);
                   }));
  if (kReturns.Contains(state, {subject.order, ReturnId::FromString(return_id)}) ||
      IsBeingExchanged(subject.row, return_id)) {
    return ReturnExists(return_id);
  }
  RETURN_IF_ERROR(CheckHandedOver(*lines, returnable));
  const auto taken_by = [&](const v1::ReturnedLine& line) {
    std::vector<std::string> found;
    kReturns.ForEach(
        state,
        [&](const ReturnKey& key, const rows::ReturnRow& row, Position) {
          if (TakesFrom(row.returned().lines(), line)) found.push_back(key.return_id.ToString());
          return true;
        },
        subject.order);
    const v1::ExchangeStarted& exchange = subject.row.exchange();
    if (TakesFrom(exchange.returned_lines(), line)) found.push_back(exchange.exchange_id());
    return found;
  };
  RETURN_IF_ERROR(CheckLeft(*lines, returnable, taken_by));
  return returnable;
}

ReturnHead HeadOf(const OrderId& order, const rows::OrderRow& row, absl::string_view return_id,
                  const v1::Origin& origin, const std::string& location_id) {
  return {order, std::string(return_id), origin, location_id, row.currency_code(), row.identifiers()};
}

// The lines that are given, without their amounts.
PricedLines NewLinesOf(const v1::ExchangeLinesRequest& request) {
  PricedLines lines;
  for (const v1::ExchangeLine& from : request.new_lines()) {
    v1::PricedLine& line = *lines.Add();
    line.set_line_id(from.line_id());
    line.set_sku(from.sku());
    line.set_units(from.units());
    *line.mutable_unit_price() = from.unit_price();
    line.set_description(from.description());
  }
  return lines;
}

absl::StatusOr<v1::PriceSnapshot> Price(PricedLines lines, const std::string& currency_code) {
  for (v1::PricedLine& line : lines) {
    ASSIGN_OR_RETURN(const int64_t amount, AmountOf(line.units(), line.unit_price(), currency_code));
    *line.mutable_amount() = MoneyOf(currency_code, amount);
  }
  return SnapshotOf(std::move(lines), currency_code);
}

// The returns of an order and their size, with the exchange that is under way: it will be one.
class Room {
 public:
  explicit Room(const rows::OrderRow& row) : row_(row) {}
  int32_t returns() const { return row_.returns() + (row_.has_exchange() ? 1 : 0); }
  int64_t return_bytes() const { return row_.return_bytes(); }

 private:
  const rows::OrderRow& row_;
};

absl::Status TooLarge(absl::string_view message) {
  Problems problems;
  AddProblem(v1::PROBLEM_KIND_TOO_LARGE, message, &problems);
  return RejectWith(v1::REJECT_REASON_EXCHANGE_REJECTED, "the exchange cannot be made", problems);
}

// The size of lines and fulfilments in an answer, with what the states of fulfilments can add to them.
size_t BytesOf(const rows::OrderRow& row) {
  size_t bytes = 0;
  for (const v1::OrderLine& line : row.lines()) bytes += line.ByteSizeLong();
  for (const v1::OrderFulfilment& fulfilment : row.fulfilments()) {
    bytes += fulfilment.ByteSizeLong() + kFulfilmentGrowthBytesMax;
  }
  return bytes;
}

// AMOUNT_OVERFLOW unless the value of all lines that may still be returned fits into 64 bits, with new lines worth
// `added` and without the lines that are returned now with these values: one return may take all of it back.
absl::Status CheckTotal(const rows::OrderRow& row, const std::vector<int64_t>& values, int64_t added) {
  Int128 total = added;
  for (const v1::OrderLine& line : row.lines()) {
    const SoldLine sold = SoldLineOf(line);
    total += PartOf(sold.amount, sold.all, sold.scale, sold.gone, sold.all - sold.gone);
  }
  for (const int64_t value : values) total -= value;
  if (total <= std::numeric_limits<int64_t>::max()) return absl::OkStatus();
  return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW,
                "the value of the order with its new lines does not fit into 64 bits of minor units");
}

}  // namespace

absl::StatusOr<v1::GoodsReturned> ReturnOf(const OrderId& order, const rows::OrderRow& row,
                                           const v1::ExchangeStarted& exchange, UnixMicros now) {
  ReturnableLines returnable;
  for (const v1::ReturnedLine& line : exchange.returned_lines()) {
    const v1::OrderLine* from = FindLine(row, line.line_id());
    returnable.emplace(line.line_id(), from == nullptr ? Returnable() : ReturnableOf(row, *from));
  }
  return DocumentReturn(HeadOf(order, row, exchange.exchange_id(), exchange.origin(), exchange.location_id()),
                        exchange.returned_lines(), returnable, ValuesOf(exchange.returned_lines(), returnable), now);
}

Decided<v1::ReturnLinesResponse> Decide(const State& state, const v1::ReturnLinesRequest& request,
                                        const Context& context) {
  RETURN_IF_ERROR(Malformed(checkout::Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  ReturnedLines lines = request.lines();
  ASSIGN_OR_RETURN(const ReturnableLines returnable, CheckReturned(state, subject, request.return_id(), &lines));
  RETURN_IF_ERROR(CheckRoom(request.order_id(), Room(subject.row)));
  partition::Decision<v1::ReturnLinesResponse, v1::OrderEvent> decision;
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = request.order_id();
  v1::GoodsReturned& returned = *fact.event.mutable_goods_returned();
  ASSIGN_OR_RETURN(returned, DocumentReturn(HeadOf(subject.order, subject.row, request.return_id(), request.origin(),
                                                   request.location_id()),
                                            lines, returnable, ValuesOf(lines, returnable), context.now));
  *decision.response.mutable_net() = returned.sale().net();
  decision.response.set_version(subject.next_version);
  return decision;
}

Decided<v1::ExchangeLinesResponse> Decide(const State& state, const v1::ExchangeLinesRequest& request,
                                          const Context& context) {
  RETURN_IF_ERROR(Malformed(Validate(request)));
  ASSIGN_OR_RETURN(const Subject subject, FindSubject(state, request));
  RETURN_IF_ERROR(CheckNotBusy(subject.row));
  for (const v1::ExchangeLine& line : request.new_lines()) {
    if (FindLine(subject.row, line.line_id()) == nullptr) continue;
    return Reject(v1::REJECT_REASON_LINE_EXISTS, absl::StrCat("the order already has a line ", line.line_id()),
                  {{"line_id", line.line_id()}});
  }
  ReturnedLines lines = request.returned_lines();
  ASSIGN_OR_RETURN(const ReturnableLines returnable, CheckReturned(state, subject, request.exchange_id(), &lines));
  if (const size_t bytes = BytesOf(subject.row); bytes > kOrderBytesMax) {
    return TooLarge(absl::StrCat("the lines and fulfilments of the order have ", bytes, " bytes; beyond ",
                                 kOrderBytesMax, " it takes no exchange: take the goods back and place another order"));
  }
  PricedLines new_lines = NewLinesOf(request);
  Undertaking undertaking;
  undertaking.saga_id = absl::StrCat(request.order_id(), "/x", subject.row.undertakings() + 1);
  undertaking.start = context.now;
  undertaking.order_id = request.order_id();
  undertaking.document_id = DocumentIdOf(subject.order, request.exchange_id());
  undertaking.site_id = request.origin().site_id();
  undertaking.delivery = request.delivery();
  if (subject.row.identifiers_size() > 0) undertaking.customer = &subject.row.identifiers(0);
  std::optional<saga::v1::Plan> plan = PlanOrder(undertaking, new_lines);
  if (!plan.has_value()) return TooLarge("the exchange has too many SKUs and locations: split it");
  RETURN_IF_ERROR(CheckRoom(request.order_id(), Room(subject.row)));
  absl::StatusOr<v1::PriceSnapshot> snapshot = Price(std::move(new_lines), subject.row.currency_code());
  if (!snapshot.ok()) return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, snapshot.status().message());
  RETURN_IF_ERROR(CheckTotal(subject.row, ValuesOf(lines, returnable), snapshot->total().minor_units()));

  partition::Decision<v1::ExchangeLinesResponse, v1::OrderEvent> decision;
  decision.response.set_exchange(subject.row.undertakings() + 1);
  partition::Fact<v1::OrderEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = subject.order.ToString();
  v1::ExchangeStarted& started = *fact.event.mutable_exchange_started();
  started.set_exchange_id(request.exchange_id());
  *started.mutable_returned_lines() = std::move(lines);
  *started.mutable_snapshot() = *std::move(snapshot);
  *started.mutable_delivery() = request.delivery();
  *started.mutable_origin() = request.origin();
  started.set_location_id(request.location_id());
  saga::Advance advance = saga::Begin(*std::move(plan), context.now, kSagaOptions);
  partition::Fact<v1::OrderEvent>& intent = decision.facts.emplace_back();
  intent.aggregate_id = subject.order.ToString();
  *intent.event.mutable_saga_advanced() = std::move(advance.event);
  decision.calls = std::move(advance.calls);
  return decision;
}

}  // namespace halles::checkout::order
