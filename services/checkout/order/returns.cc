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
  RETURN_IF_ERROR(CheckRoom(request.order_id(), subject.row));
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
  absl::StatusOr<v1::PriceSnapshot> snapshot = PriceNewLines(request, subject.row.currency_code());
  if (!snapshot.ok()) return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, snapshot.status().message());
  RETURN_IF_ERROR(CheckTotal(subject.row, ValuesOf(lines, returnable), snapshot->total().minor_units()));

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

  RETURN_IF_ERROR(CheckRoom(request.order_id(), subject.row));
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
