// The connection of one instance to a shared memory log, with delays and faults of a network drawn from a seed.
#ifndef HALLES_LIBS_EVENTLOG_MEMORY_CONNECTION_H_
#define HALLES_LIBS_EVENTLOG_MEMORY_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "libs/base/scheduler.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/memory_log.h"

namespace halles::eventlog {

// Delays and faults of a connection. Delays are uniform from zero to the maximum; chances are per million.
struct ConnectionFaults {
  absl::Duration append_delay_max = absl::Milliseconds(1);  // from Append until the record lands
  absl::Duration report_delay_max = absl::Milliseconds(1);  // from landing until the report
  absl::Duration fetch_delay_max = absl::Milliseconds(1);   // from landing until the instance can read it
  absl::Duration stall_max = absl::Milliseconds(200);       // what a stall adds to the delay of an append
  // an append without a report for this time gets DEADLINE_EXCEEDED
  absl::Duration append_timeout = absl::Seconds(5);

  // Chances per append.
  uint32_t stall = 0;          // a slow disk: this append and later ones of the slot land later
  uint32_t refuse = 0;         // never lands, reported as RESOURCE_EXHAUSTED
  uint32_t lose = 0;           // never lands, times out
  uint32_t land_late = 0;      // lands after it timed out
  uint32_t land_twice = 0;     // lands a second time, later
  uint32_t overtake = 0;       // lands before or after its neighbours
  uint32_t lose_report = 0;    // lands in time, but times out nevertheless
  uint32_t hide_position = 0;  // lands, reported without its position
  uint32_t hold_report = 0;    // reported after later ones
  uint32_t reset = 0;          // the connection to its slot is lost right afterwards
  // Chances per End, NewReader and Poll.
  uint32_t fail_read = 0;  // fails with UNAVAILABLE
};

// An EventLog for one instance. Its appends travel to the shared log and land there, even if the instance crashes
// meanwhile; the appends of others become readable after their own delay. A reader reports the end only after a fetch
// has returned that began after the reader was opened. A cut of the shared log (MemoryLog::Truncate) drops all records
// on their way to the slot and resets the slot here.
//
// With one thread and the same calls, the same seed gives the same run.
// Thread safety: all methods may be called from any thread. Sinks and listeners are called by a queue of the instance.
// Limits: none; appends in progress take memory until they have been reported and have landed.
// Lifetime: log, network and instance outlive it, and the log outlives the network's tasks. The destructor drops
// pending reports, as in a crash of the instance.
class MemoryConnection : public EventLog {
 public:
  // `network` moves records in transit. It belongs to no instance, so they land whatever happens to the instance.
  MemoryConnection(MemoryLog* log, TaskQueue* network, Scheduler* instance, uint64_t seed,
                   const ConnectionFaults& faults);
  ~MemoryConnection() override;

  const LogIdentity& identity() const override;
  void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) override;
  void Abandon(SlotId slot, ReportSink* sink) override;
  absl::StatusOr<Position> End(SlotId slot) override;
  absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) override;
  std::unique_ptr<Subscription> Follow(FollowOptions options) override;

  // Applies to all later calls.
  void SetFaults(const ConnectionFaults& faults);

  // The connection to the slots is lost and restored at once. Messages in transit may land or not.
  void Reset(absl::Span<const SlotId> slots);

  // While unreachable, appends are lost and reads fail with UNAVAILABLE; appends in transit land but are not reported.
  // Becoming reachable resets all slots that were used.
  void SetReachable(bool reachable);

 private:
  class Core;
  class Reader;

  std::unique_ptr<TaskQueue> queue_;
  const std::shared_ptr<Core> core_;  // shared with messages in transit
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_MEMORY_CONNECTION_H_
