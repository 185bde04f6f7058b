// A disk in memory that records every write, sync and rename, and can show what a power cut would have left of them.
#ifndef HALLES_LIBS_TESTING_FAULTY_FILE_H_
#define HALLES_LIBS_TESTING_FAULTY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/file_system.h"

namespace halles::testing {

// The operations of a disk.
enum class DiskOperation { kCreate, kOpen, kRead, kWrite, kSync, kAllocate, kRename, kRemove, kSyncDirectory };

// The disk keeps a history of the operations that change it. AfterPowerCut gives the disk as a power cut after the
// first `operations` of them could have left it: synced data is there; of unsynced data, those pieces that the caller
// chooses, in any combination, because disks and file systems reorder writes. A piece is one sector of a write, a
// file's new length, or one change of a name.
// Thread safety: all methods may be called from any thread.
// Lifetime: its files do not outlive it.
class FaultyDisk : public eventlog::FileSystem {
 public:
  // Writes are torn between sectors of this size, never within one.
  static constexpr size_t kSectorBytes = 64;

  FaultyDisk();
  ~FaultyDisk() override;

  // The number of operations so far.
  size_t operations() const;

  // The bytes of all writes so far.
  uint64_t written_bytes() const;

  // The number of pieces that were not durable after the first `operations`.
  size_t PiecesAtRisk(size_t operations) const;

  // The disk after a power cut at that point; `survives` chooses which of the pieces at risk survive. The new disk has
  // an empty history, and everything on it is durable.
  std::unique_ptr<FaultyDisk> AfterPowerCut(size_t operations, absl::FunctionRef<bool(size_t piece)> survives) const;

  // Called before each operation, without the disk's lock. An error makes the operation fail without effect, except
  // that a failed sync behaves as on real disks: the data stays readable but never becomes durable, even if a later
  // sync succeeds.
  using Fault = std::function<absl::Status(DiskOperation operation, const std::string& path)>;
  void SetFault(Fault fault);

  // Allocating beyond this many bytes in all files fails with RESOURCE_EXHAUSTED.
  void SetCapacity(uint64_t bytes);

  // From now on a write stores so many of its bytes, and then there is no space, although it was allocated: a copy-on-write
  // file system needs more for an overwrite. Zeros may still find room. nullopt: there is space again.
  void SetOverwriteRoom(std::optional<size_t> bytes, bool room_for_zeros = false);

  // Makes syncs of files wait until they are released.
  void HoldSyncs();
  void ReleaseSyncs();
  // Waits until a sync is being held.
  void AwaitHeldSync();

  // The number of syncs of the file.
  size_t Syncs(const std::string& path) const;

  // Inspects and damages files without the program's knowledge; the file must exist.
  bool Exists(const std::string& path) const;
  std::string Contents(const std::string& path) const;
  void Overwrite(const std::string& path, uint64_t offset, const std::string& bytes);
  void FlipBit(const std::string& path, uint64_t offset, int bit = 0);
  void Truncate(const std::string& path, uint64_t size);
  std::vector<std::string> Paths() const;

  absl::Status CreateDirectories(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<eventlog::File>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<eventlog::File>> Open(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<eventlog::FileLock>> Lock(const std::string& path) override;

 private:
  class OpenFile;
  class HeldLock;
  struct Node;       // a file's contents, independent of its name
  struct Operation;  // one entry of the history
  struct Replay;

  absl::Status CheckFault(DiskOperation operation, const std::string& path);
  void Record(Operation operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Replay ReplayUntil(size_t operations) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Fault fault_ ABSL_GUARDED_BY(mutex_);
  uint64_t capacity_ ABSL_GUARDED_BY(mutex_);
  uint64_t written_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<size_t> overwrite_room_ ABSL_GUARDED_BY(mutex_);
  bool room_for_zeros_ ABSL_GUARDED_BY(mutex_) = false;
  bool holding_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  int held_syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<std::string> directories_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> locked_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Node>> nodes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, size_t> names_ ABSL_GUARDED_BY(mutex_);  // path -> index of nodes_
  std::vector<Operation> history_ ABSL_GUARDED_BY(mutex_);
  // The files at the beginning of the history.
  std::map<std::string, std::string> initial_files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::testing

#endif  // HALLES_LIBS_TESTING_FAULTY_FILE_H_
