// Reads and adjudicates one slot.
#include "libs/projection/source_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::projection {

std::vector<SlotId> SlotsOf(const eventlog::EventLog& log, ServiceId service) {
  std::vector<SlotId> slots;
  for (uint32_t slot = 0; slot < log.identity().slots.of(service); ++slot) {
    slots.push_back({service, static_cast<uint16_t>(slot)});
  }
  return slots;
}

absl::Status CheckLineageOf(eventlog::EventLog* log, SlotId slot, const eventlog::Cursor& cursor) {
  if (cursor.next == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Position end, log->End(slot));
  RETURN_IF_ERROR(eventlog::CheckEnd(end, cursor));
  ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::LogReader> reader, log->NewReader(slot, cursor.next - 1));
  std::vector<eventlog::StoredRecord> records;
  ASSIGN_OR_RETURN(const eventlog::ReadResult read, reader->Poll({.records_max = 1, .bytes_max = 1}, &records));
  if (read.count == 0 && !read.at_end)
    return absl::UnavailableError(absl::StrCat(slot.ToString(), " cannot be read yet"));
  if (read.count == 0) {
    return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                   absl::StrCat(slot.ToString(), " ends below position ", cursor.next, ", which was read before"));
  }
  return WithContext(eventlog::CheckLineage(records.front().bytes, cursor), slot.ToString());
}

absl::StatusOr<eventlog::ReadResult> SourceReader::Read(size_t records_max, Position until, SourceRecords* out) {
  if (!started_) {
    RETURN_IF_ERROR(CheckLineageOf(log_, slot_, cursor_));
    started_ = true;
  }
  if (cursor_.next >= until) return eventlog::ReadResult{.count = 0, .at_end = false};
  if (reader_ == nullptr || reader_->next() != cursor_.next) {
    ASSIGN_OR_RETURN(reader_, log_->NewReader(slot_, cursor_.next));
  }
  records_.clear();
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(records_max, until - cursor_.next));
  ASSIGN_OR_RETURN(const eventlog::ReadResult read,
                   reader_->Poll({.records_max = wanted, .bytes_max = kReadBytesMax}, &records_));
  for (eventlog::StoredRecord& record : records_) {
    absl::StatusOr<SourceRecordPtr> judged = JudgeRecord(slot_, std::move(record), &cursor_);
    if (!judged.ok()) return judged.status();
    out->push_back(*std::move(judged));
  }
  return read;
}

}  // namespace halles::projection
