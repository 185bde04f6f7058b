// Opens the database, reads bytes, and writes by ingestion.
#include "libs/store/rocks_database.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/rocks.h"
#include "libs/store/store_format.h"
#include "rocksdb/iterator.h"
#include "rocksdb/listener.h"
#include "rocksdb/metadata.h"
#include "rocksdb/snapshot.h"
#include "rocksdb/sst_file_writer.h"

namespace halles::store {
namespace {

absl::Status WriteError(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  // Whatever it is, it does not show that stored rows are damaged.
  const absl::Status error = FromRocks(status, "STORE_WRITE_FAILED", what);
  return absl::IsDataLoss(error) ? Failure(absl::StatusCode::kUnavailable, "STORE_WRITE_FAILED", error.message())
                                 : error;
}

std::string FamilyName(const RowSpace& space) { return absl::BytesToHexString(SpacePrefix(space)); }

std::optional<RowSpace> SpaceOfFamily(const std::string& name) {
  const std::optional<RowSpace> space = SpaceOfKey(absl::HexStringToBytes(name));
  return space.has_value() && FamilyName(*space) == name ? space : std::nullopt;
}

// Walks nothing.
class NoKeys : public DatabaseCursor {
 public:
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  absl::string_view value() const override { return {}; }
  void Next() override {}
  absl::Status status() const override { return absl::OkStatus(); }
};

}  // namespace

class RocksDatabase::Cursor : public DatabaseCursor {
 public:
  // `family` is null for what belongs to no space.
  Cursor(rocksdb::DB* db, Family family, rocksdb::ReadOptions options, absl::string_view prefix)
      : family_(std::move(family)), end_(PrefixEnd(prefix)), end_slice_(end_) {
    options.total_order_seek = true;
    if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
    it_.reset(db->NewIterator(options, family_ == nullptr ? db->DefaultColumnFamily() : family_->handle()));
    it_->Seek(ToSlice(prefix));
  }

  bool Valid() const override { return it_->Valid(); }
  absl::string_view key() const override { return ToView(it_->key()); }
  absl::string_view value() const override { return ToView(it_->value()); }
  void Next() override { it_->Next(); }
  absl::Status status() const override {
    if (it_->status().ok()) return absl::OkStatus();
    constexpr absl::string_view kWhat = "a scan failed";
    return family_ == nullptr ? FromRocks(it_->status(), "STORE_READ_FAILED", kWhat)
                              : family_->ReadError(it_->status(), kWhat);
  }

  static std::unique_ptr<DatabaseCursor> Make(rocksdb::DB* db, Family family, const rocksdb::ReadOptions& options,
                                              absl::string_view prefix) {
    if (family != nullptr && family->handle() == nullptr) return std::make_unique<NoKeys>();
    return std::make_unique<Cursor>(db, std::move(family), options, prefix);
  }

 private:
  const Family family_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class RocksDatabase::At : public DatabaseSnapshot {
 public:
  At(rocksdb::DB* db, std::map<RowSpace, Family> families) : db_(db), families_(std::move(families)), at_(db) {}

  // Not kept in the cache, because everything is read once.
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override {
    rocksdb::ReadOptions options;
    options.snapshot = at_.snapshot();
    options.fill_cache = false;
    options.readahead_size = size_t{1} << 20;
    const std::optional<RowSpace> space = SpaceOfKey(prefix);
    if (!space.has_value()) return Cursor::Make(db_, nullptr, options, prefix);
    const auto family = families_.find(*space);
    if (family == families_.end()) return std::make_unique<NoKeys>();
    return Cursor::Make(db_, family->second, options, prefix);
  }

  std::vector<RowSpace> Spaces() const override {
    std::vector<RowSpace> spaces;
    for (const auto& [space, family] : families_) {
      if (family->handle() != nullptr) spaces.push_back(space);
    }
    return spaces;
  }

 private:
  rocksdb::DB* const db_;
  const std::map<RowSpace, Family> families_;
  mutable rocksdb::ManagedSnapshot at_;  // its only method is not const
};

// One file for each space, written one after the other.
class RocksDatabase::Draft : public DatabaseDraft {
 public:
  explicit Draft(RocksDatabase* database) : database_(*database) {}

  absl::Status Put(absl::string_view key, absl::string_view value) override {
    RETURN_IF_ERROR(OpenFileOf(key));
    return Written(file_->Put(ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(absl::string_view key) override {
    RETURN_IF_ERROR(OpenFileOf(key));
    return Written(file_->Delete(ToSlice(key)));
  }

  absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) override {
    if (keys.empty()) return absl::OkStatus();
    rocksdb::ColumnFamilyHandle* handle = database_.db_->DefaultColumnFamily();
    Family family;
    if (const std::optional<RowSpace> space = SpaceOfKey(keys.front()); space.has_value()) {
      family = database_.FamilyOf(*space);
      handle = family->handle();
    }
    if (handle == nullptr) {
      for (size_t i = 0; i < keys.size(); ++i) RETURN_IF_ERROR(visit(i, std::nullopt));
      return absl::OkStatus();
    }
    if (slices_.size() < keys.size()) {
      slices_.resize(keys.size());
      values_ = std::vector<rocksdb::PinnableSlice>(keys.size());
      statuses_.resize(keys.size());
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      slices_[i] = keys[i];
      values_[i].Reset();
    }
    database_.db_->MultiGet(rocksdb::ReadOptions(), handle, keys.size(), slices_.data(), values_.data(),
                            statuses_.data(), /*sorted_input=*/true);
    for (size_t i = 0; i < keys.size(); ++i) {
      std::optional<absl::string_view> value;
      if (!statuses_[i].IsNotFound()) {
        if (!statuses_[i].ok()) {
          constexpr absl::string_view kWhat = "cannot read the row before a change";
          return family == nullptr ? FromRocks(statuses_[i], "STORE_READ_FAILED", kWhat)
                                   : family->ReadError(statuses_[i], kWhat);
        }
        value = ToView(values_[i]);
      }
      RETURN_IF_ERROR(visit(i, value));
    }
    return absl::OkStatus();
  }

  // Ends the last file and makes the families that are missing.
  absl::Status Finish() {
    RETURN_IF_ERROR(FinishFile());
    std::vector<Family> families;
    for (const File& file : files_) {
      if (file.family != nullptr) families.push_back(file.family);
    }
    return database_.Make(families);
  }

  std::vector<rocksdb::IngestExternalFileArg> IngestArgs() const {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = true;
    options.write_global_seqno = false;
    std::vector<rocksdb::IngestExternalFileArg> args(files_.size());
    for (size_t i = 0; i < files_.size(); ++i) {
      args[i].column_family =
          files_[i].family == nullptr ? database_.db_->DefaultColumnFamily() : files_[i].family->handle();
      args[i].external_files = {files_[i].path};
      args[i].options = options;
    }
    return args;
  }

 private:
  struct File {
    std::optional<RowSpace> space;
    Family family;  // null for what belongs to no space
    std::string path;
  };

  static absl::Status Written(const rocksdb::Status& status) {
    return WriteError(status, "cannot write a file of rows");
  }

  absl::Status OpenFileOf(absl::string_view key) {
    const std::optional<RowSpace> space = SpaceOfKey(key);
    if (file_ != nullptr && files_.back().space == space) return absl::OkStatus();
    RETURN_IF_ERROR(FinishFile());
    for (const File& file : files_) {
      if (file.space == space) {
        return Failure(absl::StatusCode::kInternal, "STORE_WRITE_FAILED", "a space is written twice");
      }
    }
    File file{space, space.has_value() ? database_.FamilyOf(*space) : nullptr, {}};
    file.path = absl::StrCat(database_.path_, ".write/", space.has_value() ? FamilyName(*space) : "none", ".sst");
    files_.push_back(std::move(file));
    file_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), database_.options_);
    return WriteError(file_->Open(files_.back().path), "cannot create a file of rows");
  }

  absl::Status FinishFile() {
    if (file_ == nullptr) return absl::OkStatus();
    const std::unique_ptr<rocksdb::SstFileWriter> file = std::move(file_);
    return Written(file->Finish());
  }

  RocksDatabase& database_;
  std::vector<File> files_;
  std::unique_ptr<rocksdb::SstFileWriter> file_;  // the last of them, while it is written
  // Used by ReadStored, kept for their memory.
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

// Hears of blocks that nobody asks for and that a compaction cannot read.
class RocksDatabase::CompactionWatch : public rocksdb::EventListener {
 public:
  explicit CompactionWatch(const RocksDatabase* database) : database_(*database) {}

  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    const rocksdb::Status& status = info.status;
    if (status.ok() || status.IsShutdownInProgress() || status.IsColumnFamilyDropped() || status.IsAborted() ||
        status.IsIncomplete() || status.IsNoSpace()) {
      return;
    }
    const std::optional<RowSpace> space = SpaceOfFamily(info.cf_name);
    if (!space.has_value()) return;
    // RocksDB tries again by itself, for ever if the bytes are not there.
    if (const Family family = database_.Known(*space); family != nullptr) {
      family->ReadError(status, "a compaction failed").IgnoreError();
    }
  }

  // Else nothing could be written to any space until the database is opened again.
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsCorruption()) *error = rocksdb::Status::OK();
  }

 private:
  const RocksDatabase& database_;
};

RocksDatabase::RocksDatabase(std::string path, const DatabaseOptions& options, Mode mode)
    : Database(options.on_damage),
      path_(std::move(path)),
      mode_(mode),
      options_(RocksOptions(options.block_cache_bytes)) {
  options_.listeners.push_back(std::make_shared<CompactionWatch>(this));
}

RocksDatabase::~RocksDatabase() {
  {
    MutexLock lock(&families_mutex_);
    families_.clear();
  }
  db_.reset();
}

absl::StatusOr<std::unique_ptr<RocksDatabase>> RocksDatabase::Open(const std::string& path,
                                                                   const DatabaseOptions& options, Mode mode) {
  std::error_code error;
  std::filesystem::remove_all(path + ".write", error);
  if (mode != Mode::kReadOnly) std::filesystem::create_directories(path + ".write", error);
  if (error) {
    return Failure(absl::StatusCode::kUnavailable, "STATE_DIR_UNUSABLE",
                   absl::StrCat("cannot create ", path, ".write: ", error.message()), {{"path", path}});
  }
  auto database = std::unique_ptr<RocksDatabase>(new RocksDatabase(path, options, mode));
  rocksdb::Options& rocks = database->options_;
  const bool create = mode == Mode::kCreate;
  rocks.create_if_missing = create;
  rocks.error_if_exists = create;
  const std::string what = absl::StrCat("cannot open the state store in ", path);
  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName};
  if (!create) {
    RETURN_IF_ERROR(FromRocks(rocksdb::DB::ListColumnFamilies(rocks, path, &names), "STATE_DIR_UNUSABLE", what));
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, rocks);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = mode == Mode::kReadOnly
                                     ? rocksdb::DB::OpenForReadOnly(rocks, path, descriptors, &handles, &db)
                                     : rocksdb::DB::Open(rocks, path, descriptors, &handles, &db);
  RETURN_IF_ERROR(FromRocks(opened, "STATE_DIR_UNUSABLE", what));
  database->db_.reset(db);
  bool known = true;
  MutexLock lock(&database->families_mutex_);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    const std::optional<RowSpace> space = SpaceOfFamily(handle->GetName());
    if (space.has_value()) {
      auto family = std::make_shared<SpaceFamily>(database.get(), db, *space);
      family->Set(handle);
      database->families_.emplace(*space, std::move(family));
    } else {
      known = known && handle->GetName() == rocksdb::kDefaultColumnFamilyName;
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
  }
  if (!known) return store::Damaged(absl::StrCat("the state store in ", path, " holds spaces of no known name"));
  return database;
}

RocksDatabase::Family RocksDatabase::FamilyOf(const RowSpace& space) const {
  MutexLock lock(&families_mutex_);
  Family& family = families_[space];
  if (family == nullptr) family = std::make_shared<SpaceFamily>(this, db_.get(), space);
  return family;
}

RocksDatabase::Family RocksDatabase::Known(const RowSpace& space) const {
  MutexLock lock(&families_mutex_);
  const auto found = families_.find(space);
  return found == families_.end() ? nullptr : found->second;
}

absl::Status RocksDatabase::Make(const std::vector<Family>& families) {
  std::vector<Family> missing;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const Family& family : families) {
    if (family->handle() != nullptr) continue;
    missing.push_back(family);
    descriptors.emplace_back(FamilyName(family->space()), options_);
  }
  if (missing.empty()) return absl::OkStatus();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status made = db_->CreateColumnFamilies(descriptors, &handles);
  // After an error the first of them may be there.
  for (size_t i = 0; i < handles.size(); ++i) missing[i]->Set(handles[i]);
  return WriteError(made, "cannot make room for new rows");
}

absl::StatusOr<std::optional<std::string>> RocksDatabase::Get(absl::string_view key) const {
  Family family;
  rocksdb::ColumnFamilyHandle* handle = db_->DefaultColumnFamily();
  if (const std::optional<RowSpace> space = SpaceOfKey(key); space.has_value()) {
    family = FamilyOf(*space);
    handle = family->handle();
    if (handle == nullptr) return std::nullopt;
  }
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), handle, ToSlice(key), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (status.ok()) return bytes;
  constexpr absl::string_view kWhat = "a read failed";
  return family == nullptr ? FromRocks(status, "STORE_READ_FAILED", kWhat) : family->ReadError(status, kWhat);
}

std::unique_ptr<DatabaseCursor> RocksDatabase::Seek(absl::string_view prefix) const {
  const std::optional<RowSpace> space = SpaceOfKey(prefix);
  return Cursor::Make(db_.get(), space.has_value() ? FamilyOf(*space) : nullptr, rocksdb::ReadOptions(), prefix);
}

std::unique_ptr<DatabaseSnapshot> RocksDatabase::TakeSnapshot() const {
  MutexLock lock(&families_mutex_);
  return std::make_unique<At>(db_.get(), families_);
}

std::unique_ptr<BaseRows> RocksDatabase::Rows(const RowSpace& space) const {
  return std::make_unique<RocksRows>(FamilyOf(space));
}

std::vector<RowSpace> RocksDatabase::Spaces() const {
  std::vector<RowSpace> spaces;
  MutexLock lock(&families_mutex_);
  for (const auto& [space, family] : families_) {
    if (family->handle() != nullptr) spaces.push_back(space);
  }
  return spaces;
}

absl::Status RocksDatabase::CheckWritable() const {
  if (!read_only()) return absl::OkStatus();
  return Failure(absl::StatusCode::kResourceExhausted, "STATE_DISK_FULL",
                 absl::StrCat("the state in ", path_,
                              " can only be read, because its disk was full when it was opened; free space: nothing is "
                              "lost, and it is written again by itself"),
                 {{"path", path_}});
}

absl::Status RocksDatabase::DropSpace(const RowSpace& space) {
  RETURN_IF_ERROR(CheckWritable());
  Family dropped;
  MutexLock lock(&families_mutex_);
  const auto found = families_.find(space);
  if (found == families_.end()) return absl::OkStatus();
  if (found->second->handle() != nullptr) {
    RETURN_IF_ERROR(WriteError(db_->DropColumnFamily(found->second->handle()), "cannot drop rows"));
  }
  dropped = std::move(found->second);  // freed without the lock
  dropped->SetDropped();
  families_.erase(found);
  return absl::OkStatus();
}

absl::Status RocksDatabase::Write(Fill fill, BeforeIngest before_ingest) {
  RETURN_IF_ERROR(CheckWritable());
  MutexLock lock(&writing_);
  const auto write = [&]() -> absl::Status {
    Draft draft(this);
    RETURN_IF_ERROR(fill(draft));
    RETURN_IF_ERROR(draft.Finish());
    RETURN_IF_ERROR(before_ingest());
    const rocksdb::Status ingested = db_->IngestExternalFiles(draft.IngestArgs());
    if (!ingested.ok()) NoteUnreadable(ingested);
    return WriteError(ingested, "cannot ingest a file of rows");
  };
  absl::Status status = write();
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(path_ + ".write", ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    std::error_code gone;
    std::filesystem::remove(it->path(), gone);
  }
  // After an error RocksDB refuses further writes until Resume.
  if (!status.ok()) db_->Resume().PermitUncheckedError();
  return status;
}

void RocksDatabase::NoteUnreadable(const rocksdb::Status& status) const {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  const std::string message = status.ToString();
  for (const rocksdb::LiveFileMetaData& file : files) {
    if (!absl::StrContains(message, file.name)) continue;
    if (const std::optional<RowSpace> space = SpaceOfFamily(file.column_family_name); space.has_value()) {
      FamilyOf(*space)->ReadError(status, "an ingestion failed").IgnoreError();
    }
  }
}

DatabaseSize RocksDatabase::size() const {
  DatabaseSize size;
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  for (const rocksdb::LiveFileMetaData& file : files) {
    size.disk_bytes += file.size;
    if (file.level == 0) ++size.level0_files;
  }
  return size;
}

}  // namespace halles::store
