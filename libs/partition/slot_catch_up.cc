// Polls a reader, task by task.
#include "libs/partition/slot_catch_up.h"

#include <utility>
#include <vector>

#include "libs/base/status.h"
#include "libs/store/store.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

constexpr absl::Duration kPauseMin = absl::Milliseconds(5);
constexpr absl::Duration kPauseMax = absl::Seconds(2);

}  // namespace

SlotCatchUp::SlotCatchUp(SlotId slot, eventlog::EventLog* log, TaskQueue* queue, RandomSource* random,
                         Handlers handlers)
    : slot_(slot),
      log_(log),
      queue_(queue),
      random_(random),
      handlers_(std::move(handlers)),
      backoff_(kPauseMin, kPauseMax) {}

void SlotCatchUp::Begin(Position from) {
  active_ = true;
  ++readings_;
  from_ = from;
  reader_.reset();
  Post();
}

void SlotCatchUp::Wake() {
  if (active_) Post();
}

void SlotCatchUp::End() {
  active_ = false;
  ++readings_;
  reader_.reset();
}

void SlotCatchUp::Post() {
  if (std::exchange(posted_, true)) return;
  queue_->Post([this] { Step(); });
}

void SlotCatchUp::Pause(const absl::Status& why) {
  if (backoff_.fresh()) {
    telemetry::Log(telemetry::LogLevel::kWarning, "partition", "a slot cannot be read just now; it is tried again",
                   {{"slot", slot_.ToString()}, {"why", why.message()}, {"reason", ReasonOf(why)}});
  }
  reader_.reset();
  posted_ = true;
  queue_->PostAfter(backoff_.Next(*random_), [this] { Step(); });
}

void SlotCatchUp::Step() {
  posted_ = false;
  if (!active_) return;
  if (!handlers_.has_room()) {
    posted_ = true;
    queue_->PostAfter(store::kCatchUpPause, [this] { Step(); });
    return;
  }
  if (reader_ == nullptr) {
    absl::StatusOr<std::unique_ptr<eventlog::LogReader>> reader = log_->NewReader(slot_, from_);
    if (!reader.ok()) {
      if (eventlog::IsPassing(reader.status())) {
        Pause(reader.status());
      } else {
        handlers_.on_broken(reader.status());
      }
      return;
    }
    reader_ = *std::move(reader);
  }
  std::vector<eventlog::StoredRecord> records;
  const absl::StatusOr<eventlog::ReadResult> read =
      reader_->Poll({.records_max = kCatchUpRecordsPerTask, .bytes_max = kCatchUpBytesPerTask}, &records);
  if (!read.ok()) {
    if (eventlog::IsPassing(read.status())) {
      Pause(read.status());
    } else {
      handlers_.on_broken(read.status());
    }
    return;
  }
  const uint64_t reading = readings_;
  for (const eventlog::StoredRecord& record : records) {
    const Taken taken = handlers_.on_record(record);
    if (readings_ != reading) return;  // handling the record started another reading, or ended it
    switch (taken) {
      case Taken::kNext:
        from_ = record.position + 1;
        break;
      case Taken::kAgain:
        from_ = record.position;
        Pause(absl::UnavailableError("a record could not be folded just now"));
        return;
      case Taken::kEnd:
        return;
    }
  }
  backoff_.Reset();
  handlers_.on_progress();
  if (readings_ != reading) return;
  if (read->at_end) {
    handlers_.on_end();
  } else if (read->count > 0) {
    Post();
  }
  // Otherwise there is more, on its way to this instance; a notification of growth tells when it has arrived.
}

}  // namespace halles::partition
