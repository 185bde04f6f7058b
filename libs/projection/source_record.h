// A record of a source for followers: judged once, its events located in its bytes, shared by all consumers.
#ifndef HALLES_LIBS_PROJECTION_SOURCE_RECORD_H_
#define HALLES_LIBS_PROJECTION_SOURCE_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/partition/domain.h"
#include "libs/partition/slot_runner.h"

namespace halles::projection {

// An event of a record, pointing into it.
struct SourceEvent {
  uint32_t type = 0;
  absl::string_view aggregate_id;
  absl::string_view payload;
  std::optional<UnixMicros> effective_time;  // absent: the logical time of the record
};

// Thread safety: immutable once it is shared.
struct SourceRecord {
  Position position = 0;
  UnixMicros logical_time = 0;
  // Of an accepted BATCH. For other records the following is empty; they only move cursors.
  absl::string_view tenant;
  std::vector<SourceEvent> events;
  absl::string_view body;  // a serialised halles.log.v1.RecordBody with a batch; empty for other records
  eventlog::Cursor before;
  eventlog::Cursor after;
  std::string bytes;  // of the whole record; the views above point into them

  SourceRecord() = default;
  SourceRecord(const SourceRecord&) = delete;
  SourceRecord& operator=(const SourceRecord&) = delete;

  // The place of its event with this index in the slot.
  partition::FactContext ContextOf(SlotId slot, size_t index) const;
};

// Shared: every consumer of the source, and the ring of its newest records, keeps it as long as necessary.
using SourceRecordPtr = std::shared_ptr<const SourceRecord>;
using SourceRecords = std::vector<SourceRecordPtr>;

// Adjudicates the record and moves the cursor over it. Errors as for Adjudicate, and DATA_LOSS (UNREADABLE_RECORD) when
// an accepted batch does not parse; the cursor then stays before it.
absl::StatusOr<SourceRecordPtr> JudgeRecord(SlotId slot, eventlog::StoredRecord record, eventlog::Cursor* cursor);

// The same for a record that its owner has confirmed. It was judged there, so nothing is hashed again.
absl::StatusOr<SourceRecordPtr> RecordOf(partition::ConfirmedRecord confirmed);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_SOURCE_RECORD_H_
