// Reads one slot of a source as every reader must: adjudicated, with its lineage checked, batches decoded.
#ifndef HALLES_LIBS_PROJECTION_SOURCE_READER_H_
#define HALLES_LIBS_PROJECTION_SOURCE_READER_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/projection/record_share.h"

namespace halles::projection {

// Thread safety: one thread at a time.
// Lifetime: log and share outlive it.
class SourceReader {
 public:
  // Goes on at `cursor`. `share` may be null: it reads everything by itself.
  SourceReader(eventlog::EventLog* log, SlotId slot, eventlog::Cursor cursor, RecordShare* share = nullptr)
      : log_(log), slot_(slot), share_(share), cursor_(std::move(cursor)) {}

  // Reads up to `records_max` records, never beyond `until`, and appends those that are accepted batches. The cursor moves
  // behind all that was read. Returns how many records were read, ignored ones included; 0 at the end.
  // Any error is final for this reader: the log is damaged, cut or another one, or a record needs a newer build.
  absl::StatusOr<size_t> Read(size_t records_max, Position until, SourceBatches* out);

  const eventlog::Cursor& cursor() const { return cursor_; }
  SlotId slot() const { return slot_; }

 private:
  absl::Status CheckStart();
  // Reads, judges and parses.
  absl::Status ReadLog(size_t records_max, Position until, SourceBatches* out);

  eventlog::EventLog* const log_;
  const SlotId slot_;
  RecordShare* const share_;
  bool started_ = false;
  eventlog::Cursor cursor_;
  std::unique_ptr<eventlog::LogReader> reader_;
  std::vector<eventlog::StoredRecord> records_;
  SourceBatches judged_;
};

// The record before `cursor` is read again and compared: DATA_LOSS when the log was cut, recreated or is another one.
absl::Status CheckLineageOf(eventlog::EventLog* log, SlotId slot, const eventlog::Cursor& cursor);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_SOURCE_READER_H_
