// POSIX file operations for the embedded log.
#include "libs/eventlog/file_system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/status.h"

namespace halles::eventlog {
namespace {

absl::Status SystemError(absl::string_view what, absl::string_view path, int error) {
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { close(fd_); }

  absl::StatusOr<size_t> Read(uint64_t offset, size_t size, char* out) override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = pread(fd_, out + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SystemError("read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return SystemError("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    // Not retried, not even after EINTR: the second call would report the failed pages as clean.
    if (fdatasync(fd_) != 0) return SystemError("sync", path_, errno);
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size) override {
    int error = 0;
    do {
      error = posix_fallocate(fd_, 0, static_cast<off_t>(size));
    } while (error == EINTR);
    if (error != 0) return SystemError("allocate", path_, error);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    struct stat status;
    if (fstat(fd_, &status) != 0) return SystemError("look at", path_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

  void ExpectReads() override { posix_fadvise(fd_, 0, 0, POSIX_FADV_WILLNEED); }
  void ExpectFewReads() override { posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM); }
  void Forget() override { posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  const int fd_;
  const std::string path_;
};

class PosixLock : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { close(fd_); }

 private:
  const int fd_;
};

class PosixFileSystemImpl : public FileSystem {
 public:
  absl::Status CreateDirectories(const std::string& path) override {
    const absl::string_view trimmed = absl::StripSuffix(path, "/");
    if (trimmed.empty()) return absl::OkStatus();
    const std::string directory(trimmed);
    if (mkdir(directory.c_str(), 0700) != 0) {
      if (errno == EEXIST) {
        struct stat status;
        if (stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return absl::OkStatus();
        return SystemError("create the directory", directory, ENOTDIR);
      }
      if (errno != ENOENT) return SystemError("create the directory", directory, errno);
      if (Parent(directory) == directory) return SystemError("create the directory", directory, ENOENT);
      RETURN_IF_ERROR(CreateDirectories(Parent(directory)));
      if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return SystemError("create the directory", directory, errno);
      }
    }
    return SyncDirectory(Parent(directory));
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    DIR* dir = opendir(directory.c_str());
    if (dir == nullptr) return SystemError("list", directory, errno);
    absl::Cleanup close_dir = [dir] { closedir(dir); };
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(dir)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    if (errno != 0) return SystemError("list", directory, errno);
    return names;
  }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    return OpenWith(path, O_RDWR | O_CREAT | O_TRUNC, "create");
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path) override {
    return OpenWith(path, O_RDWR, "open");
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return SystemError("rename", from, errno);
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return SystemError("remove", path, errno);
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return SystemError("open", path, errno);
    absl::Cleanup close_fd = [fd] { close(fd); };
    if (fsync(fd) != 0) return SystemError("sync", path, errno);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return SystemError("open", path, errno);
    auto lock = std::make_unique<PosixLock>(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return SystemError("lock", path, errno);
      char text[32];
      const ssize_t n = pread(fd, text, sizeof(text), 0);
      int64_t holder = 0;
      if (n > 0 && absl::SimpleAtoi(absl::string_view(text, static_cast<size_t>(n)), &holder)) {
        return absl::FailedPreconditionError(absl::StrCat("held by process ", holder));
      }
      return absl::FailedPreconditionError("held by another process");
    }
    const std::string holder = absl::StrCat(getpid(), "\n");
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder.data(), holder.size(), 0) < 0) {
      // The name of the holder is optional; a full disk must not keep the log from opening.
      if (errno != ENOSPC && errno != EDQUOT) return SystemError("write", path, errno);
    }
    return std::unique_ptr<FileLock>(std::move(lock));
  }

 private:
  static std::string Parent(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
  }

  static absl::StatusOr<std::unique_ptr<File>> OpenWith(const std::string& path, int flags, absl::string_view what) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) return SystemError(what, path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static PosixFileSystemImpl* const file_system = new PosixFileSystemImpl;
  return *file_system;
}

absl::StatusOr<std::string> ReadWhole(File& file) {
  ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  std::string bytes(size, '\0');
  ASSIGN_OR_RETURN(const size_t read, file.Read(0, bytes.size(), bytes.data()));
  bytes.resize(read);
  return bytes;
}

absl::Status ReplaceFile(FileSystem& file_system, const std::string& path, absl::string_view bytes) {
  const std::string unfinished = absl::StrCat(path, kUnfinishedSuffix);
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, file_system.Create(unfinished));
  RETURN_IF_ERROR(file->Write(0, bytes));
  RETURN_IF_ERROR(file->Sync());
  return file_system.Rename(unfinished, path);
}

}  // namespace halles::eventlog
