// Random bytes from a seed.
#include "libs/base/random.h"

namespace halles {

uint64_t RandomSource::Next64() {
  uint8_t bytes[8];
  Fill(absl::MakeSpan(bytes));
  uint64_t value = 0;
  for (uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

uint64_t RandomSource::Uniform(uint64_t bound) {
  // Values below `skew` would make small results likelier; they are drawn again.
  const uint64_t skew = (0 - bound) % bound;
  for (;;) {
    const uint64_t value = Next64();
    if (value >= skew) return value % bound;
  }
}

// SplitMix64: one step gives eight bytes, least significant first.
void SeededRandom::Fill(absl::Span<uint8_t> bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 8 == 0) {
      state_ += 0x9e3779b97f4a7c15u;
      value = state_;
      value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
      value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
      value ^= value >> 31;
    }
    bytes[i] = static_cast<uint8_t>(value >> (8 * (i % 8)));
  }
}

}  // namespace halles
