// Counters of all slots of a process, for the metrics endpoint.
#ifndef HALLES_LIBS_PARTITION_COUNTERS_H_
#define HALLES_LIBS_PARTITION_COUNTERS_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace halles::partition {

// Thread safety: may be shared. Relaxed atomics: plain counts, not ordered with anything.
struct RuntimeCounters {
  std::atomic<uint64_t> commands{0};
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> refusals{0};
  std::atomic<uint64_t> dedupe_hits{0};
  std::atomic<uint64_t> shed{0};
  std::atomic<uint64_t> unknown_outcomes{0};
  std::atomic<uint64_t> lost{0};
  std::atomic<uint64_t> replayed{0};
  std::atomic<uint64_t> stopped_slots{0};
  std::atomic<uint64_t> refused_claims{0};  // claims that the log refused, for want of space say; each is made again
  std::atomic<uint64_t> refused_slots{0};   // slots whose latest claim was refused
  std::atomic<uint64_t> failed_reads{0};    // failed reads of rows in decisions and folds; each is tried again
  std::atomic<uint64_t> calls{0};           // sent to other aggregates
  // Of the calls: sent again, for want of an answer to those that were recorded.
  std::atomic<uint64_t> calls_without_record{0};
  std::atomic<uint64_t> timers{0};  // timers that were due
  // Called with the time from submission to the confirmed answer of each command; may be empty. On the slots' queues.
  std::function<void(absl::Duration)> observe_command;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_COUNTERS_H_
