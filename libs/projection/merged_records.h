// The records of a service in an order that does not depend on its number of slots.
#ifndef HALLES_LIBS_PROJECTION_MERGED_RECORDS_H_
#define HALLES_LIBS_PROJECTION_MERGED_RECORDS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/partition/domain.h"
#include "libs/projection/source_reader.h"

namespace halles::projection {

// An accepted BATCH as it is in its slot.
struct MergedRecord {
  SlotId slot;
  SourceRecordPtr record;
  log::v1::Batch batch;
  partition::AggregateRef aggregate;  // the one that decided; of type 0 for records of the runtime
  UnixMicros time = 0;                // logical time, never less than that of an earlier record in the slot
  uint64_t aggregate_hash = 0;        // of tenant and key
};

// Reads all slots of a service, up to their current ends, in the order of logical time and, at the same instant, of the
// aggregates' hashes. The records of one aggregate keep their order. So two logs with the same records are read
// equally, whatever their numbers of slots.
// Thread safety: one thread at a time.
// Lifetime: the log outlives it.
class MergedRecords {
 public:
  MergedRecords(eventlog::EventLog* log, ServiceId service) : log_(log), service_(service) {}

  // Called once, before Next.
  absl::Status Open();
  // Nothing at the end. Errors as for SourceReader::Read.
  absl::StatusOr<std::optional<MergedRecord>> Next();

  // The number of records of any kind: read so far, and in total.
  uint64_t read() const { return read_; }
  uint64_t total() const { return total_; }

 private:
  struct Slot {
    SourceReader reader;
    Position end = 0;
    UnixMicros time = 0;
    std::deque<MergedRecord> ahead;
  };
  // Reads until the next batch, or to the end.
  absl::Status Fill(Slot* slot);
  void Await(size_t index);

  eventlog::EventLog* const log_;
  const ServiceId service_;
  std::vector<Slot> slots_;
  using Head = std::pair<UnixMicros, size_t>;  // time and slot of the next record
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  std::deque<MergedRecord> instant_;  // records of one instant, in order
  uint64_t read_ = 0;
  uint64_t total_ = 0;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_MERGED_RECORDS_H_
