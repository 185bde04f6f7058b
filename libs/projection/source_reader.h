// Reads one source slot by the reader rule, and checks the lineage.
#ifndef HALLES_LIBS_PROJECTION_SOURCE_READER_H_
#define HALLES_LIBS_PROJECTION_SOURCE_READER_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/projection/source_record.h"

namespace halles::projection {

// Bytes read at a time.
inline constexpr size_t kReadBytesMax = size_t{4} << 20;

// Thread safety: one thread at a time.
// Lifetime: the log outlives it.
class SourceReader {
 public:
  // Starts at `cursor`.
  SourceReader(eventlog::EventLog* log, SlotId slot, eventlog::Cursor cursor)
      : log_(log), slot_(slot), cursor_(std::move(cursor)) {}

  // Appends up to `records_max` records below `until`, ignored ones included, and moves the cursor past them. After a
  // transient error (eventlog::IsPassing) it may be called again. After a permanent one, `out` holds the records before
  // the one that cannot be read, and the cursor is there.
  absl::StatusOr<eventlog::ReadResult> Read(size_t records_max, Position until, SourceRecords* out);

  const eventlog::Cursor& cursor() const { return cursor_; }
  SlotId slot() const { return slot_; }

 private:
  eventlog::EventLog* const log_;
  const SlotId slot_;
  bool started_ = false;  // the lineage was checked
  eventlog::Cursor cursor_;
  std::unique_ptr<eventlog::LogReader> reader_;
  std::vector<eventlog::StoredRecord> records_;  // kept for its memory
};

// The slots of a service in the log.
std::vector<SlotId> SlotsOf(const eventlog::EventLog& log, ServiceId service);

// Reads the record before `cursor` again and compares it: DATA_LOSS when the log was cut, recreated or replaced.
absl::Status CheckLineageOf(eventlog::EventLog* log, SlotId slot, const eventlog::Cursor& cursor);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_SOURCE_READER_H_
