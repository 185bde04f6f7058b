// Tests that damaged rows are the matter of their state or view alone, and are folded again while the others go on.
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/store/database.h"
#include "libs/store/memory_disk.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// Two slots and a view of them, in a store on disk. Slot 0 holds Marker('a'), slot 1 Marker('b'), the view Marker('v').
class DamageTest : public ::testing::Test {
 protected:
  DamageTest() {
    Open();
    bad->Put("k", Marker('a'));
    good->Put("k", Marker('b'));
    Fold(view.get(), Checkout(0), 0, "v0", Marker('v'));
    Fold(view.get(), Checkout(1), 0, "v1", "1");
    EXPECT_TRUE(store->FlushNow().ok());
  }

  void Open() {
    StoreOptions options = Quiet();
    options.on_damaged = [this](const RowSpace& space) {
      MutexLock lock(&mutex);
      damaged.push_back(space);
    };
    store = *Store::Open(dir.State(), Install(1), std::move(options));
    bad = std::make_unique<TestSlot>(store.get(), Checkout(0));
    good = std::make_unique<TestSlot>(store.get(), Checkout(1));
    view = MustOpenView(store.get(), ServiceId::kCheckout, 2);
  }
  void Close() {
    view.reset();
    bad.reset();
    good.reset();
    store.reset();
  }
  // Rows and cursors on disk are those of the digests.
  void ExpectWhole() const {
    const auto snapshot = *store->TakeSnapshot();
    const auto recomputed = *snapshot->Recompute();
    for (const auto& [fold, meta] : snapshot->folds()) EXPECT_EQ(recomputed.at(fold), meta.digest) << fold.ToString();
  }

  static constexpr RowSpace kBad = {FoldId::Kind::kState, ServiceId::kCheckout, 0, 0};

  // As told.
  std::vector<RowSpace> Damaged() {
    MutexLock lock(&mutex);
    return damaged;
  }

  const TempDir dir;
  Mutex mutex;
  std::vector<RowSpace> damaged ABSL_GUARDED_BY(mutex);
  std::unique_ptr<Store> store;
  std::unique_ptr<TestSlot> bad, good;
  std::unique_ptr<ViewRows> view;
};

TEST_F(DamageTest, OfOneStateFailsNoFlushOfTheOthers) {
  ASSERT_EQ(DamageFiles(dir.State(), Marker('a')), 1);
  bad->Put("k", "2");
  good->Put("k", "2");
  Fold(view.get(), Checkout(0), 1, "v0", "2");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_TRUE(store->health().ok());
  EXPECT_THAT(Damaged(), ElementsAre(kBad));
  EXPECT_EQ(store->stats().damages, 1u);
  EXPECT_EQ((*store->LoadMeta(FoldId::State(Checkout(1))))->cursor, CursorAt(2));
  EXPECT_EQ((*store->LoadMeta(FoldId::View(ServiceId::kCheckout, 1, Checkout(0))))->cursor, CursorAt(2));
}

TEST_F(DamageTest, IsMendedByFoldingAgainWhileTheOthersGoOn) {
  ASSERT_EQ(DamageFiles(dir.State(), Marker('a')), 1);
  EXPECT_EQ(bad->Get("k"), "absent");
  EXPECT_TRUE(IsSpaceDamaged(bad->rows->confirmed().status()));
  good->Put("k", "2");
  ASSERT_TRUE(store->FlushNow().ok());
  ASSERT_TRUE(store->Refold(kBad).ok());
  bad->rows->ResetStatus();
  bad->next = 0;
  EXPECT_EQ(bad->Get("k"), "absent");
  EXPECT_TRUE(bad->rows->confirmed().status().ok());
  bad->Put("k", "folded");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_EQ(store->dirty_bytes(), 0u);
  EXPECT_EQ(bad->Get("k"), "folded");
  ExpectWhole();
  Close();
  Open();
  EXPECT_EQ(bad->Get("k"), "folded");
  EXPECT_EQ(good->Get("k"), "2");
  EXPECT_THAT(Damaged(), ElementsAre(kBad));
}

TEST_F(DamageTest, DoesNothingToRowsThatAreWhole) {
  ASSERT_TRUE(store->Refold(kBad).ok());
  EXPECT_EQ(bad->Get("k"), Marker('a'));
}

TEST_F(DamageTest, OfAViewEmptiesAllItsSources) {
  ASSERT_EQ(DamageFiles(dir.State(), Marker('v')), 1);
  {
    const ViewRows::Query query(view.get());
    EXPECT_FALSE(query.Get("v0").has_value());
    EXPECT_TRUE(IsSpaceDamaged(query.status()));
  }
  EXPECT_THAT(Damaged(), ElementsAre(RowSpace::View(ServiceId::kCheckout, 1)));
  Fold(view.get(), Checkout(1), 1, "more", "1");
  ASSERT_TRUE(store->Refold(RowSpace::View(ServiceId::kCheckout, 1)).ok());
  EXPECT_THAT(view->cursors(), IsEmpty());
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), IsEmpty());
  Fold(view.get(), Checkout(0), 0, "v0", "again");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_EQ(store->dirty_bytes(), 0u);
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("v0", "again")));
  EXPECT_EQ(bad->Get("k"), Marker('a'));
  ExpectWhole();
}

TEST_F(DamageTest, IsFoundWhenTheRowsAreOpenedAndEmptiesThem) {
  Close();
  // The whole file: neither metas nor rows can be read.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.State())) {
    if (entry.path().extension() != ".sst") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.find(Marker('a')) != std::string::npos) std::filesystem::resize_file(entry.path(), 10);
  }
  Open();
  EXPECT_EQ(bad->next, 0u);
  EXPECT_EQ(bad->Get("k"), "absent");
  EXPECT_EQ(good->Get("k"), Marker('b'));
  EXPECT_THAT(Damaged(), ElementsAre(kBad));
  bad->Put("k", "folded");
  ASSERT_TRUE(store->FlushNow().ok());
  ExpectWhole();
}

TEST_F(DamageTest, OfAFileThatIsGoneKeepsNothingFromOpening) {
  Close();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.State())) {
    if (entry.path().extension() != ".sst") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.find(Marker('a')) != std::string::npos) std::filesystem::remove(entry.path());
  }
  Open();
  EXPECT_EQ(bad->next, 0u);
  EXPECT_EQ(good->Get("k"), Marker('b'));
}

TEST_F(DamageTest, ThatACompactionMeetsFailsNoLaterWrite) {
  // A block of its own: nothing that a flush reads lies beside it.
  SeededRandom random(1);
  const auto filler = [&random] {
    std::string bytes(10'000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Uniform(256));
    return bytes;
  };
  bad->Put("a", filler());
  bad->Put("b", Marker('c'));
  bad->Put("c", filler());
  ASSERT_TRUE(store->FlushNow().ok());
  ASSERT_EQ(DamageFiles(dir.State(), Marker('c')), 1);
  for (int i = 0; i < 500 && Damaged().empty(); ++i) {
    bad->Put(absl::StrCat("other ", i), filler());
    good->Put("k", absl::StrCat(i));
    const absl::Status flushed = store->FlushNow();
    ASSERT_TRUE(flushed.ok()) << flushed;
  }
  EXPECT_THAT(Damaged(), ElementsAre(kBad));
  good->Put("k", "last");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_TRUE(store->health().ok());
  EXPECT_EQ((*store->LoadMeta(FoldId::State(Checkout(1))))->cursor, CursorAt(good->next));
}

TEST_F(DamageTest, CountsAsADifferenceInAComparison) {
  ASSERT_EQ(DamageFiles(dir.State(), Marker('a')), 1);
  const TempDir other;
  const auto rebuilt = *Store::Open(other.State(), Install(1), Quiet());
  {
    TestSlot again(rebuilt.get(), Checkout(0));
    again.Put("k", Marker('a'));
    ASSERT_TRUE(rebuilt->FlushNow().ok());
  }
  std::vector<std::string> differences;
  const auto comparison = CompareSnapshots(**store->TakeSnapshot(), **rebuilt->TakeSnapshot(), SchemaBook(),
                                           [&](absl::string_view difference) { differences.emplace_back(difference); });
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(differences, ::testing::Contains(HasSubstr("checkout/0")));
  EXPECT_THAT(Damaged(), ElementsAre(kBad));
}

// The same on a disk in memory, with queues: the owner is told, on a queue of its own choice.
TEST(Damage, IsToldToTheOwnerOnce) {
  testing::VirtualScheduler scheduler(1);
  testing::VirtualScheduler::Node node(&scheduler);
  MemoryDisk disk("memory");
  StoreOptions options = Quiet();
  options.scheduler = &node;
  const auto store = *Store::OpenOn(*disk.Open(), Install(1), std::move(options));
  const auto queue = node.NewQueue("slot");
  int told = 0;
  SlotOptions slot;
  slot.post = [&](std::function<void()> task) { queue->Post(std::move(task)); };
  slot.cursor = [] { return CursorAt(1); };
  slot.on_damaged = [&] { ++told; };
  const auto rows = *store->OpenSlot(Checkout(0), slot);
  rows->BeginApply(0).Put("k", "1");
  const auto flush = [&] {
    bool done = false;
    store->FlushAsync([&](absl::Status status) {
      EXPECT_TRUE(status.ok()) << status;
      done = true;
    });
    EXPECT_TRUE(scheduler.StepUntil([&] { return done; }, 10000));
  };
  flush();
  disk.DamageSpace(RowSpace::State(Checkout(0)));
  for (int i = 0; i < 3; ++i) {
    rows->BeginApply(1).Put("k", "2");
    flush();
  }
  EXPECT_TRUE(scheduler.StepUntil([&] { return told > 0; }, 10000));
  flush();
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(store->Refold(RowSpace::State(Checkout(0))).ok());
  EXPECT_EQ(rows->opened_at(), std::nullopt);
  rows->BeginApply(0).Put("k", "1");
  flush();
  EXPECT_EQ(store->dirty_bytes(), 0u);
  disk.DamageSpace(RowSpace::State(Checkout(0)));
  EXPECT_FALSE(rows->confirmed().Get("k").has_value());
  EXPECT_TRUE(scheduler.StepUntil([&] { return told == 2; }, 10000));
}

}  // namespace
}  // namespace halles::store
