// Tests of the delays between tries.
#include "libs/base/backoff.h"

#include <set>

#include "gtest/gtest.h"

namespace halles {
namespace {

constexpr absl::Duration kMin = absl::Milliseconds(10);
constexpr absl::Duration kMax = absl::Milliseconds(70);

TEST(Backoff, DoublesUpToTheMaximum) {
  SeededRandom random(1);
  Backoff backoff(kMin, kMax);
  for (absl::Duration step : {kMin, 2 * kMin, 4 * kMin, kMax, kMax}) {
    const absl::Duration delay = backoff.Next(random);
    EXPECT_GE(delay, step / 2);
    EXPECT_LE(delay, step);
  }
}

TEST(Backoff, StartsOverAfterASuccess) {
  SeededRandom random(1);
  Backoff backoff(kMin, kMax);
  for (int i = 0; i < 10; ++i) backoff.Next(random);
  backoff.Reset();
  EXPECT_LE(backoff.Next(random), kMin);
}

TEST(Backoff, SpreadsCallersThatFailedTogether) {
  SeededRandom random(1);
  std::set<absl::Duration> delays;
  for (int i = 0; i < 100; ++i) delays.insert(Backoff(kMin, kMax).Next(random));
  EXPECT_GT(delays.size(), 90u);
}

TEST(Backoff, StaysInRangeAtItsLimits) {
  SeededRandom random(1);
  Backoff shortest(absl::Microseconds(1), absl::Microseconds(1));
  Backoff longest(absl::Microseconds(1), absl::Hours(24 * 365 * 100));
  for (int i = 0; i < 200; ++i) {
    EXPECT_LE(shortest.Next(random), absl::Microseconds(1));
    EXPECT_LE(longest.Next(random), absl::Hours(24 * 365 * 100));
  }
  EXPECT_GE(longest.Next(random), absl::Hours(24 * 365 * 50));
}

}  // namespace
}  // namespace halles
