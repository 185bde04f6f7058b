// The index of an embedded log: which records can be read, and where they are.
#ifndef HALLES_LIBS_EVENTLOG_LOG_INDEX_H_
#define HALLES_LIBS_EVENTLOG_LOG_INDEX_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/base/slot.h"
#include "libs/eventlog/frame.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/segment_index.h"

namespace halles::eventlog {

// The durable records of all slots: for each the segment and the offset, in memory for the newest segment and through
// sidecars for the older ones; and the bytes of the newest records themselves.
// Thread safety: all methods may be called from any thread; the methods that add records, from one thread at a time.
// Limits: 12 bytes per slot and closed segment, 8 per record of the newest segment, and the recent bytes. With 24 slots and
// segments of 64 MiB that is 5 MB for a terabyte.
class LogIndex {
 public:
  struct PlacedRecord {
    SlotId slot;
    FrameRef ref;
  };

  explicit LogIndex(size_t recent_bytes_max) : recent_bytes_max_(recent_bytes_max) {}

  // Adds the records of a segment that existed when the log was opened; in the order of the segments, positions
  // checked.
  void AddClosed(uint32_t segment, const Sidecar& sidecar);
  void AddRuns(uint32_t segment, std::vector<SlotRun> runs);

  // Makes records readable that were stored in `segment` from `start` on, as the frames in `bytes`. Appends the slots
  // that grew to `grown`.
  void Publish(uint32_t segment, uint32_t start, std::shared_ptr<const std::string> bytes,
               absl::Span<const PlacedRecord> records, std::vector<SlotEnd>* grown);

  // Closes the newest segment for more records and returns its contents.
  std::vector<SlotRun> CloseNewest();

  // From now on, reads the refs of a closed segment from its sidecar.
  void UseSidecar(uint32_t segment, const Sidecar& sidecar);

  Position End(SlotId slot) const;

  // The segment that is written.
  uint32_t newest_segment() const;

  // The place of consecutive records of a slot, all in one segment.
  struct Location {
    uint32_t segment = 0;
    // When in_sidecar, the refs of `run` are in the sidecar of the segment. Otherwise `refs` is where the records are.
    bool in_sidecar = false;
    SidecarRun run;
    FrameRefs refs;
    // As long as `refs` if the records are in memory, otherwise empty: use the frames at `refs`.
    struct Recent {
      std::shared_ptr<const std::string> bytes;
      uint32_t offset = 0;
    };
    std::vector<Recent> recent;
  };

  // Locates records from `position` on, within the limits but at least one. False at the end of the slot.
  bool Locate(SlotId slot, Position position, const ReadLimits& limits, Location* location) const;

 private:
  // Of a segment whose refs are in memory: the newest one, and closed ones whose sidecar is still to be written.
  struct Run {
    uint32_t segment = 0;
    Position base = 0;
    std::shared_ptr<FrameRefs> refs;
  };
  struct Slot {
    Position end = 0;
    // Of segments whose sidecar has the refs, in order of both.
    std::vector<Position> closed_bases;
    std::vector<uint32_t> closed_segments;
    std::vector<Run> runs;  // in order
  };
  struct Block {
    LogAddress start;
    std::shared_ptr<const std::string> bytes;
  };

  Slot& SlotAt(SlotId slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Slot* FindSlot(SlotId slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillRecent(Location* location) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t recent_bytes_max_;

  mutable Mutex mutex_;
  std::array<std::vector<Slot>, 256> slots_ ABSL_GUARDED_BY(mutex_);  // by service and slot
  uint32_t newest_segment_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<SlotId> newest_slots_ ABSL_GUARDED_BY(mutex_);  // with records in the newest segment
  std::deque<Block> recent_ ABSL_GUARDED_BY(mutex_);          // the last bytes of the log, without gaps
  size_t recent_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// How many of `refs` the limits allow; at least one.
size_t CountWithin(absl::Span<const FrameRef> refs, const ReadLimits& limits);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_LOG_INDEX_H_
