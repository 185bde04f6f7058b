// Tests of queues with threads.
#include "libs/machine/thread_scheduler.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/machine/system_clock.h"

namespace halles {
namespace {

// A latch guarded in a way that ThreadSanitizer understands.
class Done {
 public:
  void Set() {
    MutexLock lock(&mutex_);
    done_ = true;
  }
  bool Await() {
    MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return done_; }, absl::Seconds(30));
  }

 private:
  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

class ThreadSchedulerTest : public testing::Test {
 protected:
  SystemClock clock_;
  ThreadScheduler scheduler_{clock_};
};

TEST_F(ThreadSchedulerTest, RunsTasksInPostingOrder) {
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("order");
  std::vector<int> ran;
  for (int i = 0; i < 1000; ++i) queue->Post([&ran, i] { ran.push_back(i); });
  queue->Stop();
  ASSERT_EQ(ran.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST_F(ThreadSchedulerTest, RunsTasksThatATaskPostsBeforeTheStop) {
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("nested");
  Done done;
  queue->Post([&] { queue->Post([&] { done.Set(); }); });
  EXPECT_TRUE(done.Await());
}

TEST_F(ThreadSchedulerTest, DoesNotRunATaskBeforeItsDelay) {
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("delay");
  Done done;
  const MonotonicMicros from = scheduler_.Now();
  queue->PostAfter(absl::Milliseconds(5), [&] { done.Set(); });
  ASSERT_TRUE(done.Await());
  EXPECT_GE(scheduler_.Now() - from, 5000);
}

TEST_F(ThreadSchedulerTest, RunsTheShorterDelayFirst) {
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("delays");
  Done done;
  std::vector<int> ran;
  queue->PostAfter(absl::Milliseconds(20), [&] {
    ran.push_back(2);
    done.Set();
  });
  queue->PostAfter(absl::Milliseconds(1), [&] { ran.push_back(1); });
  ASSERT_TRUE(done.Await());
  queue->Stop();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST_F(ThreadSchedulerTest, DropsDelayedTasksWhenStopped) {
  auto held = std::make_shared<int>(0);
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("stop");
  queue->PostAfter(absl::Hours(1), [held] { ++*held; });
  queue->Stop();
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(ThreadSchedulerTest, DropsTasksPostedAfterTheStop) {
  const std::unique_ptr<TaskQueue> queue = scheduler_.NewQueue("late");
  queue->Stop();
  queue->Stop();
  auto held = std::make_shared<int>(0);
  queue->Post([held] { ++*held; });
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace halles
