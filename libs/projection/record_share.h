// Lets the followers of one process share the records that one of them has read, judged and parsed.
#ifndef HALLES_LIBS_PROJECTION_RECORD_SHARE_H_
#define HALLES_LIBS_PROJECTION_RECORD_SHARE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/partition/domain.h"

namespace halles::projection {

// An event of a record, pointing into it.
struct SourceEvent {
  uint32_t type = 0;
  absl::string_view aggregate_id;
  absl::string_view payload;
  UnixMicros effective_time = 0;  // 0: the logical time of the record
};

// A record that was judged. What followers need of it is found in its bytes, without a message in between.
struct SourceBatch {
  Position position = 0;
  UnixMicros logical_time = 0;
  bool accepted = false;  // it is an accepted BATCH; else it has nothing of what follows
  absl::string_view tenant;
  std::vector<SourceEvent> events;
  absl::string_view body;  // a serialised halles.log.v1.RecordBody with a batch
  eventlog::Cursor before;
  eventlog::Cursor after;
  std::string bytes;  // of the whole record; what is above points into them

  SourceBatch() = default;
  SourceBatch(const SourceBatch&) = delete;
  SourceBatch& operator=(const SourceBatch&) = delete;

  // Where its event of this index stands in the slot.
  partition::FactContext ContextOf(SlotId slot, size_t index) const;
};
// Shared by the followers that have it still to do.
using SourceBatches = std::vector<std::shared_ptr<const SourceBatch>>;

// The newest records of each slot. A record is given only to a reader whose cursor is the very one that it was judged
// from, so that what is shared is what the reader would have come to by itself.
// Thread safety: all methods may be called from any thread.
class RecordShare {
 public:
  // Of one slot, whichever is less. A follower that lags behind more than that reads for itself.
  static constexpr size_t kRecordsMax = 64;
  static constexpr size_t kBytesMax = 256 * 1024;

  // Appends what there is from `cursor` on, at most `records_max` and below `until`, in order and without a gap.
  void Take(SlotId slot, const eventlog::Cursor& cursor, size_t records_max, Position until, SourceBatches* out);
  // Records of consecutive positions that were just read.
  void Offer(SlotId slot, const SourceBatches& records);

 private:
  static constexpr size_t kStripes = 16;
  struct Newest {
    std::deque<std::shared_ptr<const SourceBatch>> records;  // of consecutive positions
    size_t bytes = 0;
  };
  struct Stripe {
    Mutex mutex;
    absl::flat_hash_map<SlotId, Newest> slots ABSL_GUARDED_BY(mutex);
  };
  Stripe& StripeOf(SlotId slot) { return stripes_[slot.slot % kStripes]; }

  std::array<Stripe, kStripes> stripes_;
};

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_RECORD_SHARE_H_
