// Tests of what is beside the rows of a layer: the meter of what is dirty, and the sketch of its keys.
#include "libs/store/layer.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(DirtyMeter, NotifiesOfTheFirstDirtyFoldAfterAFlushBegan) {
  std::vector<DirtyMeter::Notice> told;
  DirtyMeter meter({});
  meter.OnNotice([&](DirtyMeter::Notice notice) { told.push_back(notice); });
  DirtyFlag one(&meter), other(&meter);
  one.Set();
  one.Set();
  other.Set();
  EXPECT_THAT(told, ElementsAre(DirtyMeter::Notice::kDirty));
  meter.BeginFlush();
  EXPECT_FALSE(meter.any_dirty());
  EXPECT_TRUE(one.get());
  one.Clear();
  one.Set();
  EXPECT_THAT(told, ElementsAre(DirtyMeter::Notice::kDirty, DirtyMeter::Notice::kDirty));
}

TEST(DirtyMeter, NotifiesOfEachLimitWhenItIsReached) {
  std::vector<DirtyMeter::Notice> told;
  DirtyMeter meter({.enough_bytes = 100, .enough_log_bytes = 1000, .many_bytes = 200});
  meter.OnNotice([&](DirtyMeter::Notice notice) { told.push_back(notice); });
  meter.Add(99);
  EXPECT_THAT(told, IsEmpty());
  meter.Add(1);
  EXPECT_THAT(told, ElementsAre(DirtyMeter::Notice::kEnough));
  meter.Add(100);
  EXPECT_THAT(told, ElementsAre(DirtyMeter::Notice::kEnough, DirtyMeter::Notice::kMany));
  meter.Add(-200);
  told.clear();
  meter.NoteLogBytes(999);
  EXPECT_FALSE(meter.enough());
  meter.NoteLogBytes(1);
  EXPECT_TRUE(meter.enough());
  EXPECT_THAT(told, ElementsAre(DirtyMeter::Notice::kEnough));
  meter.BeginFlush();
  EXPECT_FALSE(meter.enough());
}

TEST(KeySketch, ContainsEveryAddedKeyAndItsPrefix) {
  Layer layer(nullptr, /*with_sketch=*/true);
  EXPECT_FALSE(layer.MayHold(KeySketch::HashOf("a")));
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back(absl::StrCat("key ", i * 7919 % 1000003, " tail of it ", i));
  for (const std::string& key : keys) layer.Put(LayerRow::New(key, "", 0, false));
  int wrong = 0;
  for (const std::string& key : keys) {
    EXPECT_TRUE(layer.MayHold(KeySketch::HashOf(key)));
    EXPECT_TRUE(layer.MayHold(KeySketch::HashOf(key.substr(0, KeySketch::kPrefixBytes))));
    wrong += layer.MayHold(KeySketch::HashOf(key + "x")) ? 1 : 0;
  }
  EXPECT_LT(wrong, 150) << "of 3000 keys that were not added";
}

}  // namespace
}  // namespace halles::store
