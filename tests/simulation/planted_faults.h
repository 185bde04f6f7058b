// Faults that are planted between a host and its world, to show that the world finds them.
#ifndef HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_
#define HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/process.h"

namespace halles::simulation {

struct PlantedFault {
  std::string name;
  std::function<std::unique_ptr<Interposer>()> plant;
};

// A fault that is made anew for each world.
template <typename Fault, typename... Args>
PlantedFault Plant(std::string name, Args... args) {
  return {std::move(name), [args...] { return std::make_unique<Fault>(args...); }};
}

// Production code has no hooks for them: they wrap the interfaces that a host is given (log, disk, machine,
// definitions, calls). Some faults are between objects without an interface between them, so the linker inserts them:
// see answers_reversed.h and request_times.h.
std::vector<PlantedFault> PlantedFaults();

// Those of them that lie in what a host runs on.
std::vector<PlantedFault> PlantedMachineFaults();

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_
