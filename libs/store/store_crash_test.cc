// Tests that rows, cursor and digest on disk are consistent, whichever step of a flush fails or is the last.
#include <sys/resource.h>

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"

namespace halles::store {
namespace {

constexpr int kSlots = 3;
constexpr FlushStep kSteps[] = {FlushStep::kFrozen, FlushStep::kFileWritten, FlushStep::kIngested,
                                FlushStep::kReleased};

// The record at `position` of a slot, as a function of both: any replay makes the same rows.
void Evolve(uint16_t slot, Position position, Rows& rows) {
  SeededRandom random(slot * 1000003u + position);
  for (uint64_t n = random.Uniform(4); n > 0; --n) {
    const std::string key = absl::StrCat("k", random.Uniform(30));
    if (random.Uniform(3) == 0) {
      rows.Delete(key);
    } else {
      // Reads the old row, so that a wrong base is detected.
      const std::optional<Row> before = rows.Get(key);
      rows.Put(key, absl::StrCat(position, before.has_value() ? "+" : "", random.Uniform(100)));
    }
  }
}

// The rows of the slot after the records before `next`.
Content Expected(uint16_t slot, Position next) {
  class PlainRows : public Rows {
   public:
    std::optional<Row> Get(absl::string_view key) const override {
      const auto it = content.find(std::string(key));
      if (it == content.end()) return std::nullopt;
      return Row{it->second, 0};
    }
    void Scan(absl::string_view, absl::string_view, Visit) const override {}
    absl::Status status() const override { return absl::OkStatus(); }
    void Fail(absl::Status) const override {}
    void Put(absl::string_view key, std::string value) override { content[std::string(key)] = std::move(value); }
    void Delete(absl::string_view key) override { content.erase(std::string(key)); }
    Content content;
  };
  PlainRows rows;
  for (Position p = 0; p < next; ++p) Evolve(slot, p, rows);
  return rows.content;
}

std::string ViewKey(uint16_t slot, Position position) { return absl::StrCat(slot, "/", position % 11); }

// A process: three slots, a view of all of them, and a store whose flushes can fail at any step.
class Life {
 public:
  explicit Life(const std::string& dir) {
    StoreOptions options = Quiet();
    options.on_flush_step = [this](FlushStep step) {
      if (fail_at == step) return absl::ResourceExhaustedError("the disk is full");
      return absl::OkStatus();
    };
    store = *Store::Open(dir, Install(1), std::move(options));
    for (uint16_t i = 0; i < kSlots; ++i) slots.push_back(std::make_unique<TestSlot>(store.get(), Checkout(i)));
    view = MustOpenView(store.get());
  }

  void Step(uint16_t slot) {
    TestSlot& test = *slots[slot];
    Evolve(slot, test.next, test.rows->BeginApply(test.next));
    ++test.next;
    const Position position = view->cursor(Checkout(slot)).next;
    Fold(view.get(), Checkout(slot), position, ViewKey(slot, position), std::to_string(position));
  }

  // The rows, cursors and digests on disk are those of one prefix of each slot.
  void CheckDisk() const {
    const auto snapshot = *store->TakeSnapshot();
    const auto recomputed = *snapshot->Recompute();
    ASSERT_EQ(recomputed.size(), snapshot->folds().size());
    Content view_expected;
    for (const auto& [fold, meta] : snapshot->folds()) {
      EXPECT_EQ(recomputed.at(fold), meta.digest) << fold.ToString();
      EXPECT_EQ(meta.cursor, CursorAt(meta.cursor.next));
      if (fold.kind == FoldId::Kind::kView) {
        for (Position p = 0; p < meta.cursor.next; ++p) {
          view_expected[ViewKey(fold.source.slot, p)] = std::to_string(p);
        }
      } else {
        EXPECT_EQ(Stored(*snapshot, RowSpace::Of(fold)), Expected(fold.source.slot, meta.cursor.next));
      }
    }
    EXPECT_EQ(Stored(*snapshot, RowSpace::View(ServiceId::kCheckout, 1)), view_expected);
  }

  // The rows read from memory and disk together are the state after all records.
  void CheckRows() const {
    for (uint16_t i = 0; i < kSlots; ++i) {
      EXPECT_EQ(ContentOf(slots[i]->rows->confirmed()), Expected(i, slots[i]->next));
    }
  }

  static Content Stored(const Snapshot& snapshot, const RowSpace& space) {
    Content content;
    EXPECT_TRUE(snapshot
                    .ForEachRow(space,
                                [&](const Snapshot::StoredRow& row) {
                                  content.emplace(row.key, row.value);
                                  return true;
                                })
                    .ok());
    return content;
  }

  std::optional<FlushStep> fail_at;
  std::unique_ptr<Store> store;
  std::vector<std::unique_ptr<TestSlot>> slots;
  std::unique_ptr<ViewRows> view;
};

TEST(Flush, LeavesAConsistentStoreAfterAnyStep) {
  for (const FlushStep last : kSteps) {
    SCOPED_TRACE(static_cast<int>(last));
    const TempDir dir;
    {
      Life life(dir.State());
      for (int i = 0; i < 100; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
      ASSERT_TRUE(life.store->FlushNow().ok());
      for (int i = 0; i < 50; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
      life.fail_at = last;
      EXPECT_FALSE(life.store->FlushNow().ok());
    }
    const Life next(dir.State());
    next.CheckDisk();
    next.CheckRows();
    const bool ingested = last == FlushStep::kIngested || last == FlushStep::kReleased;
    EXPECT_EQ(next.slots[0]->next, ingested ? 51u : 34u);
  }
}

TEST(Flush, IsRetriedTogetherWithLaterRows) {
  for (const FlushStep failing : kSteps) {
    SCOPED_TRACE(static_cast<int>(failing));
    const TempDir dir;
    Life life(dir.State());
    for (int i = 0; i < 60; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
    life.fail_at = failing;
    EXPECT_FALSE(life.store->FlushNow().ok());
    if (failing != FlushStep::kReleased) {
      EXPECT_FALSE(life.store->health().ok());
      EXPECT_GT(life.store->dirty_bytes(), 0u);
    }
    for (int i = 0; i < 60; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
    life.CheckRows();
    EXPECT_FALSE(life.store->FlushNow().ok());
    life.fail_at = std::nullopt;
    ASSERT_TRUE(life.store->FlushNow().ok());
    EXPECT_TRUE(life.store->health().ok());
    EXPECT_EQ(life.store->dirty_bytes(), 0u);
    life.CheckRows();
    life.CheckDisk();
    EXPECT_EQ((*life.store->LoadMeta(FoldId::State(Checkout(0))))->cursor, CursorAt(40));
  }
}

TEST(Flush, ContinuesForClosedRowsBelowReopenedOnes) {
  for (const FlushStep failing : {FlushStep::kFrozen, FlushStep::kIngested}) {
    SCOPED_TRACE(static_cast<int>(failing));
    const TempDir dir;
    Life life(dir.State());
    for (int i = 0; i < 90; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
    life.fail_at = failing;
    EXPECT_FALSE(life.store->FlushNow().ok());
    for (int i = 0; i < 9; ++i) life.Step(static_cast<uint16_t>(i % kSlots));  // confirmed, not frozen: lost below
    life.slots[0].reset();
    life.slots[0] = std::make_unique<TestSlot>(life.store.get(), Checkout(0));
    life.view.reset();
    life.view = MustOpenView(life.store.get());
    EXPECT_EQ(life.slots[0]->next, 30u);
    EXPECT_EQ(life.view->cursor(Checkout(0)), CursorAt(30));
    life.CheckRows();
    life.Step(0);
    life.fail_at = std::nullopt;
    ASSERT_TRUE(life.store->FlushNow().ok());
    life.CheckRows();
    life.CheckDisk();
    EXPECT_EQ((*life.store->LoadMeta(FoldId::State(Checkout(0))))->cursor, CursorAt(31));
    EXPECT_EQ(life.store->dirty_bytes(), 0u);
  }
}

TEST(Flush, IsAbandonedWhenItsRowsAreDropped) {
  const TempDir dir;
  Life life(dir.State());
  for (int i = 0; i < 9; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
  life.fail_at = FlushStep::kFrozen;
  EXPECT_FALSE(life.store->FlushNow().ok());
  life.slots[0].reset();
  ASSERT_TRUE(life.store->Drop(RowSpace::State(Checkout(0))).ok());
  life.slots[0] = std::make_unique<TestSlot>(life.store.get(), Checkout(0));
  EXPECT_EQ(life.slots[0]->next, 0u);
  life.fail_at = std::nullopt;
  ASSERT_TRUE(life.store->FlushNow().ok());
  life.CheckRows();
  life.CheckDisk();
}

TEST(Flush, FailsWithTheDiskAndRecovers) {
  const TempDir dir;
  Life life(dir.State());
  for (int i = 0; i < 3000; ++i) life.Step(static_cast<uint16_t>(i % kSlots));
  // No file may grow beyond a few bytes: a write fails as on a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tiny = before;
  tiny.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tiny), 0);
  const absl::Status full = life.store->FlushNow();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(ReasonOf(full), "STORE_WRITE_FAILED");
  EXPECT_EQ(full.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(life.store->health(), full);
  life.CheckRows();
  ASSERT_TRUE(life.store->FlushNow().ok());
  life.CheckRows();
  life.CheckDisk();
}

class RandomLives : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomLives, NeverSeeRowsWithoutTheirCursorAndDigest) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  SeededRandom random(GetParam());
  const TempDir dir;
  std::vector<Position> flushed(kSlots, 0);
  for (int lives = 0; lives < 4; ++lives) {
    Life life(dir.State());
    life.CheckDisk();
    life.CheckRows();
    for (uint16_t i = 0; i < kSlots; ++i) EXPECT_GE(life.slots[i]->next, flushed[i]);
    for (uint64_t steps = random.Uniform(200); steps > 0; --steps) {
      life.Step(static_cast<uint16_t>(random.Uniform(kSlots)));
      if (random.Uniform(20) != 0) continue;
      life.fail_at.reset();
      if (random.Uniform(2) == 0) life.fail_at = kSteps[random.Uniform(4)];
      if (life.store->FlushNow().ok()) {
        for (uint16_t i = 0; i < kSlots; ++i) flushed[i] = life.slots[i]->next;
      }
    }
    life.CheckRows();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLives, testing::Range<uint64_t>(1, 5));

}  // namespace
}  // namespace halles::store
