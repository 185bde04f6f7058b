// Runs one slot: recovers it from the log, claims it, takes commands through decide, evolve, append, confirm and reply.
#ifndef HALLES_LIBS_PARTITION_SLOT_RUNNER_H_
#define HALLES_LIBS_PARTITION_SLOT_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/owner.h"
#include "libs/partition/call_sink.h"
#include "libs/partition/command.h"
#include "libs/partition/due_timers.h"
#include "libs/partition/executor.h"
#include "libs/partition/outcome_gatherer.h"
#include "libs/partition/service_definition.h"
#include "libs/store/overlay.h"
#include "libs/store/store.h"

namespace halles::partition {

// Commands of a slot that are queued, in flight or waiting for an answer. The last quarter is for reactions, timers and
// steps of sagas, so that new work cannot starve the work that would make room.
inline constexpr int64_t kSlotCommandsMax = 2048;
inline constexpr int64_t kSlotCommandsFromDoorsMax = kSlotCommandsMax * 3 / 4;
// Queries of a slot that wait for a position, and watches that wait for a fact.
inline constexpr size_t kSlotWaitingQueriesMax = 4096;
// Records read back in one task, so that other slots of the executor get their turn.
inline constexpr size_t kRecoveryRecordsPerTask = 512;
// How often a slot looks for recorded answers that have expired.
inline constexpr absl::Duration kExpiryScan = absl::Seconds(10);

// Wall time at start, going on with the monotonic clock: it does not jump when somebody sets the wall clock.
// Thread safety: immutable.
class OwnerClock {
 public:
  explicit OwnerClock(const Clock& clock) : clock_(clock), offset_(clock.Wall() - clock.MonotonicMicros()) {}
  UnixMicros Now() const { return clock_.MonotonicMicros() + offset_; }

 private:
  const Clock& clock_;
  const int64_t offset_;
};

// Counts of all slots of a process, for the metrics endpoint.
// Thread safety: may be shared. Relaxed atomics: counts, ordered with nothing.
struct RuntimeCounters {
  std::atomic<uint64_t> commands{0};
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> refusals{0};
  std::atomic<uint64_t> dedupe_hits{0};
  std::atomic<uint64_t> shed{0};
  std::atomic<uint64_t> unknown_outcomes{0};
  std::atomic<uint64_t> lost{0};
  std::atomic<uint64_t> replayed{0};
  std::atomic<uint64_t> stopped_slots{0};
  std::atomic<uint64_t> calls{0};   // sent to other aggregates
  std::atomic<uint64_t> timers{0};  // that were due
  // Told how long a command took from submission to its confirmed answer; may be empty. From executor threads.
  std::function<void(absl::Duration)> observe_command;
};

struct SlotDependencies {
  eventlog::EventLog* log = nullptr;
  eventlog::ReportSink* sink = nullptr;
  Executor* executor = nullptr;
  store::Store* store = nullptr;
  const ServiceDefinition* service = nullptr;
  const OwnerClock* clock = nullptr;
  RuntimeCounters* counters = nullptr;
  CallSink* calls = nullptr;
  InstanceId instance;
  std::string address;
  // Told once when the slot serves or has stopped, on its executor.
  std::function<void()> on_settled;
};

enum class SlotPhase { kRecovering, kServing, kFenced, kStopped };
absl::string_view SlotPhaseName(SlotPhase phase);

// A snapshot of a slot for operators.
struct SlotState {
  SlotId slot;
  SlotPhase phase = SlotPhase::kRecovering;
  Position position = 0;
  uint64_t term = 0;
  uint64_t in_flight = 0;
  absl::Status error;
};

// Reads the confirmed rows of a slot. Called on its executor; `position` is what the rows stand at.
using SlotQuery = std::function<void(absl::StatusOr<const store::RowReader*> rows, Position position)>;

// The same, called again and again until it returns true; after an error it is not called again whatever it returns.
using SlotWatch = std::function<bool(absl::StatusOr<const store::RowReader*> rows, Position position)>;

// Thread safety: Submit, Query, Watch, confirmed and load may be called from any thread; the rest runs on the executor.
// Lifetime: what SlotDependencies point to outlives it. Destroyed after its executor has stopped.
class SlotRunner {
 public:
  SlotRunner(SlotId slot, SlotDependencies deps);
  SlotRunner(const SlotRunner&) = delete;
  SlotRunner& operator=(const SlotRunner&) = delete;

  // Opens the rows and begins to recover. Not on an executor; once.
  absl::Status Open();

  // Takes the command, or answers it at once: RESOURCE_EXHAUSTED when the slot has too much to do (SLOT_QUEUE_FULL) or
  // the state store is behind.
  void Submit(std::unique_ptr<Command> command);

  // Runs `query` when the slot has reached `min_position`: DEADLINE_EXCEEDED (TOKEN_NOT_REACHED) when it does not in time.
  void Query(Position min_position, absl::Time deadline, SlotQuery query);

  // Runs `watch` when the slot has reached `min_position`, and until it returns true again with each record that holds a
  // fact of the aggregate: DEADLINE_EXCEEDED (NOT_SETTLED) when it does not in time.
  void Watch(std::string aggregate_id, Position min_position, absl::Time deadline, SlotWatch watch);

  SlotId slot() const { return slot_; }
  // First position that is not applied to the confirmed rows yet. Release/acquire: rows of lower positions are confirmed.
  Position confirmed() const { return confirmed_.load(std::memory_order_acquire); }
  bool serving() const { return serving_.load(std::memory_order_acquire); }
  int64_t load() const { return load_.load(std::memory_order_relaxed); }

  // On the executor ---------------------------------------------------------------------------------------------------
  void OnReport(const eventlog::AppendReport& report);
  void Tick();
  SlotState State() const;
  // Refuses new commands with UNAVAILABLE from now on; what is in flight is finished.
  void StopIntake() { draining_ = true; }
  // Answers everything that waits with UNAVAILABLE, for a shutdown whose deadline has passed.
  void AbandonAll();

 private:
  struct Pending {
    std::unique_ptr<Command> command;
    absl::Time submitted;
    uint64_t tag = 0;
    UnixMicros earliest_timer = DueTimers::kNever;  // that its facts set
  };
  struct WaitingAnswer {
    std::unique_ptr<Command> command;
    absl::Time submitted;
    absl::Status error;                   // when it is not OK
    std::optional<std::string> recorded;  // the answer of an earlier copy of the request
    Position recorded_position = 0;
  };
  struct WaitingQuery {
    Position position;
    absl::Time deadline;
    SlotQuery query;
  };
  struct WaitingWatch {
    absl::Time deadline;
    SlotWatch watch;
  };

  void Recover();
  void ReadSome();
  void ReadSoon();
  void Claim();
  void Pump();
  // False when there is no room in flight: the command went back to the front of the queue.
  bool Execute(Pending pending);
  void Propose(Pending pending, bool has_facts, UnixMicros now, const absl::Status& refusal);
  void AnswerLater(WaitingAnswer answer);
  void Send(WaitingAnswer answer);
  void Finish(const Pending& pending);
  // Behind the records that the confirmed rows hold: where the next start goes on.
  const eventlog::Cursor& folded() const { return stuck_at_.has_value() ? *stuck_at_ : owner_->cursor(); }
  void Handle(eventlog::Effects effects);
  void Apply(Position position, const eventlog::Judgement& judgement);
  void Stop(const absl::Status& status);
  void FailEverything(const absl::Status& status);
  void PublishPosition();
  void AnswerQueries();
  void ForgetAnswers();
  absl::Status Unavailable() const;

  // slot_follow_ups.cc: what follows from confirmed records.
  void SendCalls(Command& command);
  void DeliverOutcomes(const std::string& tenant, std::vector<CallOutcome> outcomes);
  void FireTimers();
  void AskWatches(const Command& command, Position position);
  void AskAllWatches(const absl::StatusOr<const store::RowReader*>& rows, Position position);
  void ExpireWatches();

  const SlotId slot_;
  const SlotDependencies deps_;

  // Relaxed: a count that admission compares with a limit.
  std::atomic<int64_t> load_{0};
  std::atomic<Position> confirmed_{0};
  std::atomic<bool> serving_{false};

  std::unique_ptr<store::SlotRows> rows_;
  std::optional<eventlog::Owner> owner_;
  std::unique_ptr<eventlog::LogReader> reader_;
  bool reading_ = false;  // a task that reads is posted
  bool caught_up_ = false;
  bool settled_ = false;
  bool draining_ = false;
  bool abandoned_ = false;  // everything was answered; what the log still says is for the next start
  bool expiring_ = false;
  UnixMicros next_expiry_scan_;
  absl::Status stopped_;
  std::optional<eventlog::Cursor> stuck_at_;  // before the fact that cannot be evolved, which stopped the slot

  std::deque<Pending> queue_;
  std::deque<Pending> in_flight_;
  std::unordered_map<uint64_t, WaitingAnswer> answers_;
  std::vector<WaitingQuery> queries_;
  std::unordered_multimap<std::string, WaitingWatch> watches_;  // by aggregate
  std::vector<absl::string_view> touched_;                      // kept for its memory
  DueTimers timers_;
  OutcomeGatherer gatherer_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_RUNNER_H_
