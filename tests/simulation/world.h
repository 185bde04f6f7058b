// A world in virtual time: two processes that contend for every slot of one log, faults, clients, and an auditor.
#ifndef HALLES_TESTS_SIMULATION_WORLD_H_
#define HALLES_TESTS_SIMULATION_WORLD_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "libs/base/identifiers/identifier.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_connection.h"
#include "libs/eventlog/memory_log.h"
#include "libs/testing/virtual_scheduler.h"
#include "tests/simulation/auditor.h"
#include "tests/simulation/process.h"

namespace halles::simulation {

inline constexpr uint32_t kSlots = 2;  // of each service
inline constexpr uint64_t kStepsOfTrouble = 60'000;

class Workload;

// The same seed and the same interposer give the same run.
// Thread safety: none.
class World {
 public:
  // `interposer` may be null.
  explicit World(uint64_t seed, Interposer* interposer = nullptr);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // So many steps of trouble, then peace until everything that was begun has come to its end, then the last checks. Ends
  // early with the first finding. Returns whether there is none.
  bool Run(uint64_t steps_of_trouble = kStepsOfTrouble);

  // The process that owns the slot, as far as it knows; else any that lives; null when that one is dead.
  Process* OwnerOf(SlotId slot);
  bool Chance(uint64_t one_in) { return random.Uniform(one_in) == 0; }

  // Of the clients.
  uint64_t answers() const;
  uint64_t overloads = 0;  // refusals for want of room

  SeededRandom random;
  testing::VirtualScheduler scheduler;
  testing::VirtualScheduler::Node network_node;
  std::unique_ptr<TaskQueue> network;
  eventlog::MemoryLog log;
  eventlog::ConnectionFaults faults;
  IdentifierKeys identifier_keys;
  Findings findings;
  Auditor auditor;
  Interposer* const interposer;
  std::array<std::unique_ptr<Process>, 2> processes;

 private:
  // One thing that goes wrong.
  void Trouble();
  void DiskTrouble(Process& process);
  // What an operator does: starts what has died, gives slots that nobody serves to somebody.
  void Operate();
  void Watch();
  void Pass(int64_t micros);
  void Rest();

  std::unique_ptr<Workload> workload_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_WORLD_H_
