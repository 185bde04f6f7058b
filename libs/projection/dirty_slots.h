// The slots of a log that grew since a thread last looked, and the sleep until one does.
#ifndef HALLES_LIBS_PROJECTION_DIRTY_SLOTS_H_
#define HALLES_LIBS_PROJECTION_DIRTY_SLOTS_H_

#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"

namespace halles::projection {

// Thread safety: all methods may be called from any thread; Take from one.
class DirtySlots {
 public:
  // With this many slots grown at once there is a stream of work, and a thread gains by letting it gather for so long.
  static constexpr size_t kGatherFrom = 3;
  static constexpr absl::Duration kGather = absl::Milliseconds(1);

  // Of these services only; the log's listener for other slots costs nothing.
  explicit DirtySlots(std::vector<ServiceId> services) : services_(services.begin(), services.end()) {}

  void Add(absl::Span<const eventlog::SlotEnd> grown) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      for (const eventlog::SlotEnd& end : grown) {
        if (services_.contains(end.slot.service)) slots_.insert(end.slot);
      }
      wake = sleeping_ && !slots_.empty();
    }
    if (wake) changed_.Signal();
  }

  void Add(SlotId slot) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool wake = false;
    {
      MutexLock lock(&mutex_);
      slots_.insert(slot);
      wake = sleeping_;
    }
    if (wake) changed_.Signal();
  }

  // Wakes Take without a slot.
  void Poke() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      poked_ = true;
    }
    changed_.Signal();
  }

  // Lets slots gather for a moment: a thread that has just had work takes more of it at once, for fewer wake-ups. Ends
  // early with a poke.
  void Gather() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const absl::Time end = absl::Now() + kGather;
    for (absl::Time now = absl::Now(); !poked_ && now < end; now = absl::Now()) {
      changed_.WaitWithTimeout(&mutex_, end - now);
    }
  }

  // Waits until there is a slot or a poke, at most `timeout`, and takes all.
  std::set<SlotId> Take(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (slots_.empty() && !poked_ && timeout > absl::ZeroDuration()) {
      sleeping_ = true;
      changed_.WaitWithTimeout(&mutex_, timeout);
      sleeping_ = false;
    }
    poked_ = false;
    std::set<SlotId> taken;
    taken.swap(slots_);
    return taken;
  }

 private:
  const std::set<ServiceId> services_;

  Mutex mutex_;
  CondVar changed_;
  std::set<SlotId> slots_ ABSL_GUARDED_BY(mutex_);
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_DIRTY_SLOTS_H_
