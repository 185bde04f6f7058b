// The state store of a process: rows, cursors and digests of all folds in one database, written after the log.
//
// Layout of keys (numbers big endian); in RocksDB a column family for each state and view, which holds its rows and metas,
// and no write-ahead log of its own:
//   00 00                                                  identity: format(4) install(16)
//   01 service slot(2) table-key                           a state's row:  position(8) value
//   02 service view table-key                              a view's row:   position(8) source-service source-slot(2) value
//   03 01 service slot(2)                                  a state's meta
//   03 02 service view source-service source-slot(2)       the meta of a view's source
// A meta is version(4) next-position(8) digest(16) cursor.
// A flush writes the rows, metas and digests of each state and view into a sorted file and ingests all files or none.
//
// Rows that are damaged on disk are the matter of their state or view alone, which is emptied and folded again from the log
// while all others go on. What no reader can do without, the manifest and the identity, is small: damaged, it damages all.
#ifndef HALLES_LIBS_STORE_STORE_H_
#define HALLES_LIBS_STORE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "libs/base/ids.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/store/fold.h"
#include "libs/store/key_filter.h"
#include "libs/store/overlay.h"
#include "libs/store/rows.h"

namespace halles::store {

inline constexpr uint32_t kStoreFormatVersion = 2;

// The steps of a flush, for tests that make it fail or end there.
enum class FlushStep { kFrozen, kFileWritten, kIngested, kReleased };

// A flush is due when this many bytes of rows are dirty,
inline constexpr size_t kFlushBytes = size_t{32} << 20;
// when the log grew by this many bytes since the last flush, which the next start would read again,
inline constexpr size_t kFlushLogBytes = size_t{16} << 20;
// or when something has been dirty for this long.
inline constexpr absl::Duration kFlushAge = absl::Seconds(30);
// Maximum number of dirty bytes.
inline constexpr size_t kDirtyBytesMax = size_t{256} << 20;

// Folds that are behind rest while the rows of more flushes than so many are dirty: one is written, one is due.
inline constexpr size_t kCatchUpFlushes = 3;
inline constexpr absl::Duration kCatchUpPause = absl::Milliseconds(5);

struct StoreOptions {
  // Runs the flushes; outlives the store. Null: only FlushNow flushes.
  Scheduler* scheduler = nullptr;
  size_t flush_bytes = kFlushBytes;
  size_t flush_log_bytes = kFlushLogBytes;
  absl::Duration flush_age = kFlushAge;
  size_t dirty_bytes_max = kDirtyBytesMax;  // Admit() refuses beyond this
  size_t block_cache_bytes = size_t{64} << 20;
  // Called once for each state or view whose stored rows turn out to be damaged: from any thread, under any lock of whoever
  // reads them, so it must not block and must not call the store. May be empty.
  std::function<void(const RowSpace&)> on_damaged;
  // Called at each step of a flush; an error makes the flush fail there.
  std::function<absl::Status(FlushStep)> on_flush_step;
};

// Options for a process that may use so much memory: rows are flushed in smaller portions when it has less than 1 GiB. With
// 256 MiB, 8 MiB of rows are due to be flushed, folds that are behind rest at 24 MiB, and commands are refused at 64 MiB.
StoreOptions OptionsForMemory(uint64_t bytes);

struct SlotOptions {
  uint32_t fold_version = 1;
  // Runs the function on the thread that uses the SlotRows, or drops it if that thread has ended.
  std::function<void(std::function<void()>)> post;
  // Called on that thread: the cursor that belongs to the confirmed rows.
  std::function<FoldCursor()> cursor;
  // Stored rows turned out to be damaged: call Refold, on that thread. Called from another one; may be empty.
  std::function<void()> on_damaged;
  // A filter in memory answers most lookups of absent keys. If there are stored rows, SlotRows::FillFilter completes it.
  std::vector<FilteredTable> filtered_tables;
};

struct StoreStats {
  size_t dirty_bytes = 0;
  uint64_t flushes = 0;
  uint64_t failed_flushes = 0;
  uint64_t rows_flushed = 0;
  uint64_t damages = 0;  // states and views whose stored rows turned out to be damaged, since the start
  uint64_t level0_files = 0;
  uint64_t disk_bytes = 0;
};

class DatabaseHome;
class Snapshot;

// Thread safety: all methods may be called from any thread unless stated otherwise.
// Lifetime: outlives the rows it opened and its snapshots. The destructor waits for a running write and does not start
// a flush: dirty rows can be folded from the log. Call FlushNow before to keep the next start short.
// Durability: the writes of a successful flush survive a power failure. Rows in overlays are visible but not yet
// durable.
class Store {
 public:
  // Opens or creates the store in `dir` ("<data-dir>/state"). Errors by reason:
  //   FOREIGN_STORE (FAILED_PRECONDITION)        it belongs to another install
  //   NEWER_STORE_FORMAT (FAILED_PRECONDITION)   written by a newer Halles
  //   STORE_DAMAGED (DATA_LOSS)                  it cannot be read
  //   STORE_LOCKED (UNAVAILABLE)                 another process has it open
  //   STATE_DIR_UNUSABLE (UNAVAILABLE)           read-only, or not permitted
  //   STATE_DISK_FULL (RESOURCE_EXHAUSTED)       there is no space to make a store
  //   OLDER_STORE_FORMAT (FAILED_PRECONDITION)   written by an older Halles
  // After FOREIGN_STORE, STORE_DAMAGED and OLDER_STORE_FORMAT, call Quarantine(); the next Open makes a new store, which is
  // rebuilt from the log. Without space, a store that exists is opened for reading only, see read_only().
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& dir, const InstallId& install,
                                                     StoreOptions options);

  // The same on other databases, such as a MemoryDisk. Shared with generations that are opened beside: the home stays
  // taken while one of them is open.
  static absl::StatusOr<std::unique_ptr<Store>> OpenOn(const std::shared_ptr<DatabaseHome>& home,
                                                       const InstallId& install, StoreOptions options);

  // An empty store of the same install in a new generation beside this one. It is deleted with its object unless SwapIn
  // was called.
  absl::StatusOr<std::unique_ptr<Store>> OpenBeside(StoreOptions options);

  // From now on Open opens this generation; others are deleted when they are closed or by the next Open. Flush before.
  absl::Status SwapIn();

  // Renames the directory to "<dir>.quarantined-<n>" and returns that name.
  static absl::StatusOr<std::string> Quarantine(const std::string& dir);

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The stored cursor and digest of the fold, as of the last flush; nullopt if it was never flushed.
  absl::StatusOr<std::optional<FoldMeta>> LoadMeta(const FoldId& fold) const;
  // Those of damaged rows are left out.
  absl::StatusOr<std::map<FoldId, FoldMeta>> LoadMetas() const;

  // The rows of a slot's state. At most one at a time for a slot. FAILED_PRECONDITION with FOLD_VERSION when other code
  // folded it: Drop it and fold again. Rows that are found damaged are dropped: those opened are at the beginning.
  absl::StatusOr<std::unique_ptr<SlotRows>> OpenSlot(SlotId slot, SlotOptions options);

  // The rows of a view that is folded from `sources`; the same rules. FOLD_VERSION also if it was folded from other
  // sources.
  // `on_damaged` as in SlotOptions, but Refold may be called on any thread that is in no batch or query of the view.
  absl::StatusOr<std::unique_ptr<ViewRows>> OpenView(ServiceId service, uint8_t view, uint32_t fold_version,
                                                     absl::Span<const SlotId> sources,
                                                     std::function<void()> on_damaged = nullptr);

  // Empties open rows, on disk and in memory, so that they are folded again from the first record. Does nothing unless they
  // are damaged. After an error they are as they were, and it is to be called again: UNAVAILABLE with FLUSH_UNDER_WAY while
  // a flush writes them.
  absl::Status Refold(const RowSpace& space);

  // Deletes all rows and metas of the state or view, which must not be open. UNAVAILABLE with FLUSH_UNDER_WAY while a
  // flush writes rows of it that have been closed.
  absl::Status Drop(const RowSpace& space);

  // Flushes everything that was confirmed before the call, then calls `done` on a queue of the scheduler, which must
  // not be null. UNAVAILABLE with STORE_CLOSED if the store is destroyed before.
  void FlushAsync(absl::AnyInvocable<void(absl::Status)> done);

  // The same, but blocks; for programs and tests. Must not be called on a thread on which any `post` or the scheduler
  // runs functions.
  absl::Status FlushNow();

  // The log that is folded into this store grew by this many bytes.
  void NoteLogBytes(size_t bytes);

  // There was no space when it was opened: rows are read, new ones stay in memory, and flushes fail with STATE_DISK_FULL.
  // A store that is opened once CheckRoom is OK writes again.
  bool read_only() const;
  // STATE_DISK_FULL while there is no space to open a store for writing.
  absl::Status CheckRoom() const;

  // OK, or the error of the last flush: the rows stay in memory and the flush is retried.
  absl::Status health() const;

  size_t dirty_bytes() const;
  // RESOURCE_EXHAUSTED (STATE_STORE_BEHIND) while too many bytes are dirty: commands must be refused.
  absl::Status Admit() const;

  // Whether folds that are behind may read on: false while so much is dirty that flushes must come first. It turns true by
  // itself, so ask again after kCatchUpPause.
  bool HasRoomToCatchUp() const;

  StoreStats stats() const;

  // All stored rows as of the last flush.
  absl::StatusOr<std::unique_ptr<Snapshot>> TakeSnapshot() const;

  const std::string& dir() const;  // of this generation
  const StoreOptions& options() const;

 private:
  friend class Snapshot;
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct Comparison {
  uint64_t rows = 0;         // compared, counted once
  uint64_t positions = 0;    // read by the compared folds: the sum of their next positions
  uint64_t differences = 0;  // rows, cursors and digests that differ
  bool equal() const { return differences == 0; }
};

// All folds and rows as of the last flush.
// Thread safety: may be shared.
// Lifetime: the store outlives it.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const std::map<FoldId, FoldMeta>& folds() const;

  // The spaces of `folds`, in order.
  std::vector<RowSpace> spaces() const;

  struct StoredRow {
    absl::string_view key;    // the table's, without the prefix of the space
    absl::string_view value;  // without position and source
    Position position = 0;
    SlotId source;
  };
  // Visits the rows in order until `visit` returns false.
  absl::Status ForEachRow(const RowSpace& space, absl::FunctionRef<bool(const StoredRow&)> visit) const;

  // The digest of each fold, computed from the rows alone.
  absl::StatusOr<std::map<FoldId, Digest>> Recompute() const;

 private:
  friend class Store;
  friend absl::StatusOr<Comparison> CompareSnapshots(const Snapshot&, const Snapshot&, const SchemaBook&,
                                                     absl::FunctionRef<void(absl::string_view)>);
  class Impl;
  class Walk;
  explicit Snapshot(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Compares two snapshots row by row, then the stored digests with those computed from the rows. Calls `on_difference`
// with a description of each difference: "checkout/17 orders order=cj:123: differs". Positions of rows are compared
// too.
absl::StatusOr<Comparison> CompareSnapshots(const Snapshot& stored, const Snapshot& rebuilt, const SchemaBook& schemas,
                                            absl::FunctionRef<void(absl::string_view)> on_difference);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_STORE_H_
