// Checks the queues of a process against their named limits (I19).
#ifndef HALLES_TESTS_SIMULATION_LIMITS_H_
#define HALLES_TESTS_SIMULATION_LIMITS_H_

namespace halles::simulation {

class Process;

// Checks a live process: the rings and offers of its sources and its reactions immediately; the commands, records in
// flight and waiting reads of its slots in tasks of their queues. Process::ObservedLog checks messages and batches as
// they pass, and Process::Submit checks the commands of clients.
void CheckLimits(Process* process);

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_LIMITS_H_
