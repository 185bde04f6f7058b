// The facts of a service in an order that does not depend on how many slots they lie in.
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

// A BATCH that counts, as it stands in its slot.
struct MergedRecord {
  SlotId slot;
  SourceRecordPtr record;
  log::v1::Batch batch;
  partition::AggregateRef aggregate;  // that decided; of type 0 for what the runtime itself recorded
  UnixMicros time = 0;                // logical time, never less than that of a record before it in the slot
  uint64_t aggregate_hash = 0;        // of tenant and key
};

// Reads all slots of a service, up to where they end now, in the order of logical time; of one instant, in the order of
// aggregates' hashes. The records of one aggregate keep their order. So two logs that hold the same records, in whatever
// number of slots, are read alike.
// Thread safety: one thread at a time.
// Lifetime: the log outlives it.
class MergedRecords {
 public:
  MergedRecords(eventlog::EventLog* log, ServiceId service) : log_(log), service_(service) {}

  // Before Next; once.
  absl::Status Open();
  // Nothing at the end. Errors as of SourceReader::Read.
  absl::StatusOr<std::optional<MergedRecord>> Next();

  // Records of any kind: read so far, and all.
  uint64_t read() const { return read_; }
  uint64_t total() const { return total_; }

 private:
  struct Slot {
    SourceReader reader;
    Position end = 0;
    UnixMicros time = 0;
    std::deque<MergedRecord> ahead;
  };
  // Reads until a batch is ahead, or to the end.
  absl::Status Fill(Slot* slot);
  void Await(size_t index);

  eventlog::EventLog* const log_;
  const ServiceId service_;
  std::vector<Slot> slots_;
  using Head = std::pair<UnixMicros, size_t>;  // time of the first record ahead, and whose it is
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  std::deque<MergedRecord> instant_;  // records of one instant, in order
  uint64_t read_ = 0;
  uint64_t total_ = 0;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_MERGED_RECORDS_H_
