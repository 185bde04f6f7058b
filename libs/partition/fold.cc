// Folds batches into rows.
#include "libs/partition/fold.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/runtime_events.pb.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

// Logs of older builds hold records that forgot answers.
absl::Status PassOverRuntimeEvent(const std::string& payload) {
  log::v1::RuntimeEvent event;
  if (event.ParseFromString(payload) && event.has_request_ids_expired()) return absl::OkStatus();
  return absl::DataLossError("event of the runtime is of no known kind");
}

template <typename Cause>
SlotId SourceOf(const Cause& cause) {
  return {static_cast<ServiceId>(cause.service()), static_cast<uint16_t>(cause.slot())};
}

// Adds the recorded reactions beyond the cursor to its row.
void KeepAhead(const google::protobuf::RepeatedPtrField<log::v1::RecordedReaction>& ahead,
               rows::ReactionCursorRow* cursor) {
  for (const log::v1::RecordedReaction& each : ahead) {
    if (std::pair(each.position(), each.reaction()) >= std::pair(cursor->position(), cursor->reactions())) {
      *cursor->add_ahead() = each;
    }
  }
}

}  // namespace

FactContext ContextOf(SlotId slot, Position position, UnixMicros logical_time, const log::v1::Batch& batch, int index) {
  const log::v1::Event& event = batch.events(index);
  return {.slot = slot,
          .position = position,
          .index = static_cast<uint32_t>(index),
          .logical_time = logical_time,
          .effective_time = event.has_effective_time_us() ? event.effective_time_us() : logical_time,
          .aggregate_type = event.type(),
          .aggregate_id = event.aggregate_id(),
          .tenant = batch.tenant()};
}

std::vector<store::FilteredTable> FilteredTables(const ServiceDefinition& service) {
  std::vector<store::FilteredTable> tables = {{.table = kDedupe.id(), .by_time = true}};
  for (const uint16_t table : service.mostly_absent_tables) tables.push_back({.table = table});
  for (const uint16_t table : service.mostly_absent_tables_by_time) tables.push_back({.table = table, .by_time = true});
  return tables;
}

AggregateRef AggregateOf(const log::v1::Batch& batch) {
  if (batch.aggregate_type() != 0 || batch.events().empty()) return {batch.aggregate_type(), batch.aggregate_key()};
  return {batch.events(0).type(), batch.events(0).aggregate_id()};
}

void SetAggregate(const AggregateRef& aggregate, log::v1::Batch* batch) {
  if (AggregateOf(*batch) == aggregate) return;
  batch->set_aggregate_type(aggregate.type);
  batch->set_aggregate_key(aggregate.key);
}

absl::Status FoldRuntimeRows(const log::v1::Batch& batch, UnixMicros logical_time, store::Rows& rows,
                             ExpiredAnswers* expired) {
  ExpiredAnswers unknown;
  ExpiredAnswers& answers = expired == nullptr ? unknown : *expired;
  if (!batch.request_id().empty()) {
    rows::DedupeRow answer;
    answer.set_body_hash(batch.body_hash());
    answer.set_response(batch.response());
    AggregateRef aggregate = AggregateOf(batch);
    const std::string key = kDedupe.Encode({TimeOfRequestId(batch.request_id()).expires, batch.tenant(), aggregate.type,
                                            std::move(aggregate.key), batch.request_id()});
    rows.Put(key, store::SerializeRow(answer));
    answers.OnPut(key);
  }
  answers.Drop(rows, logical_time);
  FoldReactionCursors(batch, rows);
  return rows.status();
}

bool IsRecorded(const rows::ReactionCursorRow& cursor, Position position, uint32_t reaction) {
  if (std::pair(position, reaction) < std::pair(cursor.position(), cursor.reactions())) return true;
  return std::any_of(cursor.ahead().begin(), cursor.ahead().end(), [&](const log::v1::RecordedReaction& ahead) {
    return ahead.position() == position && ahead.reaction() == reaction;
  });
}

void FoldReactionCursors(const log::v1::Batch& batch, store::Rows& rows) {
  if (batch.has_cause() && !batch.cause().cursor().empty()) {
    const log::v1::Cause& cause = batch.cause();
    const std::optional<rows::ReactionCursorRow> before = kReactionCursors.Get(rows, {SourceOf(cause)});
    rows::ReactionCursorRow cursor;
    cursor.set_position(cause.position());
    cursor.set_reactions(cause.reaction() + 1);
    cursor.set_cursor(cause.cursor());
    if (before.has_value()) KeepAhead(before->ahead(), &cursor);
    kReactionCursors.Put(rows, {SourceOf(cause)}, cursor);
  }
  for (const log::v1::SourceProgress& progress : batch.progress()) {
    const SlotId source = SourceOf(progress);
    const std::optional<rows::ReactionCursorRow> before = kReactionCursors.Get(rows, {source});
    if (before.has_value() && before->position() >= progress.position()) continue;
    rows::ReactionCursorRow cursor;
    cursor.set_position(progress.position());
    cursor.set_cursor(progress.cursor());
    if (before.has_value()) KeepAhead(before->ahead(), &cursor);
    KeepAhead(progress.ahead(), &cursor);
    kReactionCursors.Put(rows, {source}, cursor);
  }
}

absl::Status FoldBatch(const ServiceDefinition& service, SlotId slot, Position position, UnixMicros logical_time,
                       const log::v1::Batch& batch, store::Rows& rows, ExpiredAnswers* expired) {
  for (int i = 0; i < batch.events_size(); ++i) {
    const log::v1::Event& event = batch.events(i);
    if (event.type() == 0) {
      RETURN_IF_ERROR(PassOverRuntimeEvent(event.payload()));
      continue;
    }
    const AggregateDefinition* fold = service.Find(event.type());
    const absl::Status evolved =
        fold == nullptr ? absl::DataLossError(absl::StrCat("no fold for events of type ", event.type()))
                        : fold->evolve(rows, event.payload(), ContextOf(slot, position, logical_time, batch, i));
    if (!evolved.ok()) {
      return WithContext(evolved, EventRef{slot, position, static_cast<uint32_t>(i)}.ToString());
    }
  }
  return FoldRuntimeRows(batch, logical_time, rows, expired);
}

}  // namespace halles::partition
