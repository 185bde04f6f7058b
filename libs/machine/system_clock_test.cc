// Tests of the machine's clocks.
#include "libs/machine/system_clock.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(SystemClock, Advances) {
  const SystemClock clock;
  const int64_t before = clock.MonotonicMicros();
  EXPECT_GE(clock.MonotonicMicros(), before);
  EXPECT_GT(clock.Wall(), 1'700'000'000'000'000);
}

}  // namespace
}  // namespace halles
