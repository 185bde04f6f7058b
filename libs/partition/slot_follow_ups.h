// What follows from the confirmed records of a slot: calls to other aggregates and their outcomes, and timers.
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
// Lifetime: what it is given outlives it; destroyed after the queue has stopped.
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
    // Whether the slot takes commands that nobody outside asked for.
    std::function<bool()> open;
    // Logical time as the slot would stamp it now, and the confirmed rows.
    std::function<UnixMicros()> logical_time;
    std::function<const store::RowReader&()> rows;
    // Whether reading the rows has failed since it was asked last; from then on they can be read again.
    std::function<bool()> read_failed;
    // Whatever was waited for may have moved: the slot looks anew when to wake.
    std::function<void()> changed;
  };

  explicit SlotFollowUps(Dependencies deps);

  // The command's record is confirmed: its calls leave.
  void SendCalls(Command& command);

  // Facts that are confirmed set a timer that is due then.
  void OnTimerSet(UnixMicros due) { timers_.OnSet(due); }
  // Timers may have been set that nobody here noted.
  void LookForTimers() { timers_.Reset(); }

  // Delivers outcomes that were kept back long enough, and takes the timers that are due.
  void Tick();

  // The monotonic time of the next Tick that has something to do.
  MonotonicMicros next_tick() const;

  // Forgets the calls under way; their answers do nothing.
  void Clear() { gatherer_.Clear(); }

 private:
  void DeliverOutcomes(const std::string& tenant, std::vector<CallOutcome> outcomes);
  void FireTimers();
  // Submits what an aggregate of the service asks of itself.
  void Ask(const std::string& tenant, const std::string& aggregate_key,
           std::unique_ptr<google::protobuf::Message> request, std::function<void(const absl::Status&)> done);

  const Dependencies deps_;
  DueTimers timers_;
  OutcomeGatherer gatherer_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_FOLLOW_UPS_H_
