// Holds what waits in a process against the limits that have a name (I19).
#ifndef HALLES_TESTS_SIMULATION_LIMITS_H_
#define HALLES_TESTS_SIMULATION_LIMITS_H_

namespace halles::simulation {

class Process;

// Looks at a process that lives: the rings and offers of its sources and its reactions now, the commands, records in
// flight and waiting reads of its slots in tasks of their queues. Messages and batches are held against their limits as
// they pass, in Process::ObservedLog, the commands of clients in Process::Submit.
void CheckLimits(Process* process);

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_LIMITS_H_
