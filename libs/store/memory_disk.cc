// Ordered maps that implement the interface of a database.
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

// Pins a version while this object lives.
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

class MemoryDisk::MemoryDatabase : public Database {
 public:
  MemoryDatabase(MemoryDisk* disk, std::shared_ptr<Generation> generation, const DatabaseOptions& options)
      : Database(options.on_damage),
        disk_(*disk),
        generation_(std::move(generation)),
        queue_(options.scheduler == nullptr ? nullptr
                                            : options.scheduler->NewQueue("halles-disk", QueuePriority::kBackground)) {}

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override { return disk_.Get(*this, key); }
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override;
  std::unique_ptr<DatabaseSnapshot> TakeSnapshot() const override;
  std::unique_ptr<BaseRows> Rows(const RowSpace& space) const override;
  std::vector<RowSpace> Spaces() const override;
  absl::Status DropSpace(const RowSpace& space) override { return disk_.Drop(*generation_, space); }
  absl::Status Write(Fill fill, BeforeIngest before_ingest) override;
  void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) override;
  DatabaseSize size() const override;

  MemoryDisk& disk() const { return disk_; }
  Generation& generation() const { return *generation_; }

 private:
  absl::StatusOr<Changes> Prepare(Fill fill, BeforeIngest before_ingest) const;

  MemoryDisk& disk_;
  const std::shared_ptr<Generation> generation_;
  // Last: its tasks use all of the above. Null without a scheduler.
  const std::unique_ptr<TaskQueue> queue_;
};

// Walks the keys from `start` that begin with `prefix`.
class MemoryDisk::Cursor : public DatabaseCursor {
 public:
  Cursor(const MemoryDatabase& database, std::shared_ptr<const PinnedRows> pinned, absl::string_view prefix,
         absl::string_view start)
      : pinned_(std::move(pinned)),
        prefix_(prefix),
        status_(database.disk().TakeReadFault(database, prefix)),
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
  explicit Snapshot(const MemoryDatabase& database)
      : database_(database), pinned_(std::make_shared<PinnedRows>(&database.disk(), database.generation())) {}

  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override {
    return std::make_unique<Cursor>(database_, pinned_, prefix, prefix);
  }
  std::vector<RowSpace> Spaces() const override { return SpacesIn(pinned_->rows()); }

  static std::vector<RowSpace> SpacesIn(const Map& rows) {
    std::set<RowSpace> spaces;
    for (const auto& [key, value] : rows) {
      if (const std::optional<RowSpace> space = SpaceOfKey(key); space.has_value()) spaces.insert(*space);
    }
    return {spaces.begin(), spaces.end()};
  }

 private:
  const MemoryDatabase& database_;
  const std::shared_ptr<const PinnedRows> pinned_;
};

class MemoryDisk::SpaceRows : public BaseRows {
 public:
  SpaceRows(const MemoryDatabase& database, const RowSpace& space)
      : database_(database), space_(space), prefix_(SpacePrefix(space)) {}

  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override {
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     database_.disk().Get(database_, absl::StrCat(prefix_, key)));
    if (!stored.has_value()) return std::nullopt;
    absl::string_view value = *stored;
    RowHeader header;
    if (!TakeRowHeader(space_.kind, &value, &header)) return database_.SpaceDamaged(space_, kShortRow);
    return Row{std::string(value), header.position};
  }

  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override {
    return std::make_unique<RowCursor>(
        database_, space_,
        std::make_unique<Cursor>(database_, std::make_shared<PinnedRows>(&database_.disk(), database_.generation()),
                                 absl::StrCat(prefix_, prefix), absl::StrCat(prefix_, start)),
        prefix_.size());
  }

 private:
  class RowCursor : public BaseCursor {
   public:
    RowCursor(const MemoryDatabase& database, const RowSpace& space, std::unique_ptr<Cursor> cursor, size_t prefix_size)
        : database_(database), space_(space), cursor_(std::move(cursor)), prefix_size_(prefix_size) {
      Read();
    }

    bool Valid() const override { return short_row_.ok() && cursor_->Valid(); }
    absl::string_view key() const override { return cursor_->key().substr(prefix_size_); }
    Row row() const override { return Row{std::string(value_), header_.position}; }
    void Next() override {
      cursor_->Next();
      Read();
    }
    absl::Status status() const override { return short_row_.ok() ? cursor_->status() : short_row_; }

   private:
    void Read() {
      if (!cursor_->Valid()) return;
      value_ = cursor_->value();
      if (!TakeRowHeader(space_.kind, &value_, &header_)) short_row_ = database_.SpaceDamaged(space_, kShortRow);
    }

    const MemoryDatabase& database_;
    const RowSpace space_;
    const std::unique_ptr<Cursor> cursor_;
    const size_t prefix_size_;
    absl::Status short_row_;
    absl::string_view value_;
    RowHeader header_;
  };

  const MemoryDatabase& database_;
  const RowSpace space_;
  const std::string prefix_;
};

class MemoryDisk::Draft : public DatabaseDraft {
 public:
  explicit Draft(const MemoryDatabase& database) : database_(database) {}

  absl::Status Put(absl::string_view key, absl::string_view value) override { return Add(key, std::string(value)); }
  absl::Status Delete(absl::string_view key) override { return Add(key, std::nullopt); }
  absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) override {
    for (size_t i = 0; i < keys.size(); ++i) {
      ASSIGN_OR_RETURN(const std::optional<std::string> value, database_.disk().Get(database_, keys[i]));
      RETURN_IF_ERROR(visit(i, value));
    }
    return absl::OkStatus();
  }

  Changes Take() { return std::move(changes_); }

 private:
  absl::Status Add(absl::string_view key, std::optional<std::string> value) {
    const std::optional<RowSpace> space = SpaceOfKey(key);
    const bool begins = changes_.empty() || space != space_;
    if (begins ? !begun_.insert(space).second : key <= last_) {
      return Failure(absl::StatusCode::kInternal, "STORE_WRITE_FAILED", "keys are not written in order");
    }
    space_ = space;
    last_ = std::string(key);
    changes_.emplace(key, std::move(value));
    return absl::OkStatus();
  }

  const MemoryDatabase& database_;
  Changes changes_;
  std::set<std::optional<RowSpace>> begun_;
  std::optional<RowSpace> space_;  // of the last key
  std::string last_;
};

std::unique_ptr<DatabaseCursor> MemoryDisk::MemoryDatabase::Seek(absl::string_view prefix) const {
  return std::make_unique<Cursor>(*this, std::make_shared<PinnedRows>(&disk_, *generation_), prefix, prefix);
}

std::unique_ptr<DatabaseSnapshot> MemoryDisk::MemoryDatabase::TakeSnapshot() const {
  return std::make_unique<Snapshot>(*this);
}

std::unique_ptr<BaseRows> MemoryDisk::MemoryDatabase::Rows(const RowSpace& space) const {
  return std::make_unique<SpaceRows>(*this, space);
}

std::vector<RowSpace> MemoryDisk::MemoryDatabase::Spaces() const {
  return Snapshot::SpacesIn(PinnedRows(&disk_, *generation_).rows());
}

absl::StatusOr<MemoryDisk::Changes> MemoryDisk::MemoryDatabase::Prepare(Fill fill, BeforeIngest before_ingest) const {
  Draft draft(*this);
  RETURN_IF_ERROR(fill(draft));
  RETURN_IF_ERROR(before_ingest());
  return draft.Take();
}

absl::Status MemoryDisk::MemoryDatabase::Write(Fill fill, BeforeIngest before_ingest) {
  ASSIGN_OR_RETURN(const Changes changes, Prepare(fill, before_ingest));
  return disk_.Ingest(*generation_, changes);
}

void MemoryDisk::MemoryDatabase::WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) {
  absl::StatusOr<Changes> changes = Prepare(fill, before_ingest);
  if (!changes.ok()) return done(changes.status());
  const absl::Duration delay = disk_.write_delay();
  if (delay <= absl::ZeroDuration()) return done(disk_.Ingest(*generation_, *changes));
  HALLES_CHECK(queue_ != nullptr, "a disk is slow without a scheduler");
  queue_->PostAfter(delay, [this, changes = *std::move(changes), done = std::move(done)]() mutable {
    done(disk_.Ingest(*generation_, changes));
  });
}

DatabaseSize MemoryDisk::MemoryDatabase::size() const {
  const PinnedRows pinned(&disk_, *generation_);
  DatabaseSize size;
  for (const auto& [key, value] : pinned.rows()) size.disk_bytes += key.size() + value.size();
  return size;
}

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
    return std::make_unique<MemoryDatabase>(&disk_, std::move(opened), options);
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

void MemoryDisk::DamageSpace(const RowSpace& space) {
  MutexLock lock(&mutex_);
  for (const auto& [number, generation] : generations_) generation->damaged.insert(space);
}

absl::Status MemoryDisk::TakeReadFault(const MemoryDatabase& database, absl::string_view key) {
  const std::optional<RowSpace> space = SpaceOfKey(key);
  {
    MutexLock lock(&mutex_);
    if (std::exchange(fail_next_read_, false)) {
      return Failure(absl::StatusCode::kUnavailable, "STORE_READ_FAILED", "a read failed: the disk does not answer");
    }
    if (!space.has_value() || database.generation().damaged.count(*space) == 0) return absl::OkStatus();
  }
  return database.SpaceDamaged(*space, "a read found wrong bytes");
}

absl::StatusOr<std::optional<std::string>> MemoryDisk::Get(const MemoryDatabase& database, absl::string_view key) {
  RETURN_IF_ERROR(TakeReadFault(database, key));
  MutexLock lock(&mutex_);
  ++key_reads_;
  const Map& rows = database.generation().version->rows;
  const auto it = rows.find(key);
  if (it == rows.end()) return std::nullopt;
  return it->second;
}

MemoryDisk::Map& MemoryDisk::Changeable(Generation& generation) {
  if (generation.version->readers > 0) {
    auto version = std::make_shared<Version>();
    version->rows = generation.version->rows;
    generation.version = std::move(version);
  }
  return generation.version->rows;
}

absl::Status MemoryDisk::Ingest(Generation& generation, const Changes& changes) {
  MutexLock lock(&mutex_);
  if (std::exchange(fail_next_write_, false)) return WriteFailed("the disk does not answer");
  if (full_)
    return WriteFailed("the disk is full; nothing is lost: free some space, and the store continues by itself");
  Map& rows = Changeable(generation);
  for (const auto& [key, value] : changes) {
    if (value.has_value()) {
      rows.insert_or_assign(key, *value);
    } else {
      rows.erase(key);
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryDisk::Drop(Generation& generation, const RowSpace& space) {
  MutexLock lock(&mutex_);
  if (full_) return WriteFailed("the disk is full");
  Map& rows = Changeable(generation);
  for (const std::string& prefix : {SpacePrefix(space), MetaPrefix(space)}) {
    rows.erase(rows.lower_bound(prefix), rows.lower_bound(PrefixEnd(prefix)));
  }
  generation.damaged.erase(space);
  return absl::OkStatus();
}

}  // namespace halles::store
