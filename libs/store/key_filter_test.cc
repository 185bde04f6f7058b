// Tests of the filters: no false negatives, few false positives however many keys there are.
#include "libs/store/key_filter.h"

#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/store/key_codec.h"

namespace halles::store {
namespace {

constexpr UnixMicros kDay = int64_t{24} * 3600 * 1'000'000;

std::string KeyAt(UnixMicros time, int n = 0) {
  std::string key;
  AppendField(uint16_t{5}, &key);
  AppendField(time, &key);
  return absl::StrCat(key, n);
}

TEST(KeyFilter, ContainsAllAddedKeys) {
  KeyFilter filter;
  EXPECT_FALSE(filter.MayContain("0"));
  for (int i = 0; i < 100'000; ++i) filter.Add(absl::StrCat(i));
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(filter.MayContain(absl::StrCat(i))) << i;
}

TEST(KeyFilter, KnowsWhichKeysAreNew) {
  KeyFilter filter;
  EXPECT_TRUE(filter.Add("a"));
  EXPECT_FALSE(filter.Add("a"));
  EXPECT_EQ(filter.keys(), 1u);
}

// A filter that does not grow errs for almost every key long before that.
TEST(KeyFilter, ExcludesAlmostAllAbsentKeysHoweverManyItHas) {
  KeyFilter filter;
  int added = 0;
  for (const int keys : {2'000, 50'000, 2'000'000}) {
    for (; added < keys; ++added) filter.Add(absl::StrCat("present ", added));
    int wrong = 0;
    for (int i = 0; i < 100'000; ++i) wrong += filter.MayContain(absl::StrCat("absent ", i)) ? 1 : 0;
    printf("%d keys, %zu bytes: errs for %.2f %%\n", keys, filter.bytes(), wrong / 1000.0);
    EXPECT_LT(wrong, 1'500) << keys;  // of 100,000
    EXPECT_LE(filter.bytes(), KeyFilter::kFirstBytes + 8 * static_cast<size_t>(keys)) << keys;
  }
}

TEST(SpaceFilter, CoversOnlyTheGivenTables) {
  SpaceFilter filter(std::vector<FilteredTable>{{.table = 5}, {.table = 6}});
  filter.SetComplete();
  EXPECT_FALSE(filter.MayContain(KeyAt(1)));
  EXPECT_TRUE(filter.MayContain("another table"));
  EXPECT_FALSE(filter.Add("another table"));
  EXPECT_TRUE(filter.Add(KeyAt(1)));
  EXPECT_TRUE(filter.MayContain(KeyAt(1)));
  EXPECT_TRUE(SpaceFilter().MayContain("anything"));
}

TEST(SpaceFilter, ExcludesNoKeyAndKnowsNoNewOneUntilItIsComplete) {
  SpaceFilter filter(std::vector<FilteredTable>{{.table = 5}});
  EXPECT_FALSE(filter.Add(KeyAt(1)));
  EXPECT_TRUE(filter.MayContain(KeyAt(2)));
  filter.SetComplete();
  EXPECT_TRUE(filter.MayContain(KeyAt(1)));
  EXPECT_FALSE(filter.MayContain(KeyAt(2)));
  EXPECT_TRUE(filter.Add(KeyAt(2)));
}

TEST(SpaceFilter, FreesTheMemoryOfKeysThatAreOver) {
  SpaceFilter filter(std::vector<FilteredTable>{{.table = 5, .by_time = true}});
  filter.SetComplete();
  for (int day = 0; day < 30; ++day) {
    for (int i = 0; i < 5'000; ++i) filter.Add(KeyAt(day * kDay + i, i));
  }
  filter.Add(KeyAt(std::numeric_limits<UnixMicros>::max()));
  const size_t before = filter.bytes();
  filter.Forget(10 * kDay - 1);
  EXPECT_TRUE(filter.MayContain(KeyAt(9 * kDay + 4'999, 4'999))) << "its day is not over";
  filter.Forget(20 * kDay);
  EXPECT_FALSE(filter.MayContain(KeyAt(19 * kDay, 0)));
  EXPECT_TRUE(filter.MayContain(KeyAt(20 * kDay, 0)));
  EXPECT_TRUE(filter.MayContain(KeyAt(std::numeric_limits<UnixMicros>::max())));
  EXPECT_LT(filter.bytes(), before / 2);
}

}  // namespace
}  // namespace halles::store
