// Preloaded into a program, makes its wall clock wrong by HALLES_WRONG_CLOCK_SECONDS.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int clock_gettime(clockid_t id, timespec* now) noexcept {
  static const time_t wrong_by = [] {
    const char* const seconds = getenv("HALLES_WRONG_CLOCK_SECONDS");
    return seconds == nullptr ? time_t{0} : static_cast<time_t>(atoll(seconds));
  }();
  const auto failed = static_cast<int>(syscall(SYS_clock_gettime, id, now));
  if (id == CLOCK_REALTIME) now->tv_sec += wrong_by;
  return failed;
}
