// The interface of random bytes, passed as an argument.
#ifndef HALLES_LIBS_BASE_RANDOM_H_
#define HALLES_LIBS_BASE_RANDOM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace halles {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void Fill(absl::Span<uint8_t> bytes) = 0;

  uint64_t Next64();
  // Uniform in [0, bound); bound > 0.
  uint64_t Uniform(uint64_t bound);
};

// The same bytes for the same seed on every machine. Not fit for keys.
// Thread safety: one thread at a time.
class SeededRandom : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void Fill(absl::Span<uint8_t> bytes) override;

 private:
  uint64_t state_;
};

}  // namespace halles

#endif  // HALLES_LIBS_BASE_RANDOM_H_
