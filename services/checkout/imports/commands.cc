// Decides on imports of orders and returns, and on links between them.
#include "services/checkout/imports/commands.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/checkout_internal.limits.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/timestamp.h"
#include "services/checkout/checks.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/imports/record.h"
#include "services/checkout/imports/state.h"
#include "services/checkout/return_lines.h"

namespace halles::checkout::imports {
namespace {

using partition::Decision;
using partition::Fact;

// Maximum size that a link adds to the return in it: the customer, and length prefixes.
constexpr size_t kLinkOverheadBytes = 512;

absl::Status Reused(absl::string_view what, absl::string_view id_key, const std::string& id,
                    const v1::ExternalRef& external) {
  return Reject(v1::REJECT_REASON_EXTERNAL_ID_REUSED,
                absl::StrCat("the ", what, " ", external.external_id(), " of ", external.source(),
                             " was recorded before with other content"),
                {{std::string(id_key), id}, {"source", external.source()}, {"external_id", external.external_id()}});
}

// Compares the returned goods of one order with the goods that it sold.
class ExcessCounter {
 public:
  // `state` holds the returns so far.
  ExcessCounter(const store::RowReader& state, OrderId order, const v1::SaleRecord& sale)
      : state_(state), order_(std::move(order)), left_(KeptBySku(sale)) {}

  // Adds a return; true if more units of one of its SKUs were returned than the order sold, minus those that it took
  // back itself.
  absl::StatusOr<bool> Add(const v1::LinkedReturn& linked_return) {
    bool excess = false;
    for (const v1::ReturnedItem& item : linked_return.items()) {
      ASSIGN_OR_RETURN(const Decimal quantity, ExactOf(item.quantity()));
      if (counted_.find(item.sku()) == counted_.end()) {
        const auto before = kReturned.Get(state_, {order_, Sku::FromString(item.sku())});
        ASSIGN_OR_RETURN(counted_[item.sku()], Decimal::Parse(before.has_value() ? before->quantity() : "0"));
      }
      Decimal& returned = counted_[item.sku()];
      ASSIGN_OR_RETURN(returned, returned.Add(quantity));
      if (Decimal::Compare(returned, left_[item.sku()]) > 0) excess = true;
    }
    return excess;
  }

 private:
  const store::RowReader& state_;
  OrderId order_;
  std::map<std::string, Decimal> left_;
  std::map<std::string, Decimal> counted_;
};

absl::StatusOr<Fact<v1::ImportEvent>> Link(const OrderId& order, const v1::SaleRecord& sale,
                                           const v1::LinkedReturn& linked_return, ExcessCounter& counter) {
  const absl::StatusOr<bool> excess = counter.Add(linked_return);
  if (!excess.ok()) {
    return Reject(v1::REJECT_REASON_AMOUNT_OVERFLOW, excess.status().message(),
                  {{"field", "linked_return.items"}, {"order_id", order.ToString()}});
  }
  Fact<v1::ImportEvent> fact{order.ToString(), {}, MicrosOf(linked_return.recorded_time())};
  v1::ReturnLinked& linked = *fact.event.mutable_return_linked();
  *linked.mutable_linked_return() = linked_return;
  linked.set_excess(*excess);
  if (!linked_return.names_customer() && sale.identifiers_size() > 0) *linked.mutable_customer() = sale.identifiers(0);
  return fact;
}

absl::StatusOr<v1::SaleRecord> BuildReturn(const v1::ImportRecord& record) {
  RETURN_IF_ERROR(CheckAmounts("return_record", record, RecordUse::kReturn));
  return BuildSale("return_record", record);
}

absl::Status CheckLink(const v1::LinkReturnRequest& request) {
  RETURN_IF_ERROR(CheckLimits(request));
  const auto& items = request.linked_return().items();
  for (int i = 1; i < items.size(); ++i) {
    if (items[i - 1].sku() >= items[i].sku()) {
      return InvalidField(absl::StrCat("linked_return.items[", i, "].sku"), "must come once, in ascending order");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Decision<v1::ImportOrderResponse, v1::ImportEvent>> Decide(const store::RowReader& state,
                                                                          const v1::ImportOrderRequest& request,
                                                                          const partition::CommandContext& context) {
  RETURN_IF_ERROR(Refused(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR, CheckNothingInClear("order", request.order())));
  RETURN_IF_ERROR(Malformed(CheckShape(request)));
  const OrderId order = OrderIdOf(context.tenant, request.order().external());
  absl::StatusOr<v1::SaleRecord> sale = BuildSale("order", request.order());
  const std::optional<v1::OrderImported> recorded = kImportedOrders.Get(state, {order});
  std::string content_hash = sale.ok() ? ContentHash(*sale, nullptr) : "";
  if (recorded.has_value() && recorded->content_hash() != content_hash) {
    return Reused("order", "order_id", order.ToString(), request.order().external());
  }
  if (!sale.ok()) return Refused(v1::REJECT_REASON_AMOUNT_OVERFLOW, sale.status());

  Decision<v1::ImportOrderResponse, v1::ImportEvent> decision;
  decision.response.set_order_id(order.ToString());
  *decision.response.mutable_net() = sale->net();
  if (recorded.has_value()) {
    decision.answer_is_final = true;
    return decision;
  }

  const rows::AwaitedRow waiting = kAwaited.Get(state, {order}).value_or(rows::AwaitedRow());
  std::vector<Fact<v1::ImportEvent>> links;
  ExcessCounter counter(state, order, *sale);
  for (const v1::LinkedReturn& linked_return : waiting.returns()) {
    ASSIGN_OR_RETURN(Fact<v1::ImportEvent> link, Link(order, *sale, linked_return, counter));
    links.push_back(std::move(link));
  }

  Fact<v1::ImportEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = order.ToString();
  fact.effective_time = MicrosOf(sale->recorded_time());
  v1::OrderImported& imported = *fact.event.mutable_order_imported();
  *imported.mutable_sale() = *std::move(sale);
  imported.set_content_hash(std::move(content_hash));
  for (Fact<v1::ImportEvent>& link : links) decision.facts.push_back(std::move(link));
  return decision;
}

absl::StatusOr<Decision<v1::ImportReturnResponse, v1::ImportEvent>> Decide(const store::RowReader& state,
                                                                           const v1::ImportReturnRequest& request,
                                                                           const partition::CommandContext& context) {
  RETURN_IF_ERROR(
      Refused(v1::REJECT_REASON_PERSONAL_DATA_IN_CLEAR, CheckNothingInClear("return_record", request.return_record())));
  RETURN_IF_ERROR(Malformed(CheckShape(request)));
  const ReturnId return_id = ReturnIdOf(context.tenant, request.return_record().external());
  absl::StatusOr<v1::SaleRecord> sale = BuildReturn(request.return_record());
  const std::optional<v1::ReturnImported> recorded = kImportedReturns.Get(state, {return_id});
  std::string content_hash =
      sale.ok() ? ContentHash(*sale, request.has_original() ? &request.original() : nullptr) : "";
  if (recorded.has_value() && recorded->content_hash() != content_hash) {
    return Reused("return", "return_id", return_id.ToString(), request.return_record().external());
  }
  if (!sale.ok()) return Refused(v1::REJECT_REASON_AMOUNT_OVERFLOW, sale.status());

  Decision<v1::ImportReturnResponse, v1::ImportEvent> decision;
  decision.response.set_return_id(return_id.ToString());
  *decision.response.mutable_net() = sale->net();
  if (recorded.has_value()) {
    decision.answer_is_final = true;
    return decision;
  }

  Fact<v1::ImportEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = return_id.ToString();
  fact.effective_time = MicrosOf(sale->recorded_time());
  v1::ReturnImported& imported = *fact.event.mutable_return_imported();
  *imported.mutable_sale() = *std::move(sale);
  if (request.has_original()) *imported.mutable_original() = request.original();
  imported.set_content_hash(std::move(content_hash));
  return decision;
}

absl::StatusOr<Decision<v1::LinkReturnResponse, v1::ImportEvent>> Decide(const store::RowReader& state,
                                                                         const v1::LinkReturnRequest& request,
                                                                         const partition::CommandContext&) {
  RETURN_IF_ERROR(Refused(v1::REJECT_REASON_MALFORMED_COMMAND, CheckLink(request)));
  const OrderId order = OrderId::FromString(request.order_id());
  const v1::LinkedReturn& linked_return = request.linked_return();
  Decision<v1::LinkReturnResponse, v1::ImportEvent> decision;

  if (const std::optional<v1::OrderImported> recorded = kImportedOrders.Get(state, {order}); recorded.has_value()) {
    if (kLinks.Contains(state, {order, ReturnId::FromString(linked_return.return_id())})) return decision;
    RETURN_IF_ERROR(CheckRoom(request.order_id(), CountsOf(state, order)));
    ExcessCounter counter(state, order, recorded->sale());
    ASSIGN_OR_RETURN(Fact<v1::ImportEvent> link, Link(order, recorded->sale(), linked_return, counter));
    decision.facts.push_back(std::move(link));
    return decision;
  }

  const rows::AwaitedRow waiting = kAwaited.Get(state, {order}).value_or(rows::AwaitedRow());
  if (Awaits(waiting, linked_return.return_id())) return decision;
  const size_t bytes = waiting.ByteSizeLong() + linked_return.ByteSizeLong() +
                       kLinkOverheadBytes * static_cast<size_t>(waiting.returns_size() + 1);
  if (bytes > kAwaitedBytesMax) {
    return Reject(v1::REJECT_REASON_TOO_MANY_RETURNS, "more returns wait for this order than one record can link",
                  {{"order_id", order.ToString()}, {"returns", absl::StrCat(waiting.returns_size())}});
  }
  Fact<v1::ImportEvent>& fact = decision.facts.emplace_back();
  fact.aggregate_id = order.ToString();
  fact.effective_time = MicrosOf(linked_return.recorded_time());
  *fact.event.mutable_return_awaited()->mutable_linked_return() = linked_return;
  return decision;
}

}  // namespace halles::checkout::imports
