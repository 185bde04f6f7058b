// Reads the records of one slot of an embedded log, from memory or from the segments.
#ifndef HALLES_LIBS_EVENTLOG_SLOT_READER_H_
#define HALLES_LIBS_EVENTLOG_SLOT_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/log_index.h"
#include "libs/eventlog/segment.h"

namespace halles::eventlog {

// State that the readers of a log share: the index and the open files.
// Thread safety: may be shared.
class SlotReaderSource {
 public:
  SlotReaderSource(SegmentHome home, LogIndex* index) : home_(std::move(home)), index_(index) {}

  const SegmentHome& home() const { return home_; }
  LogIndex& index() { return *index_; }

  // The segment's file, shared by those who read it at the same time and closed after the last of them.
  absl::StatusOr<std::shared_ptr<OpenSegment>> Open(uint32_t segment);

  // The refs of a run from its sidecar. A missing or damaged sidecar is rebuilt.
  absl::StatusOr<FrameRefs> LoadRefs(uint32_t segment, const SidecarRun& run);

 private:
  absl::StatusOr<FrameRefs> ReadRefs(uint32_t segment, const SidecarRun& run);

  const SegmentHome home_;
  LogIndex* const index_;

  Mutex open_mutex_;
  absl::flat_hash_map<uint32_t, std::weak_ptr<OpenSegment>> open_ ABSL_GUARDED_BY(open_mutex_);
  Mutex rebuild_mutex_;  // one thread rebuilds; others wait and find it done
};

// Checks every frame that comes from a file against its checksum, slot and position.
class SlotReader : public LogReader {
 public:
  // Lifetime: `source` outlives the reader.
  SlotReader(SlotReaderSource* source, SlotId slot, Position from) : source_(*source), slot_(slot), next_(from) {}

  absl::StatusOr<ReadResult> Poll(const ReadLimits& limits, std::vector<StoredRecord>* out) override;
  Position next() const override { return next_; }

 private:
  // Reads records from one segment. Returns their size in bytes; 0 at the end of the log.
  absl::StatusOr<size_t> PollOnce(const ReadLimits& limits, std::vector<StoredRecord>* out);
  absl::Status OpenSegmentOf(uint32_t segment);
  absl::Status ReadFrames(uint32_t segment, absl::Span<const FrameRef> refs, std::vector<StoredRecord>* out);

  SlotReaderSource& source_;
  const SlotId slot_;
  Position next_;
  std::shared_ptr<OpenSegment> segment_;  // the one last read from
  // The refs of the sidecar last read.
  uint32_t run_segment_ = 0;
  Position run_base_ = 0;
  FrameRefs run_refs_;
  std::string buffer_;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_SLOT_READER_H_
