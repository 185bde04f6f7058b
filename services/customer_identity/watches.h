// Those who watch customers: told what is new when an event touches one of the party's identifiers.
#ifndef HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_
#define HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "halles/customer_identity/v1/customer_identity_service.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/token.h"
#include "libs/host/host.h"
#include "libs/rpc/stream.h"

namespace halles::customer_identity {

inline constexpr size_t kWatchersMax = 10'000;

// Each watcher is looked at by one thread at a time; touches meanwhile are answered by one more look.
// Thread safety: any thread.
// Lifetime: shared with the tasks that it posts. The host that it is attached to outlives its query threads' tasks.
class Watches : public std::enable_shared_from_this<Watches> {
 public:
  // Before the first Add.
  void Attach(host::Host* host) ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins to watch; `name` is hashed. Without `resume`, or when the watcher cannot go on from there, a snapshot is first.
  // RESOURCE_EXHAUSTED (TOO_MANY_WATCHERS).
  absl::Status Add(v1::CustomerName name, std::optional<TokenPositions> resume,
                   rpc::StreamWriter<v1::WatchCustomerResponse> writer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Events touched these (TopicOf).
  void Touched(const std::vector<std::string>& topics) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Watcher {
    Watcher(v1::CustomerName customer, std::optional<TokenPositions> from,
            rpc::StreamWriter<v1::WatchCustomerResponse> to)
        : name(std::move(customer)), seen(std::move(from)), writer(std::move(to)) {}
    const v1::CustomerName name;
    std::optional<TokenPositions> seen;  // of the one who looks; nullopt before the snapshot
    const rpc::StreamWriter<v1::WatchCustomerResponse> writer;
    std::set<std::string> topics;  // guarded by mutex_
    bool looking = false;          // guarded by mutex_
    bool again = false;            // guarded by mutex_
  };

  void Look(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the view and writes what is new. Not OK: the watch is over.
  absl::Status Tell(Watcher& watcher, const store::RowReader& view, const TokenPositions& at,
                    std::set<std::string>* topics);
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  host::Host* host_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);  // shared with the one who looks
  std::map<std::string, std::set<uint64_t>> by_topic_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::customer_identity

#endif  // HALLES_SERVICES_CUSTOMER_IDENTITY_WATCHES_H_
