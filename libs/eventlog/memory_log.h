// The log in memory, for simulation and tests: it loses, delays, repeats and reorders appends, one step at a time.
#ifndef HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_
#define HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/log.h"

namespace halles::eventlog {

// An EventLog without durability. Appends land when the mode says so:
//   kAtOnce  within Append.
//   kByHand  never by themselves: the test names each append and its fate. Nothing is random and nothing waits, so that a
//            run is repeated by making the same calls.
// Reports and listeners are called by `run`, by default on the thread whose call made the record land, in the order of
// landing, by one thread at a time. Sinks and listeners may call Append. Any number of writers may append to one slot, two
// live owners included.
//
// Thread safety: all methods may be called from any thread.
// Durability: none; the records go with the object.
// Lifetime: outlives its readers, subscriptions, sinks that wait for reports, and the tasks given to `run`.
class MemoryLog : public EventLog {
 public:
  enum class Delivery { kAtOnce, kByHand };
  // Runs a task now or later; tasks keep their order.
  using Run = std::function<void(std::function<void()>)>;

  explicit MemoryLog(const LogIdentity& identity, Delivery delivery = Delivery::kAtOnce, Run run = nullptr);

  const LogIdentity& identity() const override { return identity_; }
  void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) override;
  absl::StatusOr<Position> End(SlotId slot) override;
  absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) override;
  std::unique_ptr<Subscription> Subscribe(Listener listener) override;

  // An append that has not met its fate, in the order of the calls of Append. `id` counts from 1.
  struct Pending {
    uint64_t id = 0;
    SlotId slot;
    uint64_t tag = 0;
    std::string bytes;
  };
  std::vector<Pending> pending() const;

  // Fates of a pending append. NOT_FOUND when there is none with the id.
  absl::Status Deliver(uint64_t id);                 // lands and is reported
  absl::Status DeliverWithoutPosition(uint64_t id);  // lands; the report names no position
  absl::Status DeliverAndLoseReport(uint64_t id);    // lands; no report ever comes
  absl::Status DeliverAndHoldReport(uint64_t id);    // lands; see ReleaseReport
  absl::Status DeliverCopy(uint64_t id);             // lands, and stays pending as if it had not: it may land again
  absl::Status TimeOut(uint64_t id);                 // reported as DEADLINE_EXCEEDED, and may land later
  absl::Status Drop(uint64_t id);                    // never lands, is never reported
  absl::Status Refuse(uint64_t id);                  // never lands, reported as RESOURCE_EXHAUSTED
  // Delivers what is pending, in order.
  void DeliverAll();

  // Reports that were held back, by id of the append, in the order of landing.
  std::vector<uint64_t> held_reports() const;
  absl::Status ReleaseReport(uint64_t id);
  void DropHeldReports();

  // Writes into the slot past all rules: a stray producer, or a re-delivery from long ago.
  Position Inject(SlotId slot, std::string bytes);

  // Cuts the slot to `end` records. Open readers that are beyond report DATA_LOSS from then on.
  void Truncate(SlotId slot, Position end);

  // Appends and reads fail with UNAVAILABLE while set; pending appends keep.
  void SetUnavailable(bool unavailable);

 private:
  class Reader;
  class Registration;
  struct Flight {
    Pending pending;
    ReportSink* sink;
  };
  struct Held {
    uint64_t id;
    ReportSink* sink;
    AppendReport report;
  };
  // Something to tell: a report, or that a slot grew.
  struct Outgoing {
    ReportSink* sink = nullptr;
    AppendReport report;
    SlotEnd end;
  };
  enum class Report { kPosition, kNoPosition, kHeld, kNone };

  absl::Status Land(uint64_t id, Report report, bool keep);
  absl::Status Fail(uint64_t id, const absl::Status& status, bool keep);
  Position Store(SlotId slot, std::string bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<Flight>::iterator Find(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Drain();
  void CallOut();

  const LogIdentity identity_;
  const Delivery delivery_;
  const Run run_;

  // Held while listeners run, so that a subscription that ended is not called any more. Taken before mutex_.
  mutable Mutex listeners_mutex_;
  std::map<uint64_t, Listener> listeners_ ABSL_GUARDED_BY(listeners_mutex_);
  uint64_t next_listener_ ABSL_GUARDED_BY(listeners_mutex_) = 1;

  mutable Mutex mutex_;
  std::map<SlotId, std::vector<std::string>> slots_ ABSL_GUARDED_BY(mutex_);
  std::deque<Flight> flights_ ABSL_GUARDED_BY(mutex_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  bool unavailable_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_
