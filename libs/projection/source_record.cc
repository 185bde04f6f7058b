// Judges records and locates the events in their bytes.
#include "libs/projection/source_record.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/status.h"
#include "libs/base/wire_fields.h"
#include "libs/eventlog/record.h"

namespace halles::projection {
namespace {

constexpr uint32_t TextTag(int field) { return WireTag(field, WireType::kText); }
constexpr uint32_t NumberTag(int field) { return WireTag(field, WireType::kNumber); }

bool ReadEvent(absl::string_view message, SourceEvent* event) {
  return ReadWireFields(message, [event](uint32_t tag, uint64_t number, absl::string_view text) {
    if (tag == TextTag(log::v1::Event::kAggregateIdFieldNumber)) event->aggregate_id = text;
    if (tag == NumberTag(log::v1::Event::kTypeFieldNumber)) event->type = static_cast<uint32_t>(number);
    if (tag == TextTag(log::v1::Event::kPayloadFieldNumber)) event->payload = text;
    if (tag == NumberTag(log::v1::Event::kEffectiveTimeUsFieldNumber)) {
      event->effective_time = static_cast<UnixMicros>(number);
    }
    return true;
  });
}

// Locates the parts of a record's body that followers need; false when it is not the body of a batch.
bool ReadBatch(SourceRecord* record) {
  bool has_batch = false;
  const bool read = ReadWireFields(record->body, [&](uint32_t tag, uint64_t, absl::string_view batch) {
    if (tag != TextTag(log::v1::RecordBody::kBatchFieldNumber)) return true;
    has_batch = true;
    return ReadWireFields(batch, [record](uint32_t batch_tag, uint64_t, absl::string_view text) {
      if (batch_tag == TextTag(log::v1::Batch::kTenantFieldNumber)) record->tenant = text;
      if (batch_tag != TextTag(log::v1::Batch::kEventsFieldNumber)) return true;
      return ReadEvent(text, &record->events.emplace_back());
    });
  });
  return read && has_batch;
}

absl::Status Unreadable(SlotId slot, Position position) {
  return Failure(absl::StatusCode::kDataLoss, "UNREADABLE_RECORD",
                 absl::StrCat("the body of ", slot.ToString(), "@", position, " does not parse"));
}

}  // namespace

partition::FactContext SourceRecord::ContextOf(SlotId slot, size_t index) const {
  const SourceEvent& event = events[index];
  return {.slot = slot,
          .position = position,
          .index = static_cast<uint32_t>(index),
          .logical_time = logical_time,
          .effective_time = event.effective_time.value_or(logical_time),
          .aggregate_type = event.type,
          .aggregate_id = event.aggregate_id,
          .tenant = tenant};
}

absl::StatusOr<SourceRecordPtr> JudgeRecord(SlotId slot, eventlog::StoredRecord stored, eventlog::Cursor* cursor) {
  auto record = std::make_shared<SourceRecord>();
  record->position = stored.position;
  record->bytes = std::move(stored.bytes);
  record->before = *cursor;
  record->after = *cursor;
  const absl::StatusOr<eventlog::Judgement> judgement =
      eventlog::Adjudicate(record->bytes, record->position, &record->after);
  if (!judgement.ok()) return WithContext(judgement.status(), absl::StrCat(slot.ToString(), "@", record->position));
  if (judgement->verdict == eventlog::Verdict::kAccepted && judgement->header.kind == eventlog::RecordKind::kBatch) {
    record->body = judgement->body;
    record->logical_time = judgement->header.logical_time;
    if (!ReadBatch(record.get())) return Unreadable(slot, record->position);
  }
  *cursor = record->after;
  return record;
}

absl::StatusOr<SourceRecordPtr> RecordOf(partition::ConfirmedRecord confirmed) {
  auto record = std::make_shared<SourceRecord>();
  record->position = confirmed.position;
  record->bytes = std::move(confirmed.bytes);
  record->before = std::move(confirmed.before);
  record->after = std::move(confirmed.after);
  const eventlog::ParsedRecord parsed = eventlog::ParseRecord(record->bytes);
  if (parsed.outcome != eventlog::ParseOutcome::kOk) return Unreadable(confirmed.slot, record->position);
  if (parsed.header.kind == eventlog::RecordKind::kBatch) {
    record->body = parsed.body;
    record->logical_time = parsed.header.logical_time;
    if (!ReadBatch(record.get())) return Unreadable(confirmed.slot, record->position);
  }
  return record;
}

}  // namespace halles::projection
