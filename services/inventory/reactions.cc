// Turns events of orders into requests to each SKU.
#include "services/inventory/reactions.h"

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/repeated_field.h"
#include "halles/checkout/v1/import_events.visit.h"
#include "halles/checkout/v1/order_events.visit.h"

namespace halles::inventory {
namespace {

using Requests = std::vector<v1::ApplyOrderFactRequest>;

v1::ApplyOrderFactRequest RequestOf(v1::OrderFactKind kind, const std::string& sku,
                                    const partition::FactContext& context) {
  v1::ApplyOrderFactRequest request;
  request.set_sku(sku);
  request.set_kind(kind);
  request.set_order_id(std::string(context.aggregate_id));
  return request;
}

// Commits each hold once, whatever number of locations it has.
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

// Ships or releases the units of each SKU and hold at the fulfilment's location.
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
  // by SKU: units that can be sold again, and units that cannot
  std::map<std::string, std::pair<int64_t, int64_t>> units;
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

struct OrderReaction
    : PassesOver<checkout::v1::CheckoutStarted, saga::v1::SagaAdvanced, checkout::v1::OrderRejected,
                 checkout::v1::FulfilmentAdvanced, checkout::v1::FulfilmentDelayed, checkout::v1::RerouteStarted,
                 checkout::v1::FulfilmentRerouted, checkout::v1::RerouteRefused, checkout::v1::ExchangeStarted,
                 checkout::v1::ExchangeRejected> {
  using PassesOver::operator();

  Requests operator()(const checkout::v1::OrderConfirmed& confirmed) const {
    Requests requests;
    Commit(confirmed.fulfilments(), context, &requests);
    return requests;
  }
  Requests operator()(const checkout::v1::OrderCancelled& cancelled) const {
    Requests requests;
    for (const checkout::v1::Fulfilment& fulfilment : cancelled.fulfilments()) {
      Move(v1::ORDER_FACT_KIND_RELEASE, fulfilment, context, &requests);
    }
    return requests;
  }
  Requests operator()(const checkout::v1::FulfilmentHandedOver& handed_over) const {
    Requests requests;
    Move(v1::ORDER_FACT_KIND_SHIP, handed_over.fulfilment(), context, &requests);
    return requests;
  }
  Requests operator()(const checkout::v1::FulfilmentEnded& ended) const {
    Requests requests;
    Move(v1::ORDER_FACT_KIND_RELEASE, ended.fulfilment(), context, &requests);
    return requests;
  }
  Requests operator()(const checkout::v1::GoodsReturned& returned) const {
    Requests requests;
    Return(returned, context, &requests);
    return requests;
  }
  Requests operator()(const checkout::v1::ExchangeCommitted& exchange) const {
    Requests requests;
    Return(exchange.returned(), context, &requests);
    Commit(exchange.fulfilments(), context, &requests);
    return requests;
  }
  Requests operator()(NoEvent) const { return {}; }

  const partition::FactContext& context;
};

// Imported orders moved no stock that is kept here; goods returned here do.
struct ImportReaction : PassesOver<checkout::v1::OrderImported, checkout::v1::ReturnImported,
                                   checkout::v1::ReturnAwaited, checkout::v1::ReturnLinked> {
  using PassesOver::operator();

  Requests operator()(const checkout::v1::GoodsReturned& returned) const {
    Requests requests;
    Return(returned, context, &requests);
    return requests;
  }
  Requests operator()(NoEvent) const { return {}; }

  const partition::FactContext& context;
};

}  // namespace

Requests React(const checkout::v1::OrderEvent& event, const partition::FactContext& context) {
  return Visit(event, OrderReaction{{}, context});
}

Requests React(const checkout::v1::ImportEvent& event, const partition::FactContext& context) {
  return Visit(event, ImportReaction{{}, context});
}

absl::Span<const int> ReactedOrderFields() { return kHandledFields<checkout::v1::OrderEvent, OrderReaction>; }
absl::Span<const int> ReactedImportFields() { return kHandledFields<checkout::v1::ImportEvent, ImportReaction>; }

}  // namespace halles::inventory
