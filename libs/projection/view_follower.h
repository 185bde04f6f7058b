// Keeps one view: follows its sources, projects their events, and tells who waits or watches.
#ifndef HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_
#define HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/eventlog/log.h"
#include "libs/projection/definitions.h"
#include "libs/projection/dirty_slots.h"
#include "libs/projection/progress.h"
#include "libs/projection/source_reader.h"
#include "libs/store/store.h"

namespace halles::projection {

// Records projected under one lock of the view; queries wait that long at most.
inline constexpr size_t kProjectBatchRecords = 128;

// A source that cannot be read or projected stops alone and says why; the others go on.
// Thread safety: all methods may be called from any thread.
// Lifetime: log, store and share outlive it; the share may be null. The destructor joins the thread and answers who waits
// with UNAVAILABLE.
class ViewFollower {
 public:
  // Told after each batch what the events touched. On the view's thread; must not block.
  using TouchListener = std::function<void(const std::vector<std::string>& topics)>;

  static absl::StatusOr<std::unique_ptr<ViewFollower>> Start(ViewDefinition definition, eventlog::EventLog* log,
                                                             store::Store* store, TouchListener touched = nullptr,
                                                             RecordShare* share = nullptr);
  ~ViewFollower();
  ViewFollower(const ViewFollower&) = delete;
  ViewFollower& operator=(const ViewFollower&) = delete;

  const ViewDefinition& definition() const { return definition_; }
  const store::ViewRows& rows() const { return *rows_; }

  // First position of the source that is not projected yet. A slot that is no source of the view counts as reached.
  Position reached(SlotId source) const { return progress_.reached(source); }
  // All sources.
  TokenPositions positions() const { return progress_.positions(); }

  // Calls `done` when the view has reached the positions; those of slots that are no sources do not count.
  void WhenReached(const TokenPositions& positions, absl::Time deadline, Waiters::Done done) {
    progress_.WhenReached(positions, deadline, std::move(done));
  }

  std::vector<SourceState> States() const { return progress_.States(); }
  uint64_t projected_events() const { return events_.load(std::memory_order_relaxed); }

 private:
  // One source slot, of the thread.
  struct Source {
    std::unique_ptr<SourceReader> reader;
    bool stopped = false;
  };

  ViewFollower(ViewDefinition definition, TouchListener touched);
  void Run();
  // Projects the next batch of the source; false when there was none.
  bool Advance(Source& source);
  absl::Status Project(Source& source, const SourceBatches& batches, std::vector<std::string>* topics);
  void StopSource(Source& source, const absl::Status& status);

  const ViewDefinition definition_;
  const TouchListener touched_;
  std::unique_ptr<store::ViewRows> rows_;
  Progress progress_;
  DirtySlots dirty_;
  std::atomic<uint64_t> events_{0};                    // relaxed: a count
  std::atomic<bool> stopping_{false};                  // relaxed: the poke that follows it orders
  std::map<SlotId, std::unique_ptr<Source>> sources_;  // immutable after Start

  std::unique_ptr<eventlog::Subscription> subscription_;
  std::thread thread_;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_VIEW_FOLLOWER_H_
