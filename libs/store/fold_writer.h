// Writes the frozen rows of spaces into a sorted file and keeps the digests of their folds.
#ifndef HALLES_LIBS_STORE_FOLD_WRITER_H_
#define HALLES_LIBS_STORE_FOLD_WRITER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libs/store/database.h"
#include "libs/store/fold.h"
#include "libs/store/layer.h"
#include "rocksdb/slice.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/status.h"

namespace halles::store {

// Used for one file: WriteRows for each space in the order of spaces, then WriteMetas.
class FoldWriter {
 public:
  FoldWriter(const Database* database, rocksdb::SstFileWriter* file) : database_(database), file_(file) {}

  absl::Status WriteRows(const RowSpace& space, uint32_t fold_version, const FrozenRows& frozen);
  absl::Status WriteMetas();

  uint64_t rows() const { return rows_; }

 private:
  // Rows before the flush are read so many at a time.
  static constexpr size_t kBatchRows = 256;

  absl::Status WriteBatch(const RowSpace& space, bool fresh, const std::vector<const LayerRow*>& batch);
  absl::StatusOr<FoldMeta*> MetaOf(const RowSpace& space, SlotId source);

  const Database* const database_;
  rocksdb::SstFileWriter* const file_;
  std::map<FoldId, FoldMeta> metas_;
  uint64_t rows_ = 0;
  // Of WriteBatch, kept for their memory.
  std::vector<std::string> keys_;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> before_;
  std::vector<rocksdb::Status> statuses_;
  std::string stored_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_FOLD_WRITER_H_
