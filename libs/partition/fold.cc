// Folds batches into rows.
#include "libs/partition/fold.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/runtime_events.pb.h"
#include "libs/base/status.h"
#include "libs/partition/request_id.h"
#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

absl::Status EvolveRequestIdsExpired(const log::v1::RequestIdsExpired& event, store::Rows& rows) {
  std::vector<DedupeExpiryKey> due;
  kDedupeExpiry.ForEach(rows, [&](const DedupeExpiryKey& key, const rows::EmptyRow&, Position) {
    if (key.expires_us > event.until_us()) return false;
    due.push_back(key);
    return true;
  });
  for (const DedupeExpiryKey& key : due) {
    kDedupe.Delete(rows, {key.tenant, key.request_id});
    kDedupeExpiry.Delete(rows, key);
  }
  return absl::OkStatus();
}

absl::Status EvolveRuntimeEvent(const std::string& payload, store::Rows& rows) {
  log::v1::RuntimeEvent event;
  if (!event.ParseFromString(payload)) return absl::DataLossError("event of the runtime does not parse");
  switch (event.event_case()) {
    case log::v1::RuntimeEvent::kRequestIdsExpired:
      return EvolveRequestIdsExpired(event.request_ids_expired(), rows);
    case log::v1::RuntimeEvent::EVENT_NOT_SET:
      break;
  }
  return absl::DataLossError("event of the runtime is of no known kind");
}

}  // namespace

FactContext ContextOf(SlotId slot, Position position, UnixMicros logical_time, const log::v1::Batch& batch, int index) {
  const log::v1::Event& event = batch.events(index);
  return {.slot = slot,
          .position = position,
          .index = static_cast<uint32_t>(index),
          .logical_time = logical_time,
          .effective_time = event.effective_time_us() == 0 ? logical_time : event.effective_time_us(),
          .aggregate_id = event.aggregate_id(),
          .tenant = batch.tenant()};
}

absl::Status FoldRuntimeRows(const log::v1::Batch& batch, store::Rows& rows) {
  if (!batch.request_id().empty()) {
    rows::DedupeRow answer;
    answer.set_body_hash(batch.body_hash());
    answer.set_response(batch.response());
    kDedupe.Put(rows, {batch.tenant(), batch.request_id()}, answer);
    if (const std::optional<UnixMicros> time = TimeOfUuid7(batch.request_id()); time.has_value()) {
      kDedupeExpiry.Put(rows, {*time + kRequestIdLifeMicros, batch.tenant(), batch.request_id()}, {});
    }
  }
  if (batch.has_cause()) {
    const log::v1::Cause& cause = batch.cause();
    const SlotId source{static_cast<ServiceId>(cause.service()), static_cast<uint16_t>(cause.slot())};
    if (cause.progress()) {
      rows::ReactionProgressRow progress;
      progress.set_position(cause.position());
      progress.set_cursor(cause.cursor());
      kReactionProgress.Put(rows, {source}, progress);
    } else {
      rows::ReactionCursorRow cursor;
      cursor.set_position(cause.position());
      cursor.set_event_index(cause.event_index());
      cursor.set_cursor(cause.cursor());
      kReactionCursors.Put(rows, {source}, cursor);
    }
  }
  return rows.status();
}

absl::Status FoldBatch(const ServiceDefinition& service, SlotId slot, Position position, UnixMicros logical_time,
                       const log::v1::Batch& batch, store::Rows& rows) {
  for (int i = 0; i < batch.events_size(); ++i) {
    const log::v1::Event& event = batch.events(i);
    if (event.type() == 0) {
      RETURN_IF_ERROR(EvolveRuntimeEvent(event.payload(), rows));
      continue;
    }
    const AggregateFold* fold = service.Find(event.type());
    const absl::Status evolved =
        fold == nullptr ? absl::DataLossError(absl::StrCat("no fold for events of type ", event.type()))
                        : fold->evolve(rows, event.payload(), ContextOf(slot, position, logical_time, batch, i));
    if (!evolved.ok()) {
      return WithContext(evolved, EventRef{slot, position, static_cast<uint32_t>(i)}.ToString());
    }
  }
  return FoldRuntimeRows(batch, rows);
}

}  // namespace halles::partition
