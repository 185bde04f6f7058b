// Tests of progress with a manual clock.
#include "services/hallesctl/progress.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

using ::testing::HasSubstr;

TEST(Progress, DrawsABarWithRateAndRemainingTimeOnATerminal) {
  std::ostringstream out;
  ManualClock clock;
  Progress progress(out, 80, clock, "importing", "orders");
  clock.Advance(10'000'000);
  progress.Update(50, 200, 25000);
  EXPECT_THAT(out.str(), HasSubstr("\rimporting  [######--"));
  EXPECT_THAT(out.str(), HasSubstr("25%  25,000 orders  2,500/s  ETA 0:30\x1b[K"));
  EXPECT_LE(out.str().size(), 80 + 4);
}

TEST(Progress, LeavesTheBarOutWhenItDoesNotFit) {
  std::ostringstream out;
  ManualClock clock;
  Progress progress(out, 30, clock, "importing", "orders");
  clock.Advance(10'000'000);
  progress.Update(50, 200, 25000);
  EXPECT_EQ(out.str().find('['), out.str().find("\x1b[") + 1);
  EXPECT_LE(out.str().size(), 30 + 4);
}

TEST(Progress, DrawsAtMostTenTimesASecond) {
  std::ostringstream out;
  ManualClock clock;
  Progress progress(out, 80, clock, "importing", "orders");
  clock.Advance(99'000);
  progress.Update(1, 2, 1);
  EXPECT_EQ(out.str(), "");
}

TEST(Progress, PrintsPlainLinesWithoutATerminal) {
  std::ostringstream out;
  ManualClock clock;
  {
    Progress progress(out, 0, clock, "verify", "records");
    clock.Advance(1'000'000);
    progress.Update(1, 10, 1000);
    clock.Advance(4'000'000);
    progress.Update(5, 10, 5000);
    clock.Advance(5'000'000);
    progress.Update(10, 10, 10000);
    progress.Finish();
  }
  EXPECT_EQ(out.str(),
            "verify   50%  5,000 records  1,000/s  ETA 0:05\n"
            "verify  100%  10,000 records  1,000/s  ETA 0:00\n"
            "verify: 10,000 records in 10.0 s, 1,000/s\n");
}

TEST(Progress, RemovesTheBarBeforeALine) {
  std::ostringstream out;
  ManualClock clock;
  Progress progress(out, 80, clock, "importing", "orders");
  clock.Advance(1'000'000);
  progress.Update(1, 2, 1);
  const size_t before = out.str().size();
  progress.Say("a.csv:7: BAD_PRICE");
  EXPECT_EQ(out.str().substr(before), "\r\x1b[Ka.csv:7: BAD_PRICE\n");
}

}  // namespace
}  // namespace halles::hallesctl
