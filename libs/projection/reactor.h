// Runs the reactions of a service to other logs: each instance runs those whose target slot it owns, and each takes
// effect once.
#ifndef HALLES_LIBS_PROJECTION_REACTOR_H_
#define HALLES_LIBS_PROJECTION_REACTOR_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/hash.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/eventlog/log.h"
#include "libs/partition/calls.h"
#include "libs/partition/runtime.h"
#include "libs/partition/slot_runner.h"
#include "libs/projection/coverage.h"
#include "libs/projection/definitions.h"
#include "libs/projection/progress.h"
#include "libs/projection/reactions.h"
#include "libs/projection/source_follower.h"

namespace halles::projection {

// Maximum number of unanswered reactions of one (target slot, source slot); beyond it, it accepts no more records.
inline constexpr size_t kReactionsInFlightMax = 16;
// After this many positions of all sources together without a record, a target slot records its progress.
inline constexpr uint64_t kReactionProgressEvery = 10'000;
// Maximum number of recorded requests that an instance remembers per target slot, to skip repeats without effect;
// beyond it the memory is cleared.
inline constexpr size_t kRecordedRequestsMax = 65'536;

// The reactions of one service. Every instance reads the sources completely. For each of the service's slots that it
// owns (the target slots) it submits, in order and in process, the reactions whose aggregate is there. Each reaction
// carries its cause: source slot, position, and its number among the record's reactions in that target slot. The
// target's log keeps the greatest cause per source slot (kReactionCursors), and its owner ignores a cause that is not
// greater.
//
// Why no reaction is lost or takes effect twice:
//   - A reaction is never sent between processes. Only the owner whose state holds the cursor decides it. So no
//     reaction can be in transit from another instance while a later one arrives and moves the cursor past it.
//   - An instance that becomes the owner reads the cursors from the state that it has folded up to its own claim, and
//     continues from there. That state has everything that the former owner recorded; reactions it had in flight that
//     are not in that state can never be accepted.
//   - Within a try, the reactions of one (target, source) are one CommandSequence: once one has failed, the later ones
//     fail too, on the target's queue, before anything can be recorded in its place. After the last answer of the
//     failed try, all are made again from the first that is not known to be recorded.
// A refused reaction (partition::IsRefusal) is a record without events. Any other error of a reaction (overload, a lost
// record, a decision that fails, cannot be evolved or is too large) is a failure, and the reaction is tried again after
// increasing pauses. A failure that no retry can fix (partition::MendsItself) is shown by States until the reaction is
// recorded, and tried again at last once a minute, since another build may fix it. It holds back the later reactions of its
// source in its target slot alone.
//
// Thread safety: all methods may be called from any thread, except where they say otherwise.
// Lifetime: the log outlives it. Shards and runtime are stopped, in this order, before it is destroyed, because the
// runtime still answers commands in progress.
class Reactor {
 public:
  // `definitions` are all those of `service`, not empty. `shard` keeps the deadlines of waiting callers.
  Reactor(ServiceId service, std::vector<ReactionDefinition> definitions, eventlog::EventLog* log, FollowerShard* shard,
          uint64_t progress_every);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  ServiceId service() const { return service_; }
  const std::set<ServiceId>& sources() const { return source_services_; }

  // Called once, before all others. `follower_of` must know a follower for each slot of the sources.
  void Start(partition::Runtime* runtime, const std::function<SourceFollower*(SlotId)>& follower_of);

  // This instance gained or lost the slot of the service. Called in the order in which that happens, on the slot's
  // queue.
  void OnServing(SlotId target, bool serving);
  // The slot of the service has stopped here, after it ceased to be this instance's. From here on it reacts to nothing. What
  // the reactions that are missing would be is still found out, so that only those who wait for one of them are failed.
  void OnStopped(SlotId target, const partition::ReactedTo& reacted);

  // All reactions to records of `source` below this position, for target slots that this instance owns, are recorded.
  // The greatest position when there is no such target or source.
  Position reached(SlotId source) const;
  // The same for all source slots.
  TokenPositions positions() const;

  // Calls `done` with `positions` and, of each slot of the service, a position at which all direct reactions to what
  // the positions cover are recorded: one hop. The owners of slots that are owned elsewhere are asked. Errors as Coverage
  // says, at the first slot that has one.
  using Extended = std::function<void(absl::StatusOr<TokenPositions>)>;
  void ExtendToken(const TokenPositions& positions, MonotonicMicros deadline, Extended done);
  // The same for one slot of the service, whose position it is.
  void ExtendToken(SlotId target, const TokenPositions& positions, MonotonicMicros deadline,
                   partition::ExtendDone done);
  // The same, asked by another instance: see Coverage::Answer.
  void AnswerExtension(SlotId target, const TokenPositions& positions, MonotonicMicros deadline,
                       const partition::ExtendDone& done);

  // Answers all waiting callers with UNAVAILABLE.
  void Close();

  // The most reactions of one (target slot, source slot) that were unanswered at a time.
  size_t most_under_way() const { return most_under_way_.load(std::memory_order_relaxed); }

  // Each source slot whose reactions stopped in a target slot or fail there repeatedly, with the reason.
  std::vector<SourceState> States() const ABSL_LOCKS_EXCLUDED(errors_mutex_);

 private:
  // A request that follows from a record.
  struct Request {
    uint32_t number = 0;  // index among those of the record in its target slot
    DueReaction due;
  };
  using RequestsByTarget = std::map<SlotId, std::vector<Request>>;
  class Line;
  class Remnant;
  class Source;
  struct Target;

  // Reads the progress with all sources from the target's state, and starts its lines.
  void LoadCursors(Target& target, uint64_t epoch);
  // A line has reached `resume`.
  void OnReached(Target& target, uint64_t epoch, SlotId source, const eventlog::Cursor& resume);
  void RecordProgress(Target& target, uint64_t epoch);
  void NoteUnderWay(size_t count);
  // Those that are of sources of the reactions. Tokens and errors: reactor_tokens.cc.
  TokenPositions OfSources(const TokenPositions& positions) const;
  void NoteStopped(SlotId target, SlotId source, const absl::Status& why) ABSL_LOCKS_EXCLUDED(errors_mutex_);
  void NoteError(SlotId target, SlotId source, const absl::Status& why) ABSL_LOCKS_EXCLUDED(errors_mutex_);
  void ClearError(SlotId target, SlotId source) ABSL_LOCKS_EXCLUDED(errors_mutex_);

  const ServiceId service_;
  const std::string name_;
  ReactionRules rules_;  // complete after Start
  std::set<ServiceId> source_services_;
  eventlog::EventLog* const log_;
  FollowerShard* const shard_;
  const uint64_t progress_every_;
  partition::Runtime* runtime_ = nullptr;              // set by Start
  std::atomic<size_t> most_under_way_{0};              // relaxed: a figure
  std::vector<std::unique_ptr<Coverage>> coverages_;   // by slot
  std::vector<std::unique_ptr<Target>> targets_;       // the same
  std::map<SlotId, std::unique_ptr<Source>> sources_;  // immutable after Start

  mutable Mutex errors_mutex_;
  std::map<SlotId, std::map<SlotId, absl::Status>> errors_ ABSL_GUARDED_BY(errors_mutex_);  // by source and target
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_REACTOR_H_
