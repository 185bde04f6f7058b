// Faults that are planted between a host and its world, to show that the world finds them.
#ifndef HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_
#define HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/process.h"

namespace halles::simulation {

struct PlantedFault {
  std::string name;
  std::function<std::unique_ptr<Interposer>()> plant;
};

// Production code has no hooks for them: they wrap the interfaces that a host is given (log, disk, machine,
// definitions, calls). One fault is between two objects without an interface between them, so the linker inserts it:
// see answers_reversed.h.
std::vector<PlantedFault> PlantedFaults();

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PLANTED_FAULTS_H_
