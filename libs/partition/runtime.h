// The partition runtime of a process: all slots of its services on a few queues.
#ifndef HALLES_LIBS_PARTITION_RUNTIME_H_
#define HALLES_LIBS_PARTITION_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/base/unknown_fields.h"
#include "libs/eventlog/log.h"
#include "libs/partition/calls.h"
#include "libs/partition/command.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/owner_clock.h"
#include "libs/partition/service_definition.h"
#include "libs/partition/slot_runner.h"
#include "libs/partition/task_inbox.h"
#include "libs/store/store.h"

namespace halles::partition {

struct RuntimeOptions {
  eventlog::EventLog* log = nullptr;
  store::Store* store = nullptr;
  Scheduler* scheduler = nullptr;
  InstanceId instance;
  std::string address;  // written into claims
  int executors = 2;    // number of queues that decide; one per core
  std::vector<ServiceDefinition> services;
  // Services whose slots only follow the log until TakeOver; the slots of the others are claimed.
  SlotRole role = SlotRole::kOwner;
  RuntimeCounters* counters = nullptr;
  // Key for the hashes of requests, which distinguish a repeat from a reuse of the id.
  std::string request_key;
  // Receives the calls; null: the runtime's own slots. Outlives the runtime.
  Calls* calls = nullptr;
  // Called with each record that a slot of this runtime has confirmed as its owner. On the slot's queue; may be empty.
  std::function<void(ConfirmedRecord)> on_confirmed;
  // Called when this instance gains or loses the ownership of a slot. On the slot's queue; may be empty.
  std::function<void(SlotId slot, bool serving)> on_serving;
  // Called when a slot has stopped, with what it has reacted to. On the slot's queue; may be empty.
  std::function<void(SlotId slot, const ReactedTo& reacted)> on_stopped;
  // The operator has said that the clock is right, however far it is from the newest record of the log.
  bool accept_clock_jump = false;
  // Called if ClockCheck refuses the clock: the slots claim nothing, and the process should end with this error. On a
  // queue of the runtime, or before Start returns; may be empty.
  std::function<void(const absl::Status&)> on_clock_refused;
  // Answers Calls::ExtendToken for a slot of this runtime; empty when no service here reacts to others.
  std::function<void(SlotId target, TokenPositions sources, ExtendDone done)> extend_token;
};

// A command and the service that registered it.
struct RegisteredCommand {
  ServiceId service = ServiceId::kCheckout;
  const CommandDefinition* command = nullptr;
};

// Thread safety: all methods may be called from any thread.
// Lifetime: everything that the options point to outlives it. The destructor stops the queues and abandons appends
// without a report; call Drain before, so that commands in flight are answered. Answers to calls may arrive after it.
class Runtime {
 public:
  // Starts following all slots and claiming those that it is to own; returns at once.
  static absl::StatusOr<std::unique_ptr<Runtime>> Start(RuntimeOptions options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // The slot of an aggregate.
  SlotId SlotFor(ServiceId service, absl::string_view tenant, absl::string_view aggregate_key) const;

  // The command of a request type; null when no service here registered it.
  const RegisteredCommand* Find(const google::protobuf::Descriptor* request_type) const;

  // The only way in: makes the registered command for the request, which is moved from, and sends it to the slot of its
  // aggregate. Of `envelope`, tenant, actor, traceparent, deadline, cause, sequence and internal are used. The reply
  // comes on the slot's queue, or at once if the command cannot be accepted.
  void Submit(const RegisteredCommand& registered, absl::string_view aggregate_key, google::protobuf::Message&& request,
              Command::Envelope envelope, CommandReply reply);

  // For commands of the runtime. Answered on the slot's queue, or at once if the command cannot be accepted.
  void Submit(SlotId slot, std::unique_ptr<Command> command);

  // See SlotReads.
  void Query(SlotId slot, Position min_position, MonotonicMicros deadline, SlotQuery query);
  void Watch(SlotId slot, std::string aggregate_id, Position min_position, MonotonicMicros deadline, SlotWatch watch);

  // Sends the call to the slot of its aggregate. UNIMPLEMENTED if no service here accepts it (NOT_CALLABLE), or if it
  // holds a field or value that this build does not know (UNKNOWN_FIELD). A later build may know it, so the caller
  // sends it again.
  void Call(const OutgoingCall& call, const Command::Envelope& from, const CallDone& done);

  // Answers the question of another instance, see Calls::ExtendToken.
  void ExtendToken(SlotId target, TokenPositions sources, const ExtendDone& done);

  // Where calls and questions to other slots go.
  Calls& calls() const { return options_.calls != nullptr ? *options_.calls : *own_calls_; }

  // Claims a followed slot. Does nothing if it is not followed here or already owned.
  void TakeOver(SlotId slot);

  // First position of the slot that is not confirmed yet; 0 for a slot of another service.
  Position confirmed(SlotId slot) const;
  // Why the slot has stopped; OK while it has not, and for a slot of another service.
  absl::Status why_stopped(SlotId slot) const;
  // Whether this instance owns the slot, as far as it knows.
  bool serving(SlotId slot) const;

  // True if every slot has settled: it serves, follows at the end of the log, has stopped, or waits for a log that
  // refuses its claim.
  bool settled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until the slots have settled; false when they have not in time. Not for tasks of a queue.
  bool AwaitSettled(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Passes the state of every slot, in order, to `done` on a queue of the runtime.
  void States(std::function<void(std::vector<SlotState>)> done);

  // Refuses new commands, waits until those in progress are answered, answers the rest with UNAVAILABLE at the
  // deadline, and then calls back on a queue of the runtime. Idempotent.
  void Drain(MonotonicMicros deadline, std::function<void()> done);

  const eventlog::LogIdentity& identity() const { return options_.log->identity(); }
  const RuntimeOptions& options() const { return options_; }

 private:
  class QueueSink;
  class OwnCalls;
  class Growth;

  explicit Runtime(RuntimeOptions options);
  absl::Status Open();
  SlotRunner* Find(SlotId slot) const;
  // Runs `function` on each slot's queue, then `then` on one of them.
  void RunOnAll(std::function<void(SlotRunner&)> function, std::function<void()> then);
  void AwaitIdle(MonotonicMicros deadline, std::function<void()> done);

  const RuntimeOptions options_;
  const OwnerClock clock_;
  std::optional<ClockCheck> clock_check_;                                                 // set by Open
  absl::flat_hash_map<const google::protobuf::Descriptor*, RegisteredCommand> commands_;  // immutable after Start

  std::optional<UnknownFieldCheck> known_fields_;  // for the requests of calls

  mutable Mutex mutex_;
  size_t settled_ ABSL_GUARDED_BY(mutex_) = 0;

  const std::unique_ptr<Calls> own_calls_;

  // Immutable after Start. Runners are destroyed after the queues have stopped.
  std::vector<std::unique_ptr<RandomSource>> randoms_;
  std::map<SlotId, std::unique_ptr<SlotRunner>> runners_;
  std::vector<std::unique_ptr<QueueSink>> sinks_;
  std::vector<std::unique_ptr<TaskQueue>> queues_;
  std::vector<std::shared_ptr<TaskInbox>> inboxes_;  // of the queues; shared with pending calls
  std::unique_ptr<eventlog::LogListener> growth_;
  std::unique_ptr<eventlog::Subscription> subscription_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_RUNTIME_H_
