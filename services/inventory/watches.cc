// Looks at the view for each watcher whose SKUs were touched.
#include "services/inventory/watches.h"

#include <utility>

#include "libs/base/slot.h"
#include "libs/base/status.h"
#include "libs/host/calls.h"
#include "services/inventory/definition.h"
#include "services/inventory/projection.h"
#include "services/inventory/queries.h"

namespace halles::inventory {
namespace {

// Where the SKU stands in the view: its slot, and the first position that is not counted.
SlotId SlotOfSku(const std::string& sku, const TokenPositions& at) {
  uint32_t slots = 0;
  for (const auto& [slot, position] : at) slots += slot.service == ServiceId::kInventory ? 1 : 0;
  return SlotOf(ServiceId::kInventory, "", sku, slots);
}

}  // namespace

void StockWatches::Attach(host::Host* host) {
  MutexLock lock(&mutex_);
  host_ = host;
}

absl::Status StockWatches::Add(std::set<std::string> skus, std::optional<TokenPositions> resume,
                               rpc::StreamWriter<v1::WatchAvailabilityResponse> writer) {
  uint64_t id = 0;
  {
    MutexLock lock(&mutex_);
    if (watchers_.size() >= kStockWatchersMax) {
      return Overloaded("TOO_MANY_WATCHERS", "this instance has as many watchers as it takes", absl::Seconds(5));
    }
    id = next_id_++;
    for (const std::string& sku : skus) by_topic_[TopicOf(sku)].insert(id);
    auto watcher = std::make_shared<Watcher>(std::move(skus), std::move(resume), writer);
    watcher->looking = true;
    watchers_.emplace(id, std::move(watcher));
  }
  writer.OnCancel([weak = weak_from_this(), id] {
    if (const std::shared_ptr<StockWatches> self = weak.lock()) self->Remove(id);
  });
  Look(id);
  return absl::OkStatus();
}

void StockWatches::Touched(const std::vector<std::string>& topics) {
  std::vector<uint64_t> wake;
  {
    MutexLock lock(&mutex_);
    if (watchers_.empty()) return;
    for (const std::string& topic : topics) {
      const auto touched = by_topic_.find(topic);
      if (touched == by_topic_.end()) continue;
      for (const uint64_t id : touched->second) {
        Watcher& watcher = *watchers_.at(id);
        if (watcher.looking) {
          watcher.again = true;
        } else {
          watcher.looking = true;
          wake.push_back(id);
        }
      }
    }
  }
  for (const uint64_t id : wake) Look(id);
}

size_t StockWatches::size() const {
  MutexLock lock(&mutex_);
  return watchers_.size();
}

void StockWatches::Look(uint64_t id) {
  std::shared_ptr<Watcher> watcher;
  host::Host* host = nullptr;
  {
    MutexLock lock(&mutex_);
    const auto it = watchers_.find(id);
    if (it == watchers_.end()) return;
    watcher = it->second;
    host = host_;
  }
  host::ReadView(*host, ServiceId::kInventory, kStockView, {}, absl::InfiniteFuture(),
                 [self = shared_from_this(), host, watcher, id](absl::StatusOr<const store::RowReader*> rows,
                                                                const TokenPositions& at) {
                   if (!rows.ok()) watcher->writer.Finish(rows.status());
                   if (!rows.ok() || !self->Tell(*watcher, *host, **rows, at)) {
                     self->Remove(id);
                     return;
                   }
                   bool again = false;
                   {
                     MutexLock lock(&self->mutex_);
                     if (!self->watchers_.contains(id)) return;
                     again = std::exchange(watcher->again, false);
                     watcher->looking = again;
                   }
                   if (again) self->Look(id);
                 });
}

bool StockWatches::Tell(Watcher& watcher, const host::Host& host, const store::RowReader& view,
                        const TokenPositions& at) {
  v1::WatchAvailabilityResponse update;
  for (const std::string& sku : watcher.skus) {
    std::optional<v1::GetAvailabilityResponse> found = AvailabilityFromView(view, sku, watcher.seen);
    if (!found.has_value()) continue;
    const SlotId slot = SlotOfSku(sku, at);
    const auto position = at.find(slot);
    if (position != at.end()) {
      found->set_as_of(AsOf(slot, position->second));
      found->set_consistency_token(EncodeToken(host.install(), {{slot, position->second}}));
    }
    *update.add_availabilities() = *std::move(found);
  }
  if (const absl::Status read = view.status(); !read.ok()) {
    watcher.writer.Finish(read);
    return false;
  }
  watcher.seen = at;
  if (update.availabilities().empty()) return true;
  update.set_resume_token(EncodeToken(host.install(), at));
  // The writer itself has ended the stream when this fails.
  return watcher.writer.Write(std::move(update));
}

void StockWatches::Remove(uint64_t id) {
  std::shared_ptr<Watcher> watcher;  // ends outside of the lock: its writer may call back
  {
    MutexLock lock(&mutex_);
    const auto it = watchers_.find(id);
    if (it == watchers_.end()) return;
    watcher = std::move(it->second);
    watchers_.erase(it);
    for (const std::string& sku : watcher->skus) {
      const auto topic_watchers = by_topic_.find(TopicOf(sku));
      if (topic_watchers == by_topic_.end()) continue;
      topic_watchers->second.erase(id);
      if (topic_watchers->second.empty()) by_topic_.erase(topic_watchers);
    }
  }
}

}  // namespace halles::inventory
