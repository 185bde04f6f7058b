// Draws delays between tries.
#include "libs/base/backoff.h"

#include "libs/base/check.h"

namespace halles {

Backoff::Backoff(absl::Duration min, absl::Duration max)
    : min_micros_(absl::ToInt64Microseconds(min)),
      max_micros_(absl::ToInt64Microseconds(max)),
      step_micros_(min_micros_) {
  HALLES_CHECK(min_micros_ >= 1 && max_micros_ >= min_micros_, "a backoff needs 1 us <= min <= max");
}

absl::Duration Backoff::Next(RandomSource& random) {
  const int64_t half = step_micros_ / 2;
  const auto drawn = static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(step_micros_ - half) + 1));
  step_micros_ = step_micros_ > max_micros_ / 2 ? max_micros_ : step_micros_ * 2;
  return absl::Microseconds(half + drawn);
}

}  // namespace halles
