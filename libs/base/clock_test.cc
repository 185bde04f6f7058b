// Tests of the clocks.
#include "libs/base/clock.h"

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(SystemClock, GoesForward) {
  const SystemClock clock;
  const int64_t before = clock.MonotonicMicros();
  EXPECT_GE(clock.MonotonicMicros(), before);
  EXPECT_GT(clock.Wall(), 1'700'000'000'000'000);
}

TEST(ManualClock, GoesWhereItIsTurned) {
  ManualClock clock(1000);
  clock.Advance(5);
  EXPECT_EQ(clock.Wall(), 1005);
  EXPECT_EQ(clock.MonotonicMicros(), 5);
  clock.SetWall(7);
  EXPECT_EQ(clock.Wall(), 7);
  EXPECT_EQ(clock.MonotonicMicros(), 5);
}

}  // namespace
}  // namespace halles
