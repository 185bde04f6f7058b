// The read path from the log into a view.
#include "libs/projection/view_follower.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::projection {
namespace {

// Deadlines of waiters are looked at this often.
constexpr absl::Duration kIdleRound = absl::Milliseconds(50);

}  // namespace

ViewFollower::ViewFollower(ViewDefinition definition, TouchListener touched)
    : definition_(std::move(definition)),
      touched_(std::move(touched)),
      progress_(definition_.FullName()),
      dirty_(definition_.SourceServices()) {}

absl::StatusOr<std::unique_ptr<ViewFollower>> ViewFollower::Start(ViewDefinition definition, eventlog::EventLog* log,
                                                                  store::Store* store, TouchListener touched,
                                                                  RecordShare* share) {
  std::unique_ptr<ViewFollower> view(new ViewFollower(std::move(definition), std::move(touched)));
  const ViewDefinition& def = view->definition_;
  absl::StatusOr<std::unique_ptr<store::ViewRows>> rows = store->OpenView(def.service, def.view, def.fold_version);
  if (!rows.ok() && ReasonOf(rows.status()) == "FOLD_VERSION") {
    RETURN_IF_ERROR(store->Drop(store::RowSpace::View(def.service, def.view)));
    rows = store->OpenView(def.service, def.view, def.fold_version);
  }
  RETURN_IF_ERROR(rows.status());
  view->rows_ = *std::move(rows);
  for (ServiceId service : def.SourceServices()) {
    for (uint32_t slot = 0; slot < log->identity().slots_per_service; ++slot) {
      const SlotId id{service, static_cast<uint16_t>(slot)};
      const store::FoldCursor stored = view->rows_->cursor(id);
      eventlog::Cursor cursor = eventlog::GenesisCursor(log->identity(), id);
      if (!stored.bytes.empty()) {
        ASSIGN_OR_RETURN(cursor, eventlog::DecodeCursor(stored.bytes));
      }
      auto source = std::make_unique<Source>();
      view->progress_.Add(id, cursor.next);
      source->reader = std::make_unique<SourceReader>(log, id, cursor, share);
      view->sources_.emplace(id, std::move(source));
    }
  }
  view->subscription_ =
      log->Subscribe([dirty = &view->dirty_](absl::Span<const eventlog::SlotEnd> grown) { dirty->Add(grown); });
  view->thread_ = std::thread([view = view.get()] { view->Run(); });
  return view;
}

ViewFollower::~ViewFollower() {
  subscription_.reset();
  stopping_.store(true, std::memory_order_relaxed);
  dirty_.Poke();
  if (thread_.joinable()) thread_.join();
  progress_.Close();
}

void ViewFollower::Run() {
  pthread_setname_np(pthread_self(), absl::StrCat("view-", definition_.name).substr(0, 15).c_str());
  std::set<SlotId> busy;
  for (const auto& [slot, source] : sources_) busy.insert(slot);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::set<SlotId> grown = dirty_.Take(busy.empty() ? kIdleRound : absl::ZeroDuration());
    busy.insert(grown.begin(), grown.end());
    for (auto it = busy.begin(); it != busy.end();) {
      const auto source = sources_.find(*it);
      const bool more = source != sources_.end() && !source->second->stopped && Advance(*source->second);
      it = more ? std::next(it) : busy.erase(it);
    }
    if (!progress_.Settle() && grown.size() >= DirtySlots::kGatherFrom) {
      dirty_.Gather();
    }
  }
}

bool ViewFollower::Advance(Source& source) {
  SourceBatches batches;
  const absl::StatusOr<size_t> count =
      source.reader->Read(kProjectBatchRecords, std::numeric_limits<Position>::max(), &batches);
  if (!count.ok()) {
    StopSource(source, count.status());
    return false;
  }
  if (*count == 0) return false;
  std::vector<std::string> topics;
  if (const absl::Status projected = Project(source, batches, &topics); !projected.ok()) {
    progress_.Set(source.reader->slot(), rows_->cursor(source.reader->slot()).next);
    StopSource(source, projected);
    return false;
  }
  progress_.Set(source.reader->slot(), source.reader->cursor().next);
  if (touched_ && !topics.empty()) touched_(topics);
  return true;  // fewer than asked for may have been shared, with more behind them
}

absl::Status ViewFollower::Project(Source& source, const SourceBatches& batches, std::vector<std::string>* topics) {
  const SlotId slot = source.reader->slot();
  store::ViewRows::Batch batch(rows_.get());
  const eventlog::Cursor& cursor = source.reader->cursor();
  const eventlog::Cursor* good = batches.empty() ? &cursor : &batches.front()->before;  // behind the last one projected
  for (const std::shared_ptr<const SourceBatch>& shared : batches) {
    const SourceBatch& record = *shared;
    store::Rows& rows = batch.BeginRecord(slot, record.position);
    for (size_t i = 0; i < record.events.size(); ++i) {
      const SourceEvent& event = record.events[i];
      const SourceProjection* projection = definition_.Find(slot.service, event.type);
      if (projection == nullptr) continue;
      const absl::Status projected =
          projection->project(rows, event.payload, record.ContextOf(slot, i), touched_ ? topics : nullptr);
      if (!projected.ok() || !batch.status().ok()) {
        batch.AbandonRecord();
        batch.SetCursor(slot, {eventlog::EncodeCursor(*good), good->next});
        return WithContext(projected.ok() ? batch.status() : projected,
                           EventRef{slot, record.position, static_cast<uint32_t>(i)}.ToString());
      }
      events_.fetch_add(1, std::memory_order_relaxed);
    }
    good = &record.after;
  }
  batch.SetCursor(slot, {eventlog::EncodeCursor(cursor), cursor.next});
  return absl::OkStatus();
}

void ViewFollower::StopSource(Source& source, const absl::Status& status) {
  source.stopped = true;
  progress_.Stop(source.reader->slot(), status);
}

}  // namespace halles::projection
