// Watches of views: a watch reads its view again when an event touches one of its topics.
#ifndef HALLES_LIBS_HOST_WATCHES_H_
#define HALLES_LIBS_HOST_WATCHES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/host/host.h"
#include "libs/store/rows.h"

namespace halles::host {

// Of all services of a process. Together with other calls they stay within what all connections may have open
// (rpc::ConnectionLimits::open_max).
inline constexpr size_t kWatchersMax = 4'096;

// One watcher of a service.
// Thread safety: Look and Tell are called one at a time; Finish and OnCancel on any thread.
class Watcher {
 public:
  Watcher(ServiceId watched_service, uint8_t watched_view) : service(watched_service), view(watched_view) {}
  virtual ~Watcher() = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // The topics that it watches, as projections name them. Unique over all views.
  using Topics = std::set<std::string>;

  // Reads the view, each source at one position, and keeps changes for Tell. Returns the topics that wake the watch
  // from now on. An error ends the watch.
  virtual absl::StatusOr<Topics> Look(const store::RowReader& rows, const TokenPositions& at) = 0;
  // Sends the changes that the last Look found, if any. False if the client has left.
  virtual bool Tell() = 0;
  // Ends the watch with an error.
  virtual void Finish(const absl::Status& why) = 0;
  // Runs `gone` once when the client leaves, or at once if it has already left.
  virtual void OnCancel(std::function<void()> gone) = 0;

  const ServiceId service;  // owner of the view
  const uint8_t view;
};

// Each watch has at most one Look in progress; topics touched meanwhile lead to one more Look.
// Thread safety: any thread.
// Lifetime: shared with the tasks that it posts. The host that it is attached to outlives its tasks for queries.
class Watches : public std::enable_shared_from_this<Watches> {
 public:
  // Before the first Add.
  void Attach(Host* host) ABSL_LOCKS_EXCLUDED(mutex_);

  // Adds a watch, which looks at once. RESOURCE_EXHAUSTED (TOO_MANY_WATCHERS).
  absl::Status Add(const std::shared_ptr<Watcher>& watcher) ABSL_LOCKS_EXCLUDED(mutex_);

  // Events touched these topics. Wakes the watches of them.
  void Touched(const std::vector<std::string>& topics) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<Watcher> watcher;  // shared with a running Look
    Watcher::Topics topics;
    bool looking = true;
    bool again = false;
  };

  void Look(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Looked(uint64_t id, Watcher& watcher, absl::StatusOr<Watcher::Topics> topics) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(uint64_t id, const std::string& topic) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Host* host_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::set<uint64_t>> by_topic_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_WATCHES_H_
