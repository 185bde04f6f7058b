// Folds states and views from the log alone.
#include "libs/projection/replay.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

// Functions that the store wants to be run on the thread that folds.
// Thread safety: Post may be called from any thread.
class Inbox {
 public:
  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
  }

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (const auto& task : Take()) task();
  }

  // Waits for a task first, at most for this time.
  void RunWithin(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !tasks_.empty(); }, timeout);
    }
    Run();
  }

 private:
  std::deque<std::function<void()>> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return std::exchange(tasks_, {});
  }

  Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
};

// Folds on the caller's thread while the store writes what was folded before on its own. All rows stay open until the end,
// because the rows of a slot must be frozen before they may be closed.
class Replayer {
 public:
  Replayer(eventlog::EventLog* log, store::Store* store, const ReplayObserver& observer, uint64_t total)
      : log_(log), store_(store), observer_(observer) {
    progress_.records_total = total;
  }

  absl::Status State(const partition::ServiceDefinition& service, SlotId slot, Position until) {
    SourceReader reader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot));
    OpenState& open = *states_.emplace_back(std::make_unique<OpenState>(OpenState{reader.cursor(), nullptr}));
    store::SlotOptions options;
    options.fold_version = service.fold_version;
    options.filtered_tables = partition::FilteredTables(service);
    options.post = [this](std::function<void()> task) { inbox_.Post(std::move(task)); };
    options.cursor = [&open] { return store::FoldCursor{eventlog::EncodeCursor(open.folded), open.folded.next}; };
    ASSIGN_OR_RETURN(open.rows, store_->OpenSlot(slot, std::move(options)));
    partition::ExpiredAnswers expired;
    while (open.folded.next < until) {
      SourceRecords records;
      RETURN_IF_ERROR(ReadOn(reader, slot, until, &records));
      for (const SourceRecordPtr& record : records) {
        if (!record->body.empty()) RETURN_IF_ERROR(FoldOne(service, slot, *record, *open.rows, &expired));
        open.folded = record->after;
      }
      open.rows->NoteAdvance();
      RETURN_IF_ERROR(Report(records.size()));
    }
    return absl::OkStatus();
  }

  absl::Status View(const ViewDefinition& view, const ReplayTargets& targets) {
    std::vector<SlotId> sources;
    for (const ServiceId service : view.SourceServices()) {
      for (const SlotId slot : SlotsOf(*log_, service)) sources.push_back(slot);
    }
    ASSIGN_OR_RETURN(std::unique_ptr<store::ViewRows> opened,
                     store_->OpenView(view.service, view.view, view.fold_version, sources));
    const std::unique_ptr<store::ViewRows>& rows = views_.emplace_back(std::move(opened));
    for (const auto& [fold, until] : targets) {
      if (fold.kind != store::FoldId::Kind::kView || fold.service != view.service || fold.view != view.view) continue;
      RETURN_IF_ERROR(Source(view, fold.source, until, rows.get()));
    }
    return absl::OkStatus();
  }

  // Everything that was folded is stored afterwards.
  absl::Status Flush() {
    const auto flushed = std::make_shared<std::optional<absl::Status>>();  // written and read by tasks of the inbox
    store_->FlushAsync([this, flushed](absl::Status status) {
      inbox_.Post([flushed, status = std::move(status)] { *flushed = status; });
    });
    while (!flushed->has_value()) inbox_.RunWithin(absl::InfiniteDuration());
    return **flushed;
  }

  const ReplayResult& result() const { return result_; }

 private:
  struct OpenState {
    eventlog::Cursor folded;
    std::unique_ptr<store::SlotRows> rows;
  };

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
                       store::SlotRows& rows, partition::ExpiredAnswers* expired) {
    log::v1::RecordBody body;
    store::Rows& writer = rows.BeginApply(record.position);
    absl::Status folded = absl::DataLossError("the body does not parse");
    if (body.ParseFromArray(record.body.data(), static_cast<int>(record.body.size()))) {
      folded = partition::FoldBatch(service, slot, record.position, record.logical_time, body.batch(), writer, expired);
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
    inbox_.Run();
    while (true) {
      RETURN_IF_ERROR(store_->health());
      if (observer_) RETURN_IF_ERROR(observer_(progress_));
      if (store_->HasRoomToCatchUp()) return absl::OkStatus();
      inbox_.RunWithin(store::kCatchUpPause);
    }
  }

  eventlog::EventLog* const log_;
  store::Store* const store_;
  const ReplayObserver& observer_;
  ReplayProgress progress_;
  ReplayResult result_;
  Inbox inbox_;
  // They post to the inbox until they are closed.
  std::vector<std::unique_ptr<OpenState>> states_;
  std::vector<std::unique_ptr<store::ViewRows>> views_;
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
  RETURN_IF_ERROR(replayer.Flush());
  return replayer.result();
}

}  // namespace halles::projection
