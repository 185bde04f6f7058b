// A disk in memory for the databases of simulated processes: it survives their crashes and can be slow, full and
// faulty.
#ifndef HALLES_LIBS_STORE_MEMORY_DISK_H_
#define HALLES_LIBS_STORE_MEMORY_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"

namespace halles::store {

// Each generation is an ordered map. It holds the ingested writes: a write that was not ingested when its process ended
// is lost, and so is everything that was only in the memory of the store.
// Thread safety: all methods may be called from any thread.
// Lifetime: outlives its homes, and so the stores on it.
// Durability: ingested writes live as long as the disk.
class MemoryDisk {
 public:
  // `path` is for log messages and errors.
  explicit MemoryDisk(std::string path) : path_(std::move(path)) {}
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // Reserves the disk for one process, which passes the home to Store::OpenOn. STORE_LOCKED while another home or a
  // database of it exists; STATE_DIR_UNUSABLE while the disk is full.
  absl::StatusOr<std::shared_ptr<DatabaseHome>> Open();

  // From now on a flush waits this long between its last row and its ingestion. Requires stores with a scheduler.
  void SetWriteDelay(absl::Duration delay);
  // While it is full every write fails.
  void SetFull(bool full);
  // The next write fails and stores nothing.
  void FailNextWrite();
  // The next read fails: of one key, of several, or the first step of a scan.
  void FailNextRead();
  // Number of keys that were looked for so far.
  uint64_t key_reads() const;
  // From now on reads of the space find damage, in every generation that there is, until the space is dropped.
  void DamageSpace(const RowSpace& space);

 private:
  class Home;
  class MemoryDatabase;
  class Draft;
  class Cursor;
  class PinnedRows;
  class Snapshot;
  class SpaceRows;

  using Map = std::map<std::string, std::string, std::less<>>;
  // The content from one write to the next. A write changes it in place unless a snapshot or cursor pins it.
  struct Version {
    Map rows;
    int readers = 0;
  };
  struct Generation {
    std::shared_ptr<Version> version = std::make_shared<Version>();
    std::set<RowSpace> damaged;
  };
  using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;  // nullopt deletes

  // The fault of a read under `key`, if there is one.
  absl::Status TakeReadFault(const MemoryDatabase& database, absl::string_view key);
  absl::StatusOr<std::optional<std::string>> Get(const MemoryDatabase& database, absl::string_view key);
  absl::Status Ingest(Generation& generation, const Changes& changes);
  absl::Status Drop(Generation& generation, const RowSpace& space);
  // A version that may be changed.
  static Map& Changeable(Generation& generation);
  absl::Duration write_delay() const;
  void Unlock();

  const std::string path_;
  // Also guards the contents of the generations.
  mutable Mutex mutex_;
  // Shared with the databases that have them open: a deleted generation stays readable for them.
  std::map<uint64_t, std::shared_ptr<Generation>> generations_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> current_ ABSL_GUARDED_BY(mutex_);
  bool locked_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration write_delay_ ABSL_GUARDED_BY(mutex_);
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_next_write_ ABSL_GUARDED_BY(mutex_) = false;
  bool fail_next_read_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t key_reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_MEMORY_DISK_H_
