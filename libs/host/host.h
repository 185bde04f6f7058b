// One process of Halles on any log: state, slots, views and reactions, with verify, rebuild and drain.
#ifndef HALLES_LIBS_HOST_HOST_H_
#define HALLES_LIBS_HOST_HOST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/eventlog/log.h"
#include "libs/host/definitions.h"
#include "libs/host/query_pool.h"
#include "libs/partition/calls.h"
#include "libs/partition/runtime.h"
#include "libs/projection/follower_pool.h"
#include "libs/projection/replay.h"
#include "libs/store/fold.h"
#include "libs/store/store.h"

namespace halles::host {

// What a host reads and writes.
struct HostData {
  // Any driver.
  eventlog::EventLog* log = nullptr;
  // Opens the state; called again after a rebuild, and when there is space again. At most one store at a time.
  std::function<absl::StatusOr<std::unique_ptr<store::Store>>()> open_store;
  IdentifierKeys identifier_keys;
  std::string request_key;
};

struct HostOptions : HostData {
  Scheduler* scheduler = nullptr;
  RandomSource* random = nullptr;
  std::string address;  // written into claims
  int executors = 2;    // queues for commands, and the same number for followers
  partition::SlotRole role = partition::SlotRole::kOwner;
  partition::Calls* calls = nullptr;  // null: calls stay in this process
  Definitions definitions;
  // Called with the topics that events of a view touched; may be empty. Runs on a follower's queue and must not block.
  std::function<void(const std::string& view, const std::vector<std::string>& topics)> touched;
  // See partition::RuntimeOptions.
  bool accept_clock_jump = false;
  std::function<void(const absl::Status&)> on_clock_refused;
  // Called with the time from submission to answer of each command; may be empty.
  std::function<void(absl::Duration)> observe_command;
};

// The parts that a rebuild replaces.
struct Serving {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<projection::FollowerPool> pool;
  std::unique_ptr<partition::Runtime> runtime;

  ~Serving();
};

// How much of the log has been folded since the parts were opened.
struct CatchUp {
  uint64_t records_done = 0;   // folded since, on the average of state and views
  uint64_t records_total = 0;  // from there to the end of the log, on the same average
};

// The result of a verify or rebuild.
struct Proof {
  store::Comparison comparison;
  uint64_t events = 0;
  uint64_t digests = 0;
  std::vector<std::string> differences;  // the first kDifferencesMax
};
inline constexpr size_t kDifferencesMax = 100;

// Thread safety: all methods may be called from any thread, except that blocking ones must not be called from a task of
// a queue.
// Lifetime: everything that the options and the data point to outlives it. Call Drain before it is destroyed, so that
// commands in progress are answered.
// Durability: only the log is the truth.
class Host {
 public:
  // Returns at once: slots recover and claim, views catch up.
  static absl::StatusOr<std::unique_ptr<Host>> Open(HostOptions options);
  // The same in two steps, so that doors can be made before the log is open. Until Start has succeeded, only what needs no
  // data may be used: scheduler, clock, definitions and counters, and With, which says STARTING.
  static std::unique_ptr<Host> Make(HostOptions options);
  // One thread at a time, and again after an error. Whoever uses the data afterwards has learnt from CheckOpened or
  // otherwise that it has succeeded.
  absl::Status Start(HostData data) ABSL_LOCKS_EXCLUDED(gate_mutex_);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // UNAVAILABLE (STARTING) until Start has succeeded.
  absl::Status CheckOpened() ABSL_LOCKS_EXCLUDED(gate_mutex_);
  // Every slot has settled, see Runtime::settled.
  bool settled();
  // Blocks. False when the slots have not settled in time.
  bool AwaitSettled(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(gate_mutex_);

  // How far the parts have caught up; zeros while there are none.
  CatchUp catch_up();

  // Runs `use` with the current parts. UNAVAILABLE before Start (STARTING), while a rebuild is being put in place and
  // after the host was closed (NOT_SERVING).
  // `use` must not block, and must not keep the reference.
  absl::Status With(absl::FunctionRef<void(Serving&)> use) ABSL_LOCKS_EXCLUDED(gate_mutex_);

  // Runs the query on a queue for queries, where it may read rows and block for a while; see QueryPool.
  void PostQuery(uint32_t lane, MonotonicMicros deadline, QueryPool::Query query) {
    queries_.Post(lane, deadline, std::move(query));
  }
  // The lane of a view's queries, and that of operators.
  static uint32_t LaneOf(ServiceId service, uint8_t view) {
    return uint32_t{static_cast<uint8_t>(service)} << 8 | view;
  }
  static constexpr uint32_t kOperatorsLane = 0;

  // The command of a request type; null when no service registered it.
  const partition::RegisteredCommand* FindCommand(const google::protobuf::Descriptor* request_type) const;

  eventlog::EventLog& log() { return *options_.log; }
  const InstallId& install() const { return options_.log->identity().install; }
  // Reads and issues consistency tokens.
  const TokenIssuer& tokens() const { return *tokens_; }
  // The slot of an aggregate.
  SlotId SlotFor(ServiceId service, absl::string_view aggregate_key) const {
    return SlotOf(service, "", aggregate_key, options_.log->identity().slots.of(service));
  }
  const IdentifierKeys& identifier_keys() const { return options_.identifier_keys; }
  const Definitions& definitions() const { return options_.definitions; }
  Scheduler& scheduler() { return *options_.scheduler; }
  const Clock& clock() const { return options_.scheduler->clock(); }
  partition::RuntimeCounters& counters() { return counters_; }

  // Every view, and every reaction whose target slot this process owns, has reached the end of the log.
  bool caught_up();

  // Blocks: the state of every slot, in order. Empty when nothing serves.
  std::vector<partition::SlotState> SlotStates();

  // Blocks: flushes, then returns the cursor and digest of every fold, as stored together.
  absl::StatusOr<std::map<store::FoldId, store::FoldMeta>> Metas();

  // Blocks: folds the whole log again into a second store and compares every row and digest. RESOURCE_EXHAUSTED
  // (PROOF_RUNNING) if a verify or rebuild is already running; CANCELLED if the observer ends it.
  absl::StatusOr<Proof> Verify(const projection::ReplayObserver& observer) ABSL_LOCKS_EXCLUDED(proof_mutex_);
  // The same, and then replaces the rows in use by the rebuilt ones; requests during the swap get UNAVAILABLE.
  absl::StatusOr<Proof> Rebuild(const projection::ReplayObserver& observer) ABSL_LOCKS_EXCLUDED(proof_mutex_);

  // Blocks: if there was no space to write the state when it was opened, and there is space now, opens it again; requests
  // meanwhile get UNAVAILABLE. OK if there is nothing to do; an error says why the state is still only read. To be called
  // from time to time.
  absl::Status MendState() ABSL_LOCKS_EXCLUDED(proof_mutex_);

  // Blocks: refuses new commands, answers those in progress, flushes. A proof under way ends with CANCELLED, but a swap
  // of the rows is waited for. Idempotent.
  void Drain(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(proof_mutex_);

 private:
  explicit Host(HostOptions options);
  absl::Status Serve();
  // How many records of each source are folded, on the average of state and views.
  std::map<SlotId, Position> FoldedOf(const Serving& serving) const;
  // Blocks until no call is inside With; a query is inside for as long as it reads.
  void CloseGate() ABSL_LOCKS_EXCLUDED(gate_mutex_);
  void OpenGate() ABSL_LOCKS_EXCLUDED(gate_mutex_);
  void DrainRuntime(absl::Duration timeout);
  // Whether a proof, or the opening of the state, may begin; it is to be ended then.
  absl::Status BeginProof() ABSL_LOCKS_EXCLUDED(proof_mutex_);
  void EndProof() ABSL_LOCKS_EXCLUDED(proof_mutex_);
  // Whether the parts may be replaced; it is to be ended then. CANCELLED when the host is ending.
  absl::Status BeginSwap() ABSL_LOCKS_EXCLUDED(proof_mutex_);
  void EndSwap() ABSL_LOCKS_EXCLUDED(proof_mutex_);
  // Closes the parts. The gate is closed then.
  void CloseParts();
  // Waits for the slots, but not while the host is ending, and opens the gate.
  void OpenGateWhenSettled();
  absl::StatusOr<Proof> Prove(const projection::ReplayObserver& observer, bool swap_in)
      ABSL_LOCKS_EXCLUDED(proof_mutex_);
  // Replaces the serving rows by those of `beside`. CANCELLED when the host is ending.
  absl::Status SwapIn(std::unique_ptr<store::Snapshot> stored, std::unique_ptr<store::Snapshot> rebuilt,
                      std::unique_ptr<store::Store> beside) ABSL_LOCKS_EXCLUDED(proof_mutex_);
  absl::Status CheckNotEnding() ABSL_LOCKS_EXCLUDED(proof_mutex_);

  HostOptions options_;  // changed by Start only, before the gate is opened
  const InstanceId instance_;
  std::optional<TokenIssuer> tokens_;  // set by Start
  absl::flat_hash_map<const google::protobuf::Descriptor*, partition::RegisteredCommand> commands_;
  partition::RuntimeCounters counters_;
  QueryPool queries_;

  Mutex proof_mutex_;
  bool proving_ ABSL_GUARDED_BY(proof_mutex_) = false;
  bool swapping_ ABSL_GUARDED_BY(proof_mutex_) = false;  // serving_ is being replaced
  bool ending_ ABSL_GUARDED_BY(proof_mutex_) = false;    // no rows may be swapped in any more

  Mutex gate_mutex_;
  int64_t users_ ABSL_GUARDED_BY(gate_mutex_) = 0;   // calls inside With
  bool closed_ ABSL_GUARDED_BY(gate_mutex_) = true;  // for new calls
  bool opened_ ABSL_GUARDED_BY(gate_mutex_) = false;
  // Both are changed only while closed_ is set and no call is inside With. Null before Start, and when nothing can serve.
  std::unique_ptr<Serving> serving_;
  std::map<SlotId, Position> opened_at_;  // how many records of each source were folded when the parts were opened
};

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_HOST_H_
