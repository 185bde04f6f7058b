// Ordered maps behind the interface of a database.
#include "libs/store/memory_disk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

absl::Status WriteFailed(absl::string_view why) {
  return Failure(absl::StatusCode::kUnavailable, "STORE_WRITE_FAILED", absl::StrCat("cannot write rows: ", why));
}

}  // namespace

// Keeps a version as it is until this is destroyed.
class MemoryDisk::PinnedRows {
 public:
  PinnedRows(MemoryDisk* disk, const Generation& generation) : disk_(*disk) {
    MutexLock lock(&disk_.mutex_);
    version_ = generation.version;
    ++version_->readers;
  }
  ~PinnedRows() {
    MutexLock lock(&disk_.mutex_);
    --version_->readers;
  }
  PinnedRows(const PinnedRows&) = delete;
  PinnedRows& operator=(const PinnedRows&) = delete;

  const Map& rows() const { return version_->rows; }

 private:
  MemoryDisk& disk_;
  std::shared_ptr<Version> version_;
};

// Walks the keys from `start` that begin with `prefix`.
class MemoryDisk::Cursor : public DatabaseCursor {
 public:
  Cursor(MemoryDisk* disk, std::shared_ptr<const PinnedRows> pinned, absl::string_view prefix, absl::string_view start)
      : pinned_(std::move(pinned)),
        prefix_(prefix),
        status_(disk->TakeReadFault()),
        it_(pinned_->rows().lower_bound(std::max(prefix, start))) {}

  bool Valid() const override {
    return status_.ok() && it_ != pinned_->rows().end() && absl::StartsWith(it_->first, prefix_);
  }
  absl::string_view key() const override { return it_->first; }
  absl::string_view value() const override { return it_->second; }
  void Next() override { ++it_; }
  absl::Status status() const override { return status_; }

 private:
  const std::shared_ptr<const PinnedRows> pinned_;  // shared with the other cursors of a snapshot
  const std::string prefix_;
  const absl::Status status_;
  Map::const_iterator it_;
};

class MemoryDisk::Snapshot : public DatabaseSnapshot {
 public:
  Snapshot(MemoryDisk* disk, const Generation& generation)
      : disk_(disk), pinned_(std::make_shared<PinnedRows>(disk, generation)) {}

  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override {
    return std::make_unique<Cursor>(disk_, pinned_, prefix, prefix);
  }

 private:
  MemoryDisk* const disk_;
  const std::shared_ptr<const PinnedRows> pinned_;
};

class MemoryDisk::SpaceRows : public BaseRows {
 public:
  SpaceRows(MemoryDisk* disk, std::shared_ptr<const Generation> generation, const RowSpace& space)
      : disk_(disk), generation_(std::move(generation)), kind_(space.kind), prefix_(SpacePrefix(space)) {}

  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override {
    ASSIGN_OR_RETURN(const std::optional<std::string> stored, disk_->Get(*generation_, absl::StrCat(prefix_, key)));
    if (!stored.has_value()) return std::nullopt;
    absl::string_view value = *stored;
    RowHeader header;
    if (!TakeRowHeader(kind_, &value, &header)) return ShortRow();
    return Row{std::string(value), header.position};
  }

  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override {
    return std::make_unique<RowCursor>(
        std::make_unique<Cursor>(disk_, std::make_shared<PinnedRows>(disk_, *generation_),
                                 absl::StrCat(prefix_, prefix), absl::StrCat(prefix_, start)),
        kind_, prefix_.size());
  }

 private:
  class RowCursor : public BaseCursor {
   public:
    RowCursor(std::unique_ptr<Cursor> cursor, FoldId::Kind kind, size_t prefix_size)
        : cursor_(std::move(cursor)), kind_(kind), prefix_size_(prefix_size) {
      Read();
    }

    bool Valid() const override { return !short_row_ && cursor_->Valid(); }
    absl::string_view key() const override { return cursor_->key().substr(prefix_size_); }
    Row row() const override { return Row{std::string(value_), header_.position}; }
    void Next() override {
      cursor_->Next();
      Read();
    }
    absl::Status status() const override { return short_row_ ? ShortRow() : cursor_->status(); }

   private:
    void Read() {
      if (!cursor_->Valid()) return;
      value_ = cursor_->value();
      short_row_ = !TakeRowHeader(kind_, &value_, &header_);
    }

    const std::unique_ptr<Cursor> cursor_;
    const FoldId::Kind kind_;
    const size_t prefix_size_;
    bool short_row_ = false;
    absl::string_view value_;
    RowHeader header_;
  };

  MemoryDisk* const disk_;
  const std::shared_ptr<const Generation> generation_;
  const FoldId::Kind kind_;
  const std::string prefix_;
};

class MemoryDisk::Draft : public DatabaseDraft {
 public:
  Draft(MemoryDisk* disk, const Generation& generation) : disk_(disk), generation_(generation) {}

  absl::Status Put(absl::string_view key, absl::string_view value) override { return Add(key, std::string(value)); }
  absl::Status Delete(absl::string_view key) override { return Add(key, std::nullopt); }
  absl::Status DeletePrefix(absl::string_view prefix) override {
    changes_.prefixes.emplace_back(prefix);
    return absl::OkStatus();
  }
  absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) override {
    for (size_t i = 0; i < keys.size(); ++i) {
      ASSIGN_OR_RETURN(const std::optional<std::string> value, disk_->Get(generation_, keys[i]));
      RETURN_IF_ERROR(visit(i, value));
    }
    return absl::OkStatus();
  }

  Changes Take() { return std::move(changes_); }

 private:
  absl::Status Add(absl::string_view key, std::optional<std::string> value) {
    if (!changes_.rows.empty() && key <= changes_.rows.rbegin()->first) {
      return Failure(absl::StatusCode::kInternal, "STORE_WRITE_FAILED", "keys are not written in order");
    }
    changes_.rows.emplace_hint(changes_.rows.end(), key, std::move(value));
    return absl::OkStatus();
  }

  MemoryDisk* const disk_;
  const Generation& generation_;
  Changes changes_;
};

class MemoryDisk::MemoryDatabase : public Database {
 public:
  MemoryDatabase(MemoryDisk* disk, std::shared_ptr<Generation> generation, Scheduler* scheduler)
      : disk_(disk),
        generation_(std::move(generation)),
        queue_(scheduler == nullptr ? nullptr : scheduler->NewQueue("halles-disk", QueuePriority::kBackground)) {}

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return disk_->Get(*generation_, key);
  }
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override {
    return std::make_unique<Cursor>(disk_, std::make_shared<PinnedRows>(disk_, *generation_), prefix, prefix);
  }
  std::unique_ptr<DatabaseSnapshot> TakeSnapshot() const override {
    return std::make_unique<Snapshot>(disk_, *generation_);
  }
  std::unique_ptr<BaseRows> Rows(const RowSpace& space) const override {
    return std::make_unique<SpaceRows>(disk_, generation_, space);
  }

  absl::Status Write(Fill fill, BeforeIngest before_ingest) override {
    ASSIGN_OR_RETURN(Changes changes, Prepare(fill, before_ingest));
    return disk_->Ingest(*generation_, changes);
  }

  void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) override {
    absl::StatusOr<Changes> changes = Prepare(fill, before_ingest);
    if (!changes.ok()) return done(changes.status());
    const absl::Duration delay = disk_->write_delay();
    if (delay <= absl::ZeroDuration()) return done(disk_->Ingest(*generation_, *std::move(changes)));
    HALLES_CHECK(queue_ != nullptr, "a disk is slow without a scheduler");
    queue_->PostAfter(delay, [this, changes = *std::move(changes), done = std::move(done)]() mutable {
      done(disk_->Ingest(*generation_, changes));
    });
  }

  DatabaseSize size() const override {
    const PinnedRows pinned(disk_, *generation_);
    DatabaseSize size;
    for (const auto& [key, value] : pinned.rows()) size.disk_bytes += key.size() + value.size();
    return size;
  }

 private:
  absl::StatusOr<Changes> Prepare(Fill fill, BeforeIngest before_ingest) {
    Draft draft(disk_, *generation_);
    RETURN_IF_ERROR(fill(draft));
    RETURN_IF_ERROR(before_ingest());
    return draft.Take();
  }

  MemoryDisk* const disk_;
  const std::shared_ptr<Generation> generation_;
  // Last: its tasks use all of the above. Null without a scheduler.
  const std::unique_ptr<TaskQueue> queue_;
};

class MemoryDisk::Home : public DatabaseHome {
 public:
  explicit Home(MemoryDisk* disk) : disk_(*disk) {}
  ~Home() override { disk_.Unlock(); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  std::string GenerationPath(uint64_t generation) const override {
    return absl::StrCat(disk_.path_, "/db-", generation);
  }
  absl::StatusOr<std::optional<uint64_t>> Current() const override {
    MutexLock lock(&disk_.mutex_);
    return disk_.current_;
  }
  absl::Status SetCurrent(uint64_t generation) override {
    MutexLock lock(&disk_.mutex_);
    if (disk_.full_) return Full(disk_.path_);
    disk_.current_ = generation;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<uint64_t>> Generations() const override {
    MutexLock lock(&disk_.mutex_);
    std::vector<uint64_t> generations;
    for (const auto& [number, generation] : disk_.generations_) generations.push_back(number);
    return generations;
  }
  void Delete(uint64_t generation) override {
    MutexLock lock(&disk_.mutex_);
    disk_.generations_.erase(generation);
  }
  absl::StatusOr<std::unique_ptr<Database>> OpenGeneration(uint64_t generation, const DatabaseOptions& options,
                                                           bool create) override {
    std::shared_ptr<Generation> opened;
    {
      MutexLock lock(&disk_.mutex_);
      std::shared_ptr<Generation>& found = disk_.generations_[generation];
      if (create != (found == nullptr)) {
        if (found == nullptr) disk_.generations_.erase(generation);
        return Damaged(absl::StrCat(GenerationPath(generation), create ? " exists already" : " is missing"));
      }
      if (create) found = std::make_shared<Generation>();
      opened = found;
    }
    return std::make_unique<MemoryDatabase>(&disk_, std::move(opened), options.scheduler);
  }

  static absl::Status Full(const std::string& path) {
    return Failure(absl::StatusCode::kUnavailable, "STATE_DIR_UNUSABLE",
                   absl::StrCat("cannot write in ", path, ": the disk is full"), {{"path", path}});
  }

 private:
  MemoryDisk& disk_;
};

absl::StatusOr<std::shared_ptr<DatabaseHome>> MemoryDisk::Open() {
  MutexLock lock(&mutex_);
  if (locked_) {
    return Failure(absl::StatusCode::kUnavailable, "STORE_LOCKED", absl::StrCat("another process uses ", path_),
                   {{"path", path_}});
  }
  if (full_) return Home::Full(path_);
  locked_ = true;
  return std::make_shared<Home>(this);
}

void MemoryDisk::Unlock() {
  MutexLock lock(&mutex_);
  locked_ = false;
}

void MemoryDisk::SetWriteDelay(absl::Duration delay) {
  MutexLock lock(&mutex_);
  write_delay_ = delay;
}

void MemoryDisk::SetFull(bool full) {
  MutexLock lock(&mutex_);
  full_ = full;
}

void MemoryDisk::FailNextWrite() {
  MutexLock lock(&mutex_);
  fail_next_write_ = true;
}

void MemoryDisk::FailNextRead() {
  MutexLock lock(&mutex_);
  fail_next_read_ = true;
}

uint64_t MemoryDisk::key_reads() const {
  MutexLock lock(&mutex_);
  return key_reads_;
}

absl::Duration MemoryDisk::write_delay() const {
  MutexLock lock(&mutex_);
  return write_delay_;
}

absl::Status MemoryDisk::TakeReadFault() {
  MutexLock lock(&mutex_);
  if (!std::exchange(fail_next_read_, false)) return absl::OkStatus();
  return Failure(absl::StatusCode::kUnavailable, "STORE_READ_FAILED", "a read failed: the disk does not answer");
}

absl::StatusOr<std::optional<std::string>> MemoryDisk::Get(const Generation& generation, absl::string_view key) {
  RETURN_IF_ERROR(TakeReadFault());
  MutexLock lock(&mutex_);
  ++key_reads_;
  const Map& rows = generation.version->rows;
  const auto it = rows.find(key);
  if (it == rows.end()) return std::nullopt;
  return it->second;
}

absl::Status MemoryDisk::Ingest(Generation& generation, const Changes& changes) {
  MutexLock lock(&mutex_);
  if (std::exchange(fail_next_write_, false)) return WriteFailed("the disk does not answer");
  if (full_)
    return WriteFailed("the disk is full; nothing is lost: free some space, and the store continues by itself");
  if (generation.version->readers > 0) {
    auto version = std::make_shared<Version>();
    version->rows = generation.version->rows;
    generation.version = std::move(version);
  }
  Map& rows = generation.version->rows;
  for (const std::string& prefix : changes.prefixes) {
    rows.erase(rows.lower_bound(prefix), rows.lower_bound(PrefixEnd(prefix)));
  }
  for (const auto& [key, value] : changes.rows) {
    if (value.has_value()) {
      rows.insert_or_assign(key, *value);
    } else {
      rows.erase(key);
    }
  }
  return absl::OkStatus();
}

}  // namespace halles::store
