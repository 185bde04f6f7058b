// Maintains one view: projects the events of its sources, and notifies waiting callers and watches.
#ifndef HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_
#define HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/eventlog/log.h"
#include "libs/projection/definitions.h"
#include "libs/projection/follower_shard.h"
#include "libs/projection/progress.h"
#include "libs/projection/source_follower.h"
#include "libs/store/store.h"

namespace halles::projection {

// An event that cannot be projected stops its source before that event, with an error; the other sources continue. A
// failed read of rows is tried again. Stored rows that are damaged are emptied and folded again from the log; who asks
// meanwhile waits until the view has come as far as it was.
// Thread safety: all methods may be called from any thread.
// Lifetime: log, store and shards outlive it; the shards are stopped before it is destroyed.
class ViewFollower {
 public:
  // Called after each batch with the topics that its events touched. On the queue of the source's shard; must not
  // block.
  using TouchListener = std::function<void(const std::vector<std::string>& topics)>;

  // Opens the rows. `shard` keeps the deadlines of waiting callers. A view of another fold version is folded again.
  static absl::StatusOr<std::unique_ptr<ViewFollower>> Open(ViewDefinition definition, eventlog::EventLog* log,
                                                            store::Store* store, FollowerShard* shard,
                                                            TouchListener touched = nullptr);
  ~ViewFollower();
  ViewFollower(const ViewFollower&) = delete;
  ViewFollower& operator=(const ViewFollower&) = delete;

  const ViewDefinition& definition() const { return definition_; }
  const store::ViewRows& rows() const { return *rows_; }

  // The consumer of a source slot; null if the view does not read that slot.
  SourceConsumer* ConsumerOf(SlotId source);

  // First position of the source that is not projected yet. A slot that is no source of the view counts as reached.
  Position reached(SlotId source) const { return progress_.reached(source); }
  // The same for all sources.
  TokenPositions positions() const { return progress_.positions(); }

  // Calls `done` when the view has reached the positions; those of slots that are no sources are ignored.
  void WhenReached(TokenPositions positions, MonotonicMicros deadline, Waiters::Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the rows that the query reads were emptied since it waited, and have not come as far again.
  bool Behind(const store::ViewRows::Query& query) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs a task on the queue of the source, and wakes its follower. Set once, before anything is read.
  using OnSource = std::function<void(SlotId source, std::function<void(SourceFollower&)> task)>;
  void SetOnSource(OnSource on_source);
  // Answers all waiting callers with UNAVAILABLE.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<SourceState> States() const { return progress_.States(); }
  uint64_t projected_events() const { return events_.load(std::memory_order_relaxed); }

 private:
  // One source slot.
  class Part;
  // A call of WhenReached while the rows are about to be emptied.
  struct Parked {
    TokenPositions positions;
    MonotonicMicros deadline;
    Waiters::Done done;
  };

  ViewFollower(ViewDefinition definition, eventlog::EventLog* log, store::Store* store, FollowerShard* shard,
               TouchListener touched);
  // On the queue of `shard_`.
  void Refold() ABSL_LOCKS_EXCLUDED(mutex_);
  // Answers the parked calls whose deadline has passed.
  void ExpireParked() ABSL_LOCKS_EXCLUDED(mutex_);

  const ViewDefinition definition_;
  eventlog::EventLog* const log_;
  store::Store* const store_;
  FollowerShard* const shard_;
  const TouchListener touched_;
  OnSource on_source_;  // of the queue of `shard_`
  std::unique_ptr<store::ViewRows> rows_;
  Progress progress_;
  std::atomic<uint64_t> events_{0};                // relaxed: a count
  std::map<SlotId, std::unique_ptr<Part>> parts_;  // immutable after Open

  mutable Mutex mutex_;
  TokenPositions before_ ABSL_GUARDED_BY(mutex_);  // how far it was when damage was found
  bool emptying_ ABSL_GUARDED_BY(mutex_) = false;  // the rows are about to be emptied
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Parked> parked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_
