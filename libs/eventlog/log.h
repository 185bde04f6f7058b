// The contract of every log driver: slots of records that can only be appended to and read in order.
#ifndef HALLES_LIBS_EVENTLOG_LOG_H_
#define HALLES_LIBS_EVENTLOG_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "libs/base/ids.h"
#include "libs/base/slot.h"

namespace halles::eventlog {

// A record, header and body together, is at most this long.
inline constexpr size_t kMaxRecordBytes = 512 * 1024;

// What makes a log this log and no other. Part of the first link of every chain, of tokens and of state stores.
struct LogIdentity {
  InstallId install;
  uint32_t slots_per_service = kDefaultSlotCount;
};

// The fate of one append as far as the driver knows it.
//   status OK, position set: durable at this position.
//   status OK, no position: durable somewhere; the position was not reported.
//   RESOURCE_EXHAUSTED: refused before anything was written; the record is certainly not in the log.
//   anything else: unknown; the record may or may not be in the log, now or later.
struct AppendReport {
  SlotId slot;
  uint64_t tag = 0;
  absl::Status status;
  std::optional<Position> position;
};

// Receives the reports of the appends that named it. Called from a thread of the driver, one call for many reports,
// in the order of the appends of a slot when all went well. Must not block.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  virtual void OnReports(absl::Span<const AppendReport> reports) = 0;
};

struct StoredRecord {
  Position position = 0;
  std::string bytes;
};

struct ReadLimits {
  size_t records_max = 1024;
  size_t bytes_max = 4 * 1024 * 1024;  // at least one record is returned whatever its size
};

// What one read brought.
struct ReadResult {
  // Records appended. 0 alone says nothing about the end: they may be on their way.
  size_t count = 0;
  // The reader has handed over every record that was in the slot when it was opened, and perhaps more: it stands at the
  // end as the driver asked for it after the reader was opened. Whoever needs the end as of a later moment opens a new one.
  bool at_end = false;
};

// Reads one slot in order of position, starting where it was opened.
// Thread safety: one thread at a time.
class LogReader {
 public:
  virtual ~LogReader() = default;

  // Appends to `out` what can be read now. Does not wait.
  // Errors: DATA_LOSS for damage, a gap in positions, or a log that ends below a position already read; UNAVAILABLE when
  // the driver cannot read now: the same reader may be asked again, and nothing was skipped.
  virtual absl::StatusOr<ReadResult> Poll(const ReadLimits& limits, std::vector<StoredRecord>* out) = 0;

  // The position that the next Poll starts at.
  virtual Position next() const = 0;
};

struct SlotEnd {
  SlotId slot;
  Position end = 0;  // first position that cannot be read yet
};

// Ends its subscription when destroyed; the listener is not running and will not run afterwards.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

// One log, many slots.
// Thread safety: all methods may be called from any thread.
class EventLog {
 public:
  virtual ~EventLog() = default;

  virtual const LogIdentity& identity() const = 0;

  // Appends `bytes` to the slot; returns at once. Appends to one slot keep their order. The report comes to `sink`, which
  // must outlive it, with `tag` as given. Durability: a report with status OK comes after the record is durable.
  virtual void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) = 0;

  // The first position that cannot be read yet. Only durable records can be read.
  virtual absl::StatusOr<Position> End(SlotId slot) = 0;

  // A reader from `from` on. OUT_OF_RANGE when the log ends below `from`: it is not the log that was read before.
  virtual absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) = 0;

  // Calls `listener` with the slots that grew, after they can be read; from a driver thread, so it must not block.
  using Listener = std::function<void(absl::Span<const SlotEnd>)>;
  virtual std::unique_ptr<Subscription> Subscribe(Listener listener) = 0;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_LOG_H_
