// Tests of the overlay against a plain map, over a base that can be watched and made to fail.
#include "libs/store/overlay.h"

#include <deque>
#include <map>
#include <memory>
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
#include "libs/store/store_test_util.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A base over a map. What is frozen is applied to it as a flush would.
struct FakeDisk {
  std::map<std::string, Row> rows;
  absl::Status failure;
  int gets = 0;

  void Apply(const FrozenRows& frozen) {
    for (const auto& [key, row] : frozen.layer.rows()) {
      if (row->deleted) {
        rows.erase(std::string(key));
      } else {
        rows[std::string(key)] = Row{row->value, row->position};
      }
    }
  }
};

class FakeCursor : public BaseCursor {
 public:
  FakeCursor(FakeDisk* disk, absl::string_view prefix, absl::string_view start)
      : disk_(disk), prefix_(prefix), it_(disk->rows.lower_bound(std::string(std::max(prefix, start)))) {}
  bool Valid() const override {
    return disk_->failure.ok() && it_ != disk_->rows.end() && absl::StartsWith(it_->first, prefix_);
  }
  absl::string_view key() const override { return it_->first; }
  Row row() const override { return it_->second; }
  void Next() override { ++it_; }
  absl::Status status() const override { return disk_->failure; }

 private:
  FakeDisk* const disk_;
  const std::string prefix_;
  std::map<std::string, Row>::const_iterator it_;
};

class FakeBase : public BaseRows {
 public:
  explicit FakeBase(FakeDisk* disk) : disk_(disk) {}
  absl::StatusOr<std::optional<Row>> Get(absl::string_view key) const override {
    ++disk_->gets;
    if (!disk_->failure.ok()) return disk_->failure;
    const auto it = disk_->rows.find(std::string(key));
    if (it == disk_->rows.end()) return std::nullopt;
    return it->second;
  }
  std::unique_ptr<BaseCursor> Seek(absl::string_view prefix, absl::string_view start) const override {
    return std::make_unique<FakeCursor>(disk_, prefix, start);
  }

 private:
  FakeDisk* const disk_;
};

std::unique_ptr<SlotRows> MakeSlot(FakeDisk* disk, DirtyMeter* meter = nullptr, SpaceFilter filter = {}) {
  return std::make_unique<SlotRows>(std::make_unique<FakeBase>(disk), meter, std::move(filter), std::nullopt, nullptr);
}

TEST(SlotRows, ShowWhatIsInFlightToDecisionsOnly) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  slot->BeginRecord(5).Put("k", "v");
  EXPECT_THAT(ContentOf(slot->in_flight()), ElementsAre(Pair("k", "v")));
  EXPECT_THAT(ContentOf(slot->confirmed()), IsEmpty());
  slot->ConfirmOldest(7);
  EXPECT_THAT(ContentOf(slot->confirmed()), ElementsAre(Pair("k", "v")));
  EXPECT_EQ(slot->confirmed().Get("k")->position, 7u);
  EXPECT_EQ(slot->records_in_flight(), 0u);
}

TEST(SlotRows, ConfirmRecordsInTheirOrder) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  slot->BeginRecord(0).Put("k", "first");
  slot->BeginRecord(1).Put("k", "second");
  slot->ConfirmOldest(0);
  EXPECT_EQ(slot->confirmed().Get("k")->value, "first");
  EXPECT_EQ(slot->in_flight().Get("k")->value, "second");
  slot->ConfirmOldest(1);
  EXPECT_EQ(slot->confirmed().Get("k")->value, "second");
}

TEST(SlotRows, ForgetWhatIsInFlight) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  slot->BeginApply(0).Put("kept", "1");
  Rows& record = slot->BeginRecord(1);
  record.Delete("kept");
  record.Put("lost", "2");
  EXPECT_THAT(ContentOf(slot->in_flight()), ElementsAre(Pair("lost", "2")));
  slot->DropInFlight();
  EXPECT_THAT(ContentOf(slot->in_flight()), ElementsAre(Pair("kept", "1")));
}

TEST(SlotRows, TakeBackARecordThatCouldNotBeEvolved) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  slot->BeginRecord(0).Put("k", "before");
  Rows& record = slot->BeginRecord(1);
  record.Put("k", "half");
  record.Put("k", "half again");
  record.Put("other", "half");
  slot->AbandonRecord();
  EXPECT_THAT(ContentOf(slot->in_flight()), ElementsAre(Pair("k", "before")));
  slot->ConfirmOldest(0);
  EXPECT_THAT(ContentOf(slot->confirmed()), ElementsAre(Pair("k", "before")));
}

TEST(SlotRows, TakeBackAReplayedRecordThatCouldNotBeEvolved) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  slot->BeginApply(0).Put("k", "before");
  Rows& record = slot->BeginApply(1);
  record.Put("k", "half");
  record.Delete("k");
  record.Put("other", "half");
  slot->AbandonRecord();
  EXPECT_THAT(ContentOf(slot->confirmed()), ElementsAre(Pair("k", "before")));
  EXPECT_EQ(slot->confirmed().Get("k")->position, 0u);
}

TEST(SlotRows, SayThatAReadFailedUntilReset) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  disk.failure = absl::DataLossError("bad block");
  EXPECT_FALSE(slot->in_flight().Get("k").has_value());
  EXPECT_EQ(slot->in_flight().status(), disk.failure);
  EXPECT_TRUE(slot->confirmed().status().ok());
  slot->confirmed().Scan("", "", [](absl::string_view, const Row&) { return true; });
  EXPECT_EQ(slot->confirmed().status(), disk.failure);
  slot->ResetStatus();
  EXPECT_TRUE(slot->in_flight().status().ok());
}

TEST(SlotRows, AskTheBaseForNoKeyThatTheFilterHoldsBack) {
  FakeDisk disk;
  KeyFilter keys(1 << 12);
  const auto slot = MakeSlot(&disk, nullptr, SpaceFilter(&keys, "s", {"d"}));
  EXPECT_FALSE(slot->confirmed().Get("d1").has_value());
  EXPECT_EQ(disk.gets, 0);
  slot->BeginRecord(0).Put("d1", "v");
  slot->ConfirmOldest(0);
  disk.Apply(*slot->Freeze(Checkout(0), CursorAt(1)));
  slot->ReleaseFrozen();
  EXPECT_TRUE(slot->confirmed().Get("d1").has_value());
  EXPECT_EQ(disk.gets, 1);
  EXPECT_FALSE(slot->confirmed().Get("e").has_value());
  EXPECT_EQ(disk.gets, 2);
}

TEST(SlotRows, CountDirtyBytesUntilTheyAreReleased) {
  FakeDisk disk;
  bool woken = false;
  DirtyMeter meter(100 * 1024);
  meter.OnEnough([&] { woken = true; });
  {
    const auto slot = MakeSlot(&disk, &meter);
    for (int i = 0; i < 20; ++i) slot->BeginApply(0).Put(absl::StrCat(i), std::string(10000, 'x'));
    EXPECT_TRUE(woken);
    EXPECT_GT(meter.bytes(), 180000u);
    auto frozen = slot->Freeze(Checkout(0), CursorAt(1));
    EXPECT_GT(meter.bytes(), 180000u);
    slot->ReleaseFrozen();
    frozen = nullptr;
    EXPECT_EQ(meter.bytes(), 0u);
    slot->BeginApply(1).Put("left", std::string(50000, 'x'));
  }
  EXPECT_EQ(meter.bytes(), 0u);
}

// The overlay as a list of whole maps: one after each record in flight, one confirmed.
struct Model {
  Content confirmed;
  std::deque<std::vector<std::pair<std::string, std::optional<std::string>>>> in_flight;

  static void Apply(const std::vector<std::pair<std::string, std::optional<std::string>>>& writes, Content* content) {
    for (const auto& [key, value] : writes) {
      if (value.has_value()) {
        (*content)[key] = *value;
      } else {
        content->erase(key);
      }
    }
  }
  Content InFlight() const {
    Content content = confirmed;
    for (const auto& writes : in_flight) Apply(writes, &content);
    return content;
  }
};

Content Part(const Content& content, const std::string& prefix, const std::string& start) {
  Content part;
  for (const auto& [key, value] : content) {
    if (absl::StartsWith(key, prefix) && key >= start) part.emplace(key, value);
  }
  return part;
}

class RandomSlotRows : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomSlotRows, ReadLikeAPlainMap) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  SeededRandom random(GetParam());
  FakeDisk disk;
  DirtyMeter meter(1 << 20);
  const auto slot = MakeSlot(&disk, &meter);
  Model model;
  std::shared_ptr<const FrozenRows> frozen;
  Position next = 0;
  const auto random_key = [&] {
    std::string key(1, static_cast<char>('a' + random.Uniform(3)));
    for (uint64_t n = random.Uniform(3); n > 0; --n) key += static_cast<char>('a' + random.Uniform(3));
    return key;
  };
  const auto evolve = [&](Rows& rows) {
    std::vector<std::pair<std::string, std::optional<std::string>>> writes;
    for (uint64_t n = random.Uniform(4); n > 0; --n) {
      const std::string key = random_key();
      if (random.Uniform(3) == 0) {
        rows.Delete(key);
        writes.emplace_back(key, std::nullopt);
      } else {
        const std::string value = std::to_string(random.Next64());
        rows.Put(key, value);
        EXPECT_EQ(rows.Get(key)->value, value);
        writes.emplace_back(key, value);
      }
    }
    return writes;
  };
  for (int step = 0; step < 3000; ++step) {
    switch (random.Uniform(9)) {
      case 0:
      case 1:
        model.in_flight.push_back(evolve(slot->BeginRecord(next++)));
        break;
      case 2:
        evolve(slot->BeginRecord(next));
        slot->AbandonRecord();
        break;
      case 3:
      case 4:
        if (model.in_flight.empty()) break;
        slot->ConfirmOldest(step);
        Model::Apply(model.in_flight.front(), &model.confirmed);
        model.in_flight.pop_front();
        break;
      case 5:
        if (random.Uniform(4) != 0) break;
        {
          const size_t keep = random.Uniform(model.in_flight.size() + 1);
          slot->DropInFlight(keep);
          model.in_flight.resize(keep);
        }
        break;
      case 6:
        if (!model.in_flight.empty()) break;
        Model::Apply(evolve(slot->BeginApply(next++)), &model.confirmed);
        break;
      case 7:
        if (!model.in_flight.empty()) break;
        evolve(slot->BeginApply(next));
        slot->AbandonRecord();
        break;
      case 8:
        // The states that a flush goes through: frozen, also on disk, released.
        if (frozen == nullptr) {
          frozen = slot->Freeze(Checkout(0), CursorAt(next));
        } else if (random.Uniform(2) == 0) {
          disk.Apply(*frozen);
        } else {
          disk.Apply(*frozen);
          slot->ReleaseFrozen();
          frozen = nullptr;
        }
        break;
    }
    const std::string prefix = random.Uniform(2) == 0 ? "" : random_key();
    const std::string start = random.Uniform(2) == 0 ? "" : prefix + "b";
    ASSERT_EQ(ContentOf(slot->confirmed(), prefix, start), Part(model.confirmed, prefix, start)) << step;
    ASSERT_EQ(ContentOf(slot->in_flight(), prefix, start), Part(model.InFlight(), prefix, start)) << step;
    const std::string key = random_key();
    const Content in_flight = model.InFlight();
    const std::optional<Row> row = slot->in_flight().Get(key);
    ASSERT_EQ(row.has_value(), in_flight.count(key) > 0);
    if (row.has_value()) {
      ASSERT_EQ(row->value, in_flight.at(key));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSlotRows, testing::Range<uint64_t>(1, 21));

std::unique_ptr<ViewRows> MakeView(FakeDisk* disk) {
  return std::make_unique<ViewRows>(std::make_unique<FakeBase>(disk), nullptr, std::map<SlotId, FoldCursor>(), nullptr);
}

TEST(ViewRows, ShowABatchWholeAndKeepTheCursorOfEachSource) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  {
    ViewRows::Batch batch(view.get());
    batch.BeginRecord(Checkout(1), 4).Put("a", "1");
    batch.BeginRecord(Checkout(2), 9).Put("b", "2");
    batch.SetCursor(Checkout(1), CursorAt(5));
    batch.SetCursor(Checkout(2), CursorAt(10));
  }
  ViewRows::Query query(view.get());
  EXPECT_THAT(ContentOf(query), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(query.Get("b")->position, 9u);
  EXPECT_EQ(query.cursor(Checkout(1)), CursorAt(5));
  EXPECT_EQ(query.cursor(Checkout(3)), FoldCursor());
}

TEST(ViewRows, TakeBackARecordThatCouldNotBeProjected) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  {
    ViewRows::Batch batch(view.get());
    batch.BeginRecord(Checkout(1), 0).Put("a", "whole");
    Rows& rows = batch.BeginRecord(Checkout(1), 1);
    rows.Put("a", "half");
    rows.Put("b", "half");
    batch.AbandonRecord();
    batch.SetCursor(Checkout(1), CursorAt(1));
  }
  ViewRows::Query query(view.get());
  EXPECT_THAT(ContentOf(query), ElementsAre(Pair("a", "whole")));
}

TEST(ViewRows, RefuseARowOfAnotherSource) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  ViewRows::Batch batch(view.get());
  batch.BeginRecord(Checkout(1), 0).Put("a", "1");
  batch.BeginRecord(Checkout(2), 0).Put("a", "2");
  EXPECT_EQ(ReasonOf(batch.status()), "FOREIGN_ROW");
  batch.SetCursor(Checkout(1), CursorAt(1));
  batch.SetCursor(Checkout(2), CursorAt(1));
}

TEST(ViewRows, AreReadWhileTheyAreFlushed) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  EXPECT_EQ(view->Freeze(), nullptr);
  const auto put = [&](Position position, const std::string& key, const std::string& value) {
    ViewRows::Batch batch(view.get());
    batch.BeginRecord(Checkout(1), position).Put(key, value);
    batch.SetCursor(Checkout(1), CursorAt(position + 1));
  };
  put(0, "a", "1");
  const auto frozen = view->Freeze();
  ASSERT_NE(frozen, nullptr);
  EXPECT_THAT(frozen->cursors, ElementsAre(Pair(Checkout(1), CursorAt(1))));
  put(1, "b", "2");
  disk.Apply(*frozen);
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  view->ReleaseFrozen();
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(ViewRows, ShowEachQueryOneMoment) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  constexpr Position kBatches = 300;
  std::thread folding([&] {
    for (Position i = 0; i < kBatches; ++i) {
      ViewRows::Batch batch(view.get());
      Rows& rows = batch.BeginRecord(Checkout(1), i);
      rows.Put("a", std::to_string(i));
      rows.Put("b", std::to_string(i));
      batch.SetCursor(Checkout(1), CursorAt(i + 1));
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

TEST(ViewRowsDeathTest, DemandTheCursorOfWhatWasWritten) {
  FakeDisk disk;
  const auto view = MakeView(&disk);
  EXPECT_DEATH(ViewRows::Batch(view.get()).BeginRecord(Checkout(1), 0).Put("a", "1"), "did not set its cursor");
}

TEST(SlotRowsDeathTest, ArePutOnlyInsideARecord) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  Rows& rows = slot->BeginRecord(0);
  slot->ConfirmOldest(0);
  EXPECT_DEATH(rows.Put("a", "1"), "outside of a record");
}

}  // namespace
}  // namespace halles::store
