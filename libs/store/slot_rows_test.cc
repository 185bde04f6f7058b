// Tests of the rows of a slot, over a base in memory and against a plain map.
#include <deque>
#include <memory>
#include <optional>
#include <string>
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
  SpaceFilter filter(std::vector<FilteredTable>{{.table = 'd' << 8 | 'd'}});
  filter.SetComplete();
  const auto slot = MakeSlot(&disk, nullptr, std::move(filter));
  EXPECT_FALSE(slot->confirmed().Get("dd1").has_value());
  EXPECT_EQ(disk.gets, 0);
  slot->BeginRecord(0).Put("dd1", "v");
  slot->ConfirmOldest(0);
  StoreOn(&disk, *slot->Freeze(CursorAt(1)));
  slot->ReleaseStored();
  EXPECT_TRUE(slot->confirmed().Get("dd1").has_value());
  EXPECT_EQ(disk.gets, 1);
  EXPECT_FALSE(slot->confirmed().Get("e").has_value());
  EXPECT_EQ(disk.gets, 2);
}

// A start reads no stored key; the filter is completed while the slot serves.
TEST(SlotRows, FillTheirFilterAFewKeysAtATime) {
  FakeDisk disk;
  {
    const auto closed = MakeSlot(&disk);
    for (int i = 0; i < 10; ++i) closed->BeginApply(0).Put(absl::StrCat("dd", i), "v");
    for (int i = 0; i < 10; ++i) closed->BeginApply(0).Put(absl::StrCat("ee", i), "v");
    StoreOn(&disk, *closed->Freeze(CursorAt(1)));
  }
  const auto slot = MakeSlot(
      &disk, nullptr, SpaceFilter(std::vector<FilteredTable>{{.table = 'd' << 8 | 'd'}, {.table = 'e' << 8 | 'e'}}));
  EXPECT_EQ(slot->FillFilter(4).value(), false);
  EXPECT_TRUE(slot->confirmed().Get("dd3").has_value());
  EXPECT_FALSE(slot->confirmed().Get("dd absent").has_value());
  EXPECT_EQ(disk.gets, 2) << "it asks the base until then";
  slot->BeginApply(1).Put("dd between", "v");
  StoreOn(&disk, *slot->Freeze(CursorAt(2)));
  slot->ReleaseStored();
  int tasks = 1;
  while (!slot->FillFilter(4).value()) ++tasks;
  EXPECT_LE(tasks, 6);
  disk.gets = 0;
  for (const std::string key : {"dd0", "dd9", "ee0", "ee9", "dd between"}) {
    EXPECT_TRUE(slot->confirmed().Get(key).has_value()) << key;
  }
  EXPECT_EQ(disk.gets, 5);
  EXPECT_FALSE(slot->confirmed().Get("dd absent").has_value());
  EXPECT_FALSE(slot->confirmed().Get("ee absent").has_value());
  EXPECT_EQ(disk.gets, 5);
}

TEST(SlotRows, GoOnFillingTheirFilterAfterAFailedRead) {
  FakeDisk disk;
  {
    const auto closed = MakeSlot(&disk);
    closed->BeginApply(0).Put("dd1", "v");
    StoreOn(&disk, *closed->Freeze(CursorAt(1)));
  }
  const auto slot = MakeSlot(&disk, nullptr, SpaceFilter(std::vector<FilteredTable>{{.table = 'd' << 8 | 'd'}}));
  disk.failure = absl::UnavailableError("not just now");
  EXPECT_FALSE(slot->FillFilter(4).ok());
  disk.failure = absl::OkStatus();
  EXPECT_TRUE(slot->confirmed().Get("dd1").has_value());
  EXPECT_TRUE(slot->FillFilter(4).value());
  EXPECT_TRUE(slot->confirmed().Get("dd1").has_value());
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
    StoreOn(&disk, *frozen);
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
  StoreOn(&disk, *frozen);
  EXPECT_EQ(slot.Freeze(CursorAt(2))->layer->rows().size(), 1u);
  EXPECT_THAT(ContentOf(slot.confirmed()), ElementsAre(Pair("a", "1"), Pair("b", "2")));
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
          StoreOn(&disk, *frozen);
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

TEST(SlotRowsDeathTest, CanBePutOnlyInsideARecord) {
  FakeDisk disk;
  const auto slot = MakeSlot(&disk);
  Rows& rows = slot->BeginRecord(0);
  slot->ConfirmOldest(0);
  EXPECT_DEATH(rows.Put("a", "1"), "outside of a record");
}

}  // namespace
}  // namespace halles::store
