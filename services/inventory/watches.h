// Those who watch the availability of SKUs: told when an event touches one of them.
#ifndef HALLES_SERVICES_INVENTORY_WATCHES_H_
#define HALLES_SERVICES_INVENTORY_WATCHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/token.h"
#include "libs/host/host.h"
#include "libs/rpc/stream.h"

namespace halles::inventory {

inline constexpr size_t kStockWatchersMax = 10'000;

// Each watcher is looked at by one thread at a time; touches meanwhile are answered by one more look.
// Thread safety: any thread.
// Lifetime: shared with the tasks that it posts. The host that it is attached to outlives its query threads' tasks.
class StockWatches : public std::enable_shared_from_this<StockWatches> {
 public:
  // Before the first Add.
  void Attach(host::Host* host) ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins to watch. Without `resume` what is there comes first. RESOURCE_EXHAUSTED (TOO_MANY_WATCHERS).
  absl::Status Add(std::set<std::string> skus, std::optional<TokenPositions> resume,
                   rpc::StreamWriter<v1::WatchAvailabilityResponse> writer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Events touched these (TopicOf).
  void Touched(const std::vector<std::string>& topics) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Watcher {
    Watcher(std::set<std::string> watched, std::optional<TokenPositions> from,
            rpc::StreamWriter<v1::WatchAvailabilityResponse> to)
        : skus(std::move(watched)), seen(std::move(from)), writer(std::move(to)) {}
    const std::set<std::string> skus;
    std::optional<TokenPositions> seen;  // of the one who looks; nullopt before the first look
    const rpc::StreamWriter<v1::WatchAvailabilityResponse> writer;
    bool looking = false;  // guarded by mutex_
    bool again = false;    // guarded by mutex_
  };

  void Look(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the view and writes what is new. False: the watch is over.
  bool Tell(Watcher& watcher, const host::Host& host, const store::RowReader& view, const TokenPositions& at);
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  host::Host* host_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);  // shared with the one who looks
  std::map<std::string, std::set<uint64_t>> by_topic_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::inventory

#endif  // HALLES_SERVICES_INVENTORY_WATCHES_H_
