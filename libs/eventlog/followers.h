// The listeners of a log and the slots that they follow. A driver has one and notifies its listeners through it.
#ifndef HALLES_LIBS_EVENTLOG_FOLLOWERS_H_
#define HALLES_LIBS_EVENTLOG_FOLLOWERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

// Each listener is called once for all of its slots in one notification; listeners are called in the order in which
// they were added.
// Thread safety: all methods may be called from any thread; listeners run one at a time, on the notifying thread.
// Lifetime: subscriptions may outlive it.
class Followers {
 public:
  Followers();

  std::unique_ptr<Subscription> Add(const FollowOptions& options);
  // Follows every slot.
  std::unique_ptr<Subscription> AddToAll(LogListener* listener);

  bool HasFollowers(SlotId slot) const;

  void TellGrowth(absl::Span<const SlotEnd> grown);
  void TellReset(absl::Span<const SlotId> slots);

 private:
  struct Follower {
    LogListener* listener = nullptr;
    std::vector<SlotId> slots;
    // Collected for the current notification.
    std::vector<SlotEnd> grown;
    std::vector<SlotId> reset;
  };
  struct All {
    mutable Mutex mutex;  // held while listeners run, so that the listener of an ended subscription is not running
    uint64_t next_id ABSL_GUARDED_BY(mutex) = 0;
    std::map<uint64_t, Follower> followers ABSL_GUARDED_BY(mutex);
    absl::flat_hash_map<SlotId, std::vector<uint64_t>> by_slot ABSL_GUARDED_BY(mutex);
    std::vector<uint64_t> of_all ABSL_GUARDED_BY(mutex);
  };
  class Following;

  template <typename Item>
  void Tell(absl::Span<const Item> items, std::vector<Item> Follower::*told,
            void (LogListener::*call)(absl::Span<const Item>));

  const std::shared_ptr<All> all_;  // shared with subscriptions, which may end at any time
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_FOLLOWERS_H_
