// Prints orders, stock and holds.
#include "services/hallesctl/print_order.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/hallesctl/message_json.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using checkout::v1::Delivery;
using checkout::v1::Order;
using checkout::v1::OrderFulfilment;
using checkout::v1::OrderLine;
using checkout::v1::OrderReturn;
using google::protobuf::Timestamp;
using inventory::v1::Allocation;
using inventory::v1::Hold;
using inventory::v1::StockLevel;

std::string TimeOr(bool has, const Timestamp& time, const char* otherwise) {
  return has ? TimeText(time.seconds()) : otherwise;
}

// A count; empty for zero.
std::string CountText(int64_t count) { return count == 0 ? "" : Thousands(count); }

const char* DeliveryWord(const Delivery& delivery) {
  switch (delivery.kind_case()) {
    case Delivery::kCarryOut:
      return "carry out";
    case Delivery::kPickup:
      return "pickup";
    case Delivery::kShipment:
      return "shipment";
    case Delivery::KIND_NOT_SET:
      return "";
  }
  return "";
}

std::string FulfilmentLinesText(const OrderFulfilment& fulfilment) {
  return absl::StrJoin(fulfilment.fulfilment().lines(), ", ", [](std::string* out, const auto& line) {
    absl::StrAppend(out, line.units(), " of ", line.line_id());
  });
}

}  // namespace

std::string AllocationsText(const google::protobuf::RepeatedPtrField<Allocation>& allocations) {
  return absl::StrJoin(allocations, ", ", [](std::string* out, const Allocation& allocation) {
    absl::StrAppend(out, Thousands(allocation.units()), " in ", allocation.location_id());
  });
}

std::string LevelsText(const std::vector<StockLevel>& levels, int width) {
  Table table({{"location", false, true},
               {"on hand", true},
               {"held", true},
               {"committed", true},
               {"in transit", true, false, 2},
               {"backorder", true, false, 3},
               {"available", true},
               {"short", true, false, 1}});
  for (const StockLevel& level : levels) {
    table.Add({level.location_id(), Thousands(level.on_hand_units()), Thousands(level.held_units()),
               Thousands(level.committed_units()), Thousands(level.in_transit_units()),
               Thousands(level.backorder_units()), Thousands(level.available_units()), CountText(level.short_units())});
  }
  return table.Render(width);
}

std::string HoldText(const Hold& hold, int width) {
  std::string text =
      absl::StrCat("Hold       ", hold.hold_id(), "\nSKU        ", hold.sku(), "\nState      ", WordOf(hold.state()),
                   "\nFor        ", WordOf(hold.purpose()), " of ", hold.owner().ref(), "\n");
  if (!hold.order_id().empty()) absl::StrAppend(&text, "Order      ", hold.order_id(), "\n");
  absl::StrAppend(&text, "Ends       ", TimeOr(hold.has_expire_time(), hold.expire_time(), "when its owner ends it"),
                  "\n");
  if (hold.allocations().empty()) return text;
  Table table({{"location", false, true}, {"units", true}});
  for (const Allocation& allocation : hold.allocations()) {
    table.Add({allocation.location_id(), Thousands(allocation.units())});
  }
  return absl::StrCat(text, "\n", table.Render(width));
}

std::string ProblemsText(const google::protobuf::RepeatedPtrField<checkout::v1::Problem>& problems, int width) {
  if (problems.empty()) return "";
  Table table(
      {{"line"}, {"sku", false, true}, {"problem"}, {"asked", true}, {"available", true}, {"", false, true, 1}});
  for (const checkout::v1::Problem& problem : problems) {
    table.Add({problem.line_id(), problem.sku(), WordOf(problem.kind()), CountText(problem.asked_units()),
               Thousands(problem.available_units()), problem.message()});
  }
  return table.Render(width);
}

std::string OrderText(const Order& order, int width) {
  std::string text =
      absl::StrCat("Order      ", order.order_id(), "\nState      ", WordOf(order.state()), "\nPlaced in  ",
                   ChannelText(order.origin().channel()), " ", order.origin().site_id(), "\n");
  if (order.number() > 0) absl::StrAppend(&text, "Number     ", Thousands(order.number()), "\n");
  if (order.has_confirm_time()) {
    absl::StrAppend(&text, "Confirmed  ", TimeText(order.confirm_time().seconds()), "\n");
  }
  absl::StrAppend(&text, "Total      ", AmountText(order.total()), "\nVersion    ", order.version(), "\n");
  Table lines({{"line"},
               {"sku", false, true},
               {"description", false, true, 2},
               {"units", true},
               {"price", true, false, 1},
               {"amount", true},
               {"cancelled", true, false, 3},
               {"handed over", true, false, 4},
               {"returned", true}});
  for (const OrderLine& line : order.lines()) {
    lines.Add({line.line().line_id(), line.line().sku(), line.line().description(), Thousands(line.line().units()),
               DecimalText(line.line().unit_price()), AmountText(line.line().amount()),
               CountText(line.cancelled_units()), CountText(line.handed_over_units()),
               CountText(line.returned_units())});
  }
  if (!lines.empty()) absl::StrAppend(&text, "\n", lines.Render(width));
  Table fulfilments({{"fulfilment"},
                     {"location", false, true},
                     {"by", false, false, 2},
                     {"state"},
                     {"lines", false, true},
                     {"promised", false, false, 1},
                     {"late because", false, true, 3}});
  for (const OrderFulfilment& each : order.fulfilments()) {
    const bool waits = each.has_collect_by_time();
    fulfilments.Add(
        {each.fulfilment().fulfilment_id(), each.fulfilment().location_id(), DeliveryWord(each.fulfilment().delivery()),
         WordOf(each.state()), FulfilmentLinesText(each),
         TimeOr(waits || each.has_promised_time(), waits ? each.collect_by_time() : each.promised_time(), ""),
         each.delay_cause()});
  }
  if (!fulfilments.empty()) absl::StrAppend(&text, "\n", fulfilments.Render(width));
  Table returns({{"return"}, {"received in", false, true}, {"net", true}, {"event"}});
  for (const OrderReturn& each : order.returns()) {
    returns.Add({each.returned().return_id(), each.returned().location_id(), AmountText(each.returned().sale().net()),
                 each.event()});
  }
  if (!returns.empty()) absl::StrAppend(&text, "\n", returns.Render(width));
  if (!order.problems().empty()) absl::StrAppend(&text, "\n", ProblemsText(order.problems(), width));
  return text;
}

}  // namespace halles::hallesctl
