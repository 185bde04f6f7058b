// Tests of the rows of a view, over a base in memory and against a plain map.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/overlay.h"
#include "libs/store/overlay_fixture.h"
#include "libs/store/store_test_util.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::unique_ptr<ViewRows> MakeView(FakeDisk* disk, uint16_t sources = 4) {
  std::map<SlotId, FoldStart> starts;
  for (const SlotId source : CheckoutSlots(sources)) starts[source];
  return std::make_unique<ViewRows>(std::make_unique<FakeBase>(disk), nullptr, std::move(starts), nullptr);
}

std::vector<SlotId> DirtyOf(const ViewRows& view) {
  std::vector<SlotId> dirty;
  view.ForEachDirty([&](SlotId source) { dirty.push_back(source); });
  return dirty;
}

TEST(ViewRows, ShowABatchAsAWholeWhenItHasEnded) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  Fold(view.get(), Checkout(2), 9, "b", "2");
  {
    ViewRows::Batch batch(view.get(), Checkout(1));
    Rows& rows = batch.BeginRecord(4);
    rows.Put("a", "1");
    batch.SetCursor(CursorAt(5));
    EXPECT_EQ(rows.Get("a")->value, "1");
    EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("b", "2")));
    EXPECT_EQ(view->cursor(Checkout(1)), FoldCursor());
  }
  ViewRows::Query query(view.get());
  EXPECT_THAT(ContentOf(query), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(query.Get("b")->position, 9u);
  EXPECT_EQ(query.cursor(Checkout(1)), CursorAt(5));
  EXPECT_EQ(query.next(Checkout(2)), 10u);
  EXPECT_EQ(query.cursor(Checkout(3)), FoldCursor());
  EXPECT_EQ(query.cursor(Checkout(99)), FoldCursor());
}

TEST(ViewRows, ReturnTheCursorsOfFoldedSources) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  Fold(view.get(), Checkout(2), 9, "b", "2");
  EXPECT_THAT(view->cursors(), ElementsAre(Pair(Checkout(2), CursorAt(10))));
}

TEST(ViewRows, FoldASourceWithoutWaitingForAnotherOrForAFlush) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  Fold(view.get(), Checkout(1), 0, "a", "1");
  // All on one thread: a wait would last for ever.
  ViewRows::Batch batch(view.get(), Checkout(1));
  Rows& rows = batch.BeginRecord(1);
  rows.Put("b", "2");
  Fold(view.get(), Checkout(2), 0, "c", "3");
  const auto frozen = view->Freeze(Checkout(1));
  EXPECT_EQ(rows.Get("a")->value, "1");
  StoreOn(&disk, *frozen);
  view->ReleaseStored();
  EXPECT_EQ(rows.Get("a")->value, "1");
  rows.Put("a", "4");
  batch.SetCursor(CursorAt(2));
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("a", "1"), Pair("c", "3")));
}

TEST(ViewRows, RevertARecordThatCouldNotBeProjected) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  {
    ViewRows::Batch batch(view.get(), Checkout(1));
    batch.BeginRecord(0).Put("a", "whole");
    Rows& rows = batch.BeginRecord(1);
    rows.Put("a", "half");
    rows.Put("b", "half");
    batch.AbandonRecord();
    batch.SetCursor(CursorAt(1));
  }
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("a", "whole")));
}

TEST(ViewRows, ReportAFailedReadOnlyToItsQueryOrBatch) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  disk.failure = absl::DataLossError("bad block");
  {
    const ViewRows::Query query(view.get());
    EXPECT_FALSE(query.Get("k").has_value());
    EXPECT_EQ(query.status(), disk.failure);
  }
  {
    ViewRows::Batch batch(view.get(), Checkout(1));
    EXPECT_FALSE(batch.BeginRecord(0).Get("k").has_value());
    EXPECT_EQ(batch.status(), disk.failure);
    batch.AbandonRecord();
    batch.SetCursor(FoldCursor());
    disk.failure = absl::OkStatus();
  }
  {
    const ViewRows::Query query(view.get());
    EXPECT_FALSE(query.Get("k").has_value());
    EXPECT_TRUE(query.status().ok());
  }
  EXPECT_TRUE(ViewRows::Batch(view.get(), Checkout(1)).status().ok());
}

TEST(ViewRows, CanBeReadDuringAFlush) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  EXPECT_THAT(DirtyOf(*view), IsEmpty());
  Fold(view.get(), Checkout(1), 0, "a", "1");
  Fold(view.get(), Checkout(2), 0, "c", "3");
  EXPECT_THAT(DirtyOf(*view), ElementsAre(Checkout(1), Checkout(2)));
  const auto frozen = view->Freeze(Checkout(1));
  EXPECT_EQ(frozen->cursor, CursorAt(1));
  EXPECT_EQ(frozen->layer->rows().size(), 1u);
  EXPECT_THAT(DirtyOf(*view), ElementsAre(Checkout(2)));
  Fold(view.get(), Checkout(1), 1, "b", "2");
  const auto all = ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "3"));
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), all);
  disk.Apply(*frozen);
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), all);
  view->ReleaseStored();
  EXPECT_EQ(disk.gets, 0);
  EXPECT_EQ(ViewRows::Query(view.get()).Get("a")->value, "1");
  EXPECT_EQ(disk.gets, 0) << "rows were forgotten before they were stored";
  frozen->stored.store(true);
  view->ReleaseStored();
  EXPECT_EQ(ViewRows::Query(view.get()).Get("a")->value, "1");
  EXPECT_EQ(disk.gets, 1);
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), all);
}

class RandomViewRows : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomViewRows, ReadLikeAPlainMap) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  SeededRandom random(GetParam());
  FakeDisk disk;
  constexpr uint16_t kSources = 5;
  const auto view = MakeView(&disk, kSources);
  Content model;
  std::map<SlotId, std::shared_ptr<const FrozenRows>> frozen;
  const auto random_key = [&](uint16_t source) {
    std::string key(1, static_cast<char>('a' + random.Uniform(3)));
    key += static_cast<char>('a' + random.Uniform(3));
    // Some longer than the prefixes of the sketch, some exactly as long.
    return absl::StrCat(key, random.Uniform(2) == 0 ? "........." : "", "/", source);
  };
  for (int step = 0; step < 1500; ++step) {
    const auto number = static_cast<uint16_t>(random.Uniform(kSources));
    const SlotId source = Checkout(number);
    switch (random.Uniform(4)) {
      case 0:
      case 1: {
        ViewRows::Batch batch(view.get(), source);
        for (uint64_t n = random.Uniform(4); n > 0; --n) {
          Content folded = model;
          Rows& rows = batch.BeginRecord(static_cast<Position>(step));
          for (uint64_t writes = random.Uniform(3); writes > 0; --writes) {
            const std::string key = random_key(number);
            const std::optional<Row> before = rows.Get(key);
            ASSERT_EQ(before.has_value(), folded.count(key) > 0);
            if (random.Uniform(3) == 0) {
              rows.Delete(key);
              folded.erase(key);
            } else {
              rows.Put(key, std::to_string(random.Next64()));
              folded[key] = rows.Get(key)->value;
            }
          }
          if (random.Uniform(4) == 0) {
            batch.AbandonRecord();
          } else {
            model = folded;
          }
        }
        batch.SetCursor(CursorAt(static_cast<Position>(step)));
        break;
      }
      case 2:
        if (frozen.count(source) == 0) frozen[source] = view->Freeze(source);
        break;
      case 3:
        if (frozen.count(source) == 0) break;
        if (random.Uniform(2) == 0) {
          disk.Apply(*frozen[source]);
          break;
        }
        StoreOn(&disk, *frozen[source]);
        frozen.erase(source);
        if (random.Uniform(2) == 0) view->ReleaseStored();
        break;
    }
    const ViewRows::Query query(view.get());
    const std::string prefix = random.Uniform(2) == 0 ? "" : random_key(number).substr(0, 1 + random.Uniform(13));
    const std::string start = random.Uniform(2) == 0 ? "" : prefix + "b";
    ASSERT_EQ(ContentOf(query, prefix, start), Part(model, prefix, start)) << step;
    const std::string key = random_key(number);
    const std::optional<Row> row = query.Get(key);
    ASSERT_EQ(row.has_value() ? row->value : "absent", model.count(key) > 0 ? model[key] : "absent") << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomViewRows, testing::Range<uint64_t>(1, 21));

TEST(ViewRows, GiveEachQueryAConsistentView) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  constexpr Position kBatches = 300;
  std::thread folding([&] {
    for (Position i = 0; i < kBatches; ++i) {
      ViewRows::Batch batch(view.get(), Checkout(1));
      Rows& rows = batch.BeginRecord(i);
      rows.Put("a", std::to_string(i));
      rows.Put("b", std::to_string(i));
      batch.SetCursor(CursorAt(i + 1));
    }
  });
  std::vector<std::thread> queries;
  for (int t = 0; t < 2; ++t) {
    queries.emplace_back([&] {
      for (Position seen = 0; seen < kBatches;) {
        ViewRows::Query query(view.get());
        seen = query.cursor(Checkout(1)).next;
        if (seen == 0) continue;
        EXPECT_EQ(query.Get("a")->value, std::to_string(seen - 1));
        EXPECT_EQ(query.Get("b")->value, std::to_string(seen - 1));
      }
    });
  }
  folding.join();
  for (std::thread& query : queries) query.join();
}

TEST(ViewRowsDeathTest, RequireTheCursorOfWrittenRows) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  EXPECT_DEATH(ViewRows::Batch(view.get(), Checkout(1)).BeginRecord(0).Put("a", "1"), "did not set its cursor");
}

}  // namespace
}  // namespace halles::store
