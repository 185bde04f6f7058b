// Tests of the memory that the process holds.
#include "libs/machine/resident.h"

#include <vector>

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(ResidentBytes, GrowsWithWhatIsWritten) {
  constexpr size_t kBytes = 64 << 20;
  const uint64_t before = ResidentBytes();
  EXPECT_GT(before, 1u << 20);
  const std::vector<char> written(kBytes, 'x');
  EXPECT_GE(ResidentBytes() + (8 << 20), before + written.size());
}

}  // namespace
}  // namespace halles
