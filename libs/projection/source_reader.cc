// Reads, adjudicates and decodes one slot.
#include "libs/projection/source_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/record.h"

namespace halles::projection {

absl::Status CheckLineageOf(eventlog::EventLog* log, SlotId slot, const eventlog::Cursor& cursor) {
  if (cursor.next == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Position end, log->End(slot));
  RETURN_IF_ERROR(eventlog::CheckEnd(end, cursor));
  ASSIGN_OR_RETURN(const std::unique_ptr<eventlog::LogReader> reader, log->NewReader(slot, cursor.next - 1));
  std::vector<eventlog::StoredRecord> records;
  ASSIGN_OR_RETURN(const size_t count, reader->Poll({.records_max = 1, .bytes_max = 1}, &records));
  if (count == 0) {
    return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                   absl::StrCat(slot.ToString(), " ends below position ", cursor.next, ", which was read before"));
  }
  return WithContext(eventlog::CheckLineage(records.front().bytes, cursor), slot.ToString());
}

absl::Status SourceReader::CheckStart() {
  if (started_) return absl::OkStatus();
  RETURN_IF_ERROR(CheckLineageOf(log_, slot_, cursor_));
  started_ = true;
  return absl::OkStatus();
}

absl::StatusOr<size_t> SourceReader::Read(size_t records_max, Position until, SourceBatches* out) {
  RETURN_IF_ERROR(CheckStart());
  if (cursor_.next >= until) return 0;
  judged_.clear();
  if (share_ != nullptr) share_->Take(slot_, cursor_, records_max, until, &judged_);
  absl::Status status;
  if (judged_.empty()) {
    status = ReadLog(records_max, until, &judged_);
    if (share_ != nullptr) share_->Offer(slot_, judged_);
  } else {
    cursor_ = judged_.back()->after;
  }
  const size_t count = judged_.size();
  for (std::shared_ptr<const SourceBatch>& record : judged_) {
    if (record->accepted) out->push_back(std::move(record));
  }
  RETURN_IF_ERROR(status);
  return count;
}

absl::Status SourceReader::ReadLog(size_t records_max, Position until, SourceBatches* out) {
  // Behind what others have read it begins anew.
  if (reader_ == nullptr || reader_->next() != cursor_.next) {
    ASSIGN_OR_RETURN(reader_, log_->NewReader(slot_, cursor_.next));
  }
  records_.clear();
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(records_max, until - cursor_.next));
  RETURN_IF_ERROR(reader_->Poll({.records_max = wanted, .bytes_max = 4 * 1024 * 1024}, &records_).status());
  for (const eventlog::StoredRecord& record : records_) {
    auto read = std::make_shared<SourceBatch>();
    read->position = record.position;
    read->bytes = record.bytes.size();
    read->before = cursor_;
    const absl::StatusOr<eventlog::Judgement> judgement = eventlog::Adjudicate(record.bytes, record.position, &cursor_);
    if (!judgement.ok()) return WithContext(judgement.status(), absl::StrCat(slot_.ToString(), "@", record.position));
    read->after = cursor_;
    if (judgement->verdict == eventlog::Verdict::kAccepted && judgement->header.kind == eventlog::RecordKind::kBatch) {
      log::v1::RecordBody body;
      if (!body.ParseFromArray(judgement->body.data(), static_cast<int>(judgement->body.size())) || !body.has_batch()) {
        return Failure(absl::StatusCode::kDataLoss, "UNREADABLE_RECORD",
                       absl::StrCat("the body of ", slot_.ToString(), "@", record.position, " does not parse"));
      }
      read->accepted = true;
      read->logical_time = judgement->header.logical_time;
      read->batch = std::move(*body.mutable_batch());
    }
    out->push_back(std::move(read));
  }
  return absl::OkStatus();
}

}  // namespace halles::projection
