// Tests of the manual clock.
#include "libs/base/clock.h"

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(ManualClock, ShowsTheTimeThatIsSet) {
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
