// The slots of a log that grew since a thread last looked, and the sleep until one does.
#ifndef HALLES_LIBS_PROJECTION_DIRTY_SLOTS_H_
#define HALLES_LIBS_PROJECTION_DIRTY_SLOTS_H_

#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"

namespace halles::projection {

// Thread safety: all methods may be called from any thread; Take from one.
class DirtySlots {
 public:
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
    {
      MutexLock lock(&mutex_);
      slots_.insert(slot);
    }
    changed_.Signal();
  }

  // Wakes Take without a slot.
  void Poke() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      poked_ = true;
    }
    changed_.Signal();
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
