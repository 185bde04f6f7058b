// RocksDB for the store: its options, the translation of its errors, and reads of the rows of one space.
#ifndef HALLES_LIBS_STORE_ROCKS_H_
#define HALLES_LIBS_STORE_ROCKS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/store/fold.h"
#include "libs/store/layer.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"

namespace halles::store {

inline rocksdb::Slice ToSlice(absl::string_view bytes) { return rocksdb::Slice(bytes.data(), bytes.size()); }
inline absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Tuned for sorted files that are ingested and point reads that mostly miss.
rocksdb::Options RocksOptions(size_t block_cache_bytes);

// DATA_LOSS with STORE_DAMAGED when the store itself is broken, otherwise UNAVAILABLE with `reason`.
absl::Status FromRocks(const rocksdb::Status& status, absl::string_view reason, absl::string_view what);

// The rows of one space as of the last flush.
// Lifetime: the database outlives it.
class RocksRows : public BaseRows {
 public:
  RocksRows(rocksdb::DB* db, const RowSpace& space);

  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override;
  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override;

 private:
  rocksdb::DB* const db_;
  const RowSpace space_;
  const std::string prefix_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ROCKS_H_
