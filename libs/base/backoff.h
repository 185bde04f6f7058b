// Delays between retries after a transient error.
#ifndef HALLES_LIBS_BASE_BACKOFF_H_
#define HALLES_LIBS_BASE_BACKOFF_H_

#include <cstdint>

#include "absl/time/time.h"
#include "libs/base/random.h"

namespace halles {

// Delays that double from `min` to `max`. Each delay is drawn from the upper half of its step, so that callers that
// failed at the same time do not retry at the same time. The class itself does not wait: pass the delay to a TaskQueue.
// Thread safety: none; one thread at a time.
class Backoff {
 public:
  // 1 us <= min <= max; fractions of a microsecond are ignored.
  Backoff(absl::Duration min, absl::Duration max);

  // The delay before the next try: from half a step to a whole one.
  absl::Duration Next(RandomSource& random);

  // After a success: the next delay is the shortest again.
  void Reset() { step_micros_ = min_micros_; }

  // True when nothing has failed since the last success.
  bool fresh() const { return step_micros_ == min_micros_; }

 private:
  int64_t min_micros_;
  int64_t max_micros_;
  int64_t step_micros_;
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_BACKOFF_H_
