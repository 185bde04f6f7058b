// A background thread of the log: makes the next segment in advance and writes sidecars.
#ifndef HALLES_LIBS_EVENTLOG_SEGMENT_KEEPER_H_
#define HALLES_LIBS_EVENTLOG_SEGMENT_KEEPER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/segment.h"
#include "libs/eventlog/segment_index.h"

namespace halles::eventlog {

// Thread safety: all methods may be called from any thread; Prepare and Take from one thread at a time.
// Lifetime: the destructor waits until the sidecars it was given are written, and the segment that is being made.
class SegmentKeeper {
 public:
  // Called on the keeper's thread with the sidecar of a segment, once it can be read.
  using SidecarWritten = std::function<void(uint32_t number, const Sidecar& sidecar)>;

  SegmentKeeper(SegmentHome home, uint32_t segment_bytes, std::optional<OpenSegment> prepared,
                SidecarWritten sidecar_written);
  ~SegmentKeeper();

  // Starts creating segment `number`, if it does not exist yet.
  void Prepare(uint32_t number);

  // Returns the segment; creates it now if necessary. Errors are those of creating it; the next call tries again.
  absl::StatusOr<OpenSegment> Take(uint32_t number);

  // Writes the sidecar of a closed segment. A failure does no harm: opening the log writes missing sidecars.
  void WriteSidecar(uint32_t number, uint32_t end, std::vector<SlotRun> runs);

 private:
  struct Closed {
    uint32_t number = 0;
    uint32_t end = 0;
    std::vector<SlotRun> runs;
  };

  void Run();

  const SegmentHome home_;
  const uint32_t segment_bytes_;
  const SidecarWritten sidecar_written_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;  // number of the segment to create; 0: none
  std::optional<absl::StatusOr<OpenSegment>> made_ ABSL_GUARDED_BY(mutex_);
  std::deque<Closed> closed_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_SEGMENT_KEEPER_H_
