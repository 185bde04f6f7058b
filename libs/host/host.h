// One process of Halles: log, keys, state, slots, views and reactions opened from the ground up, proved, rebuilt, drained.
#ifndef HALLES_LIBS_HOST_HOST_H_
#define HALLES_LIBS_HOST_HOST_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/eventlog/log.h"
#include "libs/partition/executor.h"
#include "libs/partition/runtime.h"
#include "libs/projection/definitions.h"
#include "libs/projection/reactor.h"
#include "libs/projection/record_share.h"
#include "libs/projection/replay.h"
#include "libs/projection/view_follower.h"
#include "libs/store/fold.h"
#include "libs/store/store.h"
#include "libs/vault/key_ring.h"

namespace halles::host {

// What the services bring along.
struct Definitions {
  std::vector<partition::ServiceDefinition> services;
  std::vector<projection::ViewDefinition> views;
  std::vector<projection::ReactionDefinition> reactions;
  store::SchemaBook schemas;
};

struct HostOptions {
  // Holds log/, keys/ and state/.
  std::string data_dir;
  std::string address;  // told in claims
  int executors = 2;
  uint32_t slots_per_service = kDefaultSlotCount;
  Definitions definitions;
  const Clock* clock = nullptr;
  RandomSource* random = nullptr;
  std::function<void(const std::string& view, const std::vector<std::string>& topics)> touched;
  // Told how long a write to the log and its sync took.
  std::function<void(absl::Duration, size_t records)> observe_commit;
  std::function<void(absl::Duration)> observe_command;
};

// What lives between two rebuilds.
struct Stack {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<partition::Runtime> runtime;
  projection::RecordShare share;
  std::vector<std::unique_ptr<projection::ViewFollower>> views;
  std::vector<std::unique_ptr<projection::Reactor>> reactors;

  projection::ViewFollower& View(ServiceId service, uint8_t view) const;
  projection::Reactor* ReactorOf(ServiceId service, ServiceId source) const;  // null when there is none
  ~Stack();
};

// One state or view against the log: what a proof found.
struct Proof {
  store::Comparison comparison;
  uint64_t events = 0;
  uint64_t digests = 0;
  std::vector<std::string> differences;  // the first kDifferencesMax
};
inline constexpr size_t kDifferencesMax = 100;

// Thread safety: all methods may be called from any thread. Verify and Rebuild block their caller, one at a time.
// Lifetime: clock and random outlive it. Call Drain before it is destroyed.
// Durability: the log is the only truth; state/ is rebuilt from it whenever it is missing, damaged or of another lineage.
class Host {
 public:
  // Returns when every slot serves or has stopped; views go on catching up.
  static absl::StatusOr<std::unique_ptr<Host>> Open(HostOptions options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Runs `use` with what serves, unless a rebuild is just being put in place or the mesh is closed: UNAVAILABLE then.
  // `use` must not block, and must not keep the reference.
  absl::Status With(absl::FunctionRef<void(Stack&)> use);

  // Runs the task on a thread for queries, where it may read rows and block for a while.
  void PostQuery(std::function<void()> task);

  eventlog::EventLog& log() { return *log_; }
  const InstallId& install() const { return log_->identity().install; }
  const IdentifierKeys& identifier_keys() const { return identifier_keys_; }
  const std::string& request_key() const { return key_ring_.newest(kRequestKey); }
  const Definitions& definitions() const { return options_.definitions; }
  const Clock& clock() const { return *options_.clock; }
  partition::RuntimeCounters& counters() { return counters_; }

  // OK, or why new facts cannot be taken just now.
  absl::Status log_health() const { return log_health_(); }

  // Every view has reached the end of its sources, every reaction too.
  bool caught_up();

  // Flushes, then returns the cursor and digest of every fold, as stored together.
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> Metas();

  // Folds the whole log again beside what serves and compares every row and digest.
  // RESOURCE_EXHAUSTED (PROOF_RUNNING) when one runs already; CANCELLED when the observer ends it.
  absl::StatusOr<Proof> Verify(const projection::ReplayObserver& observer) ABSL_LOCKS_EXCLUDED(proof_mutex_);
  // The same, then puts the rebuilt rows in the place of the serving ones; requests meanwhile get UNAVAILABLE for a moment.
  absl::StatusOr<Proof> Rebuild(const projection::ReplayObserver& observer) ABSL_LOCKS_EXCLUDED(proof_mutex_);

  // Refuses new commands, answers those under way, flushes. Idempotent.
  void Drain(absl::Duration timeout);

 private:
  explicit Host(HostOptions options) : options_(std::move(options)) {}
  absl::Status OpenLogAndKeys();
  absl::StatusOr<std::unique_ptr<store::Store>> OpenStore();
  absl::Status CheckLineage(const store::Store& store);
  absl::Status OpenStack();
  void CloseGate();
  absl::StatusOr<Proof> Prove(const projection::ReplayObserver& observer, bool swap_in);

  const HostOptions options_;
  std::unique_ptr<eventlog::EventLog> log_;
  std::function<absl::Status()> log_health_;
  KeyRing key_ring_;
  IdentifierKeys identifier_keys_;
  InstanceId instance_;
  partition::RuntimeCounters counters_;
  std::vector<std::unique_ptr<partition::Executor>> query_threads_;
  std::atomic<uint64_t> next_query_thread_{0};  // relaxed: any thread will do

  Mutex proof_mutex_;
  bool proving_ ABSL_GUARDED_BY(proof_mutex_) = false;

  // The gate: users_ counts those inside With; closed_ turns newcomers away. Sequentially consistent, so that either the
  // newcomer sees the gate closed or the closer sees the newcomer.
  std::atomic<int64_t> users_{0};
  std::atomic<bool> closed_{true};
  std::unique_ptr<Stack> stack_;  // changed behind the closed gate only
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_HOST_H_
