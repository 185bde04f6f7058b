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

inline constexpr uint32_t kSlots = 2;  // slots per service
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

  // Runs this many steps with faults, then without faults until everything that was begun has ended, then makes the
  // last checks. Stops at the first finding. True if there is none.
  bool Run(uint64_t steps_of_trouble = kStepsOfTrouble);

  // The process that believes it owns the slot; otherwise a random one, or null if that one is dead.
  Process* OwnerOf(SlotId slot);
  bool Chance(uint64_t one_in) { return random.Uniform(one_in) == 0; }

  // Number of answers to clients.
  uint64_t answers() const;
  uint64_t overloads = 0;  // refusals because a queue was full

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
  // Makes one random fault happen.
  void Trouble();
  void DiskTrouble(Process& process);
  // Acts as the operator: restarts dead processes, and assigns slots that no process serves.
  void Operate();
  void Watch();
  void Pass(int64_t micros);
  void Rest();

  std::unique_ptr<Workload> workload_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_WORLD_H_
