// Reads the clocks of the kernel.
#include "libs/machine/system_clock.h"

#include <time.h>

namespace halles {
namespace {

int64_t Read(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

UnixMicros SystemClock::Wall() const { return Read(CLOCK_REALTIME); }
int64_t SystemClock::MonotonicMicros() const { return Read(CLOCK_BOOTTIME); }

}  // namespace halles
