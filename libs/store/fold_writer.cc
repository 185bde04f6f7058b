// Writes rows, metas and digests into a sorted file.
#include "libs/store/fold_writer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

absl::Status ForeignRow(const FoldId& fold) {
  return Failure(absl::StatusCode::kInternal, "FOREIGN_ROW",
                 absl::StrCat("the fold of ", fold.ToString(), " wrote a row that belongs to another source"));
}

}  // namespace

absl::Status FoldWriter::WriteSpace(const RowSpace& space, absl::Span<const Fold> folds) {
  std::map<FoldId, FoldMeta> metas;
  RETURN_IF_ERROR(WriteRows(space, folds, &metas));
  for (const auto& [fold, meta] : metas) RETURN_IF_ERROR(draft_->Put(MetaKey(fold), EncodeMeta(meta)));
  return absl::OkStatus();
}

absl::Status FoldWriter::WriteRows(const RowSpace& space, absl::Span<const Fold> folds,
                                   std::map<FoldId, FoldMeta>* metas) {
  // The remaining rows of one fold.
  struct Walk {
    Layer::Map::const_iterator it;
    Layer::Map::const_iterator end;
    Change change;
  };
  const auto after = [](const Walk& a, const Walk& b) { return a.it->first > b.it->first; };
  std::vector<Walk> walks;  // a heap, the smallest key first
  for (const Fold& fold : folds) {
    ASSIGN_OR_RETURN(std::optional<FoldMeta> stored, database_->Meta(fold.id));
    FoldMeta& meta = metas->emplace(fold.id, std::move(stored).value_or(FoldMeta())).first->second;
    meta.cursor = fold.frozen->cursor;
    meta.version = fold.version;
    const Layer::Map& rows = fold.frozen->layer->rows();
    const bool first = !fold.frozen->tried.load(std::memory_order_relaxed);
    if (!rows.empty()) walks.push_back(Walk{rows.begin(), rows.end(), Change{nullptr, &fold.id, &meta, first}});
  }
  std::make_heap(walks.begin(), walks.end(), after);

  // A space without metas was never flushed: it has no stored rows.
  ASSIGN_OR_RETURN(const bool known, database_->HasMetas(space));
  std::vector<Change> batch;
  batch.reserve(kBatchRows);
  absl::string_view last;
  while (!walks.empty()) {
    std::pop_heap(walks.begin(), walks.end(), after);
    Walk& walk = walks.back();
    walk.change.row = walk.it->second.get();
    const absl::string_view key = walk.change.row->key();
    // Keys hold at least the number of a table: none is empty.
    if (key == last) return ForeignRow(*walk.change.fold);
    last = key;
    batch.push_back(walk.change);
    if (batch.size() == kBatchRows) {
      RETURN_IF_ERROR(WriteBatch(space, !known, batch));
      batch.clear();
    }
    if (++walk.it == walk.end) {
      walks.pop_back();
    } else {
      std::push_heap(walks.begin(), walks.end(), after);
    }
  }
  return WriteBatch(space, !known, batch);
}

absl::Status FoldWriter::WriteBatch(const RowSpace& space, bool fresh, const std::vector<Change>& batch) {
  RETURN_IF_ERROR(go_on_());
  const std::string prefix = SpacePrefix(space);
  if (keys_.empty()) keys_.resize(kBatchRows);
  rows_ += batch.size();
  // Only what may be stored is looked for.
  looked_for_.clear();
  for (size_t i = 0; i < batch.size(); ++i) {
    const LayerRow& row = *batch[i].row;
    if (fresh || (row.fresh && batch[i].first)) continue;
    keys_[looked_for_.size()].assign(prefix).append(row.key().data(), row.key().size());
    looked_for_.push_back(i);
  }
  size_t next = 0;
  const auto write_fresh = [&](size_t end) -> absl::Status {
    for (; next < end; ++next) {
      const absl::string_view key = batch[next].row->key();
      fresh_key_.assign(prefix).append(key.data(), key.size());
      RETURN_IF_ERROR(WriteChange(space, fresh_key_, batch[next], std::nullopt));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(draft_->ReadStored(absl::MakeConstSpan(keys_.data(), looked_for_.size()),
                                     [&](size_t i, std::optional<absl::string_view> before) -> absl::Status {
                                       RETURN_IF_ERROR(write_fresh(looked_for_[i]));
                                       ++next;
                                       return WriteChange(space, keys_[i], batch[looked_for_[i]], before);
                                     }));
  return write_fresh(batch.size());
}

absl::Status FoldWriter::WriteChange(const RowSpace& space, const std::string& key, const Change& change,
                                     std::optional<absl::string_view> before) {
  const LayerRow& row = *change.row;
  if (before.has_value()) {
    RowHeader header;
    if (!TakeRowHeader(space.kind, &*before, &header)) return database_->SpaceDamaged(space, kShortRow);
    if (space.kind == FoldId::Kind::kView && header.source != change.fold->source) return ForeignRow(*change.fold);
    change.meta->digest.RemoveRow(row.key(), *before);
  }
  if (row.deleted) return before.has_value() ? draft_->Delete(key) : absl::OkStatus();
  change.meta->digest.AddRow(row.key(), row.value);
  stored_.clear();
  AppendRowHeader(space.kind, RowHeader{row.position, change.fold->source}, &stored_);
  stored_ += row.value;
  return draft_->Put(key, stored_);
}

}  // namespace halles::store
