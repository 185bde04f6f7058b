// Reads rows from RocksDB.
#include "libs/store/rocks.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/store_format.h"
#include "rocksdb/cache.h"
#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/universal_compaction.h"

namespace halles::store {
namespace {

constexpr int kOpenFilesMax = 512;
constexpr size_t kFileBytes = size_t{32} << 20;
constexpr int kRunsMax = 8;
// So many failed reads of a medium are not a passing thing.
constexpr int kMediumErrorsMax = 3;
// Filters also hold the first bytes of keys, so that a scan of few rows opens only files with matching ones: the prefix
// of the space, the table, and about ten bytes of the first field.
constexpr size_t kScanPrefixBytes = 16;

bool HasLz4() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  return std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
}

// A space that nothing was written to yet has no rows.
class NoRows : public BaseCursor {
 public:
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  Row row() const override { return {}; }
  void Next() override {}
  absl::Status status() const override { return absl::OkStatus(); }
};

class RocksCursor : public BaseCursor {
 public:
  RocksCursor(std::shared_ptr<const SpaceFamily> family, size_t prefix_size, const std::string& prefix,
              const std::string& start)
      : family_(std::move(family)), prefix_size_(prefix_size), end_(PrefixEnd(prefix)), end_slice_(end_) {
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &end_slice_;
    options.prefix_same_as_start = prefix.size() >= kScanPrefixBytes;
    options.total_order_seek = !options.prefix_same_as_start;
    it_.reset(family_->db()->NewIterator(options, family_->handle()));
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
  absl::Status status() const override { return status_; }

 private:
  void Read() {
    valid_ = it_->Valid();
    if (!valid_) {
      if (!it_->status().ok()) status_ = family_->ReadError(it_->status(), "a scan failed");
      return;
    }
    value_ = ToView(it_->value());
    if (TakeRowHeader(family_->space().kind, &value_, &header_)) return;
    valid_ = false;
    status_ = family_->Damaged(kShortRow);
  }

  const std::shared_ptr<const SpaceFamily> family_;
  const size_t prefix_size_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
  bool valid_ = false;
  absl::string_view value_;
  RowHeader header_;
  absl::Status status_;
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
  // Nothing is written through the memtable, of which there is one for each space.
  options.write_buffer_size = size_t{64} << 10;
  options.prefix_extractor.reset(rocksdb::NewCappedPrefixTransform(kScanPrefixBytes));
  // Runs of about one size are merged with each other, so that a small flush rewrites small files alone; a row is written
  // again about once while its space grows by the number of runs that are kept.
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.level0_file_num_compaction_trigger = kRunsMax;
  options.compaction_options_universal.size_ratio = 20;
  options.compaction_options_universal.min_merge_width = 4;
  options.compaction_options_universal.max_size_amplification_percent = 200;
  options.num_levels = 4;
  options.max_background_jobs = 2;
  options.max_open_files = kOpenFilesMax;
  options.max_file_opening_threads = 1;
  options.target_file_size_base = kFileBytes;
  // A file that cannot be read or merged is the matter of its space alone: the database opens, and the others are written.
  options.paranoid_checks = false;
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
  // Opening reports a file that the system does not give just now, for want of handles say, as options that do not fit.
  const bool passes = status.IsInvalidArgument() && absl::StrContains(status.ToString(), "IO error");
  const bool damaged = !passes && (status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
                                   status.IsInvalidArgument() || status.IsNotSupported());
  const std::string message =
      absl::StrCat(what, ": ", status.ToString(),
                   status.IsNoSpace() ? "; nothing is lost: free some space, and the store continues by itself" : "");
  if (damaged) return Damaged(message);
  return Failure(absl::StatusCode::kUnavailable, reason, message);
}

SpaceFamily::~SpaceFamily() {
  if (rocksdb::ColumnFamilyHandle* const made = handle(); made != nullptr) {
    db_->DestroyColumnFamilyHandle(made).PermitUncheckedError();
  }
}

absl::Status SpaceFamily::ReadError(const rocksdb::Status& status, absl::string_view what) const {
  // The only error of the system that stays is a block that the medium does not give.
  const bool medium = status.IsIOError() && absl::StrContains(status.ToString(), std::strerror(EIO));
  const bool stays = medium && medium_errors_.fetch_add(1, std::memory_order_relaxed) + 1 >= kMediumErrorsMax;
  const absl::Status error = FromRocks(status, "STORE_READ_FAILED", what);
  return stays || absl::IsDataLoss(error) ? Damaged(error.message()) : error;
}

absl::Status SpaceFamily::Damaged(absl::string_view what) const {
  return dropped_.load(std::memory_order_acquire) ? SpaceDamage(space_, what) : database_.SpaceDamaged(space_, what);
}

RocksRows::RocksRows(std::shared_ptr<const SpaceFamily> family)
    : family_(std::move(family)), prefix_(SpacePrefix(family_->space())) {}

absl::StatusOr<std::optional<Row>> RocksRows::Get(absl::string_view key) const {
  rocksdb::ColumnFamilyHandle* const handle = family_->handle();
  if (handle == nullptr) return std::nullopt;
  const std::string full = absl::StrCat(prefix_, key);
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status = family_->db()->Get(rocksdb::ReadOptions(), handle, full, &stored);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return family_->ReadError(status, "a read failed");
  absl::string_view value = ToView(stored);
  RowHeader header;
  if (!TakeRowHeader(family_->space().kind, &value, &header)) return family_->Damaged(kShortRow);
  return Row{std::string(value), header.position};
}

std::unique_ptr<BaseCursor> RocksRows::Seek(absl::string_view prefix, absl::string_view start) const {
  if (family_->handle() == nullptr) return std::make_unique<NoRows>();
  return std::make_unique<RocksCursor>(family_, prefix_.size(), absl::StrCat(prefix_, prefix),
                                       absl::StrCat(prefix_, std::max(prefix, start)));
}

}  // namespace halles::store
