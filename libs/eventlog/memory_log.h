// The log in memory, for simulation and tests: it loses, delays, repeats and reorders appends, one step at a time.
#ifndef HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_
#define HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/eventlog/followers.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/report_gate.h"

namespace halles::eventlog {

// An EventLog without durability. Appends land when the mode says so:
//   kAtOnce  Append lands them.
//   kByHand  never by themselves: the test names each append and its fate. Nothing is random and nothing waits, so the
//            same calls repeat a run.
// Reports and listeners are called on the thread whose call made the record land, in the order of landing, by one
// thread at a time. Sinks and listeners may call Append. Any number of writers may append to one slot, including two
// owners.
// In a simulation, several instances share a log with kAtOnce, each over a connection with its own faults:
// memory_connection.h.
//
// Thread safety: all methods may be called from any thread.
// Durability: none; the records go with the object.
// Lifetime: outlives its readers, its connections, and sinks that wait for reports.
class MemoryLog : public EventLog {
 public:
  enum class Delivery { kAtOnce, kByHand };

  explicit MemoryLog(const LogIdentity& identity, Delivery delivery = Delivery::kAtOnce)
      : identity_(identity), delivery_(delivery) {}

  const LogIdentity& identity() const override { return identity_; }
  void Append(SlotId slot, std::string bytes, uint64_t tag, ReportSink* sink) override;
  // Abandoned appends may still be delivered, but are not reported.
  void Abandon(SlotId slot, ReportSink* sink) override;
  absl::StatusOr<Position> End(SlotId slot) override;
  absl::StatusOr<std::unique_ptr<LogReader>> NewReader(SlotId slot, Position from) override;
  std::unique_ptr<Subscription> Follow(FollowOptions options) override { return followers_.Add(options); }

  // An append without an outcome, in the order of the calls of Append. `id` counts from 1.
  struct Pending {
    uint64_t id = 0;
    SlotId slot;
    uint64_t tag = 0;
    std::string bytes;
  };
  std::vector<Pending> pending() const;

  // Gives a pending append its outcome. NOT_FOUND if there is none with this id.
  absl::Status Deliver(uint64_t id);                 // lands and is reported
  absl::Status DeliverWithoutPosition(uint64_t id);  // lands; the report names no position
  absl::Status DeliverAndLoseReport(uint64_t id);    // lands; is never reported
  absl::Status DeliverAndHoldReport(uint64_t id);    // lands; see ReleaseReport
  absl::Status DeliverCopy(uint64_t id);             // lands, and stays pending as if it had not: it may land again
  absl::Status TimeOut(uint64_t id);                 // reported as DEADLINE_EXCEEDED, and may land later
  absl::Status Drop(uint64_t id);                    // never lands, is never reported
  absl::Status Refuse(uint64_t id);                  // never lands, reported as RESOURCE_EXHAUSTED
  // Delivers all pending appends in order.
  void DeliverAll();

  // Releases or drops reports that were held, by id of the append, in the order of landing.
  std::vector<uint64_t> held_reports() const;
  absl::Status ReleaseReport(uint64_t id);
  void DropHeldReports();

  // Writes into the slot ignoring all rules, like a stray producer or a very late delivery.
  Position Inject(SlotId slot, std::string bytes);

  // Cuts the slot to `end` records and notifies its followers of a reset. Open readers beyond the end report DATA_LOSS
  // from then on.
  void Truncate(SlotId slot, Position end);
  // The connection to the slot is lost: its pending appends are reported as unknown and may still be delivered, and its
  // followers are notified.
  void Reset(SlotId slot);

  // Records that land in a hidden slot count for End but cannot be read yet: readers neither return them nor report the
  // end. Growth is notified when the slot is shown again.
  void Hide(SlotId slot);
  void Show(SlotId slot);

  // While set, appends and reads fail with UNAVAILABLE; pending appends are kept.
  void SetUnavailable(bool unavailable);

 private:
  class Reader;
  struct Flight {
    Pending pending;
    ReportSink* sink;
  };
  struct Held {
    uint64_t id;
    ReportSink* sink;
    AppendReport report;
  };
  // A callback to make.
  struct Outgoing {
    enum class Kind { kReport, kGrowth, kReset };
    Kind kind = Kind::kReport;
    ReportSink* sink = nullptr;
    AppendReport report;
    SlotEnd end;  // kReset: its slot
  };
  // Callbacks that are made together.
  struct Batch {
    ReportSink* sink = nullptr;
    std::vector<AppendReport> reports;
    std::vector<SlotEnd> grown;
    std::vector<SlotId> reset;
  };
  enum class Report { kPosition, kNoPosition, kHeld, kNone };

  friend class MemoryConnection;

  absl::Status Land(uint64_t id, Report report, bool keep);
  absl::Status Fail(uint64_t id, const absl::Status& status, bool keep);
  Position Store(SlotId slot, std::string bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddReport(ReportSink* sink, AppendReport report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<Flight>::iterator Find(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first callback with those that can be made together: further reports to the same sink, and growth.
  Batch TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CallOut();

  const LogIdentity identity_;
  const Delivery delivery_;
  Followers followers_;
  ReportGate gate_;

  mutable Mutex mutex_;
  std::map<SlotId, std::vector<std::string>> slots_ ABSL_GUARDED_BY(mutex_);
  std::map<SlotId, Position> hidden_ ABSL_GUARDED_BY(mutex_);  // end of the readable part of hidden slots
  std::deque<Flight> flights_ ABSL_GUARDED_BY(mutex_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool calling_out_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  bool unavailable_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_MEMORY_LOG_H_
