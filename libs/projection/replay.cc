// Folds states and views from the log alone.
#include "libs/projection/replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/partition/executor.h"
#include "libs/partition/fold.h"
#include "libs/projection/source_reader.h"

namespace halles::projection {
namespace {

constexpr size_t kChunkRecords = 2048;

// Runs `function` on the executor and waits for it.
void RunOn(partition::Executor& executor, const std::function<void()>& function) {
  Mutex mutex;
  bool done = false;
  executor.Post([&] {
    function();
    MutexLock lock(&mutex);
    done = true;
  });
  MutexLock lock(&mutex);
  mutex.Await([&done] { return done; });
}

class Replayer {
 public:
  Replayer(eventlog::EventLog* log, store::Store* store, const ReplayObserver& observer, uint64_t total)
      : log_(log), store_(store), observer_(observer), executor_("replay", [] {}) {
    progress_.records_total = total;
  }

  absl::Status State(const partition::ServiceDefinition& service, SlotId slot, Position until) {
    SourceReader reader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot));
    eventlog::Cursor folded = reader.cursor();  // of the executor
    store::SlotOptions options;
    options.fold_version = service.fold_version;
    options.post = [this](std::function<void()> task) { executor_.Post(std::move(task)); };
    options.cursor = [&folded] { return store::FoldCursor{eventlog::EncodeCursor(folded), folded.next}; };
    ASSIGN_OR_RETURN(std::unique_ptr<store::SlotRows> rows, store_->OpenSlot(slot, options));
    absl::Status status;
    while (status.ok() && reader.cursor().next < until) {
      SourceBatches batches;
      const absl::StatusOr<size_t> count = reader.Read(kChunkRecords, until, &batches);
      if (!count.ok() || *count == 0) {
        status = count.ok() ? Short(slot, until) : count.status();
        break;
      }
      RunOn(executor_, [&] {
        for (const auto& shared : batches) {
          const SourceBatch& record = *shared;
          log::v1::RecordBody body;
          store::Rows& writer = rows->BeginApply(record.position);
          if (body.ParseFromArray(record.body.data(), static_cast<int>(record.body.size()))) {
            status = partition::FoldBatch(service, slot, record.position, record.logical_time, body.batch(), writer);
          } else {
            status = absl::DataLossError("the body does not parse");
          }
          if (!status.ok()) {
            rows->AbandonRecord();
            return;
          }
          result_.events += record.events.size();
        }
        folded = reader.cursor();
        rows->NoteAdvance();
      });
      status.Update(Report(*count));
    }
    if (status.ok()) status = store_->FlushNow();
    // Rows end on the thread that uses them.
    RunOn(executor_, [&rows] { rows.reset(); });
    return status;
  }

  absl::Status View(const ViewDefinition& view, const ReplayTargets& targets) {
    ASSIGN_OR_RETURN(const std::unique_ptr<store::ViewRows> rows,
                     store_->OpenView(view.service, view.view, view.fold_version));
    for (const auto& [fold, until] : targets) {
      if (fold.kind != store::FoldId::Kind::kView || fold.service != view.service || fold.view != view.view) continue;
      RETURN_IF_ERROR(Source(view, fold.source, until, rows.get()));
    }
    return store_->FlushNow();
  }

  const ReplayResult& result() const { return result_; }

 private:
  absl::Status Source(const ViewDefinition& view, SlotId slot, Position until, store::ViewRows* rows) {
    SourceReader reader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot));
    while (reader.cursor().next < until) {
      SourceBatches batches;
      ASSIGN_OR_RETURN(const size_t count, reader.Read(kChunkRecords, until, &batches));
      if (count == 0) return Short(slot, until);
      {
        store::ViewRows::Batch batch(rows);
        for (const auto& shared : batches) {
          const SourceBatch& record = *shared;
          store::Rows& writer = batch.BeginRecord(slot, record.position);
          for (size_t i = 0; i < record.events.size(); ++i) {
            const SourceEvent& event = record.events[i];
            const SourceProjection* projection = view.Find(slot.service, event.type);
            if (projection == nullptr) continue;
            absl::Status projected = projection->project(writer, event.payload, record.ContextOf(slot, i), nullptr);
            projected.Update(batch.status());
            if (!projected.ok()) {
              batch.AbandonRecord();
              batch.SetCursor(slot, {});
              return WithContext(projected, EventRef{slot, record.position, static_cast<uint32_t>(i)}.ToString());
            }
            ++result_.events;
          }
        }
        batch.SetCursor(slot, {eventlog::EncodeCursor(reader.cursor()), reader.cursor().next});
      }
      RETURN_IF_ERROR(Report(count));
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
    return observer_ ? observer_(progress_) : absl::OkStatus();
  }

  eventlog::EventLog* const log_;
  store::Store* const store_;
  const ReplayObserver& observer_;
  ReplayProgress progress_;
  ReplayResult result_;
  partition::Executor executor_;
};

}  // namespace

absl::StatusOr<ReplayTargets> EverythingIn(eventlog::EventLog* log,
                                           const std::vector<partition::ServiceDefinition>& services,
                                           const std::vector<ViewDefinition>& views) {
  ReplayTargets targets;
  for (uint32_t number = 0; number < log->identity().slots_per_service; ++number) {
    for (const partition::ServiceDefinition& service : services) {
      const SlotId slot{service.id, static_cast<uint16_t>(number)};
      ASSIGN_OR_RETURN(targets[store::FoldId::State(slot)], log->End(slot));
    }
    for (const ViewDefinition& view : views) {
      for (ServiceId service : view.SourceServices()) {
        const SlotId slot{service, static_cast<uint16_t>(number)};
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
