// Tests that waits do not follow the wall clock. This program replaces the function that reads it.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>

#include "gtest/gtest.h"
#include "libs/base/mutex.h"

namespace {
// The wall clock that programs read minus that of the kernel, which ends waits: the step by which an operator sets the
// clock back after a program has read it.
std::atomic<time_t> step{0};
}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* now) noexcept {
  const auto failed = static_cast<int>(syscall(SYS_clock_gettime, id, now));
  if (id == CLOCK_REALTIME) now->tv_sec += step.load();
  return failed;
}

namespace halles {
namespace {

constexpr time_t kHour = 3600;

// Ends the program when `wait` has not returned after a minute, since the thread cannot be ended.
template <typename Wait>
void ReturnsSoon(const Wait& wait) {
  step = kHour;
  std::future<void> waited = std::async(std::launch::async, wait);
  if (waited.wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
    ADD_FAILURE() << "it waits for the wall clock";
    std::_Exit(1);
  }
  step = 0;
}

TEST(WallClockSetBack, DoesNotLengthenAWaitForACondition) {
  ReturnsSoon([] {
    Mutex mutex;
    MutexLock lock(&mutex);
    EXPECT_FALSE(mutex.AwaitWithTimeout([] { return false; }, absl::Milliseconds(5)));
  });
}

TEST(WallClockSetBack, DoesNotLengthenAWaitOfAConditionVariable) {
  ReturnsSoon([] {
    Mutex mutex;
    CondVar never;
    MutexLock lock(&mutex);
    while (!never.WaitWithTimeout(&mutex, absl::Milliseconds(5))) {
    }
  });
}

}  // namespace
}  // namespace halles
