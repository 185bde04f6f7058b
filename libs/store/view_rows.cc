// The rows of one view in memory: one folds, many read.
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/store/overlay.h"

namespace halles::store {

ViewRows::ViewRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, const std::map<SlotId, FoldCursor>& cursors,
                   std::function<void()> on_close)
    : base_(std::move(base)), meter_(meter), on_close_(std::move(on_close)), rows_(std::in_place, meter) {
  for (const auto& [source, cursor] : cursors) cursors_[source] = SourceCursor{cursor, false};
}

ViewRows::~ViewRows() {
  if (on_close_) on_close_();
}

std::optional<Row> ViewRows::Find(absl::string_view key, absl::Status* failure) const {
  const std::array<const Layer*, 2> layers = {&*rows_, frozen_ == nullptr ? nullptr : &frozen_->layer};
  return GetMerged(nullptr, absl::MakeConstSpan(layers.data(), frozen_ == nullptr ? 1 : 2), base_.get(), key, failure);
}

void ViewRows::Walk(absl::string_view prefix, absl::string_view start, RowReader::Visit visit,
                    absl::Status* failure) const {
  const std::array<const Layer*, 2> layers = {&*rows_, frozen_ == nullptr ? nullptr : &frozen_->layer};
  ScanMerged(nullptr, absl::MakeConstSpan(layers.data(), frozen_ == nullptr ? 1 : 2), *base_, prefix, start, visit,
             failure);
}

FoldCursor ViewRows::CursorOf(SlotId source) const {
  const auto it = cursors_.find(source);
  return it == cursors_.end() ? FoldCursor() : it->second.cursor;
}

ViewRows::Batch::Batch(ViewRows* view) : view_(view), writer_(view) { view_->mutex_.Lock(); }

ViewRows::Batch::~Batch() {
  HALLES_CHECK(uncovered_.empty(), "a batch wrote rows of a source and did not set its cursor");
  view_->rows_->ForgetUndo();
  view_->mutex_.Unlock();
}

Rows& ViewRows::Batch::BeginRecord(SlotId source, Position position) {
  view_->mutex_.AssertHeld();
  view_->rows_->ForgetUndo();
  // Before the rows are counted: a flusher that they wake then waits for the end of the batch.
  view_->dirty_.store(true, std::memory_order_relaxed);
  writer_.source_ = source;
  writer_.position_ = position;
  uncovered_.insert(source);
  return writer_;
}

void ViewRows::Batch::AbandonRecord() {
  view_->mutex_.AssertHeld();
  view_->rows_->Undo();
}

void ViewRows::Batch::SetCursor(SlotId source, FoldCursor cursor) {
  view_->mutex_.AssertHeld();
  view_->cursors_[source] = SourceCursor{std::move(cursor), true};
  view_->dirty_.store(true, std::memory_order_relaxed);
  uncovered_.erase(source);
}

FoldCursor ViewRows::Batch::cursor(SlotId source) const {
  view_->mutex_.AssertHeld();
  return view_->CursorOf(source);
}

std::optional<Row> ViewRows::Batch::Writer::Get(absl::string_view key) const {
  view_->mutex_.AssertHeld();
  return view_->Find(key, &status_);
}

void ViewRows::Batch::Writer::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  view_->mutex_.AssertHeld();
  view_->Walk(prefix, start, visit, &status_);
}

void ViewRows::Batch::Writer::Write(absl::string_view key, std::string value, bool deleted) {
  view_->mutex_.AssertHeld();
  const LayerRow* const present = view_->rows_->Find(key);
  if (present != nullptr && present->source != source_) {
    Fail(Failure(absl::StatusCode::kInternal, "FOREIGN_ROW",
                 absl::StrCat("the fold of ", source_.ToString(), " wrote a row of ", present->source.ToString())));
    return;
  }
  view_->rows_->PutUndoable(LayerRow::New(key, std::move(value), position_, source_, deleted));
}

ViewRows::Query::Query(const ViewRows* view) : view_(view) { view_->mutex_.ReaderLock(); }

ViewRows::Query::~Query() { view_->mutex_.ReaderUnlock(); }

std::optional<Row> ViewRows::Query::Get(absl::string_view key) const {
  view_->mutex_.AssertReaderHeld();
  return view_->Find(key, &status_);
}

void ViewRows::Query::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  view_->mutex_.AssertReaderHeld();
  view_->Walk(prefix, start, visit, &status_);
}

Position ViewRows::Query::next(SlotId source) const {
  view_->mutex_.AssertReaderHeld();
  const auto it = view_->cursors_.find(source);
  return it == view_->cursors_.end() ? 0 : it->second.cursor.next;
}

FoldCursor ViewRows::Query::cursor(SlotId source) const {
  view_->mutex_.AssertReaderHeld();
  return view_->CursorOf(source);
}

FoldCursor ViewRows::cursor(SlotId source) const {
  ReaderLock lock(&mutex_);
  return CursorOf(source);
}

std::map<SlotId, FoldCursor> ViewRows::cursors() const {
  ReaderLock lock(&mutex_);
  std::map<SlotId, FoldCursor> cursors;
  for (const auto& [source, cursor] : cursors_) cursors.emplace(source, cursor.cursor);
  return cursors;
}

std::shared_ptr<const FrozenRows> ViewRows::Freeze() {
  WriterLock lock(&mutex_);
  HALLES_CHECK(frozen_ == nullptr, "rows are frozen before those frozen earlier were released");
  dirty_.store(false, std::memory_order_relaxed);
  std::map<SlotId, FoldCursor> moved;
  for (auto& [source, cursor] : cursors_) {
    if (!cursor.dirty) continue;
    moved.emplace(source, cursor.cursor);
    cursor.dirty = false;
  }
  if (moved.empty()) return nullptr;
  frozen_ = std::make_shared<const FrozenRows>(std::move(*rows_), std::move(moved));
  rows_.emplace(meter_);
  return frozen_;
}

void ViewRows::ReleaseFrozen() {
  std::shared_ptr<const FrozenRows> released;
  WriterLock lock(&mutex_);
  released = std::exchange(frozen_, nullptr);
}

}  // namespace halles::store
