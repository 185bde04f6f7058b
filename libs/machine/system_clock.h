// The clocks of the machine.
#ifndef HALLES_LIBS_MACHINE_SYSTEM_CLOCK_H_
#define HALLES_LIBS_MACHINE_SYSTEM_CLOCK_H_

#include <cstdint>

#include "libs/base/clock.h"

namespace halles {

// Thread safety: may be shared.
class SystemClock : public Clock {
 public:
  UnixMicros Wall() const override;
  int64_t MonotonicMicros() const override;
};

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_SYSTEM_CLOCK_H_
