// Runs one slot: follows its log, claims it, takes commands through decide, evolve, append, confirm and reply.
//
//                Open
//                  |
//                  v      another instance's claim wins
//             FOLLOWING <---------------------------------+
//                  |                                      |
//                  | at the end of the log,               |
//                  | if it is to own the slot             |
//                  v                                      |
//              CLAIMING ---------------------------------->
//                  |  ^                                   |
//  own claim       |  | doubt: an append of unknown       |
//  wins, read      |  | fate, or the log was reset
//  to the end      v  |                                   |
//               SERVING ----------------------------------+
//
//  any --> STOPPED: the log is damaged, cut or forked, needs a newer build, or holds an event that cannot be evolved.
//  any --> FOLLOWING from the first record: stored rows are damaged, and are folded again.
//
// FOLLOWING folds the records of others and answers reads. Only SERVING decides. Commands that arrive earlier wait for
// it until their deadline, unless the slot merely follows or the log refuses its claim. After a transient error
// (IsPassing) the slot pauses and tries again; it never stops because of one. No slot claims before the clock of the
// process is believed, see ClockCheck.
#ifndef HALLES_LIBS_PARTITION_SLOT_RUNNER_H_
#define HALLES_LIBS_PARTITION_SLOT_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/backoff.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/owner.h"
#include "libs/partition/calls.h"
#include "libs/partition/command.h"
#include "libs/partition/counters.h"
#include "libs/partition/due_timers.h"
#include "libs/partition/expired_answers.h"
#include "libs/partition/owner_clock.h"
#include "libs/partition/runtime_rows.pb.h"
#include "libs/partition/service_definition.h"
#include "libs/partition/slot_catch_up.h"
#include "libs/partition/slot_follow_ups.h"
#include "libs/partition/slot_reads.h"
#include "libs/partition/task_inbox.h"
#include "libs/store/overlay.h"
#include "libs/store/store.h"

namespace halles::partition {

// Maximum number of commands of a slot that are queued, in flight or waiting for an answer. The last quarter is
// reserved for reactions, timers and steps of sagas, so that new work cannot block the work that completes older work.
inline constexpr int64_t kSlotCommandsMax = 2048;
inline constexpr int64_t kSlotCommandsFromDoorsMax = kSlotCommandsMax * 3 / 4;
// Maximum size of these commands, as they were on the wire; the same share of it is reserved.
inline constexpr int64_t kSlotCommandBytesMax = int64_t{8} << 20;
inline constexpr int64_t kSlotCommandBytesFromDoorsMax = kSlotCommandBytesMax * 3 / 4;
// Interval at which a slot frees memory of keys that are not looked up any more.
inline constexpr absl::Duration kForgetKeysEvery = absl::Hours(1);
// After this time without a report, the outcome of a record or claim counts as unknown. Drivers usually report earlier.
inline constexpr absl::Duration kAppendPatience = absl::Seconds(10);

// A record that its owner has just confirmed, for the followers of the slot: judged, with the cursors before and after
// it.
struct ConfirmedRecord {
  SlotId slot;
  Position position = 0;
  std::string bytes;
  eventlog::Cursor before;
  eventlog::Cursor after;
};

// What a slot has reacted to, by source.
using ReactedTo = absl::StatusOr<std::map<SlotId, rows::ReactionCursorRow>>;

// The role of an instance for a slot.
enum class SlotRole {
  kOwner,    // claims it
  kStandby,  // follows it until TakeOver
};

struct SlotDependencies {
  eventlog::EventLog* log = nullptr;
  eventlog::ReportSink* sink = nullptr;
  TaskQueue* queue = nullptr;
  std::shared_ptr<TaskInbox> inbox;  // of the queue, for answers that may arrive after it has ended
  const Scheduler* scheduler = nullptr;
  store::Store* store = nullptr;
  const ServiceDefinition* service = nullptr;
  const OwnerClock* clock = nullptr;
  ClockCheck* clock_check = nullptr;
  RandomSource* random = nullptr;  // used on the queue only
  RuntimeCounters* counters = nullptr;
  Calls* calls = nullptr;
  SubmitOwn submit;
  InstanceId instance;
  std::string address;
  SlotRole role = SlotRole::kOwner;
  // Called with each record that this slot has confirmed as its owner. On its queue; may be empty.
  std::function<void(ConfirmedRecord)> on_confirmed;
  // Called when this instance gains or loses the ownership of the slot. On its queue; may be empty.
  std::function<void(bool serving)> on_serving;
  // Called once if the slot stops. On its queue; may be empty.
  std::function<void(const ReactedTo& reacted)> on_stopped;
  // Called once when the slot has settled: it serves, follows at the end of the log, has stopped, or waits for a log
  // that refuses its claim. On its queue.
  std::function<void()> on_settled;
};

enum class SlotPhase { kRecovering, kServing, kFollowing, kStopped };
absl::string_view SlotPhaseName(SlotPhase phase);

// A snapshot of a slot for operators.
struct SlotState {
  SlotId slot;
  SlotPhase phase = SlotPhase::kRecovering;
  Position position = 0;
  uint64_t term = 0;
  uint64_t in_flight = 0;
  size_t commands = 0;  // queued, in flight or waiting for an answer; at most kSlotCommandsMax
  size_t waiting_queries = 0;
  size_t watches = 0;
  absl::Status error;
};

// Thread safety: Submit, Query, Watch, OnGrown, TakeOver, OnReset, confirmed, serving, why_stopped and load may be called
// from any thread; the rest runs on the queue.
// Lifetime: everything that SlotDependencies point to outlives it. Destroyed after its queue has stopped.
class SlotRunner {
 public:
  SlotRunner(SlotId slot, SlotDependencies deps);
  ~SlotRunner();
  SlotRunner(const SlotRunner&) = delete;
  SlotRunner& operator=(const SlotRunner&) = delete;

  // Opens the rows. Not on a queue; once, before anything else.
  absl::Status Open();
  // Starts following. Called once, when the log sends notifications of the slot.
  void Start();

  // Accepts the command, or answers it at once: RESOURCE_EXHAUSTED if the slot has too many commands or too many bytes of
  // them (SLOT_QUEUE_FULL), or if the state store is behind.
  void Submit(std::unique_ptr<Command> command);

  // See SlotReads. Answers at once with RESOURCE_EXHAUSTED (TOO_MANY_WAITING_READS) beyond kSlotReadsOnTheirWayMax, and with
  // DEADLINE_EXCEEDED (DEADLINE_PASSED) when the queue comes to it too late.
  void Query(Position min_position, MonotonicMicros deadline, SlotQuery query);
  void Watch(std::string aggregate_id, Position min_position, MonotonicMicros deadline, SlotWatch watch);

  // The log of the slot can now be read up to `end`.
  void OnGrown(Position end);
  // Claims the slot, even from another owner. Does nothing if the slot serves, claims or has stopped.
  void TakeOver();
  // The clock is believed: slots that wait for that are claimed.
  void OnClockBelieved();
  // The clock is wrong: the slot claims nothing, and refuses its commands with this error.
  void OnClockRefused(const absl::Status& why);
  // The connection to the slot's log was lost, or its leader changed: records that were read may have been cut.
  void OnReset();

  SlotId slot() const { return slot_; }
  // First position that is not applied to the confirmed rows yet. Release/acquire: rows of lower positions are confirmed.
  Position confirmed() const { return confirmed_.load(std::memory_order_acquire); }
  bool serving() const { return serving_.load(std::memory_order_acquire); }
  // Why the slot has stopped; OK while it has not.
  absl::Status why_stopped() const ABSL_LOCKS_EXCLUDED(why_stopped_mutex_) {
    MutexLock lock(&why_stopped_mutex_);
    return why_stopped_;
  }
  int64_t load() const { return load_.load(std::memory_order_relaxed); }

  // On the queue ------------------------------------------------------------------------------------------------------
  void OnReport(const eventlog::AppendReport& report);
  SlotState State() const;
  // From now on, refuses new commands with UNAVAILABLE; records in flight are finished.
  void StopIntake() { draining_ = true; }
  // Answers all waiting commands and reads with UNAVAILABLE, when the deadline of a shutdown has passed.
  void AbandonAll();

 private:
  struct Pending {
    std::unique_ptr<Command> command;
    MonotonicMicros submitted = 0;
    uint64_t tag = 0;
    Position expected = 0;  // where its record should land
    MonotonicMicros appended = 0;
    UnixMicros earliest_timer = DueTimers::kNever;  // set by its events
    size_t record_bytes = 0;
    std::string bytes;              // of its record, if on_confirmed is set
    std::vector<uint64_t> repeats;  // tickets of answers to copies of its request
  };
  struct WaitingAnswer {
    std::unique_ptr<Command> command;
    MonotonicMicros submitted = 0;
    absl::Status error;                   // if it is not OK
    std::optional<std::string> recorded;  // the answer of an earlier copy of the request
    Position recorded_position = 0;       // first position after that copy; 0 until it is confirmed
  };
  // Opens the rows and returns where they end. An error with `rows_` set is that of their cursor.
  absl::StatusOr<eventlog::Cursor> OpenRows(const store::SlotOptions& options);

  // Following: slot_runner.cc.
  SlotCatchUp::Taken OnRecord(const eventlog::StoredRecord& record);
  void OnEnd();
  // Whether the oldest record in flight, or one before it, is in the log at another position than its events were
  // evolved for. Only while the slot is in doubt; otherwise its owner confirms records at their expected positions.
  bool IsElsewhere(Position position) const;
  // Folds the record at `position`; false if a read of rows failed.
  bool Apply(Position position, const eventlog::Judgement& judgement);
  void Settled();

  // Claiming: slot_claims.cc.
  void Claim();
  void ClaimAfter(const absl::Status& doubt);
  // Whether the log refuses the claim: counted, and logged once for all slots of the process.
  void SetRefused(const absl::Status& refused);
  // Revert rows of the last record, or of those in flight behind the oldest `keep`.
  void AbandonRecord();
  void DropInFlight(size_t keep);
  // Stored rows turned out to be damaged: empties them and reads the log again from the first record, as at a start.
  void Refold();
  void SetServing(bool serving);

  // Deciding: slot_decisions.cc.
  void Pump();
  // False if it cannot be executed now: the command returned to the front of the queue.
  bool Execute(Pending pending);
  // The recorded answer of an earlier copy of the request or reaction, or the error if the request id cannot be
  // executed.
  std::optional<WaitingAnswer> AnswerOfRepeat(const Command::Envelope& envelope, UnixMicros now);
  bool Propose(Pending pending, bool has_facts, UnixMicros now, const absl::Status& refusal);
  void AnswerLater(WaitingAnswer answer);
  void Send(WaitingAnswer answer);
  void Finish(const Pending& pending);
  // The slot has taken the command, or is done with it. Admit says whether there was room for it.
  bool Admit(const Command& command);
  void Release(const Command& command);
  // Answers it with DEADLINE_PASSED.
  void AnswerLate(Pending pending);
  // Answers the queued commands whose deadline has passed, or all of them.
  void ExpireQueued(MonotonicMicros now);
  void FailQueued(const absl::Status& status);
  // A read of rows failed: the command is decided again after a pause, unless the error is permanent. Returns false,
  // for Execute.
  bool Postpone(Pending pending, const absl::Status& why);

  // `folded`: the rows of the record just read were folded from it.
  void Handle(const eventlog::Effects& effects, bool folded = false);
  void OnConfirmed(const eventlog::Effect& effect, bool folded);
  void OnLost(const eventlog::Effect& effect);
  void PublishPosition();
  void Look();
  absl::Status Unavailable() const;
  // Counts a read that is to be posted; an error when there are too many.
  absl::Status AdmitRead();
  // The queue has come to a read: an error when it is not to be made.
  absl::Status BeginRead(MonotonicMicros deadline);

  // Ending: slot_ends.cc.
  void Stop(const absl::Status& status);
  void StepDown();
  void FailCommands(const absl::Status& status);
  // Those that were decided, or wait for an answer.
  void FailDecided(const absl::Status& status);
  void FailEverything(const absl::Status& status);
  ReactedTo ReadReactedTo();

  // Whether it reads what others decide, and nobody waits for that.
  bool Follows() const {
    const eventlog::Phase phase = owner_->phase();
    return phase == eventlog::Phase::kFollowing || phase == eventlog::Phase::kFenced ||
           phase == eventlog::Phase::kSealed;
  }
  // Whether the slot accepts internal commands.
  bool OpenForFollowUps() const { return stopped_.ok() && !draining_ && serving(); }
  UnixMicros LogicalTime() const { return owner_->LogicalTime(deps_.clock->Now()); }
  // The cursor after the records in the confirmed rows, where the next start resumes.
  const eventlog::Cursor& folded() const { return stuck_at_.has_value() ? *stuck_at_ : owner_->cursor(); }

  // As time passes: slot_upkeep.cc. Wakes the slot at the earliest time at which something is due.
  void ArmTick();
  void Tick();
  // Adds some of the stored keys to the filter of the rows, and goes on until it has all.
  void FillFilter();
  // When the oldest record in flight will be in doubt because no report has come.
  MonotonicMicros report_due() const;

  const SlotId slot_;
  const SlotDependencies deps_;
  const bool has_timers_;

  // Relaxed: counts that admission compares with limits.
  std::atomic<int64_t> load_{0};
  std::atomic<int64_t> load_bytes_{0};
  std::atomic<int64_t> reads_on_their_way_{0};  // the same
  std::atomic<Position> confirmed_{0};
  std::atomic<bool> serving_{false};
  // While serving: the end of the log after all records in flight have landed. Growth up to there comes from this slot
  // and needs no read. Release/acquire with the append that follows it.
  std::atomic<Position> expected_end_{0};
  // Exchanged by both sides with acquire and release: if a look is already posted, it will see the growth.
  std::atomic<bool> look_posted_{false};

  std::unique_ptr<store::SlotRows> rows_;
  ExpiredAnswers expired_;  // of the rows as the next record finds them
  std::optional<eventlog::Owner> owner_;
  SlotCatchUp catch_up_;
  SlotReads reads_;
  SlotFollowUps follow_ups_;

  bool wants_slot_;             // claims the slot when it reaches the end of the log
  uint64_t claims_ = 0;         // number of claims so far
  bool claim_waits_ = false;    // waits for its time after a failed one
  bool seen_end_ = false;       // the clock check knows the end of the slot
  absl::Status clock_refused_;  // why the clock is refused, and commands with it; OK otherwise
  uint64_t lives_ = 0;          // counts how often the rows were folded again
  bool refolding_ = false;      // the rows are still to be emptied
  bool started_ = false;
  bool damaged_early_ = false;  // before it started
  Backoff claim_backoff_;
  Backoff read_backoff_;
  bool postponed_ = false;  // the queue pauses until rows can be read again
  bool settled_ = false;
  bool draining_ = false;
  bool abandoned_ = false;  // all callers were answered; later records are left to the next start
  MonotonicMicros next_forget_;
  absl::Status stopped_;
  mutable Mutex why_stopped_mutex_;
  absl::Status why_stopped_ ABSL_GUARDED_BY(why_stopped_mutex_);  // the same, for other threads
  // The record that could not be folded yet, and the cursor before it. If `stopped_` is set, it never will be.
  std::optional<eventlog::Cursor> stuck_at_;
  std::optional<eventlog::Effects> stuck_effects_;

  // Why the log refuses the claim (SetRefused), so that commands are refused meanwhile; OK otherwise.
  absl::Status refused_;

  std::deque<Pending> queue_;
  MonotonicMicros queue_deadline_ = kNoDeadline;  // no command of the queue has an earlier one
  std::deque<Pending> in_flight_;
  std::unordered_map<uint64_t, WaitingAnswer> answers_;
  std::vector<absl::string_view> touched_;  // kept for its memory
  std::multiset<MonotonicMicros> armed_;    // pending ticks
  // The cursor before the effects being handled.
  eventlog::Cursor cursor_before_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_RUNNER_H_
