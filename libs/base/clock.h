// Time as an argument: the wall clock and a clock that only goes forward.
#ifndef HALLES_LIBS_BASE_CLOCK_H_
#define HALLES_LIBS_BASE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "libs/base/unix_time.h"

namespace halles {

// Thread safety: may be shared.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixMicros Wall() const = 0;
  // Never goes back, and goes on while the machine sleeps. Comparable within one boot only.
  virtual int64_t MonotonicMicros() const = 0;
};

// A clock that tests set by hand.
class ManualClock : public Clock {
 public:
  explicit ManualClock(UnixMicros wall = 1'700'000'000'000'000) : wall_(wall) {}
  UnixMicros Wall() const override { return wall_.load(); }
  int64_t MonotonicMicros() const override { return monotonic_.load(); }

  void Advance(int64_t micros) {
    wall_.fetch_add(micros);
    monotonic_.fetch_add(micros);
  }
  // Sets the wall clock alone, as an operator would; it may go back.
  void SetWall(UnixMicros wall) { wall_.store(wall); }

 private:
  std::atomic<UnixMicros> wall_;
  std::atomic<int64_t> monotonic_{0};
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_CLOCK_H_
