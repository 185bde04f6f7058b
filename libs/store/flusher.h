// Writes dirty rows to disk in the background; the log is ahead of them.
#ifndef HALLES_LIBS_STORE_FLUSHER_H_
#define HALLES_LIBS_STORE_FLUSHER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/base/scheduler.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/overlay.h"
#include "libs/store/store.h"

namespace halles::store {

// The flusher's view of open rows.
struct OpenSpace {
  RowSpace space;
  uint32_t fold_version = 0;
  // Of a slot.
  std::function<void(std::function<void()>)> post;
  std::function<FoldCursor()> cursor;
  std::function<void()> on_damaged;  // may be empty

  // Held while `post` or `on_damaged` is called: rows that are closed wait for it, and then none is called any more.
  Mutex posting;
  Mutex mutex;
  // One of them, until it is closed. Slots are used only on the thread of `post`, except `dirty`.
  SlotRows* slot ABSL_GUARDED_BY(mutex) = nullptr;
  ViewRows* view ABSL_GUARDED_BY(mutex) = nullptr;
};

// A flush consists of these steps, each a task of a queue. It waits for other threads between steps, never within one:
//
//   freeze    every dirty fold moves its rows aside: views here, slots on their own threads
//   write     rows, cursors and digests go into one draft, which is ingested, all of it or nothing
//   written   the folds' rows are known to be stored, or the failure is reported
//   release   the folds forget their stored rows
//   end       the waiting callers are notified; the next flush begins if it is due already
//
// Digests are computed while writing: the old row is read from the base, its hash is subtracted from the sum, and the
// hash of the new row is added. After a failure the frozen rows are kept and written by a later flush; the pause before
// it doubles each time. Without a scheduler a flush is run by the thread that calls FlushAndWait, and nothing is flushed
// by itself.
//
// There are two queues. A flush begins on the background one, which may get hardly any processor time. If the next flush is
// due by size meanwhile, it hurries: it goes on on the normal queue, and what the background was writing begins anew there.
//
// A space that turns out to be damaged is left out of flushes from then on, also of the one that found it, which begins
// anew. Its owner is told, and has it emptied.
//
// Thread safety: all methods may be called from any thread. Lock order: OpenSpace::posting, OpenSpace::mutex, locks of rows,
// `mutex_`.
// Lifetime: the destructor waits for the running step only; callers that wait for a flush get UNAVAILABLE.
class Flusher {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  // The frozen rows of one fold.
  struct Unit {
    std::shared_ptr<const OpenSpace> open;
    std::shared_ptr<const FrozenRows> rows;
  };
  // In the order of their spaces, and so of the keys.
  using Units = std::map<FoldId, Unit>;

  Flusher(Database* database, const StoreOptions& options);
  ~Flusher();
  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  DirtyMeter* meter() { return &meter_; }

  // Takes the space for `open`, whose rows are set later. Returns the frozen rows of the space that are not stored yet;
  // the opened rows lie above them. FAILED_PRECONDITION (ALREADY_OPEN) if the space is taken.
  absl::StatusOr<Units> Reserve(std::shared_ptr<OpenSpace> open);
  // The rows must not be set any more.
  void Unregister(const RowSpace& space);
  // Null when the space is not taken.
  std::shared_ptr<OpenSpace> Find(const RowSpace& space) const;

  // Forgets what is frozen of the space, which the caller has reserved, so that it can be dropped. UNAVAILABLE
  // (FLUSH_UNDER_WAY) while rows of it are being written. No rows of it may be frozen meanwhile.
  absl::Status ForgetFrozen(const RowSpace& space);

  // The space is damaged. May be called under any lock but `mutex_`.
  void OnDamage(const RowSpace& space);
  bool damaged(const RowSpace& space) const;
  // The space was dropped: nothing of it is damaged any more.
  void Mended(const RowSpace& space);
  // Tells the owners of damaged spaces that were opened since.
  void TellDamage();

  // Flushes the rows that were confirmed before the call, and those that an earlier flush left out. `done` runs on a
  // queue, or on the thread that calls FlushAndWait.
  void FlushAsync(Done done);
  absl::Status FlushAndWait();

  absl::Status health() const;
  void AddStats(StoreStats* stats) const;

 private:
  using Step = void (Flusher::*)();
  struct Waiter {
    Done done;
    int flushes = 1;  // that must succeed before `done` runs
  };
  class CallerQueue;
  struct Link;
  class Gathering;

  // Steps of a flush.
  void Freeze();
  void Write();
  void Written();
  void Release();
  void Released();
  void End(const absl::Status& status, bool worked);

  absl::Status Fill(DatabaseDraft& draft);
  // Not OK when this write should go on on the other queue.
  absl::Status GoOn() const;
  void OnWritten(absl::Status status);
  absl::Status At(FlushStep step) const;
  // Whether the fold's rows may be frozen, because those frozen before are stored. If not, notes that rows were left
  // out.
  bool MayFreeze(const FoldId& fold);
  void Deliver(const FoldId& fold, Unit unit);

  void OnNotice(DirtyMeter::Notice notice);
  void OnAge();
  void ArmAge() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnRetry();
  // Begins a flush unless one is running.
  void Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Continue(Step step) ABSL_LOCKS_EXCLUDED(mutex_);
  void Schedule(Step step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The flush under way leaves the background.
  void Hurry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunStep(bool in_background);
  void TellOwners();

  Database* const database_;
  const StoreOptions options_;
  DirtyMeter meter_;
  const std::shared_ptr<Link> link_;  // shared with functions posted to other threads, which may outlive this

  mutable Mutex mutex_;
  std::map<RowSpace, std::shared_ptr<OpenSpace>> open_ ABSL_GUARDED_BY(mutex_);
  Units frozen_ ABSL_GUARDED_BY(mutex_);                  // not stored yet
  std::vector<Waiter> waiting_ ABSL_GUARDED_BY(mutex_);   // for a flush that has not begun
  std::vector<Waiter> watching_ ABSL_GUARDED_BY(mutex_);  // for the running flush
  bool under_way_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status write_status_ ABSL_GUARDED_BY(mutex_);  // from Write to Written
  bool left_out_ ABSL_GUARDED_BY(mutex_) = false;      // by the running flush: dirty rows above frozen ones
  Step next_step_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::set<RowSpace> damaged_ ABSL_GUARDED_BY(mutex_);
  std::set<RowSpace> untold_ ABSL_GUARDED_BY(mutex_);  // of them: those whose owners do not know
  uint64_t damages_ ABSL_GUARDED_BY(mutex_) = 0;       // so far
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  MonotonicMicros dirty_since_ ABSL_GUARDED_BY(mutex_) = 0;
  bool age_timer_ ABSL_GUARDED_BY(mutex_) = false;
  bool retry_timer_ ABSL_GUARDED_BY(mutex_) = false;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;  // consecutive
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  uint64_t flushes_done_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t flushes_failed_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t rows_flushed_ ABSL_GUARDED_BY(mutex_) = 0;

  // Set with `mutex_`; read without it while writing, where a stale value delays.
  std::atomic<bool> hurried_{false};

  // Between Write and Released; used only by the steps, which run one after the other.
  bool in_background_ = false;
  uint64_t damages_before_write_ = 0;
  Units stored_;
  uint64_t rows_written_ = 0;

  // Last: their tasks use all of the above. Without a scheduler `background_` is a CallerQueue and `urgent_` is null.
  std::unique_ptr<TaskQueue> background_;
  std::unique_ptr<TaskQueue> urgent_;
  CallerQueue* callers_ = nullptr;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_FLUSHER_H_
