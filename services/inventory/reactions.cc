// Turns facts of orders into what they ask of each SKU.
#include "services/inventory/reactions.h"

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/repeated_field.h"

namespace halles::inventory {
namespace {

using checkout::v1::OrderEvent;
using Requests = std::vector<v1::ApplyOrderFactRequest>;

v1::ApplyOrderFactRequest RequestOf(v1::OrderFactKind kind, const std::string& sku,
                                    const partition::FactContext& context) {
  v1::ApplyOrderFactRequest request;
  request.set_sku(sku);
  request.set_kind(kind);
  request.set_order_id(std::string(context.aggregate_id));
  return request;
}

// Each hold once, whatever number of locations it has.
void Commit(const google::protobuf::RepeatedPtrField<checkout::v1::Fulfilment>& fulfilments,
            const partition::FactContext& context, Requests* requests) {
  std::map<std::pair<std::string, std::string>, bool> seen;  // SKU and hold
  for (const checkout::v1::Fulfilment& fulfilment : fulfilments) {
    for (const checkout::v1::FulfilmentLine& line : fulfilment.lines()) {
      if (!seen.emplace(std::pair(line.sku(), line.hold_id()), true).second) continue;
      v1::ApplyOrderFactRequest request = RequestOf(v1::ORDER_FACT_KIND_COMMIT, line.sku(), context);
      request.set_hold_id(line.hold_id());
      requests->push_back(std::move(request));
    }
  }
}

// What a fulfilment took out or leaves: the units of each SKU and hold at its location.
void Move(v1::OrderFactKind kind, const checkout::v1::Fulfilment& fulfilment, const partition::FactContext& context,
          Requests* requests) {
  std::map<std::pair<std::string, std::string>, int64_t> units;  // by SKU and hold
  for (const checkout::v1::FulfilmentLine& line : fulfilment.lines()) {
    units[{line.sku(), line.hold_id()}] += line.units();
  }
  for (const auto& [key, sum] : units) {
    v1::ApplyOrderFactRequest request = RequestOf(kind, key.first, context);
    request.set_hold_id(key.second);
    request.set_location_id(fulfilment.location_id());
    request.set_units(sum);
    requests->push_back(std::move(request));
  }
}

void Return(const checkout::v1::GoodsReturned& returned, const partition::FactContext& context, Requests* requests) {
  std::map<std::string, std::pair<int64_t, int64_t>> units;  // by SKU: that can be sold again, that cannot
  for (const checkout::v1::ReturnedLine& line : returned.lines()) {
    auto& [usable, unusable] = units[line.sku()];
    (line.disposition() == checkout::v1::DISPOSITION_RESTOCK ? usable : unusable) += line.units();
  }
  for (const auto& [sku, sums] : units) {
    v1::ApplyOrderFactRequest request = RequestOf(v1::ORDER_FACT_KIND_RETURN, sku, context);
    request.set_location_id(returned.location_id());
    request.set_units(sums.first);
    request.set_unusable_units(sums.second);
    request.set_reference(absl::StrCat("order/", context.aggregate_id, "/return/", returned.return_id()));
    requests->push_back(std::move(request));
  }
}

}  // namespace

std::vector<v1::ApplyOrderFactRequest> React(const OrderEvent& event, const partition::FactContext& context) {
  Requests requests;
  // Checkout has many facts and most of them move no stock: those that do are named here, and in ReactedFields.
  if (event.has_order_confirmed()) {
    Commit(event.order_confirmed().fulfilments(), context, &requests);
  } else if (event.has_order_cancelled()) {
    for (const checkout::v1::Fulfilment& fulfilment : event.order_cancelled().fulfilments()) {
      Move(v1::ORDER_FACT_KIND_RELEASE, fulfilment, context, &requests);
    }
  } else if (event.has_fulfilment_handed_over()) {
    Move(v1::ORDER_FACT_KIND_SHIP, event.fulfilment_handed_over().fulfilment(), context, &requests);
  } else if (event.has_fulfilment_ended()) {
    Move(v1::ORDER_FACT_KIND_RELEASE, event.fulfilment_ended().fulfilment(), context, &requests);
  } else if (event.has_goods_returned()) {
    Return(event.goods_returned(), context, &requests);
  } else if (event.has_exchange_committed()) {
    Return(event.exchange_committed().returned(), context, &requests);
    Commit(event.exchange_committed().fulfilments(), context, &requests);
  }
  return requests;
}

std::vector<int> ReactedFields() {
  return {OrderEvent::kOrderConfirmedFieldNumber,       OrderEvent::kOrderCancelledFieldNumber,
          OrderEvent::kFulfilmentHandedOverFieldNumber, OrderEvent::kFulfilmentEndedFieldNumber,
          OrderEvent::kGoodsReturnedFieldNumber,        OrderEvent::kExchangeCommittedFieldNumber};
}

}  // namespace halles::inventory
