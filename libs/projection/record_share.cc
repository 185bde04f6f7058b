// The newest records of each slot, kept for whoever follows.
#include "libs/projection/record_share.h"

namespace halles::projection {

partition::FactContext SourceBatch::ContextOf(SlotId slot, size_t index) const {
  const SourceEvent& event = events[index];
  return {.slot = slot,
          .position = position,
          .index = static_cast<uint32_t>(index),
          .logical_time = logical_time,
          .effective_time = event.effective_time == 0 ? logical_time : event.effective_time,
          .aggregate_id = event.aggregate_id,
          .tenant = tenant};
}

void RecordShare::Take(SlotId slot, const eventlog::Cursor& cursor, size_t records_max, Position until,
                       SourceBatches* out) {
  Stripe& stripe = StripeOf(slot);
  MutexLock lock(&stripe.mutex);
  const auto found = stripe.slots.find(slot);
  if (found == stripe.slots.end() || found->second.records.empty()) return;
  const auto& records = found->second.records;
  const Position first = records.front()->position;
  if (cursor.next < first || cursor.next - first >= records.size()) return;
  size_t index = cursor.next - first;
  if (records[index]->before != cursor) return;
  for (; index < records.size() && records_max > 0 && records[index]->position < until; ++index, --records_max) {
    out->push_back(records[index]);
  }
}

void RecordShare::Offer(SlotId slot, const SourceBatches& records) {
  if (records.empty()) return;
  Stripe& stripe = StripeOf(slot);
  MutexLock lock(&stripe.mutex);
  Newest& newest = stripe.slots[slot];
  for (const std::shared_ptr<const SourceBatch>& record : records) {
    // Of a follower that lags behind, or offered by two at once.
    if (!newest.records.empty() && record->position <= newest.records.back()->position) continue;
    if (!newest.records.empty() && record->before != newest.records.back()->after) newest = Newest();
    newest.records.push_back(record);
    newest.bytes += record->bytes.size();
    while (newest.records.size() > kRecordsMax || (newest.bytes > kBytesMax && newest.records.size() > 1)) {
      newest.bytes -= newest.records.front()->bytes.size();
      newest.records.pop_front();
    }
  }
}

}  // namespace halles::projection
