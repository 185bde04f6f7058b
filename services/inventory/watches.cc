// Finds the changes for a watcher of SKUs.
#include "services/inventory/watches.h"

#include <utility>

#include "libs/base/slot.h"
#include "services/inventory/definition.h"
#include "services/inventory/projection.h"
#include "services/inventory/queries.h"

namespace halles::inventory {
namespace {

// The slot of the SKU.
SlotId SlotOfSku(const std::string& sku, const TokenPositions& at) {
  uint32_t slots = 0;
  for (const auto& [slot, position] : at) slots += slot.service == ServiceId::kInventory ? 1 : 0;
  return SlotOf(ServiceId::kInventory, "", sku, slots);
}

}  // namespace

StockWatcher::StockWatcher(std::set<std::string> skus, std::optional<TokenPositions> resume, const TokenIssuer& tokens,
                           rpc::StreamWriter<v1::WatchAvailabilityResponse> writer)
    : Watcher(ServiceId::kInventory, kStockView),
      skus_(std::move(skus)),
      tokens_(tokens),
      seen_(std::move(resume)),
      writer_(std::move(writer)) {}

absl::StatusOr<host::Watcher::Topics> StockWatcher::Look(const store::RowReader& rows, const TokenPositions& at) {
  Topics topics;
  v1::WatchAvailabilityResponse update;
  for (const std::string& sku : skus_) {
    topics.insert(TopicOf(sku));
    std::optional<v1::GetAvailabilityResponse> found = AvailabilityFromView(rows, sku, seen_);
    if (!found.has_value()) continue;
    const SlotId slot = SlotOfSku(sku, at);
    const auto position = at.find(slot);
    if (position != at.end()) {
      found->set_as_of(AsOf(slot, position->second));
      found->set_consistency_token(tokens_.Issue({{slot, position->second}}));
    }
    *update.add_availabilities() = *std::move(found);
  }
  seen_ = at;
  if (!update.availabilities().empty()) {
    update.set_resume_token(tokens_.Issue(at));
    news_ = std::move(update);
  }
  return topics;
}

bool StockWatcher::Tell() {
  if (!news_.has_value()) return true;
  v1::WatchAvailabilityResponse update = *std::move(news_);
  news_.reset();
  // If this fails, the writer itself has ended the stream.
  return writer_.Write(std::move(update));
}

}  // namespace halles::inventory
