// Tests of the kernel's random bytes.
#include "libs/machine/os_random.h"

#include <cstdint>
#include <set>

#include "gtest/gtest.h"

namespace halles {
namespace {

TEST(OsRandom, DoesNotRepeat) {
  OsRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Next64());
  EXPECT_EQ(seen.size(), 1000u);
}

}  // namespace
}  // namespace halles
