// Tests of the scheduler without threads.
#include "libs/testing/virtual_scheduler.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::testing {
namespace {

// The output of 3 queues of 10 tasks each, in the order of the run.
std::string RunOf(uint64_t seed) {
  VirtualScheduler world(seed);
  VirtualScheduler::Node node(&world);
  std::vector<std::unique_ptr<TaskQueue>> queues;
  std::string ran;
  for (int q = 0; q < 3; ++q) {
    queues.push_back(node.NewQueue("queue"));
    for (int i = 0; i < 10; ++i) queues.back()->Post([&ran, q] { ran += std::to_string(q); });
  }
  while (world.Step()) {
  }
  return ran;
}

TEST(VirtualScheduler, RepeatsARunFromItsSeed) {
  EXPECT_EQ(RunOf(1), RunOf(1));
  EXPECT_NE(RunOf(1), RunOf(2));
}

TEST(VirtualScheduler, KeepsTheOrderOfAQueue) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  const auto queue = node.NewQueue("queue");
  const auto other = node.NewQueue("other");
  std::vector<int> ran;
  for (int i = 0; i < 50; ++i) {
    queue->Post([&ran, i] { ran.push_back(i); });
    other->Post([] {});
  }
  while (world.Step()) {
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(VirtualScheduler, TellsWhoseTaskRuns) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  const auto queue = node.NewQueue("queue");
  const auto other = node.NewQueue("other");
  std::vector<const TaskQueue*> ran;
  for (TaskQueue* const each : {queue.get(), other.get()}) each->Post([&] { ran.push_back(world.running()); });
  EXPECT_EQ(world.running(), nullptr);
  world.RunReady();
  EXPECT_EQ(world.running(), nullptr);
  EXPECT_THAT(ran, ::testing::UnorderedElementsAre(queue.get(), other.get()));
}

TEST(VirtualScheduler, JumpsToTheNextDelay) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  const auto queue = node.NewQueue("queue");
  std::vector<int> ran;
  queue->PostAfter(absl::Hours(2), [&ran] { ran.push_back(2); });
  queue->PostAfter(absl::Hours(1), [&ran] { ran.push_back(1); });
  EXPECT_TRUE(world.Step());
  EXPECT_GE(node.Now(), absl::ToInt64Microseconds(absl::Hours(1)));
  EXPECT_TRUE(world.Step());
  EXPECT_FALSE(world.Step());
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST(VirtualScheduler, RunsNoTaskOfAKilledNode) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  VirtualScheduler::Node other(&world);
  const auto queue = node.NewQueue("queue");
  const auto survivor = other.NewQueue("queue");
  int killed = 0;
  int survived = 0;
  queue->Post([&] { ++killed; });
  queue->PostAfter(absl::Seconds(1), [&] { ++killed; });
  survivor->Post([&] { ++survived; });
  node.Kill();
  queue->Post([&] { ++killed; });
  while (world.Step()) {
  }
  EXPECT_EQ(killed, 0);
  EXPECT_EQ(survived, 1);
}

TEST(VirtualScheduler, MovesTheWallClockOfOneNode) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  VirtualScheduler::Node other(&world);
  node.JumpWall(-5'000'000);
  EXPECT_EQ(node.clock().Wall() + 5'000'000, other.clock().Wall());
  EXPECT_EQ(node.Now(), other.Now());
}

TEST(VirtualScheduler, RunsPostedTasksBeforeAQueueStops) {
  VirtualScheduler world(7);
  VirtualScheduler::Node node(&world);
  const auto queue = node.NewQueue("queue");
  int ran = 0;
  queue->Post([&] { queue->Post([&ran] { ++ran; }); });
  queue->PostAfter(absl::Seconds(1), [&ran] { ran += 10; });
  queue->Stop();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(world.Step());
}

}  // namespace
}  // namespace halles::testing
