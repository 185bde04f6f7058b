// The contract of every log driver: slots of records that can only be appended to and read in order.
#ifndef HALLES_LIBS_EVENTLOG_LOG_H_
#define HALLES_LIBS_EVENTLOG_LOG_H_

#include <cstddef>
#include <cstdint>
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

// Maximum size of a record, header and body together.
inline constexpr size_t kMaxRecordBytes = 512 * 1024;

// The identity of a log. It is part of the first hash of every chain, of tokens and of state stores.
struct LogIdentity {
  InstallId install;
  SlotCounts slots;
};

// Whether an error of the log, or of a record read from it, is transient. For a transient error the caller counts it,
// logs it once, waits (libs/base/backoff.h) and tries again; a permanent error stops the slot or the source.
//
//   transient  UNAVAILABLE          the driver cannot read or write now: no connection, no file handle, one failed read
//              RESOURCE_EXHAUSTED   a full disk, or too much in flight
//              DEADLINE_EXCEEDED    no answer in time
//              any other code       an external cause (a permission, for example) that may be repaired while we run
//   permanent  DATA_LOSS            records are damaged or missing, or the log was cut or forked
//              OUT_OF_RANGE         the log ends below a position already read: it was cut, or is another log
//              FAILED_PRECONDITION  a record needs a newer build
//              INVALID_ARGUMENT     there is no such slot, and there never will be
//
// `status` is not OK.
bool IsPassing(const absl::Status& status);

// The outcome of one append, as far as the driver knows it.
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

// Receives the reports of the appends that named it. Called on a driver thread, with many reports per call, in the
// order of the appends of a slot if nothing went wrong. Must not block.
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

// The result of one read.
struct ReadResult {
  // Number of records added to `out`. 0 alone says nothing about the end: records may still be on their way.
  size_t count = 0;
  // The reader has returned every record that was in the slot when it was opened, and perhaps more: it has reached the
  // end that the driver determined after the reader was opened. To learn the end at a later moment, open a new reader.
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

// Notified of events of the slots that it follows. Called from a driver thread, one call at a time; must not block, and
// must not follow or end a subscription from within a call.
class LogListener {
 public:
  virtual ~LogListener() = default;

  // There is more to read, or a reader that returned nothing and was not at the end can make progress now. Keep that
  // reader and poll it again: a new reader would first have to determine the end, which leads to another notification.
  virtual void OnGrowth(absl::Span<const SlotEnd> grown) = 0;

  // The connection to these slots, or their leader, was lost. Notifications of growth may be missing, and the log may
  // have been cut: check the lineage and continue from there (an owner: Owner::OnReconnect). Appends in progress are
  // reported as unknown before this call; reports and growth from after the loss come later. Best effort: a driver may
  // miss a loss, so safety depends on the lineage check and on the reader rules.
  virtual void OnReset(absl::Span<const SlotId> slots) = 0;
};

struct FollowOptions {
  std::vector<SlotId> slots;
  LogListener* listener = nullptr;  // outlives the subscription
};

// Ends the subscription when destroyed. The listener is not running then and is not called again.
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

  // Appends `bytes` to the slot; returns at once. Appends to one slot keep their order. `sink`, which must outlive it,
  // gets one report with `tag`, unless the append is abandoned before. Durability: a report with status OK comes after
  // the record is durable.
  virtual void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) = 0;

  // Abandons the previous appends to the slot with this `sink`. Appends that the driver has not yet passed to the log
  // are dropped; others may still land, now or later, and the reader rules judge them. After the return none of them is
  // reported, except by a running call of the sink that called Abandon.
  virtual void Abandon(SlotId slot, ReportSink* sink) = 0;

  // The first position that cannot be read yet. Only durable records can be read.
  virtual absl::StatusOr<Position> End(SlotId slot) = 0;

  // A reader from `from` on. OUT_OF_RANGE when the log ends below `from`: it is not the log that was read before.
  virtual absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) = 0;

  // Notifies `options.listener` of events of `options.slots` from now on. All followers of a slot share one fetch and
  // one copy of its recent records, from which readers near the end are served.
  virtual std::unique_ptr<Subscription> Follow(FollowOptions options) = 0;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_LOG_H_
