// Tests of the store on real files: what a flush keeps, which stores are refused, and which differences a comparison
// finds.
#include "libs/store/store.h"

#include <sys/resource.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/store/rocks_database.h"
#include "libs/store/store_format.h"
#include "libs/store/store_test_util.h"
#include "libs/store/table.h"

namespace halles::store {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::unique_ptr<Store> MustOpen(const TempDir& dir, StoreOptions options = Quiet()) {
  auto store = Store::Open(dir.State(), Install(1), std::move(options));
  if (!store.ok()) {
    ADD_FAILURE() << store.status();
    std::abort();
  }
  return *std::move(store);
}

// Changes the stored value of a key directly; nullopt deletes it.
void WriteBytes(const TempDir& dir, const std::string& key, const std::optional<std::string>& value) {
  const auto database = *RocksDatabase::Open(dir.State() + "/db-1", {}, RocksDatabase::Mode::kOpen);
  ASSERT_TRUE(database
                  ->Write([&](DatabaseDraft& draft) { return value ? draft.Put(key, *value) : draft.Delete(key); },
                          [] { return absl::OkStatus(); })
                  .ok());
}

TEST(Store, KeepsFlushedRowsAndCursorsAfterARestart) {
  const TempDir dir;
  {
    const auto store = MustOpen(dir);
    TestSlot slot(store.get(), Checkout(3));
    const auto view = MustOpenView(store.get(), ServiceId::kCustomerIdentity);
    slot.Put("a", "1");
    slot.Put("b", "2");
    Fold(view.get(), Checkout(3), 6, "v", "7");
    ASSERT_TRUE(store->FlushNow().ok());
    slot.Put("c", "lost with the process");
  }
  const auto store = MustOpen(dir);
  const TestSlot slot(store.get(), Checkout(3));
  EXPECT_EQ(slot.next, 2u);
  EXPECT_EQ(slot.rows->opened_at(), CursorAt(2));
  EXPECT_THAT(ContentOf(slot.rows->confirmed()), ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(slot.rows->confirmed().Get("b")->position, 1u);
  const auto view = MustOpenView(store.get(), ServiceId::kCustomerIdentity);
  EXPECT_THAT(view->cursors(), ElementsAre(Pair(Checkout(3), CursorAt(7))));
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("v", "7")));
}

TEST(Store, KeepsSpacesApart) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  TestSlot first(store.get(), Checkout(1)), second(store.get(), Checkout(2));
  first.Put("k", "1");
  second.Put("k", "2");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_THAT(ContentOf(first.rows->confirmed()), ElementsAre(Pair("k", "1")));
  EXPECT_THAT(ContentOf(second.rows->confirmed()), ElementsAre(Pair("k", "2")));
}

TEST(Store, DigestsDependOnTheRowsOnly) {
  const TempDir one_dir, other_dir;
  const auto one = MustOpen(one_dir), other = MustOpen(other_dir);
  TestSlot a(one.get(), Checkout(0)), b(other.get(), Checkout(0));
  // A different history, with other positions and flush times.
  a.Put("x", "1");
  a.Put("y", "2");
  a.Put("z", "3");
  ASSERT_TRUE(one->FlushNow().ok());
  b.Put("z", "0");
  b.Put("gone", "9");
  ASSERT_TRUE(other->FlushNow().ok());
  b.Put("y", "2");
  b.Put("z", "3");
  ASSERT_TRUE(other->FlushNow().ok());
  b.Delete("gone");
  b.Delete("never there");
  b.Put("x", "1");
  ASSERT_TRUE(other->FlushNow().ok());
  const FoldId fold = FoldId::State(Checkout(0));
  EXPECT_EQ((*one->LoadMeta(fold))->digest, (*other->LoadMeta(fold))->digest);
  EXPECT_NE((*one->LoadMeta(fold))->digest, Digest());
  for (const char* key : {"x", "y", "z"}) b.Delete(key);
  ASSERT_TRUE(other->FlushNow().ok());
  EXPECT_EQ((*other->LoadMeta(fold))->digest, Digest());
}

TEST(Store, KeepsADigestForEachSourceOfAView) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  const auto view = MustOpenView(store.get(), ServiceId::kCustomerIdentity);
  const FoldId first = FoldId::View(ServiceId::kCustomerIdentity, 1, Checkout(1));
  const FoldId second = FoldId::View(ServiceId::kCustomerIdentity, 1, Checkout(2));
  Fold(view.get(), Checkout(1), 0, "k1", "v");
  Fold(view.get(), Checkout(2), 0, "k2", "v");
  ASSERT_TRUE(store->FlushNow().ok());
  const Digest before = (*store->LoadMeta(first))->digest;
  Digest expected;
  expected.AddRow("k1", "v");
  EXPECT_EQ(before, expected);
  Fold(view.get(), Checkout(2), 1, "k2", "");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_EQ((*store->LoadMeta(first))->digest, before);
  EXPECT_EQ((*store->LoadMeta(second))->digest, Digest());
  EXPECT_EQ((*store->LoadMeta(second))->cursor, CursorAt(2));
}

TEST(Store, AdvancesACursorWithoutRows) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  TestSlot slot(store.get(), Checkout(0));
  slot.next = 12;
  slot.rows->NoteAdvance();
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_EQ((*store->LoadMeta(FoldId::State(Checkout(0))))->cursor, CursorAt(12));
  EXPECT_FALSE((*store->LoadMeta(FoldId::State(Checkout(1)))).has_value());
}

TEST(Store, ScansOverMemoryAndDisk) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  TestSlot slot(store.get(), Checkout(0));
  for (const char* key : {"a1", "a2", "a3", "b1"}) slot.Put(key, "disk");
  ASSERT_TRUE(store->FlushNow().ok());
  slot.Put("a2", "memory");
  slot.Delete("a3");
  slot.Put("a4", "memory");
  EXPECT_THAT(ContentOf(slot.rows->confirmed(), "a"),
              ElementsAre(Pair("a1", "disk"), Pair("a2", "memory"), Pair("a4", "memory")));
  EXPECT_THAT(ContentOf(slot.rows->confirmed(), "a", "a2"), ElementsAre(Pair("a2", "memory"), Pair("a4", "memory")));
}

TEST(Store, FillsTheFilterFromDisk) {
  const TempDir dir;
  const std::string key("\0\x05key", 5);
  {
    const auto store = MustOpen(dir);
    TestSlot slot(store.get(), Checkout(0), {5});
    slot.Put(key, "v");
    ASSERT_TRUE(store->FlushNow().ok());
  }
  const auto store = MustOpen(dir);
  const TestSlot slot(store.get(), Checkout(0), {5});
  EXPECT_EQ(slot.Get(key), "v");
}

TEST(Store, IsRefusedForAnotherInstall) {
  const TempDir dir;
  MustOpen(dir);
  const auto other = Store::Open(dir.State(), Install(2), Quiet());
  EXPECT_EQ(ReasonOf(other.status()), "FOREIGN_STORE");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(MetadataOf(other.status(), "found"), Install(1).Hex());
}

TEST(Store, IsRefusedIfItsFormatIsNewer) {
  const TempDir dir;
  MustOpen(dir);
  WriteBytes(dir, IdentityKey(), EncodeIdentity({kStoreFormatVersion + 1, Install(1)}));
  const auto store = Store::Open(dir.State(), Install(1), Quiet());
  EXPECT_EQ(ReasonOf(store.status()), "NEWER_STORE_FORMAT");
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("has format 3; this build reads up to 2"));
}

TEST(Store, IsRefusedIfDamagedAndReplacedAfterQuarantine) {
  const TempDir dir;
  MustOpen(dir);
  std::filesystem::remove(dir.State() + "/db-1/CURRENT");
  EXPECT_EQ(ReasonOf(Store::Open(dir.State(), Install(1), Quiet()).status()), "STORE_DAMAGED");
  std::ofstream(dir.State() + "/CURRENT") << "nonsense\n";
  EXPECT_EQ(ReasonOf(Store::Open(dir.State(), Install(1), Quiet()).status()), "STORE_DAMAGED");
  EXPECT_EQ(*Store::Quarantine(dir.State()), dir.State() + ".quarantined-1");
  MustOpen(dir);
  EXPECT_EQ(*Store::Quarantine(dir.State() + "/"), dir.State() + ".quarantined-2");
}

TEST(Store, IsNotCalledDamagedForWantOfFileHandles) {
  const TempDir dir;
  {
    const auto store = MustOpen(dir);
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("a", "1");
    ASSERT_TRUE(store->FlushNow().ok());
  }
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  int refused = 0;
  bool opened = false;
  for (rlim_t handles = 3; handles < 200 && !opened; ++handles) {
    rlimit few = before;
    few.rlim_cur = handles;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<RowSpace> damaged;
    StoreOptions options = Quiet();
    options.on_damaged = [&](const RowSpace& space) { damaged.push_back(space); };
    const auto store = Store::Open(dir.State(), Install(1), std::move(options));
    const absl::Status metas = store.ok() ? (*store)->LoadMetas().status() : store.status();
    opened = metas.ok();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_THAT(damaged, IsEmpty()) << handles;
    if (opened) break;
    EXPECT_EQ(metas.code(), absl::StatusCode::kUnavailable) << handles << " " << metas;
    ++refused;
  }
  EXPECT_TRUE(opened);
  EXPECT_GT(refused, 3);
  const auto store = MustOpen(dir);
  EXPECT_EQ(TestSlot(store.get(), Checkout(0)).Get("a"), "1");
}

TEST(Store, CanBeOpenedOnlyOnce) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  EXPECT_EQ(ReasonOf(Store::Open(dir.State(), Install(1), Quiet()).status()), "STORE_LOCKED");
}

TEST(Store, ReportsAnUnusableDirectory) {
  const TempDir dir;
  std::ofstream(dir.State()) << "a file";
  EXPECT_EQ(ReasonOf(Store::Open(dir.State(), Install(1), Quiet()).status()), "STATE_DIR_UNUSABLE");
}

TEST(Store, RefusesRowsOfAnotherFoldVersion) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  {
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("a", "1");
    const auto view = MustOpenView(store.get());
    Fold(view.get(), Checkout(0), 0, "v", "1");
    ASSERT_TRUE(store->FlushNow().ok());
    EXPECT_EQ(ReasonOf(store->Drop(RowSpace::State(Checkout(0)))), "ALREADY_OPEN");
  }
  SlotOptions options;
  options.fold_version = 2;
  EXPECT_EQ(ReasonOf(store->OpenSlot(Checkout(0), options).status()), "FOLD_VERSION");
  EXPECT_EQ(ReasonOf(store->OpenView(ServiceId::kCheckout, 1, 2, CheckoutSlots(1)).status()), "FOLD_VERSION");
  ASSERT_TRUE(store->Drop(RowSpace::State(Checkout(0))).ok());
  ASSERT_TRUE(store->Drop(RowSpace::View(ServiceId::kCheckout, 1)).ok());
  EXPECT_THAT(*store->LoadMetas(), IsEmpty());
  const TestSlot slot(store.get(), Checkout(0));
  EXPECT_EQ(slot.next, 0u);
  EXPECT_THAT(ContentOf(slot.rows->confirmed()), IsEmpty());
  const auto view = *store->OpenView(ServiceId::kCheckout, 1, 2, CheckoutSlots(1));
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), IsEmpty());
}

TEST(Store, RefusesAViewWithOtherSources) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  {
    const auto view = MustOpenView(store.get());
    Fold(view.get(), Checkout(3), 0, "v", "1");
    ASSERT_TRUE(store->FlushNow().ok());
  }
  EXPECT_EQ(ReasonOf(store->OpenView(ServiceId::kCheckout, 1, 1, CheckoutSlots(3)).status()), "FOLD_VERSION");
  EXPECT_TRUE(store->OpenView(ServiceId::kCheckout, 1, 1, CheckoutSlots(4)).ok());
}

TEST(Store, FailsTheFlushOfARowThatBelongsToAnotherSource) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  const auto view = MustOpenView(store.get());
  Fold(view.get(), Checkout(1), 0, "v", "1");
  ASSERT_TRUE(store->FlushNow().ok());
  for (const char* value : {"2", ""}) {
    Fold(view.get(), Checkout(2), 0, "v", value);
    EXPECT_EQ(ReasonOf(store->FlushNow()), "FOREIGN_ROW");
    EXPECT_EQ(ReasonOf(store->health()), "FOREIGN_ROW");
  }
}

TEST(Store, FailsTheFlushOfARowThatTwoSourcesWrote) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  const auto view = MustOpenView(store.get());
  Fold(view.get(), Checkout(1), 0, "a", "1");
  Fold(view.get(), Checkout(1), 1, "v", "1");
  Fold(view.get(), Checkout(2), 0, "v", "1");
  EXPECT_EQ(ReasonOf(store->FlushNow()), "FOREIGN_ROW");
}

TEST(Store, OpensASlotOnlyOnce) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  const TestSlot slot(store.get(), Checkout(0));
  EXPECT_EQ(ReasonOf(store->OpenSlot(Checkout(0), SlotOptions()).status()), "ALREADY_OPEN");
}

TEST(Store, RefusesAdmissionWhileTooMuchIsDirty) {
  const TempDir dir;
  StoreOptions options = Quiet();
  options.dirty_bytes_max = 100000;
  const auto store = MustOpen(dir, options);
  TestSlot slot(store.get(), Checkout(0));
  EXPECT_TRUE(store->Admit().ok());
  slot.Put("k", std::string(200000, 'x'));
  EXPECT_EQ(ReasonOf(store->Admit()), "STATE_STORE_BEHIND");
  EXPECT_TRUE(RetryAfterOf(store->Admit()).has_value());
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_TRUE(store->Admit().ok());
}

TEST(Store, FlushesSlotsThatOtherThreadsUse) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  // An executor: runs posted functions between records, until it is told to end.
  Mutex mutex;
  std::vector<std::function<void()>> posted;
  bool end = false;
  Position next = 0;
  SlotOptions options;
  options.post = [&](std::function<void()> function) {
    MutexLock lock(&mutex);
    posted.push_back(std::move(function));
  };
  options.cursor = [&] { return CursorAt(next); };
  auto rows = *store->OpenSlot(Checkout(0), options);
  std::thread executor([&] {
    for (;;) {
      std::vector<std::function<void()>> functions;
      {
        MutexLock lock(&mutex);
        if (end && posted.empty()) return;
        functions.swap(posted);
      }
      for (const auto& function : functions) function();
      rows->BeginRecord(next).Put(absl::StrCat("k", next % 100), std::to_string(next));
      rows->ConfirmOldest(next);
      ++next;
    }
  });
  const RowSpace space = RowSpace::State(Checkout(0));
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(store->FlushNow().ok());
    const auto snapshot = *store->TakeSnapshot();
    if (snapshot->folds().empty()) continue;
    // The flushed rows are the state after exactly the records before the cursor.
    const FoldMeta& meta = snapshot->folds().begin()->second;
    EXPECT_EQ((*snapshot->Recompute()).begin()->second, meta.digest);
    std::map<std::string, Position> expected;
    for (Position p = 0; p < meta.cursor.next; ++p) expected[absl::StrCat("k", p % 100)] = p;
    std::map<std::string, Position> found;
    ASSERT_TRUE(snapshot
                    ->ForEachRow(space,
                                 [&](const Snapshot::StoredRow& row) {
                                   EXPECT_EQ(row.value, std::to_string(row.position));
                                   found.emplace(row.key, row.position);
                                   return true;
                                 })
                    .ok());
    EXPECT_EQ(found, expected);
  }
  {
    MutexLock lock(&mutex);
    end = true;
  }
  executor.join();
}

TEST(Store, LeavesOutASlotWhoseThreadHasEnded) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  SlotOptions options;
  options.post = [](const std::function<void()>&) {};
  const auto dropped = *store->OpenSlot(Checkout(0), options);
  dropped->NoteAdvance();
  TestSlot slot(store.get(), Checkout(1));
  slot.Put("a", "1");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_THAT(*store->LoadMetas(), ElementsAre(Pair(FoldId::State(Checkout(1)), testing::_)));
}

TEST(Store, IsReplacedByASwappedInGeneration) {
  const TempDir dir;
  std::string old_dir;
  {
    const auto store = MustOpen(dir);
    old_dir = store->dir();
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("a", "old");
    ASSERT_TRUE(store->FlushNow().ok());
    const auto beside = *store->OpenBeside(Quiet());
    TestSlot rebuilt(beside.get(), Checkout(0));
    EXPECT_EQ(rebuilt.next, 0u);
    rebuilt.Put("a", "new");
    ASSERT_TRUE(beside->FlushNow().ok());
    EXPECT_EQ(slot.Get("a"), "old");
    ASSERT_TRUE(beside->SwapIn().ok());
  }
  EXPECT_FALSE(std::filesystem::exists(old_dir));
  const auto store = MustOpen(dir);
  EXPECT_EQ(TestSlot(store.get(), Checkout(0)).Get("a"), "new");
}

TEST(Store, DeletesAGenerationThatWasNotSwappedIn) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  std::string beside_dir;
  {
    const auto beside = *store->OpenBeside(Quiet());
    beside_dir = beside->dir();
    EXPECT_TRUE(std::filesystem::exists(beside_dir));
  }
  EXPECT_FALSE(std::filesystem::exists(beside_dir));
  EXPECT_TRUE(std::filesystem::exists(store->dir()));
}

struct OrderKey {
  std::string order;
  static constexpr std::array kFieldNames = {"order"};
  auto Fields() const { return std::tie(order); }
  auto Fields() { return std::tie(order); }
};
constexpr Table<OrderKey, std::string> kOrders(1, "orders");

SchemaBook Book() {
  SchemaBook book;
  book.AddState(ServiceId::kCheckout, Schema().Add(kOrders));
  book.AddView(ServiceId::kCustomerIdentity, 1, "customers", Schema().Add(kOrders));
  return book;
}

// The same events folded into a store, in `flushes` flushes.
void FoldWorld(Store* store, int flushes) {
  TestSlot slot(store, Checkout(17));
  const auto view = MustOpenView(store, ServiceId::kCustomerIdentity);
  for (Position p = 0; p < 60; ++p) {
    kOrders.Put(slot.rows->BeginApply(slot.next++), OrderKey{absl::StrCat("cj:", p % 40)}, absl::StrCat("value ", p));
    Fold(view.get(), Checkout(17), p, kOrders.Encode(OrderKey{absl::StrCat("v", p % 7)}), absl::StrCat(p));
    if (static_cast<int>(p) % (60 / flushes) == 0) {
      ASSERT_TRUE(store->FlushNow().ok());
    }
  }
  ASSERT_TRUE(store->FlushNow().ok());
}

std::vector<std::string> Differences(const Store& stored, const Store& rebuilt, Comparison* comparison) {
  std::vector<std::string> differences;
  *comparison = *CompareSnapshots(**stored.TakeSnapshot(), **rebuilt.TakeSnapshot(), Book(),
                                  [&](absl::string_view what) { differences.emplace_back(what); });
  EXPECT_EQ(comparison->differences, differences.size());
  return differences;
}

TEST(CompareSnapshots, FindsARebuiltStoreEqualAfterAnyFlushes) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  FoldWorld(store.get(), 3);
  const auto beside = *store->OpenBeside(Quiet());
  FoldWorld(beside.get(), 1);
  Comparison comparison;
  EXPECT_THAT(Differences(*store, *beside, &comparison), IsEmpty());
  EXPECT_TRUE(comparison.equal());
  EXPECT_EQ(comparison.rows, 47u);
  EXPECT_EQ(comparison.positions, 120u);
}

TEST(CompareSnapshots, NamesAnAlteredRow) {
  const TempDir dir;
  FoldWorld(MustOpen(dir).get(), 1);
  const std::string prefix = SpacePrefix(RowSpace::State(Checkout(17)));
  WriteBytes(dir, prefix + kOrders.Encode(OrderKey{"cj:12"}), std::string("\0\0\0\0\0\0\0\x34other", 13));
  WriteBytes(dir, prefix + kOrders.Encode(OrderKey{"cj:13"}), std::nullopt);
  WriteBytes(dir, SpacePrefix(RowSpace::View(ServiceId::kCustomerIdentity, 1)) + kOrders.Encode(OrderKey{"v9"}),
             std::string("\0\0\0\0\0\0\0\1\1\0\x11more", 15));
  const auto store = MustOpen(dir);
  const auto beside = *store->OpenBeside(Quiet());
  FoldWorld(beside.get(), 1);
  Comparison comparison;
  const std::vector<std::string> differences = Differences(*store, *beside, &comparison);
  EXPECT_THAT(differences, Contains("checkout/17 orders order=cj:12: differs"));
  EXPECT_THAT(differences, Contains("checkout/17 orders order=cj:13: only stored, not rebuilt").Times(0));
  EXPECT_THAT(differences, Contains("checkout/17 orders order=cj:13: only rebuilt, not stored"));
  EXPECT_THAT(differences, Contains("customer_identity customers orders order=v9: only stored, not rebuilt"));
  EXPECT_THAT(differences, Contains(HasSubstr("checkout/17: the stored digest")));
  EXPECT_THAT(differences, Contains(HasSubstr("customer_identity customers of checkout/17: the stored digest")));
  EXPECT_EQ(differences.size(), 5u);
}

TEST(CompareSnapshots, NamesFoldsThatAreMissingOrHaveOtherCursors) {
  const TempDir dir;
  const auto store = MustOpen(dir);
  const auto beside = *store->OpenBeside(Quiet());
  TestSlot a(store.get(), Checkout(0)), b(beside.get(), Checkout(0)), c(beside.get(), Checkout(1));
  a.Put("k", "v");
  b.Put("k", "v");
  b.next = 5;
  c.Put("k", "v");
  ASSERT_TRUE(store->FlushNow().ok());
  ASSERT_TRUE(beside->FlushNow().ok());
  Comparison comparison;
  const std::vector<std::string> differences = Differences(*store, *beside, &comparison);
  EXPECT_THAT(differences, Contains("checkout/0: stored up to position 1, rebuilt up to 5"));
  EXPECT_THAT(differences, Contains("checkout/1: only rebuilt, not stored"));
  EXPECT_FALSE(comparison.equal());
}

}  // namespace
}  // namespace halles::store
