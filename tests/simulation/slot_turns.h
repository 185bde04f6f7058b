// Watches that one task at a time works on a slot (I10).
#ifndef HALLES_TESTS_SIMULATION_SLOT_TURNS_H_
#define HALLES_TESTS_SIMULATION_SLOT_TURNS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/host/definitions.h"
#include "libs/testing/virtual_scheduler.h"
#include "tests/simulation/auditor.h"

namespace halles::simulation {

// In a world with one thread, a queue of the scheduler stands for a thread. Rules, folds, answers and reads of a slot
// say that they work on it: they do so in tasks of one queue, always the same. And no task of a queue begins while
// another one of it is under way.
// Thread safety: none.
// Lifetime: scheduler and findings outlive it, and it outlives the host that it watches.
class SlotTurns {
 public:
  SlotTurns(const testing::VirtualScheduler* scheduler, Findings* findings, std::string who)
      : scheduler_(*scheduler), findings_(*findings), who_(std::move(who)) {}
  SlotTurns(const SlotTurns&) = delete;
  SlotTurns& operator=(const SlotTurns&) = delete;

  // A machine whose queues tell when a task begins within another one.
  std::unique_ptr<Scheduler> Watch(Scheduler* machine);
  // Rules and folds say which slot they work on.
  void Watch(host::Definitions* definitions);

  // Something works on the slot now.
  void Work(SlotId slot);

 private:
  class WatchedMachine;
  class WatchedQueue;
  class WatchedCommand;

  const testing::VirtualScheduler& scheduler_;
  Findings& findings_;
  const std::string who_;
  std::map<SlotId, const TaskQueue*> queues_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_SLOT_TURNS_H_
