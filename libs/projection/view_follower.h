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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
// failed read of rows is tried again.
// Thread safety: all methods may be called from any thread.
// Lifetime: log, store and shards outlive it; the shards are stopped before it is destroyed.
class ViewFollower {
 public:
  // Called after each batch with the topics that its events touched. On the queue of the source's shard; must not
  // block.
  using TouchListener = std::function<void(const std::vector<std::string>& topics)>;

  // Opens the rows. `shard` keeps the deadlines of those who wait. A view of another fold version is folded again.
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
  // All sources.
  TokenPositions positions() const { return progress_.positions(); }

  // Calls `done` when the view has reached the positions; those of slots that are no sources do not count.
  void WhenReached(const TokenPositions& positions, MonotonicMicros deadline, Waiters::Done done) {
    progress_.WhenReached(positions, deadline, std::move(done));
  }
  // Answers all waiting callers with UNAVAILABLE.
  void Close() { progress_.Close(); }

  std::vector<SourceState> States() const { return progress_.States(); }
  uint64_t projected_events() const { return events_.load(std::memory_order_relaxed); }

 private:
  // One source slot.
  class Part;

  ViewFollower(ViewDefinition definition, FollowerShard* shard, TouchListener touched);

  const ViewDefinition definition_;
  const TouchListener touched_;
  std::unique_ptr<store::ViewRows> rows_;
  Progress progress_;
  std::atomic<uint64_t> events_{0};                // relaxed: a count
  std::map<SlotId, std::unique_ptr<Part>> parts_;  // immutable after Open
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_
