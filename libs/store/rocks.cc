// RocksDB behind rows.
#include "libs/store/rocks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/database.h"
#include "libs/store/store_format.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"

namespace halles::store {
namespace {

constexpr int kOpenFilesMax = 512;
constexpr size_t kFileBytes = size_t{32} << 20;
// Filters also hold the first bytes of keys, so that a scan of few rows opens only files that have some: the prefix of
// the space, the table, and about ten bytes of the first field.
constexpr size_t kScanPrefixBytes = 16;

bool HasLz4() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  return std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
}

class RocksCursor : public BaseCursor {
 public:
  RocksCursor(rocksdb::DB* db, FoldId::Kind kind, size_t prefix_size, const std::string& prefix,
              const std::string& start)
      : kind_(kind), prefix_size_(prefix_size), end_(PrefixEnd(prefix)), end_slice_(end_) {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end_slice_;
    options.prefix_same_as_start = prefix.size() >= kScanPrefixBytes;
    options.total_order_seek = !options.prefix_same_as_start;
    it_.reset(db->NewIterator(options));
    it_->Seek(start);
    Read();
  }

  bool Valid() const override { return valid_; }
  absl::string_view key() const override { return ToView(it_->key()).substr(prefix_size_); }
  Row row() const override { return Row{std::string(value_), header_.position}; }
  void Next() override {
    it_->Next();
    Read();
  }
  absl::Status status() const override {
    if (!short_row_.ok()) return short_row_;
    return it_->status().ok() ? absl::OkStatus() : FromRocks(it_->status(), "STORE_READ_FAILED", "a scan failed");
  }

 private:
  void Read() {
    valid_ = it_->Valid();
    if (!valid_) return;
    value_ = ToView(it_->value());
    if (TakeRowHeader(kind_, &value_, &header_)) return;
    valid_ = false;
    short_row_ = ShortRow();
  }

  const FoldId::Kind kind_;
  const size_t prefix_size_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
  bool valid_ = false;
  absl::string_view value_;
  RowHeader header_;
  absl::Status short_row_;
};

}  // namespace

rocksdb::Options RocksOptions(size_t block_cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(block_cache_bytes, /*num_shard_bits=*/4);
  table.block_size = 8 * 1024;
  table.format_version = 5;

  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = HasLz4() ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  // Nothing is written through the memtable.
  options.write_buffer_size = size_t{1} << 20;
  options.prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(kScanPrefixBytes));
  // An ingested file lies on the lowest level that it fits on: few levels, few files to ask.
  options.num_levels = 4;
  options.max_background_jobs = 2;
  options.max_open_files = kOpenFilesMax;
  options.max_file_opening_threads = 1;
  options.target_file_size_base = kFileBytes;
  options.max_bytes_for_level_base = 4 * kFileBytes;
  options.level_compaction_dynamic_level_bytes = true;
  options.skip_stats_update_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = size_t{1} << 20;
  options.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kLow);
  return options;
}

absl::Status FromRocks(const rocksdb::Status& status, absl::string_view reason, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const bool damaged = status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
                       status.IsInvalidArgument() || status.IsNotSupported();
  const std::string message =
      absl::StrCat(what, ": ", status.ToString(),
                   status.IsNoSpace() ? "; nothing is lost: free some space, and the store continues by itself" : "");
  if (damaged) return Damaged(message);
  return Failure(absl::StatusCode::kUnavailable, reason, message);
}

RocksRows::RocksRows(rocksdb::DB* db, const RowSpace& space) : db_(db), space_(space), prefix_(SpacePrefix(space)) {}

absl::StatusOr<std::optional<Row>> RocksRows::Get(absl::string_view key) const {
  const std::string full = absl::StrCat(prefix_, key);
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), full, &stored);
  if (status.IsNotFound()) return std::nullopt;
  RETURN_IF_ERROR(FromRocks(status, "STORE_READ_FAILED", "a read failed"));
  absl::string_view value = ToView(stored);
  RowHeader header;
  if (!TakeRowHeader(space_.kind, &value, &header)) return ShortRow();
  return Row{std::string(value), header.position};
}

std::unique_ptr<BaseCursor> RocksRows::Seek(absl::string_view prefix, absl::string_view start) const {
  return std::make_unique<RocksCursor>(db_, space_.kind, prefix_.size(), absl::StrCat(prefix_, prefix),
                                       absl::StrCat(prefix_, std::max(prefix, start)));
}

}  // namespace halles::store
