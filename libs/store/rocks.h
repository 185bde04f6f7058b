// RocksDB for the store: its options, the translation of its errors, and the place of one space in it.
#ifndef HALLES_LIBS_STORE_ROCKS_H_
#define HALLES_LIBS_STORE_ROCKS_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/layer.h"
#include "rocksdb/db.h"
#include "rocksdb/iterator.h"
#include "rocksdb/options.h"

namespace halles::store {

inline rocksdb::Slice ToSlice(absl::string_view bytes) { return rocksdb::Slice(bytes.data(), bytes.size()); }
inline absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Tuned for sorted files that are ingested and for point reads that mostly miss.
rocksdb::Options RocksOptions(size_t block_cache_bytes);

// DATA_LOSS with STORE_DAMAGED if the store itself is damaged, otherwise UNAVAILABLE with `reason`.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view reason, absl::string_view what);

// The column family of one space, with files of its own. The first write to the space makes it.
// Thread safety: may be shared.
// Lifetime: the database outlives it. Shared with all who read it: a family that was dropped is there for them until the
// last one lets go.
class SpaceFamily {
 public:
  SpaceFamily(const Database* database, rocksdb::DB* db, const RowSpace& space)
      : database_(*database), db_(db), space_(space) {}
  ~SpaceFamily();
  SpaceFamily(const SpaceFamily&) = delete;
  SpaceFamily& operator=(const SpaceFamily&) = delete;

  const RowSpace& space() const { return space_; }
  rocksdb::DB* db() const { return db_; }
  // Null before the first write.
  rocksdb::ColumnFamilyHandle* handle() const { return handle_.load(std::memory_order_acquire); }
  void Set(rocksdb::ColumnFamilyHandle* handle) { handle_.store(handle, std::memory_order_release); }

  // The error of a read that failed. SPACE_DAMAGED, which is noted, when the bytes are wrong or missing, and when the medium
  // has failed to give them several times; otherwise UNAVAILABLE with STORE_READ_FAILED.
  absl::Status ReadError(const rocksdb::Status& status, absl::string_view what) const;
  absl::Status Damaged(absl::string_view what) const;
  // The rows were dropped: damage that is found in them later is nobody's any more.
  void SetDropped() { dropped_.store(true, std::memory_order_release); }

 private:
  const Database& database_;
  rocksdb::DB* const db_;
  const RowSpace space_;
  // Set once; release and acquire, so that who sees it sees the family made.
  std::atomic<rocksdb::ColumnFamilyHandle*> handle_{nullptr};
  mutable std::atomic<int> medium_errors_{0};  // relaxed: a count
  std::atomic<bool> dropped_{false};           // release and acquire: who opens the space anew has set it
};

// The rows of one space as of the last flush.
class RocksRows : public BaseRows {
 public:
  explicit RocksRows(std::shared_ptr<const SpaceFamily> family);

  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override;
  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override;

 private:
  const std::shared_ptr<const SpaceFamily> family_;
  const std::string prefix_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ROCKS_H_
