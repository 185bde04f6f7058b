// Projects records into the rows of a view.
#include "libs/projection/view_follower.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/projection/source_reader.h"
#include "libs/telemetry/log.h"

namespace halles::projection {
namespace {

constexpr absl::Duration kRefoldPause = absl::Milliseconds(20);

}  // namespace

class ViewFollower::Part : public SourceConsumer {
 public:
  Part(ViewFollower* view, SlotId slot, eventlog::Cursor cursor)
      : view_(*view), slot_(slot), cursor_(std::move(cursor)) {}

  const eventlog::Cursor& cursor() const override { return cursor_; }
  bool ready() const override { return true; }
  bool fills_the_store() const override { return true; }

  Taken Take(absl::Span<const SourceRecordPtr> records) override {
    std::vector<std::string> topics;
    Taken taken = Project(records, &topics);
    if (taken.records > 0) cursor_ = records[taken.records - 1]->after;
    view_.progress_.Set(slot_, cursor_.next);
    view_.progress_.Settle();
    if (view_.touched_ && !topics.empty()) view_.touched_(topics);
    return taken;
  }

  void OnStopped(const absl::Status& why) override { view_.progress_.Stop(slot_, why); }

  // The rows were emptied.
  void Restart(eventlog::Cursor genesis) {
    cursor_ = std::move(genesis);
    view_.progress_.Resume(slot_);
    view_.progress_.Set(slot_, cursor_.next);
  }

 private:
  // In one batch, so that queries see all of it or nothing.
  Taken Project(absl::Span<const SourceRecordPtr> records, std::vector<std::string>* topics) {
    store::ViewRows::Batch batch(view_.rows_.get(), slot_);
    Taken taken;
    if (batch.cursor().next != cursor_.next) {
      taken.status = absl::UnavailableError("the view was emptied and is folded again");
      return taken;
    }
    for (const SourceRecordPtr& record : records) {
      taken.status = ProjectOne(*record, batch, topics);
      if (!taken.status.ok()) break;
      ++taken.records;
    }
    const eventlog::Cursor& reached = taken.records == 0 ? cursor_ : records[taken.records - 1]->after;
    batch.SetCursor({eventlog::EncodeCursor(reached), reached.next});
    return taken;
  }

  absl::Status ProjectOne(const SourceRecord& record, store::ViewRows::Batch& batch,
                          std::vector<std::string>* topics) const {
    if (record.events.empty()) return absl::OkStatus();
    const size_t topics_before = topics->size();
    uint64_t projections = 0;
    store::Rows& rows = batch.BeginRecord(record.position);
    for (size_t i = 0; i < record.events.size(); ++i) {
      const SourceEvent& event = record.events[i];
      const SourceProjection* projection = view_.definition_.Find(slot_.service, event.type, event.payload);
      if (projection == nullptr) continue;
      ++projections;
      absl::Status projected =
          projection->project(rows, event.payload, record.ContextOf(slot_, i), view_.touched_ ? topics : nullptr);
      // Rows derived from rows that could not be read are invalid.
      if (!batch.status().ok()) {
        projected = batch.status();
      } else if (!projected.ok() && eventlog::IsPassing(projected)) {
        projected = absl::DataLossError(projected.message());  // a pure function that failed will fail again
      }
      if (!projected.ok()) {
        batch.AbandonRecord();
        topics->resize(topics_before);
        return WithContext(projected, EventRef{slot_, record.position, static_cast<uint32_t>(i)}.ToString());
      }
    }
    view_.events_.fetch_add(projections, std::memory_order_relaxed);
    return absl::OkStatus();
  }

  ViewFollower& view_;
  const SlotId slot_;
  eventlog::Cursor cursor_;  // used on the source's queue
};

ViewFollower::ViewFollower(ViewDefinition definition, eventlog::EventLog* log, store::Store* store,
                           FollowerShard* shard, TouchListener touched)
    : definition_(std::move(definition)),
      log_(log),
      store_(store),
      shard_(shard),
      touched_(std::move(touched)),
      progress_(definition_.FullName(), shard) {}

ViewFollower::~ViewFollower() { Close(); }

absl::StatusOr<std::unique_ptr<ViewFollower>> ViewFollower::Open(ViewDefinition definition, eventlog::EventLog* log,
                                                                 store::Store* store, FollowerShard* shard,
                                                                 TouchListener touched) {
  std::unique_ptr<ViewFollower> view(new ViewFollower(std::move(definition), log, store, shard, std::move(touched)));
  const auto on_damaged = [view = view.get()] { view->shard_->Add([view] { view->Refold(); }); };
  const ViewDefinition& def = view->definition_;
  std::vector<SlotId> sources;
  for (ServiceId service : def.SourceServices()) {
    for (const SlotId slot : SlotsOf(*log, service)) sources.push_back(slot);
  }
  const auto open = [&]() -> absl::StatusOr<std::map<SlotId, eventlog::Cursor>> {
    ASSIGN_OR_RETURN(view->rows_, store->OpenView(def.service, def.view, def.fold_version, sources, on_damaged));
    std::map<SlotId, eventlog::Cursor> cursors;
    for (const SlotId slot : sources) {
      const store::FoldCursor stored = view->rows_->cursor(slot);
      if (stored.bytes.empty()) {
        cursors.emplace(slot, eventlog::GenesisCursor(log->identity(), slot));
      } else {
        ASSIGN_OR_RETURN(cursors[slot], eventlog::DecodeCursor(stored.bytes));
      }
    }
    return cursors;
  };
  absl::StatusOr<std::map<SlotId, eventlog::Cursor>> cursors = open();
  if (!cursors.ok() && (ReasonOf(cursors.status()) == "FOLD_VERSION" || view->rows_ != nullptr)) {
    // Rows of another fold, or a cursor that cannot be read: the log has all of it.
    view->rows_.reset();
    RETURN_IF_ERROR(store->Drop(store::RowSpace::View(def.service, def.view)));
    cursors = open();
  }
  RETURN_IF_ERROR(cursors.status());
  for (const auto& [slot, cursor] : *cursors) {
    view->progress_.Add(slot, cursor.next);
    view->parts_.emplace(slot, std::make_unique<Part>(view.get(), slot, cursor));
  }
  return view;
}

void ViewFollower::SetOnSource(OnSource on_source) {
  shard_->Add([this, on_source = std::move(on_source)]() mutable { on_source_ = std::move(on_source); });
}

void ViewFollower::Refold() {
  if (on_source_ == nullptr) {  // nothing is read yet
    shard_->PostAfter(kRefoldPause, [this] { Refold(); });
    return;
  }
  {
    MutexLock lock(&mutex_);
    if (!std::exchange(emptying_, true)) {
      telemetry::Log(telemetry::LogLevel::kError, "projection",
                     "stored rows of a view are damaged; they are folded again from the log, the other views go on",
                     {{"view", definition_.FullName()}});
    }
    for (const auto& [source, position] : progress_.positions()) {
      Position& before = before_[source];
      before = std::max(before, position);
    }
  }
  if (!store_->Refold(store::RowSpace::View(definition_.service, definition_.view)).ok()) {
    ExpireParked();
    shard_->PostAfter(kRefoldPause, [this] { Refold(); });
    return;
  }
  std::vector<Parked> parked;
  {
    MutexLock lock(&mutex_);
    emptying_ = false;
    parked.swap(parked_);
  }
  for (const auto& [slot, part] : parts_) {
    on_source_(
        slot, [part = part.get(), genesis = eventlog::GenesisCursor(log_->identity(), slot)](SourceFollower& follower) {
          // Also a source that had stopped is folded again, as far as it goes.
          follower.Remove(part);
          part->Restart(genesis);
          follower.Add(part);
        });
  }
  for (Parked& each : parked) WhenReached(std::move(each.positions), each.deadline, std::move(each.done));
}

void ViewFollower::ExpireParked() {
  const MonotonicMicros now = shard_->scheduler().Now();
  std::vector<Parked> late;
  {
    MutexLock lock(&mutex_);
    const auto first_late = std::stable_partition(parked_.begin(), parked_.end(),
                                                  [now](const Parked& each) { return each.deadline > now; });
    late.assign(std::make_move_iterator(first_late), std::make_move_iterator(parked_.end()));
    parked_.erase(first_late, parked_.end());
  }
  for (const Parked& each : late) {
    each.done(Failure(absl::StatusCode::kDeadlineExceeded, "TOKEN_NOT_REACHED",
                      absl::StrCat(definition_.FullName(), " is about to be folded again")));
  }
}

void ViewFollower::Close() {
  std::vector<Parked> parked;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    parked.swap(parked_);
  }
  for (const Parked& each : parked) {
    each.done(
        Failure(absl::StatusCode::kUnavailable, "DRAINING", absl::StrCat(definition_.FullName(), " is shutting down")));
  }
  progress_.Close();
}

bool ViewFollower::Behind(const store::ViewRows::Query& query) const {
  MutexLock lock(&mutex_);
  return emptying_ || std::any_of(before_.begin(), before_.end(),
                                  [&query](const auto& before) { return query.next(before.first) < before.second; });
}

void ViewFollower::WhenReached(TokenPositions positions, MonotonicMicros deadline, Waiters::Done done) {
  bool full = false;
  {
    MutexLock lock(&mutex_);
    full = emptying_ && !closed_ && parked_.size() >= kWaitersMax;
    if (emptying_ && !closed_ && !full) {
      parked_.push_back({std::move(positions), deadline, std::move(done)});
      return;
    }
    for (const auto& [source, before] : before_) {
      Position& position = positions[source];
      position = std::max(position, before);
    }
  }
  if (full) {
    done(Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(definition_.FullName(), " has too many waiting reads"),
                    kRefoldPause));
    return;
  }
  progress_.WhenReached(positions, deadline, std::move(done));
}

SourceConsumer* ViewFollower::ConsumerOf(SlotId source) {
  const auto part = parts_.find(source);
  return part == parts_.end() ? nullptr : part->second.get();
}

}  // namespace halles::projection
