// Tests of the memory that the process holds.
#include "libs/machine/resident.h"

#include <sys/resource.h>

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

TEST(ResidentBytes, AreKnownWhenNoFileCanBeOpened) {
  EXPECT_GT(ResidentBytes(), 0u);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_GT(ResidentBytes(), 0u);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace halles
