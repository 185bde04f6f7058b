// Follow-up work of the confirmed records of a slot: calls to other aggregates, their outcomes, and timers.
#ifndef HALLES_LIBS_PARTITION_SLOT_FOLLOW_UPS_H_
#define HALLES_LIBS_PARTITION_SLOT_FOLLOW_UPS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/partition/calls.h"
#include "libs/partition/command.h"
#include "libs/partition/counters.h"
#include "libs/partition/due_timers.h"
#include "libs/partition/outcome_gatherer.h"
#include "libs/partition/service_definition.h"
#include "libs/partition/task_inbox.h"
#include "libs/store/rows.h"

namespace halles::partition {

// Thread safety: none; used on the slot's queue.
// Lifetime: its dependencies outlive it; destroyed after the queue has stopped.
class SlotFollowUps {
 public:
  struct Dependencies {
    SlotId slot;
    const ServiceDefinition* service = nullptr;
    Calls* calls = nullptr;
    SubmitOwn submit;
    TaskQueue* queue = nullptr;
    std::shared_ptr<TaskInbox> inbox;  // of the queue
    const Scheduler* scheduler = nullptr;
    RuntimeCounters* counters = nullptr;
    // Whether the slot accepts internal commands.
    std::function<bool()> open;
    // The current logical time of the slot, and the confirmed rows.
    std::function<UnixMicros()> logical_time;
    std::function<const store::RowReader&()> rows;
    // Whether a read of rows has failed since the last call; clears the error.
    std::function<bool()> read_failed;
    // The next due time may have changed: the slot computes its next wake-up again.
    std::function<void()> changed;
  };

  explicit SlotFollowUps(Dependencies deps);

  // The record of the command is confirmed, or all those that it was decided on if it has none: sends its calls.
  void SendCalls(Command& command, bool recorded);

  // Confirmed events have set a timer for that time.
  void OnTimerSet(UnixMicros due) { timers_.OnSet(due); }
  // Timers may have been set by records that were not folded here.
  void LookForTimers() { timers_.Reset(); }

  // Delivers outcomes that have waited long enough, and submits due timers.
  void Tick();

  // The monotonic time of the next Tick that has something to do.
  MonotonicMicros next_tick() const;

  // Forgets the calls in progress; their answers have no effect.
  void Clear() { gatherer_.Clear(); }

 private:
  void DeliverOutcomes(const std::string& tenant, std::vector<CallOutcome> outcomes);
  void FireTimers();
  // Submits an internal command of the service to one of its aggregates.
  void Ask(const std::string& tenant, const std::string& aggregate_key,
           std::unique_ptr<google::protobuf::Message> request, std::function<void(const absl::Status&)> done);

  const Dependencies deps_;
  DueTimers timers_;
  OutcomeGatherer gatherer_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_FOLLOW_UPS_H_
