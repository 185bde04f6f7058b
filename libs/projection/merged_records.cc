// Merges the slots of a service by logical time.
#include "libs/projection/merged_records.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/partition/fold.h"

namespace halles::projection {
namespace {

// Per slot, so that the records of many slots fit into memory.
constexpr size_t kReadRecords = 64;

}  // namespace

absl::Status MergedRecords::Open() {
  for (const SlotId slot : SlotsOf(*log_, service_)) {
    ASSIGN_OR_RETURN(const Position end, log_->End(slot));
    total_ += end;
    slots_.push_back({SourceReader(log_, slot, eventlog::GenesisCursor(log_->identity(), slot)), end, 0, {}});
  }
  for (size_t i = 0; i < slots_.size(); ++i) {
    RETURN_IF_ERROR(Fill(&slots_[i]));
    Await(i);
  }
  return absl::OkStatus();
}

absl::Status MergedRecords::Fill(Slot* slot) {
  while (slot->ahead.empty() && slot->reader.cursor().next < slot->end) {
    SourceRecords records;
    ASSIGN_OR_RETURN(const eventlog::ReadResult read, slot->reader.Read(kReadRecords, slot->end, &records));
    if (read.count == 0) {
      return Failure(absl::StatusCode::kDataLoss, "LOG_CUT",
                     absl::StrCat(slot->reader.slot().ToString(), " ends below position ", slot->end));
    }
    read_ += read.count;
    for (SourceRecordPtr& record : records) {
      if (record->body.empty()) continue;
      MergedRecord& merged = slot->ahead.emplace_back();
      log::v1::RecordBody body;
      if (!body.ParseFromArray(record->body.data(), static_cast<int>(record->body.size()))) {
        return Failure(
            absl::StatusCode::kDataLoss, "UNREADABLE_RECORD",
            absl::StrCat("the body of ", slot->reader.slot().ToString(), "@", record->position, " does not parse"));
      }
      slot->time = std::max(slot->time, record->logical_time);
      merged.slot = slot->reader.slot();
      merged.batch = std::move(*body.mutable_batch());
      merged.aggregate = partition::AggregateOf(merged.batch);
      merged.time = slot->time;
      merged.aggregate_hash = merged.aggregate.type == 0 ? std::numeric_limits<uint64_t>::max()
                                                         : Hash128Of(merged.batch.tenant(), merged.aggregate.key).lo;
      merged.record = std::move(record);
    }
  }
  return absl::OkStatus();
}

void MergedRecords::Await(size_t index) {
  if (!slots_[index].ahead.empty()) heads_.emplace(slots_[index].ahead.front().time, index);
}

absl::StatusOr<std::optional<MergedRecord>> MergedRecords::Next() {
  if (instant_.empty() && !heads_.empty()) {
    const UnixMicros time = heads_.top().first;
    while (!heads_.empty() && heads_.top().first == time) {
      const size_t index = heads_.top().second;
      heads_.pop();
      Slot& slot = slots_[index];
      while (!slot.ahead.empty() && slot.ahead.front().time == time) {
        instant_.push_back(std::move(slot.ahead.front()));
        slot.ahead.pop_front();
        RETURN_IF_ERROR(Fill(&slot));
      }
      Await(index);
    }
    std::stable_sort(instant_.begin(), instant_.end(),
                     [](const MergedRecord& a, const MergedRecord& b) { return a.aggregate_hash < b.aggregate_hash; });
  }
  if (instant_.empty()) return std::nullopt;
  std::optional<MergedRecord> next(std::move(instant_.front()));
  instant_.pop_front();
  return next;
}

}  // namespace halles::projection
