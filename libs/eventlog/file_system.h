// The file operations of the embedded log. Tests replace them with a disk that loses and tears writes and runs full.
#ifndef HALLES_LIBS_EVENTLOG_FILE_SYSTEM_H_
#define HALLES_LIBS_EVENTLOG_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles::eventlog {

// An open file, closed by its destructor.
// Thread safety: reads may run in parallel with everything; one thread at a time writes and syncs.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual absl::StatusOr<size_t> Read(uint64_t offset, size_t size, char* out) = 0;
  // Durability: none before Sync. RESOURCE_EXHAUSTED when the disk is full; after any error, a part may have been
  // written.
  virtual absl::Status Write(uint64_t offset, absl::string_view bytes) = 0;
  // Makes all previous writes durable. After an error it is unknown what is durable: do not retry.
  virtual absl::Status Sync() = 0;
  // Sets the size and allocates the space. RESOURCE_EXHAUSTED when the disk does not have it.
  virtual absl::Status Allocate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;
  // Hints that the whole file will be read soon.
  virtual void ExpectReads() = 0;
  // The opposite: what is read brings nothing beside it into memory. Where a file is still written that matters, because the
  // system keeps what it read ahead in large pieces, and a small write later costs a whole piece.
  virtual void ExpectFewReads() = 0;
  // Drops from memory what was read and what is durable.
  virtual void Forget() = 0;
};

// Releases the lock when destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Common errors: NOT_FOUND, PERMISSION_DENIED (also for a read-only file system), RESOURCE_EXHAUSTED for a full disk,
// UNAVAILABLE for anything else; messages name the path and the system's error.
// Thread safety: may be shared.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates the directory and its missing parents. Durability: they are durable on return.
  virtual absl::Status CreateDirectories(const std::string& path) = 0;
  // The names in the directory, unordered, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  // Creates the file, or truncates an existing one. Durability: its name is durable after SyncDirectory.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) = 0;
  // Opens for reading and writing.
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path) = 0;
  // Renames and replaces `to`. Durability: after SyncDirectory.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Locks the file, which it creates if necessary and writes the process id to. FAILED_PRECONDITION if another process
  // holds the lock; the message names that process if known.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

// The file system of the operating system.
FileSystem& PosixFileSystem();

// The whole file; it must be small.
absl::StatusOr<std::string> ReadWhole(File& file);

// Writes `bytes` to a second file and renames it to `path`, so that a reader finds the old or the new file, never a
// part. Durability: the bytes are durable on return, the name after SyncDirectory.
absl::Status ReplaceFile(FileSystem& file_system, const std::string& path, absl::string_view bytes);

// Suffix of unfinished files; opening the directory may delete them.
inline constexpr absl::string_view kUnfinishedSuffix = ".new";

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_FILE_SYSTEM_H_
