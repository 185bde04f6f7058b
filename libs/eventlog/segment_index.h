// The index of one segment: where its records are. For a closed segment it is stored in the sidecar file.
#ifndef HALLES_LIBS_EVENTLOG_SEGMENT_INDEX_H_
#define HALLES_LIBS_EVENTLOG_SEGMENT_INDEX_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"
#include "libs/eventlog/file_system.h"

namespace halles::eventlog {

// One record of a segment; slot and position are known from the context.
struct FrameRef {
  uint32_t offset = 0;  // of the frame
  uint32_t length = 0;  // of the payload

  friend bool operator==(const FrameRef&, const FrameRef&) = default;
};
using FrameRefs = std::vector<FrameRef>;

// The records of one slot in one segment, with consecutive positions from `base`.
// `refs` is shared by the index of the log, which drops it when a sidecar holds the same, and the writer of that
// sidecar.
struct SlotRun {
  SlotId slot;
  Position base = 0;
  std::shared_ptr<FrameRefs> refs;
};

// The entry of a slot in a sidecar; its refs stay in the file until a reader needs them.
struct SidecarRun {
  SlotId slot;
  Position base = 0;
  uint32_t count = 0;
  uint32_t refs_at = 0;  // offset in the sidecar
  uint32_t refs_checksum = 0;
};

struct Sidecar {
  uint32_t segment_end = 0;  // after the last frame of the segment
  std::vector<SidecarRun> runs;
};

// The bytes of the sidecar of segment `number`. Equal arguments give equal bytes, whatever the order of the runs.
std::string EncodeSidecar(const InstallId& install, uint32_t number, uint32_t segment_end, std::vector<SlotRun> runs);

// Reads and checks everything except the refs. DATA_LOSS when damaged or of another log.
absl::StatusOr<Sidecar> ReadSidecar(File& file, const InstallId& install, uint32_t number);

// Reads and checks the refs of one run. DATA_LOSS when damaged.
absl::StatusOr<FrameRefs> ReadSidecarRefs(File& file, const SidecarRun& run);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_SEGMENT_INDEX_H_
