// Checks that one task at a time works on a slot (I10).
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

// In a world with one thread, a queue of the scheduler represents a thread. Rules, folds, answers and reads report the
// slot on which they work. All work on a slot must be in tasks of the same queue, and no task of a queue may begin
// while another task of it runs.
// Thread safety: none.
// Lifetime: scheduler and findings outlive it, and it outlives the host that it watches.
class SlotTurns {
 public:
  SlotTurns(const testing::VirtualScheduler* scheduler, Findings* findings, std::string who)
      : scheduler_(*scheduler), findings_(*findings), who_(std::move(who)) {}
  SlotTurns(const SlotTurns&) = delete;
  SlotTurns& operator=(const SlotTurns&) = delete;

  // A machine whose queues report a task that begins within another one.
  std::unique_ptr<Scheduler> Watch(Scheduler* machine);
  // Makes rules and folds report the slot on which they work.
  void Watch(host::Definitions* definitions);

  // Reports that the running task works on the slot.
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
