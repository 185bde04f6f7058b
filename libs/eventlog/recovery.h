// Opens the directory of an embedded log: distinguishes damage from a power cut, and syncs all records before they are
// served.
#ifndef HALLES_LIBS_EVENTLOG_RECOVERY_H_
#define HALLES_LIBS_EVENTLOG_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/random.h"
#include "libs/eventlog/file_system.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/segment.h"
#include "libs/eventlog/segment_index.h"

namespace halles::eventlog {

// A segment that will not be written again.
struct ClosedSegment {
  uint32_t number = 0;
  Sidecar sidecar;
  // Set when the sidecar could not be written, for example on a full disk; its refs are then here.
  std::vector<SlotRun> runs;
};

struct RecoveredLog {
  std::unique_ptr<FileLock> lock;
  LogIdentity identity;
  std::vector<ClosedSegment> closed;  // 1, 2, ...
  OpenSegment active;                 // written next, at active_end
  std::vector<SlotRun> active_runs;
  uint32_t active_end = kSegmentHeaderBytes;
  LogAddress durable_end;
  bool unmarked_records = false;        // no frame states yet that the last records are durable
  std::optional<OpenSegment> prepared;  // the empty segment after the active one
};

struct RecoveryOptions {
  FileSystem* file_system = nullptr;
  RandomSource* random = nullptr;  // for the install id of a new log
  std::string directory;
  std::optional<SlotCounts> slots;
  std::optional<InstallId> install;  // of a new log
  uint32_t segment_bytes = 0;
};

// Opens or creates the log. On return everything in the result is durable.
// Errors, each with a reason: FAILED_PRECONDITION LOG_IN_USE, LOG_FORMAT_NEWER, LOG_FORMAT_OLDER, LOG_SLOTS_DIFFER;
// DATA_LOSS LOG_DAMAGED, LOG_IDENTITY_DAMAGED, LOG_INCOMPLETE; PERMISSION_DENIED LOG_NOT_WRITABLE; RESOURCE_EXHAUSTED
// LOG_DISK_FULL; anything else LOG_UNAVAILABLE. After an error, nothing of the log was changed.
absl::StatusOr<RecoveredLog> RecoverLog(const RecoveryOptions& options);

// Reads segment `number`, which must be whole up to `end`, and writes its sidecar. If it cannot be written, the result
// has the runs instead.
absl::StatusOr<ClosedSegment> RebuildSidecar(const SegmentHome& home, uint32_t number, uint32_t end);

// Adds the reason with which the log reports an error of the file system.
absl::Status ExplainFileError(const absl::Status& status, const std::string& directory);

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_RECOVERY_H_
