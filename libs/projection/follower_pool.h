// The followers of a process: one of a few queues reads each source slot once, for all views and reactions.
#ifndef HALLES_LIBS_PROJECTION_FOLLOWER_POOL_H_
#define HALLES_LIBS_PROJECTION_FOLLOWER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/partition/runtime.h"
#include "libs/projection/definitions.h"
#include "libs/projection/follower_shard.h"
#include "libs/projection/reactor.h"
#include "libs/projection/source_follower.h"
#include "libs/projection/view_follower.h"
#include "libs/store/store.h"

namespace halles::projection {

struct FollowerPoolOptions {
  eventlog::EventLog* log = nullptr;
  store::Store* store = nullptr;
  Scheduler* scheduler = nullptr;
  int shards = 2;     // queues; one per core
  uint64_t seed = 0;  // seed of the pauses after errors; different in each instance
  std::vector<ViewDefinition> views;
  // The reactions of one service to one source run in this order for each event.
  std::vector<ReactionDefinition> reactions;
  uint64_t progress_every = kReactionProgressEvery;
  // Called after each batch with the topics that its events touched. On a queue of the pool; must not block. May be
  // empty.
  std::function<void(const std::string& view, const std::vector<std::string>& topics)> touched;
};

// Assembly:
//
//   auto pool = FollowerPool::Open(options);
//   runtime_options.on_confirmed = [pool](ConfirmedRecord record) { pool->Offer(std::move(record)); };
//   runtime_options.on_serving = [pool](SlotId slot, bool serving) { pool->OnServing(slot, serving); };
//   auto runtime = Runtime::Start(runtime_options);
//   pool->Start(runtime.get());
//   ...
//   pool->Stop();  then Runtime::Drain, then the runtime is destroyed, then the pool, then the store.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: everything that the options point to outlives it. The runtime is destroyed before the pool and after Stop:
// its slots still answer reactions and report confirmed records while they end.
class FollowerPool : private eventlog::LogListener {
 public:
  // Opens the views. Nothing runs before Start.
  static absl::StatusOr<std::unique_ptr<FollowerPool>> Open(FollowerPoolOptions options);
  ~FollowerPool() override;
  FollowerPool(const FollowerPool&) = delete;
  FollowerPool& operator=(const FollowerPool&) = delete;

  // Starts following. Called once.
  void Start(partition::Runtime* runtime) ABSL_LOCKS_EXCLUDED(mutex_);
  // After the return nothing is read, projected or submitted any more; waiting callers get UNAVAILABLE. Idempotent. Not
  // from a task of the pool.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // A slot of this process has confirmed a record as its owner: consumers at the head get it without reading the log.
  void Offer(partition::ConfirmedRecord record);
  // This instance gained or lost the ownership of a slot. On the slot's queue, before or after Start.
  void OnServing(SlotId slot, bool serving) ABSL_LOCKS_EXCLUDED(mutex_);

  // A slot of this process has stopped. On the slot's queue, before or after Start.
  void OnStopped(SlotId slot, const partition::ReactedTo& reacted) ABSL_LOCKS_EXCLUDED(mutex_);
  // Another instance asks for reactions of a slot, see Coverage::Answer.
  void AnswerExtension(SlotId target, const TokenPositions& sources, MonotonicMicros deadline,
                       const partition::ExtendDone& done);

  // Ends the process if no service defines the view.
  ViewFollower& View(ServiceId service, uint8_t view) const;
  const std::vector<std::unique_ptr<ViewFollower>>& views() const { return views_; }
  // The reactions of a service; null if it has none.
  Reactor* ReactorOf(ServiceId service) const;

  // All views, and all reactions whose target slot is owned here, have reached the end of the log.
  bool caught_up() const;
  // The status of every view and every reacting service.
  std::vector<SourceState> States() const;

  // The follower of a source slot, for metrics and tests; null if there is none.
  const SourceFollower* FollowerOf(SlotId slot) const { return Find(slot); }

 private:
  explicit FollowerPool(FollowerPoolOptions options);
  SourceFollower* Find(SlotId slot) const;
  void OnGrowth(absl::Span<const eventlog::SlotEnd> grown) override;
  void OnReset(absl::Span<const SlotId> slots) override;

  const FollowerPoolOptions options_;
  // Immutable after Open.
  std::vector<std::unique_ptr<FollowerShard>> shards_;
  std::map<SlotId, std::unique_ptr<SourceFollower>> followers_;
  std::vector<std::unique_ptr<ViewFollower>> views_;
  std::map<ServiceId, std::unique_ptr<Reactor>> reactors_;

  Mutex mutex_;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  // Notifications of slots before Start.
  std::map<SlotId, bool> serving_ ABSL_GUARDED_BY(mutex_);
  std::map<SlotId, partition::ReactedTo> stopped_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<eventlog::Subscription> subscription_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_FOLLOWER_POOL_H_
