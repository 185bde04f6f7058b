// Opening, reading bytes, and writes by ingestion.
#include "libs/store/rocks_database.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/rocks.h"
#include "libs/store/store_format.h"
#include "rocksdb/iterator.h"
#include "rocksdb/snapshot.h"
#include "rocksdb/sst_file_writer.h"

namespace halles::store {

class RocksDatabase::Cursor : public DatabaseCursor {
 public:
  Cursor(rocksdb::DB* db, rocksdb::ReadOptions options, absl::string_view prefix)
      : end_(PrefixEnd(prefix)), end_slice_(end_) {
    options.total_order_seek = true;
    if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
    it_.reset(db->NewIterator(options));
    it_->Seek(ToSlice(prefix));
  }

  bool Valid() const override { return it_->Valid(); }
  absl::string_view key() const override { return ToView(it_->key()); }
  absl::string_view value() const override { return ToView(it_->value()); }
  void Next() override { it_->Next(); }
  absl::Status status() const override { return FromRocks(it_->status(), "STORE_READ_FAILED", "a scan failed"); }

 private:
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class RocksDatabase::At : public DatabaseSnapshot {
 public:
  explicit At(rocksdb::DB* db) : db_(db), at_(db) {}

  // Not kept in the cache, since everything is read once.
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override {
    rocksdb::ReadOptions options;
    options.snapshot = at_.snapshot();
    options.fill_cache = false;
    options.readahead_size = size_t{1} << 20;
    return std::make_unique<Cursor>(db_, options, prefix);
  }

 private:
  rocksdb::DB* const db_;
  mutable rocksdb::ManagedSnapshot at_;  // its only method is not const
};

class RocksDatabase::Draft : public DatabaseDraft {
 public:
  Draft(rocksdb::DB* db, rocksdb::SstFileWriter* file) : db_(db), file_(file) {}

  absl::Status Put(absl::string_view key, absl::string_view value) override {
    return Written(file_->Put(ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(absl::string_view key) override { return Written(file_->Delete(ToSlice(key))); }
  absl::Status DeletePrefix(absl::string_view prefix) override {
    return Written(file_->DeleteRange(ToSlice(prefix), PrefixEnd(prefix)));
  }

  absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) override {
    if (slices_.size() < keys.size()) {
      slices_.resize(keys.size());
      values_ = std::vector<rocksdb::PinnableSlice>(keys.size());
      statuses_.resize(keys.size());
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      slices_[i] = keys[i];
      values_[i].Reset();
    }
    db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), keys.size(), slices_.data(), values_.data(),
                  statuses_.data(), /*sorted_input=*/true);
    for (size_t i = 0; i < keys.size(); ++i) {
      std::optional<absl::string_view> value;
      if (!statuses_[i].IsNotFound()) {
        RETURN_IF_ERROR(FromRocks(statuses_[i], "STORE_READ_FAILED", "cannot read the row before a change"));
        value = ToView(values_[i]);
      }
      RETURN_IF_ERROR(visit(i, value));
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Written(const rocksdb::Status& status) {
    return FromRocks(status, "STORE_WRITE_FAILED", "cannot write a file of rows");
  }

  rocksdb::DB* const db_;
  rocksdb::SstFileWriter* const file_;
  // Of ReadStored, kept for their memory.
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

absl::StatusOr<std::unique_ptr<RocksDatabase>> RocksDatabase::Open(const std::string& path, size_t block_cache_bytes,
                                                                   bool create) {
  rocksdb::Options options = RocksOptions(block_cache_bytes);
  options.create_if_missing = create;
  options.error_if_exists = create;
  auto database = std::unique_ptr<RocksDatabase>(new RocksDatabase(path, options));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  RETURN_IF_ERROR(FromRocks(status, "STATE_DIR_UNUSABLE", absl::StrCat("cannot open the state store in ", path)));
  database->db_.reset(db);
  return database;
}

absl::StatusOr<std::optional<std::string>> RocksDatabase::Get(absl::string_view key) const {
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), ToSlice(key), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  RETURN_IF_ERROR(FromRocks(status, "STORE_READ_FAILED", "a read failed"));
  return bytes;
}

std::unique_ptr<DatabaseCursor> RocksDatabase::Seek(absl::string_view prefix) const {
  return std::make_unique<Cursor>(db_.get(), rocksdb::ReadOptions(), prefix);
}

std::unique_ptr<DatabaseSnapshot> RocksDatabase::TakeSnapshot() const { return std::make_unique<At>(db_.get()); }

std::unique_ptr<BaseRows> RocksDatabase::Rows(const RowSpace& space) const {
  return std::make_unique<RocksRows>(db_.get(), space);
}

absl::Status RocksDatabase::Write(Fill fill, BeforeIngest before_ingest) {
  MutexLock lock(&writing_);
  const std::string file = absl::StrCat(path_, ".sst");
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  const auto write = [&]() -> absl::Status {
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options_);
    RETURN_IF_ERROR(FromRocks(writer.Open(file), "STORE_WRITE_FAILED", "cannot create a file of rows"));
    Draft draft(db_.get(), &writer);
    RETURN_IF_ERROR(fill(draft));
    RETURN_IF_ERROR(FromRocks(writer.Finish(), "STORE_WRITE_FAILED", "cannot write a file of rows"));
    RETURN_IF_ERROR(before_ingest());
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    ingest.failed_move_fall_back_to_copy = true;
    ingest.write_global_seqno = false;
    return FromRocks(db_->IngestExternalFile({file}, ingest), "STORE_WRITE_FAILED", "cannot ingest a file of rows");
  };
  absl::Status status = write();
  std::filesystem::remove(file, ignored);
  // After an error RocksDB refuses further writes until it is told to try again.
  if (!status.ok()) db_->Resume().PermitUncheckedError();
  return status;
}

DatabaseSize RocksDatabase::size() const {
  DatabaseSize size;
  db_->GetIntProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &size.level0_files);
  db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &size.disk_bytes);
  return size;
}

}  // namespace halles::store
