// The state of one slot in memory: in flight, confirmed, frozen, base.
#include <array>
#include <memory>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/store/overlay.h"

namespace halles::store {

SlotRows::SlotRows(std::unique_ptr<BaseRows> base, DirtyMeter* meter, SpaceFilter filter, FoldStart start,
                   std::function<void()> on_close)
    : base_(std::move(base)),
      meter_(meter),
      filter_(std::move(filter)),
      opened_at_(std::move(start.cursor)),
      on_close_(std::move(on_close)),
      dirty_(meter),
      in_flight_view_(this, true),
      confirmed_view_(this, false),
      writer_(this),
      confirmed_(std::make_shared<Layer>(meter)),
      frozen_(std::move(start.frozen)) {
  if (!filter_.complete()) unfilled_ = filter_.prefixes();
}

std::array<const Layer*, 2> SlotRows::Layers() const {
  return {confirmed_.get(), frozen_ == nullptr ? nullptr : frozen_->layer.get()};
}

SlotRows::~SlotRows() {
  if (on_close_) on_close_();
}

std::optional<Row> SlotRows::View::Get(absl::string_view key) const {
  const std::array<const Layer*, 2> layers = owner_->Layers();
  // A key that the filter excludes is in flight or absent: the filter has every confirmed key.
  const bool may_be_confirmed = owner_->filter_.MayContain(key);
  const size_t below = may_be_confirmed ? (owner_->frozen_ == nullptr ? 1 : 2) : 0;
  return GetMerged(in_flight_ ? &owner_->in_flight_ : nullptr, absl::MakeConstSpan(layers.data(), below),
                   may_be_confirmed ? owner_->base_.get() : nullptr, key, &status_);
}

void SlotRows::View::Scan(absl::string_view prefix, absl::string_view start, Visit visit) const {
  const std::array<const Layer*, 2> layers = owner_->Layers();
  ScanMerged(in_flight_ ? &owner_->in_flight_ : nullptr,
             absl::MakeConstSpan(layers.data(), owner_->frozen_ == nullptr ? 1 : 2), *owner_->base_, prefix, start,
             visit, &status_);
}

Rows& SlotRows::BeginRecord(Position expected) {
  mode_ = Mode::kRecord;
  in_flight_undo_.clear();
  ++records_begun_;
  Record& record = records_.emplace_back();
  record.position = expected;
  if (!spare_.empty()) {
    record.writes = std::move(spare_.back());
    spare_.pop_back();
  }
  return writer_;
}

Rows& SlotRows::BeginApply(Position position) {
  HALLES_CHECK(records_.empty(), "a record is applied while others are in flight");
  mode_ = Mode::kApply;
  confirmed_->ForgetUndo();
  apply_position_ = position;
  dirty_.Set();
  return writer_;
}

void SlotRows::Write(absl::string_view key, std::string value, bool deleted) {
  HALLES_CHECK(mode_ != Mode::kIdle, "a row is written outside of a record");
  if (mode_ == Mode::kApply) {
    LayerRow::Ptr row = LayerRow::New(key, std::move(value), apply_position_, deleted);
    row->fresh = !deleted && filter_.Add(key);
    confirmed_->PutUndoable(std::move(row));
    return;
  }
  Record& record = records_.back();
  const auto it = in_flight_.find(key);
  if (it != in_flight_.end() && it->second->record == records_begun_) {
    it->second->value = std::move(value);
    it->second->deleted = deleted;
    return;
  }
  LayerRow::Ptr row = LayerRow::New(key, std::move(value), record.position, deleted);
  row->record = records_begun_;
  InFlightUndo undo{row.get(), nullptr};
  if (it != in_flight_.end()) {
    // The index's key points into the row that leaves it.
    undo.hidden = it->second;
    in_flight_.erase(it);
  }
  in_flight_.emplace(row->key(), row.get());
  in_flight_undo_.push_back(undo);
  record.writes.push_back(std::move(row));
}

void SlotRows::AbandonRecord() {
  HALLES_CHECK(mode_ != Mode::kIdle, "there is no record to abandon");
  if (mode_ == Mode::kApply) {
    confirmed_->Undo();
  } else {
    for (; !in_flight_undo_.empty(); in_flight_undo_.pop_back()) {
      const InFlightUndo& undo = in_flight_undo_.back();
      in_flight_.erase(undo.row->key());
      if (undo.hidden != nullptr) in_flight_.emplace(undo.hidden->key(), undo.hidden);
    }
    records_.pop_back();
  }
  mode_ = Mode::kIdle;
}

void SlotRows::ConfirmOldest(Position position) {
  HALLES_CHECK(!records_.empty(), "a record is confirmed that is not in flight");
  dirty_.Set();
  mode_ = Mode::kIdle;
  in_flight_undo_.clear();
  Record& record = records_.front();
  for (LayerRow::Ptr& row : record.writes) {
    const auto it = in_flight_.find(row->key());
    if (it != in_flight_.end() && it->second == row.get()) in_flight_.erase(it);
    row->position = position;
    row->fresh = !row->deleted && filter_.Add(row->key());
    confirmed_->Put(std::move(row));
  }
  record.writes.clear();
  spare_.push_back(std::move(record.writes));
  records_.pop_front();
}

void SlotRows::DropInFlight(size_t keep) {
  mode_ = Mode::kIdle;
  in_flight_undo_.clear();
  in_flight_.clear();
  while (records_.size() > keep) records_.pop_back();
  for (const Record& record : records_) {
    for (const LayerRow::Ptr& row : record.writes) {
      // The index's key points into the row that it names.
      in_flight_.erase(row->key());
      in_flight_.emplace(row->key(), row.get());
    }
  }
}

absl::StatusOr<bool> SlotRows::FillFilter(size_t keys_max) {
  for (size_t keys = 0; !unfilled_.empty();) {
    const std::unique_ptr<BaseCursor> cursor = base_->Seek(unfilled_.back(), filled_to_);
    for (; cursor->Valid() && keys < keys_max; cursor->Next(), ++keys) {
      filled_to_.assign(cursor->key().data(), cursor->key().size());
      filter_.Add(filled_to_);
      filled_to_.push_back('\0');  // the least key after it
    }
    RETURN_IF_ERROR(cursor->status());
    if (cursor->Valid()) return false;
    unfilled_.pop_back();
    filled_to_.clear();
  }
  filter_.SetComplete();
  return true;
}

void SlotRows::ResetStatus() {
  in_flight_view_.ResetStatus();
  confirmed_view_.ResetStatus();
}

std::shared_ptr<const FrozenRows> SlotRows::Freeze(FoldCursor cursor) {
  ReleaseStored();
  HALLES_CHECK(frozen_ == nullptr, "rows are frozen before those frozen earlier are stored");
  if (mode_ == Mode::kApply) mode_ = Mode::kIdle;
  dirty_.Clear();
  confirmed_->Close();
  frozen_ = std::make_shared<const FrozenRows>(std::move(confirmed_), std::move(cursor));
  confirmed_ = std::make_shared<Layer>(meter_);
  return frozen_;
}

void SlotRows::Reset(std::unique_ptr<BaseRows> base) {
  DropInFlight();
  ResetStatus();
  dirty_.Clear();
  confirmed_ = std::make_shared<Layer>(meter_);
  frozen_ = nullptr;
  opened_at_ = std::nullopt;
  base_ = std::move(base);
  // It is empty.
  unfilled_.clear();
  filter_.SetComplete();
}

void SlotRows::ReleaseStored() {
  if (frozen_ != nullptr && frozen_->stored.load(std::memory_order_acquire)) frozen_ = nullptr;
}

}  // namespace halles::store
