// Queries that wait for each other as little as they must.
#include "libs/host/query_pool.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::host {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);  // a test that waits longer has failed

class QueryPoolTest : public ::testing::Test {
 protected:
  // Notes in `outcomes` what it is told: the lane when it runs, or the reason.
  void Post(uint32_t lane, MonotonicMicros deadline = kNoDeadline) {
    pool_.Post(lane, deadline, [this, lane](const absl::Status& turn) {
      if (turn.ok()) {
        outcomes_.push_back(std::to_string(lane));
      } else {
        outcomes_.push_back(ReasonOf(turn));
        last_ = turn;
      }
    });
  }

  testing::VirtualScheduler world_{1, /*step_micros_max=*/0};
  testing::VirtualScheduler::Node node_{&world_};
  QueryPool pool_{&node_};
  std::vector<std::string> outcomes_;
  absl::Status last_;
};

using Outcomes = std::vector<std::string>;

TEST_F(QueryPoolTest, LetsLanesTakeTurns) {
  for (int i = 0; i < 4; ++i) Post(1);
  Post(2);
  Post(3);
  world_.RunReady();
  EXPECT_EQ(outcomes_, (Outcomes{"1", "2", "3", "1", "1", "1"}));
}

TEST_F(QueryPoolTest, RefusesMoreThanMayWaitOfALaneWithATimeToWait) {
  for (size_t i = 0; i < kLaneWaitingMax; ++i) Post(1);
  EXPECT_TRUE(outcomes_.empty());
  Post(1);
  EXPECT_EQ(outcomes_, Outcomes{"QUERY_QUEUE_FULL"});
  EXPECT_EQ(last_.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfterOf(last_).has_value());
  Post(2);
  world_.RunReady();
  EXPECT_EQ(outcomes_.size(), kLaneWaitingMax + 2) << "all others are answered, the other lane's too";
  Post(1);
  world_.RunReady();
  EXPECT_EQ(outcomes_.back(), "1") << "and there is room again";
}

TEST_F(QueryPoolTest, RunsNoneWhoseDeadlineHasPassed) {
  Post(1, node_.Now() + 1000);
  Post(1, node_.Now() + 2000);
  node_.JumpWall(1'000'000);  // which is no clock for deadlines
  Post(1, node_.Now() - 1);
  world_.RunReady();
  EXPECT_EQ(outcomes_, (Outcomes{"1", "1", "DEADLINE_PASSED"}));
}

TEST_F(QueryPoolTest, MakesRoomOfThoseWhoseDeadlineHasPassed) {
  for (size_t i = 0; i < kLaneWaitingMax; ++i) Post(1, node_.Now() - 1);
  Post(1);
  EXPECT_EQ(outcomes_, Outcomes(kLaneWaitingMax, "DEADLINE_PASSED"));
  world_.RunReady();
  EXPECT_EQ(outcomes_.back(), "1");
}

TEST_F(QueryPoolTest, AnswersThoseThatWaitWhenItStopsAndThoseThatComeLater) {
  Post(1);
  Post(2);
  pool_.Stop();
  Post(1);
  EXPECT_EQ(outcomes_, Outcomes(3, "DRAINING"));
}

TEST(QueryPoolOnThreads, ServesTheOtherLanesWhileSlowQueriesOfOneRun) {
  SystemClock clock;
  ThreadScheduler scheduler(clock);
  QueryPool pool(&scheduler);
  constexpr int kSlow = 2 * static_cast<int>(kQueryQueues);
  absl::Notification gate;
  absl::BlockingCounter begun(static_cast<int>(kLaneRunningMax));
  std::atomic<int> running{0};
  for (int i = 0; i < kSlow; ++i) {
    pool.Post(1, kNoDeadline, [&](const absl::Status&) {
      if (running.fetch_add(1) < static_cast<int>(kLaneRunningMax)) begun.DecrementCount();
      gate.WaitForNotification();
    });
  }
  begun.Wait();
  absl::Notification other;
  pool.Post(2, kNoDeadline, [&other](const absl::Status& turn) {
    EXPECT_TRUE(turn.ok()) << turn;
    other.Notify();
  });
  EXPECT_TRUE(other.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(running.load(), static_cast<int>(kLaneRunningMax)) << "and it holds up to so many queues";
  gate.Notify();
  absl::Notification last;
  pool.Post(1, kNoDeadline, [&last](const absl::Status&) { last.Notify(); });
  EXPECT_TRUE(last.WaitForNotificationWithTimeout(kPatience));
  pool.Stop();
  EXPECT_EQ(running.load(), kSlow);
}

}  // namespace
}  // namespace halles::host
