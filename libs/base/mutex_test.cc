// Tests of the mutex and of waiting under it.
#include "libs/base/mutex.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace halles {
namespace {

struct Counter {
  Mutex mutex;
  CondVar changed;
  int value ABSL_GUARDED_BY(mutex) = 0;

  void Add(int n) {
    MutexLock lock(&mutex);
    value += n;
    changed.SignalAll();
  }
};

TEST(Mutex, LetsOneThreadInAtATime) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter] {
      for (int j = 0; j < 1000; ++j) counter.Add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&counter.mutex);
  EXPECT_EQ(counter.value, 4000);
}

TEST(Mutex, AwaitReturnsOnceTheConditionHolds) {
  Counter counter;
  std::thread other([&counter] {
    MutexLock lock(&counter.mutex);
    counter.mutex.Await([&counter]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(counter.mutex) { return counter.value == 1; });
    counter.value = 2;
  });
  counter.Add(1);
  {
    MutexLock lock(&counter.mutex);
    counter.mutex.Await([&counter]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(counter.mutex) { return counter.value == 2; });
  }
  other.join();
}

TEST(Mutex, AwaitWithTimeoutSaysWhetherTheConditionHolds) {
  Counter counter;
  MutexLock lock(&counter.mutex);
  EXPECT_TRUE(counter.mutex.AwaitWithTimeout([] { return true; }, absl::ZeroDuration()));
  EXPECT_FALSE(counter.mutex.AwaitWithTimeout([] { return false; }, absl::Milliseconds(1)));
}

TEST(CondVar, WakesWaitingThreads) {
  Counter counter;
  std::thread other([&counter] { counter.Add(1); });
  {
    MutexLock lock(&counter.mutex);
    while (counter.value == 0) counter.changed.Wait(&counter.mutex);
  }
  other.join();
}

TEST(Mutex, WaitsForEverWhenTheTimeIsLong) {
  Counter counter;
  std::thread other([&counter] { counter.Add(1); });
  {
    MutexLock lock(&counter.mutex);
    const auto added = [&counter]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(counter.mutex) { return counter.value == 1; };
    EXPECT_TRUE(counter.mutex.AwaitWithTimeout(added, absl::Hours(24) * 365 * 1000));
  }
  other.join();
}

TEST(CondVar, ReportsATimeout) {
  Counter counter;
  MutexLock lock(&counter.mutex);
  while (!counter.changed.WaitWithTimeout(&counter.mutex, absl::Milliseconds(1))) {
  }
  EXPECT_EQ(counter.value, 0);
}

}  // namespace
}  // namespace halles
