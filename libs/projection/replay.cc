// Folds states and views from the log alone.
#include "libs/projection/replay.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/partition/fold.h"
#include "libs/projection/source_reader.h"

namespace halles::projection {
namespace {

constexpr size_t kChunkRecords = 2048;
// A source without records at the moment is read again when its log grows, and after this time.
constexpr absl::Duration kAskAgainAfter = absl::Milliseconds(100);

// Waits on the caller's thread until the slot may have more to read.
class Growth : public eventlog::LogListener {
 public:
  Growth(eventlog::EventLog* log, SlotId slot) : subscription_(log->Follow({.slots = {slot}, .listener = this})) {}

  void OnGrowth(absl::Span<const eventlog::SlotEnd>) override { Wake(); }
  void OnReset(absl::Span<const SlotId>) override { Wake(); }

  void Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return woken_; }, kAskAgainAfter);
    woken_ = false;
  }

 private:
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    woken_ = true;
  }

  Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  // last, because it notifies the listener until it is destroyed
  const std::unique_ptr<eventlog::Subscription> subscription_;
};

class Replayer {
 public:
  Replayer(eventlog::EventLog* log, store::Store* store, const ReplayObserver& observer, uint64_t total)
      : log_(log), store_(store), observer_(observer) {
    progress_.records_total = total;
  }

  absl::Status State(const partition::ServiceDefinition& service, SlotId slot, Position until) {
    SourceReader reader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot));
    eventlog::Cursor folded = reader.cursor();
    store::SlotOptions options;
    options.fold_version = service.fold_version;
    options.filtered_tables = partition::FilteredTables(service);
    options.post = [](const std::function<void()>& task) { task(); };
    options.cursor = [&folded] { return store::FoldCursor{eventlog::EncodeCursor(folded), folded.next}; };
    ASSIGN_OR_RETURN(const std::unique_ptr<store::SlotRows> rows, store_->OpenSlot(slot, options));
    while (folded.next < until) {
      SourceRecords records;
      RETURN_IF_ERROR(ReadOn(reader, slot, until, &records));
      for (const SourceRecordPtr& record : records) {
        if (!record->body.empty()) RETURN_IF_ERROR(FoldOne(service, slot, *record, *rows));
        folded = record->after;
      }
      rows->NoteAdvance();
      RETURN_IF_ERROR(Report(records.size()));
    }
    return store_->FlushNow();
  }

  absl::Status View(const ViewDefinition& view, const ReplayTargets& targets) {
    std::vector<SlotId> sources;
    for (const ServiceId service : view.SourceServices()) {
      for (const SlotId slot : SlotsOf(*log_, service)) sources.push_back(slot);
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<store::ViewRows> rows,
                     store_->OpenView(view.service, view.view, view.fold_version, sources));
    for (const auto& [fold, until] : targets) {
      if (fold.kind != store::FoldId::Kind::kView || fold.service != view.service || fold.view != view.view) continue;
      RETURN_IF_ERROR(Source(view, fold.source, until, rows.get()));
    }
    return store_->FlushNow();
  }

  const ReplayResult& result() const { return result_; }

 private:
  // Reads at least one record. A log that fetches has no records at first, and a lost connection returns; both are
  // waited for. If the log ends below `until`, it was cut.
  absl::Status ReadOn(SourceReader& reader, SlotId slot, Position until, SourceRecords* records) {
    std::optional<Growth> growth;
    while (true) {
      const absl::StatusOr<eventlog::ReadResult> read = reader.Read(kChunkRecords, until, records);
      if (read.ok() && read->count > 0) return absl::OkStatus();
      if (read.ok() && read->at_end) return Short(slot, until);
      if (!read.ok() && !eventlog::IsPassing(read.status())) return read.status();
      RETURN_IF_ERROR(Report(0));
      if (!growth.has_value()) growth.emplace(log_, slot);
      growth->Wait();
    }
  }

  absl::Status FoldOne(const partition::ServiceDefinition& service, SlotId slot, const SourceRecord& record,
                       store::SlotRows& rows) {
    log::v1::RecordBody body;
    store::Rows& writer = rows.BeginApply(record.position);
    absl::Status folded = absl::DataLossError("the body does not parse");
    if (body.ParseFromArray(record.body.data(), static_cast<int>(record.body.size()))) {
      folded = partition::FoldBatch(service, slot, record.position, record.logical_time, body.batch(), writer);
    }
    if (!folded.ok()) rows.AbandonRecord();
    result_.events += record.events.size();
    return folded;
  }

  absl::Status Source(const ViewDefinition& view, SlotId slot, Position until, store::ViewRows* rows) {
    SourceReader reader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot));
    while (reader.cursor().next < until) {
      SourceRecords records;
      RETURN_IF_ERROR(ReadOn(reader, slot, until, &records));
      {
        store::ViewRows::Batch batch(rows, slot);
        const eventlog::Cursor* good = &records.front()->before;
        for (const SourceRecordPtr& record : records) {
          if (const absl::Status projected = ProjectOne(view, slot, *record, batch); !projected.ok()) {
            batch.AbandonRecord();
            batch.SetCursor({eventlog::EncodeCursor(*good), good->next});
            return projected;
          }
          good = &record->after;
        }
        batch.SetCursor({eventlog::EncodeCursor(*good), good->next});
      }
      RETURN_IF_ERROR(Report(records.size()));
    }
    return absl::OkStatus();
  }

  absl::Status ProjectOne(const ViewDefinition& view, SlotId slot, const SourceRecord& record,
                          store::ViewRows::Batch& batch) {
    store::Rows& writer = batch.BeginRecord(record.position);
    for (size_t i = 0; i < record.events.size(); ++i) {
      const SourceEvent& event = record.events[i];
      const SourceProjection* projection = view.Find(slot.service, event.type, event.payload);
      if (projection == nullptr) continue;
      absl::Status projected = projection->project(writer, event.payload, record.ContextOf(slot, i), nullptr);
      projected.Update(batch.status());
      if (!projected.ok()) {
        return WithContext(projected, EventRef{slot, record.position, static_cast<uint32_t>(i)}.ToString());
      }
      ++result_.events;
    }
    return absl::OkStatus();
  }

  static absl::Status Short(SlotId slot, Position until) {
    return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                   absl::StrCat(slot.ToString(), " ends below position ", until, ", which was folded before"));
  }

  absl::Status Report(size_t records) {
    result_.records += records;
    progress_.records_done += records;
    if (store_->dirty_bytes() >= store::kFlushBytes) RETURN_IF_ERROR(store_->FlushNow());
    return observer_ ? observer_(progress_) : absl::OkStatus();
  }

  eventlog::EventLog* const log_;
  store::Store* const store_;
  const ReplayObserver& observer_;
  ReplayProgress progress_;
  ReplayResult result_;
};

}  // namespace

absl::StatusOr<ReplayTargets> EverythingIn(eventlog::EventLog* log,
                                           const std::vector<partition::ServiceDefinition>& services,
                                           const std::vector<ViewDefinition>& views) {
  ReplayTargets targets;
  for (const partition::ServiceDefinition& service : services) {
    for (const SlotId slot : SlotsOf(*log, service.id)) {
      ASSIGN_OR_RETURN(targets[store::FoldId::State(slot)], log->End(slot));
    }
  }
  for (const ViewDefinition& view : views) {
    for (const ServiceId service : view.SourceServices()) {
      for (const SlotId slot : SlotsOf(*log, service)) {
        ASSIGN_OR_RETURN(targets[store::FoldId::View(view.service, view.view, slot)], log->End(slot));
      }
    }
  }
  return targets;
}

absl::StatusOr<ReplayResult> Replay(eventlog::EventLog* log, const std::vector<partition::ServiceDefinition>& services,
                                    const std::vector<ViewDefinition>& views, const ReplayTargets& targets,
                                    store::Store* store, const ReplayObserver& observer) {
  uint64_t total = 0;
  for (const auto& [fold, until] : targets) total += until;
  Replayer replayer(log, store, observer, total);
  for (const auto& [fold, until] : targets) {
    if (fold.kind != store::FoldId::Kind::kState) continue;
    for (const partition::ServiceDefinition& service : services) {
      if (service.id == fold.source.service) RETURN_IF_ERROR(replayer.State(service, fold.source, until));
    }
  }
  for (const ViewDefinition& view : views) RETURN_IF_ERROR(replayer.View(view, targets));
  return replayer.result();
}

}  // namespace halles::projection
