// Reads, adjudicates and decodes one slot.
#include "libs/projection/source_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/status.h"
#include "libs/eventlog/record.h"

namespace halles::projection {
namespace {

using google::protobuf::internal::WireFormatLite;
using Wire = google::protobuf::io::CodedInputStream;

// Walks the fields of a serialised message. `field` says of each whether it can be read; the others are skipped.
template <typename Field>
bool ReadFields(absl::string_view message, Field field) {
  Wire in(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
  while (const uint32_t tag = in.ReadTag()) {
    uint64_t number = 0;
    absl::string_view text;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        if (!in.ReadVarint64(&number)) return false;
        break;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        uint32_t length = 0;
        if (!in.ReadVarint32(&length)) return false;
        const auto at = static_cast<size_t>(in.CurrentPosition());
        if (!in.Skip(static_cast<int>(length))) return false;
        text = message.substr(at, length);
        break;
      }
      default:
        if (!WireFormatLite::SkipField(&in, tag)) return false;
    }
    if (!field(tag, number, text)) return false;
  }
  return in.ConsumedEntireMessage();
}

constexpr uint32_t TextTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}
constexpr uint32_t NumberTag(int field) { return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT); }

bool ReadEvent(absl::string_view message, SourceEvent* event) {
  return ReadFields(message, [event](uint32_t tag, uint64_t number, absl::string_view text) {
    if (tag == TextTag(log::v1::Event::kAggregateIdFieldNumber)) event->aggregate_id = text;
    if (tag == NumberTag(log::v1::Event::kTypeFieldNumber)) event->type = static_cast<uint32_t>(number);
    if (tag == TextTag(log::v1::Event::kPayloadFieldNumber)) event->payload = text;
    if (tag == NumberTag(log::v1::Event::kEffectiveTimeUsFieldNumber)) {
      event->effective_time = static_cast<UnixMicros>(number);
    }
    return true;
  });
}

// Finds in the body of a record what followers need; false when it is not the body of a batch.
bool ReadBatch(SourceBatch* record) {
  bool has_batch = false;
  const bool read = ReadFields(record->body, [&](uint32_t tag, uint64_t, absl::string_view batch) {
    if (tag != TextTag(log::v1::RecordBody::kBatchFieldNumber)) return true;
    has_batch = true;
    return ReadFields(batch, [record](uint32_t batch_tag, uint64_t, absl::string_view text) {
      if (batch_tag == TextTag(log::v1::Batch::kTenantFieldNumber)) record->tenant = text;
      if (batch_tag != TextTag(log::v1::Batch::kEventsFieldNumber)) return true;
      return ReadEvent(text, &record->events.emplace_back());
    });
  });
  return read && has_batch;
}

}  // namespace

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
    // Whoever asks until there is no more does not pay for a reader to learn so.
    if (const absl::StatusOr<Position> end = log_->End(slot_); end.ok() && *end == cursor_.next) return 0;
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
  for (eventlog::StoredRecord& record : records_) {
    auto read = std::make_shared<SourceBatch>();
    read->position = record.position;
    read->bytes = std::move(record.bytes);
    read->before = cursor_;
    const absl::StatusOr<eventlog::Judgement> judgement = eventlog::Adjudicate(read->bytes, record.position, &cursor_);
    if (!judgement.ok()) return WithContext(judgement.status(), absl::StrCat(slot_.ToString(), "@", record.position));
    read->after = cursor_;
    if (judgement->verdict == eventlog::Verdict::kAccepted && judgement->header.kind == eventlog::RecordKind::kBatch) {
      read->body = judgement->body;
      if (!ReadBatch(read.get())) {
        return Failure(absl::StatusCode::kDataLoss, "UNREADABLE_RECORD",
                       absl::StrCat("the body of ", slot_.ToString(), "@", record.position, " does not parse"));
      }
      read->accepted = true;
      read->logical_time = judgement->header.logical_time;
    }
    out->push_back(std::move(read));
  }
  return absl::OkStatus();
}

}  // namespace halles::projection
