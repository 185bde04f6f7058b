// The directory of the databases on disk: its lock, its generations, and the file that names the current one.
#ifndef HALLES_LIBS_STORE_STATE_DIR_H_
#define HALLES_LIBS_STORE_STATE_DIR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/store/database.h"

namespace halles::store {

// Holds the lock of "<data-dir>/state":
//   LOCK      locked while any generation is open
//   CURRENT   "db-<generation>\n"
//   db-<n>    a RocksDB
//   db-<n>.write   files that are being written
class StateDir : public DatabaseHome {
 public:
  // Says whether a database in `dir` can be opened for writing: STATE_DISK_FULL without space, STATE_DIR_UNUSABLE.
  using RoomCheck = std::function<absl::Status(const std::string& dir)>;
  static absl::Status CheckRoomIn(const std::string& dir);

  // Creates the directory if it is missing. STORE_LOCKED, STATE_DIR_UNUSABLE, STATE_DISK_FULL.
  static absl::StatusOr<std::unique_ptr<StateDir>> Lock(const std::string& dir, RoomCheck check_room = CheckRoomIn);
  ~StateDir() override;
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

  const std::string& path() const { return path_; }
  std::string GenerationPath(uint64_t generation) const override;
  absl::StatusOr<std::optional<uint64_t>> Current() const override;
  absl::Status SetCurrent(uint64_t generation) override;
  absl::StatusOr<std::vector<uint64_t>> Generations() const override;
  void Delete(uint64_t generation) override;
  absl::Status CheckRoom() const override { return check_room_(path_); }
  absl::StatusOr<std::unique_ptr<Database>> OpenGeneration(uint64_t generation, const DatabaseOptions& options,
                                                           bool create) override;

 private:
  StateDir(std::string path, RoomCheck check_room, int lock_fd)
      : path_(std::move(path)), check_room_(std::move(check_room)), lock_fd_(lock_fd) {}

  const std::string path_;
  const RoomCheck check_room_;
  const int lock_fd_;
};

// Renames `dir` to the first free "<dir>.quarantined-<n>" and returns that.
absl::StatusOr<std::string> QuarantineDir(const std::string& dir);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_STATE_DIR_H_
