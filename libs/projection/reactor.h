// Lets a service react to a log: each event's commands are submitted in order, exactly once in effect, whatever crashes.
#ifndef HALLES_LIBS_PROJECTION_REACTOR_H_
#define HALLES_LIBS_PROJECTION_REACTOR_H_

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/base/hash.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/eventlog/log.h"
#include "libs/partition/runtime.h"
#include "libs/projection/definitions.h"
#include "libs/projection/dirty_slots.h"
#include "libs/projection/progress.h"
#include "libs/projection/source_reader.h"

namespace halles::projection {

// Commands of one source that are not answered yet; its reading pauses beyond it.
inline constexpr size_t kReactionsInFlightMax = 16;
// A source whose reaction failed waits this long before it is tried again.
inline constexpr absl::Duration kReactionRetry = absl::Milliseconds(50);
// Positions without a recorded reaction after which the progress is recorded by itself.
inline constexpr uint64_t kReactionProgressEvery = 10'000;
// Recorded requests that a reactor remembers, to leave out repeats that would do nothing; beyond, it begins anew.
inline constexpr size_t kRecordedRequestsMax = 65'536;

// Reactions of one source run in order. Each carries the position and index of its event; the slot that takes it keeps the
// highest, so that a reaction submitted again does nothing. A refused reaction is a record without events. A reaction that
// failed (overload, a lost record, a restart) is submitted again from the first that is not known to be recorded.
// Thread safety: all methods may be called from any thread.
// Lifetime: log, runtime and share outlive it, and the runtime's executors are stopped, or everything was answered, before
// it is destroyed.
class Reactor {
 public:
  // Reads where the reactions stand from the runtime's slots, which must have settled.
  static absl::StatusOr<std::unique_ptr<Reactor>> Start(ReactionDefinition definition, eventlog::EventLog* log,
                                                        partition::Runtime* runtime,
                                                        uint64_t progress_every = kReactionProgressEvery,
                                                        RecordShare* share = nullptr);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  const ReactionDefinition& definition() const { return definition_; }

  // Every reaction to records of `source` below this has been recorded. Slots that are no sources count as reached.
  Position reached(SlotId source) const { return progress_.reached(source); }
  TokenPositions positions() const { return progress_.positions(); }
  void WhenReached(const TokenPositions& positions, absl::Time deadline, Waiters::Done done) {
    progress_.WhenReached(positions, deadline, std::move(done));
  }

  std::vector<SourceState> States() const { return progress_.States(); }

  // Ends the thread; commands under way may still be answered afterwards. Idempotent.
  void Stop();

 private:
  struct Step {
    Position position = 0;  // of the record; the position behind it is reached when all its commands are answered
    size_t open = 0;        // commands that are not answered yet
  };
  struct Source {
    SlotId slot;
    std::unique_ptr<SourceReader> reader;  // of the thread
    eventlog::Cursor resume;               // of the thread: at the first record that is not known to be done
    Position recorded = 0;                 // of the thread: progress as last recorded
    std::deque<std::shared_ptr<const SourceBatch>> read_ahead;  // of the thread: read and not submitted yet
  };
  struct Outcome {
    SlotId source;
    uint64_t generation;
    Position position;
    absl::Status status;
    std::optional<Hash128> request;  // when its repeats need not be submitted
  };

  Reactor(ReactionDefinition definition, eventlog::EventLog* log, partition::Runtime* runtime, uint64_t progress_every,
          RecordShare* share);
  absl::StatusOr<eventlog::Cursor> LoadCursor(SlotId source);
  SlotId HomeOf(SlotId source) const;
  void Run();
  bool Advance(Source& source);
  absl::Status Submit(Source& source, const SourceBatch& record, size_t* submitted);
  void TakeOutcomes();
  void SettleSteps(Source& source);
  void RecordProgress(Source& source);
  void StopSource(Source& source, const absl::Status& status);

  const ReactionDefinition definition_;
  eventlog::EventLog* const log_;
  partition::Runtime* const runtime_;
  const uint64_t progress_every_;
  RecordShare* const share_;  // may be null
  Progress progress_;
  std::atomic<bool> stopping_{false};                  // relaxed: the poke that follows it orders
  std::map<SlotId, std::unique_ptr<Source>> sources_;  // immutable after Start

  // What the thread knows of a source's commands under way.
  struct Flight {
    std::deque<Step> steps;
    std::deque<eventlog::Cursor> cursors;  // behind each step's record
    size_t open = 0;
    // One line per try, so that nothing is recorded behind a reaction that failed and has to be tried again.
    std::shared_ptr<partition::CommandLine> line = std::make_shared<partition::CommandLine>();
    uint64_t generation = 0;  // answers of an earlier try are recognised by it
    bool failed = false;      // waits until all are answered, then goes back
    absl::Time retry_at = absl::InfinitePast();
    bool stopped = false;
  };
  std::map<SlotId, Flight> flights_;       // of the thread
  absl::flat_hash_set<Hash128> recorded_;  // of the thread: requests that were recorded and whose repeats do nothing

  // Shared with answers that come late: they may outlive the reactor.
  struct Mailbox {
    explicit Mailbox(std::vector<ServiceId> services) : dirty(std::move(services)) {}
    DirtySlots dirty;
    Mutex mutex;
    std::vector<Outcome> outcomes ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Mailbox> mailbox_;

  std::unique_ptr<eventlog::Subscription> subscription_;
  std::thread thread_;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_REACTOR_H_
