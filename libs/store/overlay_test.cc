// Tests of the overlay against a plain map, over a base that records reads and can fail.
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

// A base over a map. Frozen rows are applied to it as a flush would.
struct FakeDisk {
  std::map<std::string, Row> rows;
  absl::Status failure;
  int gets = 0;

  void Apply(const FrozenRows& frozen) {
    for (const auto& [key, row] : frozen.layer->rows()) {
      if (row->deleted) {
        rows.erase(std::string(key));
      } else {
        rows[std::string(key)] = Row{row->value, row->position};
      }
    }
  }
};

void Store(FakeDisk* disk, const FrozenRows& frozen) {
  disk->Apply(frozen);
  frozen.stored.store(true);
}

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
  return std::make_unique<SlotRows>(std::make_unique<FakeBase>(disk), meter, std::move(filter), FoldStart(), nullptr);
}

TEST(SlotRows, ShowRowsInFlightToDecisionsOnly) {
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

TEST(SlotRows, ConfirmRecordsInOrder) {
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

TEST(SlotRows, DropRowsInFlight) {
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

TEST(SlotRows, RevertARecordThatCouldNotBeEvolved) {
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

TEST(SlotRows, RevertAReplayedRecordThatCouldNotBeEvolved) {
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

TEST(SlotRows, ReportAFailedReadUntilReset) {
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

TEST(SlotRows, DoNotReadTheBaseForKeysThatTheFilterExcludes) {
  FakeDisk disk;
  KeyFilter keys(1 << 12);
  const auto slot = MakeSlot(&disk, nullptr, SpaceFilter(&keys, "s", {"d"}));
  EXPECT_FALSE(slot->confirmed().Get("d1").has_value());
  EXPECT_EQ(disk.gets, 0);
  slot->BeginRecord(0).Put("d1", "v");
  slot->ConfirmOldest(0);
  Store(&disk, *slot->Freeze(CursorAt(1)));
  slot->ReleaseStored();
  EXPECT_TRUE(slot->confirmed().Get("d1").has_value());
  EXPECT_EQ(disk.gets, 1);
  EXPECT_FALSE(slot->confirmed().Get("e").has_value());
  EXPECT_EQ(disk.gets, 2);
}

TEST(SlotRows, CountDirtyBytesUntilTheyAreReleased) {
  FakeDisk disk;
  bool enough = false;
  DirtyMeter meter({.enough_bytes = 100 * 1024});
  meter.OnNotice([&](DirtyMeter::Notice notice) { enough = enough || notice == DirtyMeter::Notice::kEnough; });
  {
    const auto slot = MakeSlot(&disk, &meter);
    for (int i = 0; i < 20; ++i) slot->BeginApply(0).Put(absl::StrCat(i), std::string(10000, 'x'));
    EXPECT_TRUE(enough);
    EXPECT_GT(meter.bytes(), 180000u);
    auto frozen = slot->Freeze(CursorAt(1));
    EXPECT_GT(meter.bytes(), 180000u);
    Store(&disk, *frozen);
    slot->ReleaseStored();
    frozen = nullptr;
    EXPECT_EQ(meter.bytes(), 0u);
    slot->BeginApply(1).Put("left", std::string(50000, 'x'));
  }
  EXPECT_EQ(meter.bytes(), 0u);
}

TEST(SlotRows, ResumeAboveRowsThatAFlushIsStillWriting) {
  FakeDisk disk;
  std::shared_ptr<const FrozenRows> frozen;
  {
    const auto closed = MakeSlot(&disk);
    closed->BeginApply(0).Put("a", "1");
    frozen = closed->Freeze(CursorAt(1));
  }
  SlotRows slot(std::make_unique<FakeBase>(&disk), nullptr, {}, FoldStart{frozen->cursor, frozen}, nullptr);
  EXPECT_EQ(slot.opened_at(), CursorAt(1));
  slot.BeginApply(1).Put("b", "2");
  EXPECT_THAT(ContentOf(slot.confirmed()), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  // Not told to release them: it finds out when it freezes.
  Store(&disk, *frozen);
  EXPECT_EQ(slot.Freeze(CursorAt(2))->layer->rows().size(), 1u);
  EXPECT_THAT(ContentOf(slot.confirmed()), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

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

// A model of the overlay as a list of whole maps: one after each record in flight, one confirmed.
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
  DirtyMeter meter({});
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
          frozen = slot->Freeze(CursorAt(next));
        } else if (random.Uniform(2) == 0) {
          disk.Apply(*frozen);
        } else {
          Store(&disk, *frozen);
          if (random.Uniform(2) == 0) slot->ReleaseStored();
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
  Store(&disk, *frozen);
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
        Store(&disk, *frozen[source]);
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

TEST(SlotRowsDeathTest, CanBePutOnlyInsideARecord) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  Rows& rows = slot->BeginRecord(0);
  slot->ConfirmOldest(0);
  EXPECT_DEATH(rows.Put("a", "1"), "outside of a record");
}

}  // namespace
}  // namespace halles::store
