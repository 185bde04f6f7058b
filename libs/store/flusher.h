// Writes dirty rows to disk behind the log, from a thread of its own.
#ifndef HALLES_LIBS_STORE_FLUSHER_H_
#define HALLES_LIBS_STORE_FLUSHER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/overlay.h"
#include "libs/store/store.h"

namespace halles::store {

// Rows that are open, as the flusher knows them.
struct OpenSpace {
  RowSpace space;
  uint32_t fold_version = 0;
  // Of a slot.
  std::function<void(std::function<void()>)> post;
  std::function<FoldCursor()> cursor;

  Mutex mutex;
  // One of them, until it is closed. Slots are used on the thread of `post` alone, but for `dirty`.
  SlotRows* slot ABSL_GUARDED_BY(mutex) = nullptr;
  ViewRows* view ABSL_GUARDED_BY(mutex) = nullptr;
};

// A flush asks every dirty space to freeze its rows, writes them with cursors and digests into one file, ingests it and
// lets the spaces release what was frozen. Digests are computed here: the row before is read from the base, its hash is
// taken from the sum and that of the row now is added.
// Two threads: a niced one for every day, and one of full priority for when the niced one starves and half of what may be
// dirty is dirty. (An unprivileged thread can give up priority and never take it back.)
// After a failure the frozen rows are kept and written by a later flush; a thread waits twice as long each time.
// Thread safety: all methods may be called from any thread.
class Flusher {
 public:
  Flusher(Database* database, const StoreOptions& options);
  ~Flusher();
  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  DirtyMeter* meter() { return &meter_; }

  // Held during a flush; who holds it sees the database between two flushes.
  Mutex& flushes() ABSL_LOCK_RETURNED(flushes_) { return flushes_; }

  // False when the space is open already.
  bool Register(std::shared_ptr<OpenSpace> space);
  void Unregister(const RowSpace& space);
  bool IsOpen(const RowSpace& space) const;

  // Forgets rows of a space that is not open any more and whose flush failed.
  void Forget(const RowSpace& space) ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushes_) { frozen_.erase(space); }

  // Flushes what was confirmed before the call, also what an earlier flush left behind.
  absl::Status FlushAll() ABSL_LOCKS_EXCLUDED(flushes_);

  absl::Status health() const;
  void AddStats(StoreStats* stats) const;

 private:
  struct Unit {
    std::shared_ptr<OpenSpace> open;
    std::shared_ptr<const FrozenRows> rows;
  };
  // By space, and so in the order of the keys.
  using Units = std::map<RowSpace, Unit>;
  class Gathering;

  enum class Priority { kLow, kFull };
  void Run(Priority priority);
  // Whether there was anything to flush.
  absl::StatusOr<bool> Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushes_);
  absl::Status WriteUnits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushes_);
  void Freeze() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushes_);
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(flushes_);
  absl::Status Step(FlushStep step) const;

  Database* const database_;
  const StoreOptions options_;
  DirtyMeter meter_;

  Mutex flushes_;
  Units frozen_ ABSL_GUARDED_BY(flushes_);  // not ingested yet

  mutable Mutex mutex_;
  std::map<RowSpace, std::shared_ptr<OpenSpace>> open_ ABSL_GUARDED_BY(mutex_);
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  // Set when enough became dirty; by priority.
  bool wake_[2] ABSL_GUARDED_BY(mutex_) = {false, false};
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t flushes_done_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t flushes_failed_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t rows_flushed_ ABSL_GUARDED_BY(mutex_) = 0;

  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_FLUSHER_H_
