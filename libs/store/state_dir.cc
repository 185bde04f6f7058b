// Files and directories of the store.
#include "libs/store/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/status.h"
#include "libs/store/rocks_database.h"

namespace halles::store {
namespace {

namespace fs = std::filesystem;

constexpr int kQuarantinesMax = 10000;
// RocksDB rewrites its manifest and options when it is opened, and ends the process if the disk is full by then.
constexpr off_t kRoomToOpenBytes = 2 * 1024 * 1024;

absl::Status Unusable(absl::string_view path, absl::string_view what, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return Failure(absl::StatusCode::kResourceExhausted, "STATE_DISK_FULL",
                   absl::StrCat("no space for the state: cannot ", what, " ", path, ": ", std::strerror(error),
                                "; free space on that disk: nothing is lost, and halles continues by itself"),
                   {{"path", std::string(path)}});
  }
  return Failure(absl::StatusCode::kUnavailable, "STATE_DIR_UNUSABLE",
                 absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error)), {{"path", std::string(path)}});
}

absl::Status SyncDir(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unusable(path, "open", errno);
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  return result == 0 ? absl::OkStatus() : Unusable(path, "sync", error);
}

std::string ParentOf(const std::string& path) {
  const fs::path parent = fs::absolute(path).parent_path();
  return parent.empty() ? "/" : parent.string();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Lock(const std::string& dir, RoomCheck check_room) {
  std::error_code error;
  if (fs::create_directories(dir, error)) RETURN_IF_ERROR(SyncDir(ParentOf(dir)));
  if (error) return Unusable(dir, "create", error.value());
  const std::string lock = absl::StrCat(dir, "/LOCK");
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Unusable(lock, "open", errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    close(fd);
    if (reason != EWOULDBLOCK) return Unusable(lock, "lock", reason);
    return Failure(absl::StatusCode::kUnavailable, "STORE_LOCKED", absl::StrCat("another process uses ", dir),
                   {{"path", dir}});
  }
  return std::unique_ptr<StateDir>(new StateDir(dir, std::move(check_room), fd));
}

StateDir::~StateDir() { close(lock_fd_); }

std::string StateDir::GenerationPath(uint64_t generation) const { return absl::StrCat(path_, "/db-", generation); }

absl::StatusOr<std::optional<uint64_t>> StateDir::Current() const {
  const std::string path = absl::StrCat(path_, "/CURRENT");
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error) return Unusable(path, "find", error.value());
    return std::nullopt;
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Unusable(path, "open", errno);
  char text[32];
  const ssize_t size = read(fd, text, sizeof(text));
  const int reason = errno;
  close(fd);
  if (size < 0) return Unusable(path, "read", reason);
  absl::string_view number(text, static_cast<size_t>(size));
  number = number.substr(0, number.find('\n'));
  uint64_t generation = 0;
  if (!absl::ConsumePrefix(&number, "db-") || !absl::SimpleAtoi(number, &generation)) {
    return Damaged(absl::StrCat(path, " names no generation"));
  }
  return generation;
}

absl::Status StateDir::SetCurrent(uint64_t generation) {
  const std::string path = absl::StrCat(path_, "/CURRENT");
  const std::string draft = absl::StrCat(path, ".tmp");
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Unusable(draft, "create", errno);
  const std::string line = absl::StrCat("db-", generation, "\n");
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!written) return Unusable(draft, "write", error);
  if (rename(draft.c_str(), path.c_str()) != 0) return Unusable(path, "replace", errno);
  return SyncDir(path_);
}

absl::StatusOr<std::vector<uint64_t>> StateDir::Generations() const {
  std::vector<uint64_t> generations;
  std::error_code error;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    absl::string_view number = name;
    uint64_t generation = 0;
    if (absl::ConsumePrefix(&number, "db-") && absl::SimpleAtoi(number, &generation)) generations.push_back(generation);
  }
  if (error) return Unusable(path_, "list", error.value());
  return generations;
}

void StateDir::Delete(uint64_t generation) {
  std::error_code ignored;
  fs::remove_all(GenerationPath(generation), ignored);
  fs::remove_all(GenerationPath(generation) + ".write", ignored);
}

absl::Status StateDir::CheckRoomIn(const std::string& dir) {
  const std::string probe = absl::StrCat(dir, "/ROOM");
  const int fd = open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Unusable(probe, "create", errno);
  const int error = posix_fallocate(fd, 0, kRoomToOpenBytes);
  close(fd);
  unlink(probe.c_str());
  return error == 0 ? absl::OkStatus() : Unusable(dir, "find the 2 MiB to open a store in", error);
}

absl::StatusOr<std::unique_ptr<Database>> StateDir::OpenGeneration(uint64_t generation, const DatabaseOptions& options,
                                                                   bool create) {
  const absl::Status room = CheckRoom();
  if (!room.ok() && (create || !absl::IsResourceExhausted(room))) return room;
  const RocksDatabase::Mode mode = create      ? RocksDatabase::Mode::kCreate
                                   : room.ok() ? RocksDatabase::Mode::kOpen
                                               : RocksDatabase::Mode::kReadOnly;
  return RocksDatabase::Open(GenerationPath(generation), options, mode);
}

absl::StatusOr<std::string> QuarantineDir(const std::string& dir) {
  std::string plain = dir;
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  for (int n = 1; n <= kQuarantinesMax; ++n) {
    const std::string name = absl::StrCat(plain, ".quarantined-", n);
    std::error_code error;
    if (fs::exists(name, error)) continue;
    if (rename(plain.c_str(), name.c_str()) != 0) return Unusable(plain, "rename", errno);
    RETURN_IF_ERROR(SyncDir(ParentOf(plain)));
    return name;
  }
  return Failure(absl::StatusCode::kUnavailable, "STATE_DIR_UNUSABLE",
                 absl::StrCat("there are too many quarantined directories beside ", plain));
}

}  // namespace halles::store
