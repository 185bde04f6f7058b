// The partition runtime of a process: all slots of its services on a few executors.
#ifndef HALLES_LIBS_PARTITION_RUNTIME_H_
#define HALLES_LIBS_PARTITION_RUNTIME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/partition/call_sink.h"
#include "libs/partition/command.h"
#include "libs/partition/executor.h"
#include "libs/partition/service_definition.h"
#include "libs/partition/slot_runner.h"
#include "libs/store/store.h"

namespace halles::partition {

struct RuntimeOptions {
  eventlog::EventLog* log = nullptr;
  store::Store* store = nullptr;
  const Clock* clock = nullptr;
  InstanceId instance;
  std::string address;  // told in claims
  int executors = 2;    // threads; one per core
  std::vector<ServiceDefinition> services;
  RuntimeCounters* counters = nullptr;
  // Keys the hashes of requests that aggregates send to each other, as the doors' hashes are keyed.
  std::string request_key;
  // Where calls go; null: to the runtime's own slots. Outlives the runtime.
  CallSink* calls = nullptr;
};

// Thread safety: all methods may be called from any thread.
// Lifetime: log, store, clock and counters outlive it. The destructor stops the executors; call Drain before it, so that
// what is in flight is answered.
class Runtime {
 public:
  // Starts to recover and claim every slot; returns at once.
  static absl::StatusOr<std::unique_ptr<Runtime>> Start(RuntimeOptions options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // The slot of an aggregate.
  SlotId SlotFor(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key) const;

  // Sends the command to its slot; it is answered on the slot's executor, or at once when it cannot be taken.
  void Submit(SlotId slot, std::unique_ptr<Command> command);

  // See SlotRunner::Query.
  void Query(SlotId slot, Position min_position, absl::Time deadline, SlotQuery query);

  // See SlotRunner::Watch.
  void Watch(SlotId slot, std::string aggregate_id, Position min_position, absl::Time deadline, SlotWatch watch);

  // Sends the call to the slot of its aggregate. UNIMPLEMENTED (NOT_CALLABLE) when no service here takes it.
  void Call(const OutgoingCall& call, const Command::Envelope& from, const CallDone& done);

  // First position of the slot that is not confirmed yet; 0 for a slot that is not ours.
  Position confirmed(SlotId slot) const;

  // True when every slot serves or has stopped.
  bool settled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the slots have not settled in time.
  bool AwaitSettled(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Every slot, in order. Waits for the executors.
  std::vector<SlotState> States();

  // Refuses new commands, then waits until those under way are answered; what is left at the deadline is answered with
  // UNAVAILABLE. Idempotent.
  void Drain(absl::Duration timeout);

  const eventlog::LogIdentity& identity() const { return options_.log->identity(); }
  const RuntimeOptions& options() const { return options_; }

 private:
  class ExecutorSink;
  class OwnCalls;

  explicit Runtime(RuntimeOptions options);
  SlotRunner* Find(SlotId slot) const;
  void RunOnAll(const std::function<void(SlotRunner&)>& function);

  const RuntimeOptions options_;
  const OwnerClock clock_;

  mutable Mutex mutex_;
  size_t settled_ ABSL_GUARDED_BY(mutex_) = 0;

  const std::unique_ptr<CallSink> own_calls_;

  // Immutable after Start. Runners are destroyed after the executors have stopped.
  std::map<SlotId, std::unique_ptr<SlotRunner>> runners_;
  std::vector<std::unique_ptr<ExecutorSink>> sinks_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_RUNTIME_H_
