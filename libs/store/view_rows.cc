// The rows of one view in memory: each source folds independently, queries read all.
#include <utility>

#include "libs/base/check.h"
#include "libs/store/overlay.h"

namespace halles::store {

ViewRows::ViewRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, const std::map<SlotId, FoldStart>& sources,
                   std::function<void()> on_close)
    : base_(std::move(base)), meter_(meter), on_close_(std::move(on_close)) {
  for (const auto& [source, start] : sources) {
    sources_.emplace(std::piecewise_construct, std::forward_as_tuple(source), std::forward_as_tuple(meter, start));
  }
}

ViewRows::~ViewRows() {
  if (on_close_) on_close_();
}

const ViewRows::Source* ViewRows::FindSource(SlotId source) const {
  const auto it = sources_.find(source);
  return it == sources_.end() ? nullptr : &it->second;
}

ViewRows::Source& ViewRows::SourceAt(SlotId source) {
  const auto it = sources_.find(source);
  HALLES_CHECK(it != sources_.end(), "a view is folded from a source that it was not opened with");
  return it->second;
}

// The thread safety analysis cannot follow a lock held by an object of this class.
ViewRows::Batch::Batch(ViewRows* view, SlotId source) ABSL_NO_THREAD_SAFETY_ANALYSIS : view_(view),
                                                                                       source_(view->SourceAt(source)),
                                                                                       written_(nullptr),
                                                                                       writer_(this) {
  source_.folding.Lock();
  ReaderLock lock(&source_.mutex);
  earlier_ = source_.rows;
  frozen_ = source_.frozen;
  cursor_ = source_.cursor;
  layers_ = {&written_, earlier_.get(), frozen_ == nullptr ? nullptr : frozen_->layer.get()};
}

ViewRows::Batch::~Batch() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  HALLES_CHECK(!uncovered_, "a batch wrote rows of a source and did not set its cursor");
  if (cursor_set_) {
    WriterLock lock(&source_.mutex);
    source_.dirty.Set();
    source_.rows->Absorb(&written_);
    source_.cursor = std::move(cursor_);
  }
  source_.folding.Unlock();
}

Rows& ViewRows::Batch::BeginRecord(Position position) {
  written_.ForgetUndo();
  position_ = position;
  uncovered_ = true;
  return writer_;
}

void ViewRows::Batch::AbandonRecord() { written_.Undo(); }

void ViewRows::Batch::SetCursor(FoldCursor cursor) {
  cursor_ = std::move(cursor);
  cursor_set_ = true;
  uncovered_ = false;
}

absl::Span<const Layer* const> ViewRows::Batch::Writer::Layers() const {
  return absl::MakeConstSpan(batch_->layers_.data(), batch_->frozen_ == nullptr ? 2 : 3);
}

std::optional<Row> ViewRows::Batch::Writer::Get(absl::string_view key) const {
  return GetMerged(nullptr, Layers(), batch_->view_->base_.get(), key, &status_);
}

void ViewRows::Batch::Writer::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  ScanMerged(nullptr, Layers(), *batch_->view_->base_, prefix, start, visit, &status_);
}

void ViewRows::Batch::Writer::Write(absl::string_view key, std::string value, bool deleted) {
  batch_->written_.PutUndoable(LayerRow::New(key, std::move(value), batch_->position_, deleted));
}

ViewRows::Query::Query(const ViewRows* view) ABSL_NO_THREAD_SAFETY_ANALYSIS : view_(view) {
  layers_.reserve(2 * view_->sources_.size());
  for (const auto& [slot, source] : view_->sources_) {
    source.mutex.ReaderLock();
    if (!source.rows->empty()) layers_.push_back(source.rows.get());
    if (source.frozen != nullptr && !source.frozen->layer->empty()) layers_.push_back(source.frozen->layer.get());
  }
}

ViewRows::Query::~Query() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& [slot, source] : view_->sources_) source.mutex.ReaderUnlock();
}

ViewRows::Query::Layers ViewRows::Query::LayersWith(absl::string_view bytes) const {
  const size_t hash = KeySketch::HashOf(bytes);
  Layers layers;
  for (const Layer* layer : layers_) {
    if (layer->MayHold(hash)) layers.push_back(layer);
  }
  return layers;
}

std::optional<Row> ViewRows::Query::Get(absl::string_view key) const {
  return GetMerged(nullptr, LayersWith(key), view_->base_.get(), key, &status_);
}

void ViewRows::Query::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  if (prefix.size() < KeySketch::kPrefixBytes) {
    ScanMerged(nullptr, layers_, *view_->base_, prefix, start, visit, &status_);
  } else {
    ScanMerged(nullptr, LayersWith(prefix.substr(0, KeySketch::kPrefixBytes)), *view_->base_, prefix, start, visit,
               &status_);
  }
}

Position ViewRows::Query::next(SlotId source) const {
  const Source* const found = view_->FindSource(source);
  if (found == nullptr) return 0;
  found->mutex.AssertReaderHeld();
  return found->cursor.next;
}

FoldCursor ViewRows::Query::cursor(SlotId source) const {
  const Source* const found = view_->FindSource(source);
  if (found == nullptr) return FoldCursor();
  found->mutex.AssertReaderHeld();
  return found->cursor;
}

FoldCursor ViewRows::cursor(SlotId source) const {
  const Source* const found = FindSource(source);
  if (found == nullptr) return FoldCursor();
  ReaderLock lock(&found->mutex);
  return found->cursor;
}

std::map<SlotId, FoldCursor> ViewRows::cursors() const {
  std::map<SlotId, FoldCursor> cursors;
  for (const auto& [slot, source] : sources_) {
    ReaderLock lock(&source.mutex);
    if (source.cursor != FoldCursor()) cursors.emplace(slot, source.cursor);
  }
  return cursors;
}

void ViewRows::ForEachDirty(absl::FunctionRef<void(SlotId source)> visit) const {
  for (const auto& [slot, source] : sources_) {
    if (source.dirty.get()) visit(slot);
  }
}

std::shared_ptr<const FrozenRows> ViewRows::Freeze(SlotId source) {
  Source& freezing = SourceAt(source);
  // Freed after the lock is released.
  std::shared_ptr<const FrozenRows> released;
  WriterLock lock(&freezing.mutex);
  if (freezing.frozen != nullptr && freezing.frozen->stored.load(std::memory_order_acquire)) {
    released = std::exchange(freezing.frozen, nullptr);
  }
  HALLES_CHECK(freezing.frozen == nullptr, "rows are frozen before those frozen earlier are stored");
  freezing.dirty.Clear();
  freezing.rows->Close();
  freezing.frozen = std::make_shared<const FrozenRows>(std::move(freezing.rows), freezing.cursor);
  freezing.rows = std::make_shared<Layer>(meter_, /*with_sketch=*/true);
  return freezing.frozen;
}

// The analysis cannot follow locks that are taken in a loop.
void ViewRows::Reset(std::unique_ptr<BaseRows> base) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (auto& [slot, source] : sources_) source.folding.Lock();
  for (auto& [slot, source] : sources_) source.mutex.Lock();
  for (auto& [slot, source] : sources_) {
    source.dirty.Clear();
    source.rows = std::make_shared<Layer>(meter_, /*with_sketch=*/true);
    source.frozen = nullptr;
    source.cursor = FoldCursor();
  }
  base_ = std::move(base);
  for (auto& [slot, source] : sources_) source.mutex.Unlock();
  for (auto& [slot, source] : sources_) source.folding.Unlock();
}

void ViewRows::ReleaseStored() {
  for (auto& [slot, source] : sources_) {
    std::shared_ptr<const FrozenRows> released;
    WriterLock lock(&source.mutex);
    if (source.frozen == nullptr || !source.frozen->stored.load(std::memory_order_acquire)) continue;
    released = std::exchange(source.frozen, nullptr);
  }
}

}  // namespace halles::store
