// Two planted faults about the times in request ids, put by the linker where no interface is: see answers_reversed.h.
#ifndef HALLES_TESTS_SIMULATION_REQUEST_TIMES_H_
#define HALLES_TESTS_SIMULATION_REQUEST_TIMES_H_

#include "libs/testing/virtual_scheduler.h"

namespace halles::simulation {

// While one lives, folds drop the answers that are over by the time at which they fold, not by that of the record.
class AnswersDroppedByTheClock {
 public:
  // `scheduler` outlives it.
  explicit AnswersDroppedByTheClock(const testing::VirtualScheduler* scheduler);
  ~AnswersDroppedByTheClock();
  AnswersDroppedByTheClock(const AnswersDroppedByTheClock&) = delete;
  AnswersDroppedByTheClock& operator=(const AnswersDroppedByTheClock&) = delete;
};

// While one lives, the time in a request id does not keep it from being executed.
class RequestTimesIgnored {
 public:
  RequestTimesIgnored();
  ~RequestTimesIgnored();
  RequestTimesIgnored(const RequestTimesIgnored&) = delete;
  RequestTimesIgnored& operator=(const RequestTimesIgnored&) = delete;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_REQUEST_TIMES_H_
