// Tests of the filter: no false negatives, few false positives.
#include "libs/store/key_filter.h"

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace halles::store {
namespace {

TEST(KeyFilter, ContainsAllAddedKeys) {
  KeyFilter filter(1 << 14);
  for (int i = 0; i < 10000; ++i) filter.Add("space", std::to_string(i));
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(filter.MayContain("space", std::to_string(i)));
  EXPECT_EQ(filter.keys(), 10000u);
}

TEST(KeyFilter, ExcludesAlmostAllAbsentKeysAtSixteenBitsAKey) {
  KeyFilter filter(1 << 17);
  for (int i = 0; i < 65536; ++i) filter.Add("space", std::to_string(i));
  int wrong = 0;
  for (int i = 65536; i < 165536; ++i) wrong += filter.MayContain("space", std::to_string(i)) ? 1 : 0;
  EXPECT_LT(wrong, 500);  // of 100,000
}

TEST(KeyFilter, KeepsSpacesApart) {
  KeyFilter filter(1 << 14);
  filter.Add("a", "bc");
  EXPECT_FALSE(filter.MayContain("ab", "c"));
}

TEST(KeyFilter, ContainsKeysAddedByManyThreads) {
  KeyFilter filter(1 << 12);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&filter, t] {
      for (int i = 0; i < 2000; ++i) filter.Add(std::to_string(t), std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 2000; ++i) EXPECT_TRUE(filter.MayContain(std::to_string(t), std::to_string(i)));
  }
}

TEST(SpaceFilter, CoversOnlyTheGivenTables) {
  KeyFilter filter(1 << 12);
  const SpaceFilter space(&filter, "s", {"t1"});
  EXPECT_FALSE(space.MayContain("t1 key"));
  EXPECT_TRUE(space.MayContain("t2 key"));
  space.Add("t1 key");
  EXPECT_TRUE(space.MayContain("t1 key"));
  EXPECT_TRUE(SpaceFilter().MayContain("anything"));
}

}  // namespace
}  // namespace halles::store
