// Tests of what a start says of itself.
#include "libs/program/start_progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles::program {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr MonotonicMicros kStarted = 5'000'000;
constexpr MonotonicMicros kSecond = 1'000'000;

TEST(StartProgress, KnowsNothingBeforeTheDataIsOpen) {
  const StartProgress progress(kStarted);
  const StartReport report = progress.Report(kStarted + 2 * kSecond);
  EXPECT_EQ(report.phase, StartPhase::kOpening);
  EXPECT_EQ(report.elapsed, absl::Seconds(2));
  EXPECT_EQ(report.records_total, 0u);
  EXPECT_FALSE(report.left.has_value());
  EXPECT_EQ(report.ratio(), 0);
}

TEST(StartProgress, EstimatesTheRestFromTheRateSinceTheFirstLook) {
  StartProgress progress(kStarted);
  progress.Enter(StartPhase::kReplaying);
  progress.Observe(0, 1000, kStarted + 4 * kSecond);
  EXPECT_FALSE(progress.Report(kStarted + 4 * kSecond).left.has_value());
  progress.Observe(250, 1000, kStarted + 5 * kSecond);
  const StartReport report = progress.Report(kStarted + 5 * kSecond);
  EXPECT_EQ(report.left, absl::Seconds(3));
  EXPECT_EQ(report.ratio(), 0.25);
}

TEST(StartProgress, HasNoEstimateWhileNothingMoves) {
  StartProgress progress(kStarted);
  progress.Observe(100, 1000, kStarted);
  progress.Observe(100, 1000, kStarted + 9 * kSecond);
  EXPECT_FALSE(progress.Report(kStarted + 9 * kSecond).left.has_value());
}

TEST(StartProgress, EstimatesNothingLeftOfAnEmptyLog) {
  StartProgress progress(kStarted);
  progress.Enter(StartPhase::kReplaying);
  progress.Observe(0, 0, kStarted + kSecond);
  const StartReport report = progress.Report(kStarted + kSecond);
  EXPECT_EQ(report.left, absl::ZeroDuration());
  EXPECT_EQ(report.ratio(), 1);
}

TEST(StartProgress, NeverGoesBackToAnEarlierPhase) {
  StartProgress progress(kStarted);
  progress.Enter(StartPhase::kCatchingUp);
  progress.Enter(StartPhase::kReplaying);
  EXPECT_EQ(progress.Report(kStarted).phase, StartPhase::kCatchingUp);
  progress.Enter(StartPhase::kReady);
  EXPECT_EQ(progress.Report(kStarted).ratio(), 1);
}

TEST(StartProgress, WaitsUntilThePhaseChanges) {
  StartProgress progress(kStarted);
  progress.WaitFor(absl::ResourceExhaustedError("no space"));
  EXPECT_FALSE(progress.Report(kStarted).waits_for.ok());
  progress.Enter(StartPhase::kReplaying);
  EXPECT_TRUE(progress.Report(kStarted).waits_for.ok());
}

TEST(TooEarly, IsUnavailableAndNamesTheProgress) {
  StartReport report;
  report.phase = StartPhase::kReplaying;
  report.records_done = 250;
  report.records_total = 1000;
  report.left = absl::Milliseconds(2500);
  const absl::Status early = TooEarly(report);
  EXPECT_EQ(early.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(early), "STARTING");
  EXPECT_THAT(std::string(early.message()), HasSubstr("replaying, 250 of 1000 records of the log, about 3 s left"));
  EXPECT_THAT(std::string(early.message()), Not(HasSubstr("waits")));
  EXPECT_EQ(RetryAfterOf(early), absl::Milliseconds(2500));
}

TEST(TooEarly, NamesWhatTheStartWaitsFor) {
  StartReport report;
  report.waits_for = absl::ResourceExhaustedError("no space for the state");
  EXPECT_THAT(std::string(TooEarly(report).message()), HasSubstr("it waits: no space for the state"));
}

TEST(TooEarly, AsksToTryAgainWithinBounds) {
  StartReport report;
  EXPECT_EQ(RetryAfterOf(TooEarly(report)), kTryAgainMin);
  report.elapsed = absl::Milliseconds(600);
  EXPECT_EQ(RetryAfterOf(TooEarly(report)), absl::Milliseconds(1200)) << "twice what it has taken, as nothing is known";
  report.elapsed = absl::Hours(1);
  EXPECT_EQ(RetryAfterOf(TooEarly(report)), kTryAgainMax);
  report.left = absl::ZeroDuration();
  EXPECT_EQ(RetryAfterOf(TooEarly(report)), kTryAgainMin);
  report.left = absl::Hours(1);
  EXPECT_EQ(RetryAfterOf(TooEarly(report)), kTryAgainMax);
}

}  // namespace
}  // namespace halles::program
