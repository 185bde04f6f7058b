// One segment file: its name, its creation and its scan.
#ifndef HALLES_LIBS_EVENTLOG_SEGMENT_H_
#define HALLES_LIBS_EVENTLOG_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/ids.h"
#include "libs/eventlog/file_system.h"
#include "libs/eventlog/frame.h"
#include "libs/eventlog/segment_index.h"

namespace halles::eventlog {

std::string SegmentName(uint32_t number);  // "00000001.segment"
std::string SidecarName(uint32_t number);  // "00000001.index"
// nullopt when the name is not that of a segment, or of a sidecar.
std::optional<uint32_t> ParseSegmentName(absl::string_view name);
std::optional<uint32_t> ParseSidecarName(absl::string_view name);

// The directory and the install that a segment belongs to.
struct SegmentHome {
  FileSystem* file_system = nullptr;
  std::string directory;
  InstallId install;

  std::string SegmentPath(uint32_t number) const { return directory + "/" + SegmentName(number); }
  std::string SidecarPath(uint32_t number) const { return directory + "/" + SidecarName(number); }
};

// DATA_LOSS with the reason LOG_DAMAGED that names segment and byte and tells what to do.
absl::Status DamagedAt(const SegmentHome& home, LogAddress at, absl::string_view what);

struct OpenSegment {
  uint32_t number = 0;
  uint32_t bytes = 0;
  std::unique_ptr<File> file;
};

// Makes a segment: its space is reserved and reads as zeros, but none are written. The segments of a log that is not used
// yet are small: the first has at most 4 MiB, each following one twice as much, up to what was asked for.
// Durability: the file and its name are durable on return. After an error nothing of it is left.
absl::StatusOr<OpenSegment> CreateSegment(const SegmentHome& home, uint32_t number, uint32_t bytes);
uint32_t SegmentBytesFor(uint32_t number, uint32_t bytes_max);

// Opens a segment and checks its header and size. DATA_LOSS when they are damaged.
absl::StatusOr<OpenSegment> OpenExistingSegment(const SegmentHome& home, uint32_t number);

// The contents of a segment, derived from its bytes alone.
struct SegmentScan {
  // The unbroken sequence of frames from the start.
  std::vector<SlotRun> runs;
  uint32_t end = kSegmentHeaderBytes;              // after its last frame
  uint32_t last_record_end = kSegmentHeaderBytes;  // after its last record
  // The bytes after it.
  bool zero_behind = true;
  bool frames_behind = false;
  // Over all valid frames, also those after the sequence.
  bool any_frame = false;
  LogAddress first_durable_end;  // as the first of them states it
  LogAddress highest_durable_end;
};

// Reads the segment from end to end.
// Limits: needs memory for the refs and 2 MiB.
absl::StatusOr<SegmentScan> ScanSegment(const OpenSegment& segment);

// Scans a segment that must be whole up to `end`. DATA_LOSS when it is not.
absl::StatusOr<SegmentScan> ScanClosedSegment(const SegmentHome& home, uint32_t number, uint32_t end);

// The end of the frames of segment `number`, as stated by the first frame of the following one.
absl::StatusOr<uint32_t> EndOfClosedSegment(const SegmentHome& home, uint32_t number);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_SEGMENT_H_
