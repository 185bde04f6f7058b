// Rows, metas and digests into a sorted file.
#include "libs/store/fold_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/rocks.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

absl::Status WriteFailed(const rocksdb::Status& status) {
  return FromRocks(status, "STORE_WRITE_FAILED", "cannot write a file of rows");
}

}  // namespace

absl::StatusOr<FoldMeta*> FoldWriter::MetaOf(const RowSpace& space, SlotId source) {
  const FoldId fold = space.kind == FoldId::Kind::kState ? FoldId::State(SlotId{space.service, space.slot})
                                                         : FoldId::View(space.service, space.view, source);
  const auto it = metas_.find(fold);
  if (it != metas_.end()) return &it->second;
  ASSIGN_OR_RETURN(std::optional<FoldMeta> stored, database_->Meta(fold));
  return &metas_.emplace(fold, std::move(stored).value_or(FoldMeta())).first->second;
}

absl::Status FoldWriter::WriteRows(const RowSpace& space, uint32_t fold_version, const FrozenRows& frozen) {
  // A space without metas never was flushed: no row of it needs to be looked for.
  ASSIGN_OR_RETURN(const bool known, database_->HasMetas(space));
  for (const auto& [source, cursor] : frozen.cursors) {
    ASSIGN_OR_RETURN(FoldMeta * meta, MetaOf(space, source));
    meta->cursor = cursor;
    meta->version = fold_version;
  }
  std::vector<const LayerRow*> batch;
  batch.reserve(kBatchRows);
  for (const auto& [key, row] : frozen.layer.rows()) {
    batch.push_back(row.get());
    if (batch.size() < kBatchRows) continue;
    RETURN_IF_ERROR(WriteBatch(space, !known, batch));
    batch.clear();
  }
  return WriteBatch(space, !known, batch);
}

absl::Status FoldWriter::WriteBatch(const RowSpace& space, bool fresh, const std::vector<const LayerRow*>& batch) {
  const std::string prefix = SpacePrefix(space);
  if (keys_.empty()) {
    keys_.resize(kBatchRows);
    slices_.resize(kBatchRows);
    before_.resize(kBatchRows);
    statuses_.resize(kBatchRows);
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    keys_[i].assign(prefix).append(batch[i]->key().data(), batch[i]->key().size());
    slices_[i] = keys_[i];
    before_[i].Reset();
    statuses_[i] = rocksdb::Status::NotFound();
  }
  if (!fresh) {
    rocksdb::DB* const db = database_->db();
    db->MultiGet(rocksdb::ReadOptions(), db->DefaultColumnFamily(), batch.size(), slices_.data(), before_.data(),
                 statuses_.data(), /*sorted_input=*/true);
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    const LayerRow& row = *batch[i];
    const bool existed = statuses_[i].ok();
    if (!existed && !statuses_[i].IsNotFound()) {
      return FromRocks(statuses_[i], "STORE_READ_FAILED", "cannot read the row before a change");
    }
    if (existed) {
      absl::string_view value = ToView(before_[i]);
      RowHeader header;
      if (!TakeRowHeader(space.kind, &value, &header)) {
        return Failure(absl::StatusCode::kDataLoss, "STORE_DAMAGED", "a stored row is too short");
      }
      ASSIGN_OR_RETURN(FoldMeta * meta, MetaOf(space, header.source));
      meta->digest.RemoveRow(row.key(), value);
    }
    if (row.deleted) {
      if (existed) RETURN_IF_ERROR(WriteFailed(file_->Delete(keys_[i])));
      continue;
    }
    ASSIGN_OR_RETURN(FoldMeta * meta, MetaOf(space, row.source));
    meta->digest.AddRow(row.key(), row.value);
    stored_.clear();
    AppendRowHeader(space.kind, RowHeader{row.position, row.source}, &stored_);
    stored_ += row.value;
    RETURN_IF_ERROR(WriteFailed(file_->Put(keys_[i], stored_)));
  }
  rows_ += batch.size();
  return absl::OkStatus();
}

absl::Status FoldWriter::WriteMetas() {
  for (const auto& [fold, meta] : metas_) {
    RETURN_IF_ERROR(WriteFailed(file_->Put(MetaKey(fold), EncodeMeta(meta))));
  }
  return absl::OkStatus();
}

}  // namespace halles::store
