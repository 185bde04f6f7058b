// Random bytes from the kernel.
#ifndef HALLES_LIBS_MACHINE_OS_RANDOM_H_
#define HALLES_LIBS_MACHINE_OS_RANDOM_H_

#include <cstdint>

#include "absl/types/span.h"
#include "libs/base/random.h"

namespace halles {

// The kernel's random numbers; fit for keys.
// Thread safety: may be shared.
class OsRandom : public RandomSource {
 public:
  void Fill(absl::Span<uint8_t> bytes) override;
};

}  // namespace halles

#endif  // HALLES_LIBS_MACHINE_OS_RANDOM_H_
