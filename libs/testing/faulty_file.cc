// Simulates a disk in memory.
#include "libs/testing/faulty_file.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"

namespace halles::testing {
namespace {

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

void WriteTo(std::string* contents, uint64_t offset, absl::string_view bytes) {
  if (contents->size() < offset + bytes.size()) contents->resize(offset + bytes.size(), '\0');
  bytes.copy(contents->data() + offset, bytes.size());
}

}  // namespace

struct FaultyDisk::Node {
  std::string contents;
  size_t syncs = 0;
};

struct FaultyDisk::Operation {
  DiskOperation kind = DiskOperation::kWrite;
  size_t node = 0;
  uint64_t offset = 0;  // kAllocate: the new size
  std::string bytes;
  std::string path;
  std::string to;
  bool failed = false;  // kSync
};

// The disk at one point of its history: durable contents, and the pieces that are not durable.
struct FaultyDisk::Replay {
  struct Piece {
    // A piece of a file: bytes at an offset, or the new size when `bytes` is empty.
    size_t node = 0;
    uint64_t offset = 0;
    std::string bytes;
    // A piece of a directory: `name` now refers to `target`, or to nothing. `node` is not used.
    bool is_name = false;
    std::string name;
    std::optional<size_t> target;
  };
  std::vector<std::string> contents;  // by node
  std::map<std::string, size_t> names;
  std::vector<Piece> pieces;

  void Apply(const Piece& piece) {
    if (piece.is_name) {
      names.erase(piece.name);
      if (piece.target.has_value()) names[piece.name] = *piece.target;
    } else if (piece.bytes.empty()) {
      contents[piece.node].resize(std::max<size_t>(contents[piece.node].size(), piece.offset), '\0');
    } else {
      WriteTo(&contents[piece.node], piece.offset, piece.bytes);
    }
  }
  template <typename Matches>
  void MakeDurable(Matches matches) {
    std::vector<Piece> rest;
    for (Piece& piece : pieces) {
      if (matches(piece)) {
        Apply(piece);
      } else {
        rest.push_back(std::move(piece));
      }
    }
    pieces = std::move(rest);
  }
};

class FaultyDisk::OpenFile : public eventlog::File {
 public:
  OpenFile(FaultyDisk* disk, size_t node, std::shared_ptr<Node> contents, std::string path)
      : disk_(*disk), node_(node), contents_(std::move(contents)), path_(std::move(path)) {}

  absl::StatusOr<size_t> Read(uint64_t offset, size_t size, char* out) override {
    RETURN_IF_ERROR(disk_.CheckFault(DiskOperation::kRead, path_));
    MutexLock lock(&disk_.mutex_);
    const absl::string_view contents = contents_->contents;
    if (offset >= contents.size()) return size_t{0};
    return contents.substr(offset).copy(out, size);
  }

  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    RETURN_IF_ERROR(disk_.CheckFault(DiskOperation::kWrite, path_));
    MutexLock lock(&disk_.mutex_);
    const bool zeros = bytes.find_first_not_of('\0') == absl::string_view::npos;
    const bool fails = disk_.overwrite_room_.has_value() && !(zeros && disk_.room_for_zeros_);
    if (fails) bytes = bytes.substr(0, *disk_.overwrite_room_);
    // Zeros written over zeros cannot be lost, so a file filled with them need not be remembered.
    const absl::string_view contents = contents_->contents;
    const bool nothing_new =
        zeros && offset + bytes.size() <= contents.size() && contents.substr(offset, bytes.size()) == bytes;
    WriteTo(&contents_->contents, offset, bytes);
    disk_.written_bytes_ += bytes.size();
    if (!nothing_new) {
      disk_.Record({.kind = DiskOperation::kWrite, .node = node_, .offset = offset, .bytes = std::string(bytes)});
    }
    return fails ? absl::ResourceExhaustedError(absl::StrCat("cannot write ", path_, ": No space left on device"))
                 : absl::OkStatus();
  }

  absl::Status Sync() override {
    const absl::Status fault = disk_.CheckFault(DiskOperation::kSync, path_);
    MutexLock lock(&disk_.mutex_);
    if (!fault.ok()) {
      disk_.Record({.kind = DiskOperation::kSync, .node = node_, .failed = true});
      return fault;
    }
    ++disk_.held_syncs_;
    disk_.mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !disk_.holding_syncs_; });
    --disk_.held_syncs_;
    ++contents_->syncs;
    disk_.Record({.kind = DiskOperation::kSync, .node = node_});
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size) override {
    RETURN_IF_ERROR(disk_.CheckFault(DiskOperation::kAllocate, path_));
    MutexLock lock(&disk_.mutex_);
    uint64_t used = 0;
    for (const auto& [name, node] : disk_.names_) used += disk_.nodes_[node]->contents.size();
    if (used - contents_->contents.size() + size > disk_.capacity_) {
      return absl::ResourceExhaustedError(absl::StrCat("cannot allocate ", path_, ": No space left on device"));
    }
    if (contents_->contents.size() < size) contents_->contents.resize(size, '\0');
    disk_.Record({.kind = DiskOperation::kAllocate, .node = node_, .offset = size});
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    MutexLock lock(&disk_.mutex_);
    return uint64_t{contents_->contents.size()};
  }

  void ExpectReads() override {}
  void ExpectFewReads() override {}
  void Forget() override {}

 private:
  FaultyDisk& disk_;
  const size_t node_;
  const std::shared_ptr<Node> contents_;  // a removed file stays readable for those who have it open
  const std::string path_;
};

class FaultyDisk::HeldLock : public eventlog::FileLock {
 public:
  HeldLock(FaultyDisk* disk, std::string path) : disk_(*disk), path_(std::move(path)) {}
  ~HeldLock() override {
    MutexLock lock(&disk_.mutex_);
    disk_.locked_.erase(path_);
  }

 private:
  FaultyDisk& disk_;
  const std::string path_;
};

FaultyDisk::FaultyDisk() : capacity_(std::numeric_limits<uint64_t>::max()) {}
FaultyDisk::~FaultyDisk() = default;

uint64_t FaultyDisk::written_bytes() const {
  MutexLock lock(&mutex_);
  return written_bytes_;
}

size_t FaultyDisk::operations() const {
  MutexLock lock(&mutex_);
  return history_.size();
}

size_t FaultyDisk::PiecesAtRisk(size_t operations) const {
  MutexLock lock(&mutex_);
  return ReplayUntil(operations).pieces.size();
}

std::unique_ptr<FaultyDisk> FaultyDisk::AfterPowerCut(size_t operations,
                                                      absl::FunctionRef<bool(size_t)> survives) const {
  auto disk = std::make_unique<FaultyDisk>();
  MutexLock lock(&mutex_);
  Replay replay = ReplayUntil(operations);
  for (size_t i = 0; i < replay.pieces.size(); ++i) {
    if (survives(i)) replay.Apply(replay.pieces[i]);
  }
  MutexLock new_lock(&disk->mutex_);
  disk->directories_ = directories_;
  for (const auto& [name, node] : replay.names) {
    disk->names_[name] = disk->nodes_.size();
    disk->nodes_.push_back(std::make_shared<Node>(Node{replay.contents[node]}));
    disk->initial_files_[name] = replay.contents[node];
  }
  return disk;
}

FaultyDisk::Replay FaultyDisk::ReplayUntil(size_t operations) const {
  HALLES_CHECK(operations <= history_.size(), "the history is not that long");
  Replay replay;
  for (const auto& [name, contents] : initial_files_) {
    replay.names[name] = replay.contents.size();
    replay.contents.push_back(contents);
  }
  // The names as the program saw them, to resolve renames.
  std::map<std::string, size_t> seen = replay.names;
  auto name_change = [&replay](const std::string& name, std::optional<size_t> target) {
    Replay::Piece piece;
    piece.is_name = true;
    piece.name = name;
    piece.target = target;
    replay.pieces.push_back(std::move(piece));
  };
  for (size_t i = 0; i < operations; ++i) {
    const Operation& operation = history_[i];
    switch (operation.kind) {
      case DiskOperation::kOpen:
      case DiskOperation::kRead:
        break;  // these change nothing and are not in the history
      case DiskOperation::kCreate:
        replay.contents.resize(std::max(replay.contents.size(), operation.node + 1));
        seen[operation.path] = operation.node;
        name_change(operation.path, operation.node);
        break;
      case DiskOperation::kWrite:
        for (size_t done = 0; done < operation.bytes.size();) {
          const uint64_t offset = operation.offset + done;
          const size_t rest_of_sector = kSectorBytes - offset % kSectorBytes;
          replay.pieces.push_back(
              {.node = operation.node, .offset = offset, .bytes = operation.bytes.substr(done, rest_of_sector)});
          done += rest_of_sector;
        }
        break;
      case DiskOperation::kAllocate:
        replay.pieces.push_back({.node = operation.node, .offset = operation.offset});
        break;
      case DiskOperation::kSync:
        if (operation.failed) {
          std::erase_if(replay.pieces,
                        [&](const Replay::Piece& piece) { return !piece.is_name && piece.node == operation.node; });
          break;
        }
        replay.MakeDurable([&](const Replay::Piece& piece) { return !piece.is_name && piece.node == operation.node; });
        break;
      case DiskOperation::kRename:
        name_change(operation.to, seen[operation.path]);
        name_change(operation.path, std::nullopt);
        seen[operation.to] = seen[operation.path];
        seen.erase(operation.path);
        break;
      case DiskOperation::kRemove:
        name_change(operation.path, std::nullopt);
        seen.erase(operation.path);
        break;
      case DiskOperation::kSyncDirectory:
        replay.MakeDurable(
            [&](const Replay::Piece& piece) { return piece.is_name && DirectoryOf(piece.name) == operation.path; });
        break;
    }
  }
  return replay;
}

void FaultyDisk::SetFault(Fault fault) {
  MutexLock lock(&mutex_);
  fault_ = std::move(fault);
}

void FaultyDisk::SetCapacity(uint64_t bytes) {
  MutexLock lock(&mutex_);
  capacity_ = bytes;
}

void FaultyDisk::SetOverwriteRoom(std::optional<size_t> bytes, bool room_for_zeros) {
  MutexLock lock(&mutex_);
  overwrite_room_ = bytes;
  room_for_zeros_ = room_for_zeros;
}

void FaultyDisk::HoldSyncs() {
  MutexLock lock(&mutex_);
  holding_syncs_ = true;
}

void FaultyDisk::ReleaseSyncs() {
  MutexLock lock(&mutex_);
  holding_syncs_ = false;
}

void FaultyDisk::AwaitHeldSync() {
  MutexLock lock(&mutex_);
  mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return holding_syncs_ && held_syncs_ > 0; });
}

size_t FaultyDisk::Syncs(const std::string& path) const {
  MutexLock lock(&mutex_);
  return nodes_[names_.at(path)]->syncs;
}

bool FaultyDisk::Exists(const std::string& path) const {
  MutexLock lock(&mutex_);
  return names_.contains(path);
}

std::string FaultyDisk::Contents(const std::string& path) const {
  MutexLock lock(&mutex_);
  return nodes_[names_.at(path)]->contents;
}

void FaultyDisk::Overwrite(const std::string& path, uint64_t offset, const std::string& bytes) {
  MutexLock lock(&mutex_);
  WriteTo(&nodes_[names_.at(path)]->contents, offset, bytes);
}

void FaultyDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  MutexLock lock(&mutex_);
  nodes_[names_.at(path)]->contents[offset] ^= static_cast<char>(1 << bit);
}

void FaultyDisk::Truncate(const std::string& path, uint64_t size) {
  MutexLock lock(&mutex_);
  nodes_[names_.at(path)]->contents.resize(size);
}

std::vector<std::string> FaultyDisk::Paths() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> paths;
  for (const auto& [name, node] : names_) paths.push_back(name);
  return paths;
}

absl::Status FaultyDisk::CreateDirectories(const std::string& path) {
  MutexLock lock(&mutex_);
  directories_.insert(path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FaultyDisk::List(const std::string& directory) {
  MutexLock lock(&mutex_);
  if (!directories_.contains(directory)) return absl::NotFoundError(absl::StrCat("cannot list ", directory));
  std::vector<std::string> names;
  for (const auto& [name, node] : names_) {
    if (DirectoryOf(name) == directory) names.push_back(name.substr(directory.size() + 1));
  }
  return names;
}

absl::StatusOr<std::unique_ptr<eventlog::File>> FaultyDisk::Create(const std::string& path) {
  RETURN_IF_ERROR(CheckFault(DiskOperation::kCreate, path));
  MutexLock lock(&mutex_);
  // An existing file is replaced rather than emptied; the program cannot tell the difference.
  const size_t node = nodes_.size();
  nodes_.push_back(std::make_shared<Node>());
  names_[path] = node;
  Record({.kind = DiskOperation::kCreate, .node = node, .path = path});
  return std::unique_ptr<eventlog::File>(std::make_unique<OpenFile>(this, node, nodes_[node], path));
}

absl::StatusOr<std::unique_ptr<eventlog::File>> FaultyDisk::Open(const std::string& path) {
  RETURN_IF_ERROR(CheckFault(DiskOperation::kOpen, path));
  MutexLock lock(&mutex_);
  const auto it = names_.find(path);
  if (it == names_.end()) return absl::NotFoundError(absl::StrCat("cannot open ", path, ": No such file or directory"));
  return std::unique_ptr<eventlog::File>(std::make_unique<OpenFile>(this, it->second, nodes_[it->second], path));
}

absl::Status FaultyDisk::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(CheckFault(DiskOperation::kRename, from));
  MutexLock lock(&mutex_);
  const auto it = names_.find(from);
  if (it == names_.end()) return absl::NotFoundError(absl::StrCat("cannot rename ", from));
  names_[to] = it->second;
  names_.erase(from);
  Record({.kind = DiskOperation::kRename, .path = from, .to = to});
  return absl::OkStatus();
}

absl::Status FaultyDisk::Remove(const std::string& path) {
  RETURN_IF_ERROR(CheckFault(DiskOperation::kRemove, path));
  MutexLock lock(&mutex_);
  if (names_.erase(path) == 0) return absl::NotFoundError(absl::StrCat("cannot remove ", path));
  Record({.kind = DiskOperation::kRemove, .path = path});
  return absl::OkStatus();
}

absl::Status FaultyDisk::SyncDirectory(const std::string& path) {
  RETURN_IF_ERROR(CheckFault(DiskOperation::kSyncDirectory, path));
  MutexLock lock(&mutex_);
  Record({.kind = DiskOperation::kSyncDirectory, .path = path});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<eventlog::FileLock>> FaultyDisk::Lock(const std::string& path) {
  MutexLock lock(&mutex_);
  if (!locked_.insert(path).second) return absl::FailedPreconditionError("held by another process");
  return std::unique_ptr<eventlog::FileLock>(std::make_unique<HeldLock>(this, path));
}

absl::Status FaultyDisk::CheckFault(DiskOperation operation, const std::string& path) {
  Fault fault;
  {
    MutexLock lock(&mutex_);
    fault = fault_;
  }
  return fault ? fault(operation, path) : absl::OkStatus();
}

void FaultyDisk::Record(Operation operation) { history_.push_back(std::move(operation)); }

}  // namespace halles::testing
