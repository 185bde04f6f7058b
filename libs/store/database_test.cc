// The contract of a database and its home, tested on each implementation, and the store on both.
#include "libs/store/database.h"

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/memory_disk.h"
#include "libs/store/state_dir.h"
#include "libs/store/store.h"
#include "libs/store/store_format.h"
#include "libs/store/store_test_util.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

absl::Status Go() { return absl::OkStatus(); }

// The key of a row of the space.
std::string RowKey(const RowSpace& space, const std::string& key) { return SpacePrefix(space) + key; }

// The place of homes; it outlives them.
class Place {
 public:
  virtual ~Place() = default;
  virtual absl::StatusOr<std::shared_ptr<DatabaseHome>> Home() = 0;
  // Damages the stored rows of the space: they cannot be read any more. `marker` is one that was not read yet.
  virtual void Damage(const RowSpace& space, const std::string& marker) = 0;
};

class PlaceOnDisk : public Place {
 public:
  absl::StatusOr<std::shared_ptr<DatabaseHome>> Home() override { return StateDir::Lock(dir_.State()); }
  void Damage(const RowSpace&, const std::string& marker) override { EXPECT_EQ(DamageFiles(dir_.State(), marker), 1); }

 private:
  const TempDir dir_;
};

class PlaceInMemory : public Place {
 public:
  absl::StatusOr<std::shared_ptr<DatabaseHome>> Home() override { return disk_.Open(); }
  void Damage(const RowSpace& space, const std::string&) override { disk_.DamageSpace(space); }

 private:
  MemoryDisk disk_{"memory"};
};

struct Implementation {
  const char* name;
  std::function<std::unique_ptr<Place>()> make;
  friend void PrintTo(const Implementation& implementation, std::ostream* out) { *out << implementation.name; }
};

class DatabaseContract : public ::testing::TestWithParam<Implementation> {
 protected:
  std::shared_ptr<DatabaseHome> Home() {
    auto home = place_->Home();
    if (!home.ok()) {
      ADD_FAILURE() << home.status();
      std::abort();
    }
    return *std::move(home);
  }
  std::unique_ptr<Database> Open(DatabaseHome& home, uint64_t generation, bool create) {
    DatabaseOptions options;
    options.block_cache_bytes = 1 << 20;
    options.on_damage = [this](const RowSpace& space) { damaged_.push_back(space); };
    auto database = home.OpenGeneration(generation, options, create);
    if (!database.ok()) {
      ADD_FAILURE() << database.status();
      std::abort();
    }
    return *std::move(database);
  }

  const std::unique_ptr<Place> place_ = GetParam().make();
  std::vector<RowSpace> damaged_;  // as told
};

// A database in a new generation.
class DatabaseTest : public DatabaseContract {
 protected:
  // Puts the keys that have a value and deletes the others.
  absl::Status Write(const std::map<std::string, std::optional<std::string>>& changes) {
    return database_->Write(
        [&](DatabaseDraft& draft) -> absl::Status {
          for (const auto& [key, value] : changes) {
            RETURN_IF_ERROR(value.has_value() ? draft.Put(key, *value) : draft.Delete(key));
          }
          return absl::OkStatus();
        },
        Go);
  }
  static Content ContentOf(std::unique_ptr<DatabaseCursor> cursor) {
    Content content;
    std::string last;
    for (; cursor->Valid(); cursor->Next()) {
      EXPECT_LT(last, cursor->key());
      last = std::string(cursor->key());
      content.emplace(last, cursor->value());
    }
    EXPECT_TRUE(cursor->status().ok()) << cursor->status();
    return content;
  }
  void Reopen() {
    database_.reset();
    database_ = Open(*home_, 1, /*create=*/false);
  }

  std::shared_ptr<DatabaseHome> home_ = Home();
  std::unique_ptr<Database> database_ = Open(*home_, 1, /*create=*/true);
};

TEST_P(DatabaseTest, KeepsWrittenKeysWhenReopened) {
  ASSERT_TRUE(Write({{"a", "1"}, {"b", "2"}, {"c", ""}}).ok());
  ASSERT_TRUE(Write({{"a", std::nullopt}, {"b", "3"}, {"never there", std::nullopt}}).ok());
  for (int i = 0; i < 2; ++i, Reopen()) {
    EXPECT_EQ(*database_->Get("a"), std::nullopt);
    EXPECT_EQ(*database_->Get("b"), "3");
    EXPECT_EQ(*database_->Get("c"), "");
    EXPECT_THAT(ContentOf(database_->Seek("")), ElementsAre(Pair("b", "3"), Pair("c", "")));
  }
}

TEST_P(DatabaseTest, WalksKeysWithAPrefix) {
  const std::string above("p\xff", 2);
  ASSERT_TRUE(Write({{"o", "0"}, {"p", "1"}, {"pa", "2"}, {above, "3"}, {"q", "4"}}).ok());
  EXPECT_THAT(ContentOf(database_->Seek("p")), ElementsAre(Pair("p", "1"), Pair("pa", "2"), Pair(above, "3")));
  EXPECT_THAT(ContentOf(database_->Seek("r")), IsEmpty());
}

TEST_P(DatabaseTest, StoresNothingOfAWriteThatFails) {
  ASSERT_TRUE(Write({{"a", "1"}}).ok());
  const auto put = [](DatabaseDraft& draft) { return draft.Put("b", "2"); };
  const auto stop = [] { return absl::ResourceExhaustedError("the disk is full"); };
  EXPECT_EQ(database_->Write(put, stop).code(), absl::StatusCode::kResourceExhausted);
  const auto put_and_fail = [&](DatabaseDraft& draft) -> absl::Status {
    RETURN_IF_ERROR(put(draft));
    return absl::InternalError("no more");
  };
  EXPECT_EQ(database_->Write(put_and_fail, Go).code(), absl::StatusCode::kInternal);
  for (const char* second : {"a", "b"}) {
    const auto out_of_order = [&](DatabaseDraft& draft) -> absl::Status {
      RETURN_IF_ERROR(put(draft));
      return draft.Put(second, "3");
    };
    EXPECT_FALSE(database_->Write(out_of_order, Go).ok());
  }
  for (int i = 0; i < 2; ++i, Reopen()) EXPECT_THAT(ContentOf(database_->Seek("")), ElementsAre(Pair("a", "1")));
  EXPECT_TRUE(database_->Write(put, Go).ok());
  EXPECT_EQ(*database_->Get("b"), "2");
}

TEST_P(DatabaseTest, DoesNotChangeBeforeTheIngestion) {
  std::optional<std::string> seen = "something";
  const auto look = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(seen, database_->Get("a"));
    return absl::OkStatus();
  };
  ASSERT_TRUE(database_->Write([](DatabaseDraft& draft) { return draft.Put("a", "1"); }, look).ok());
  EXPECT_EQ(seen, std::nullopt);
  EXPECT_EQ(*database_->Get("a"), "1");
}

TEST_P(DatabaseTest, ShowsADraftTheStoredValues) {
  ASSERT_TRUE(Write({{"a", "1"}, {"c", "3"}}).ok());
  const std::vector<std::string> keys = {"a", "b", "c"};
  std::vector<std::optional<std::string>> stored(keys.size());
  const auto fill = [&](DatabaseDraft& draft) -> absl::Status {
    RETURN_IF_ERROR(draft.Put("0", "not stored yet"));
    const auto note = [&](size_t i, std::optional<absl::string_view> value) {
      if (value.has_value()) stored[i] = std::string(*value);
      return draft.Put(keys[i], "9");
    };
    RETURN_IF_ERROR(draft.ReadStored(absl::MakeConstSpan(keys).first(1), note));
    return draft.ReadStored(absl::MakeConstSpan(keys).subspan(1),
                            [&](size_t i, std::optional<absl::string_view> value) { return note(i + 1, value); });
  };
  ASSERT_TRUE(database_->Write(fill, Go).ok());
  EXPECT_THAT(stored, ElementsAre("1", std::nullopt, "3"));
  EXPECT_EQ(*database_->Get("b"), "9");
}

TEST_P(DatabaseTest, StopsReadingStoredValuesIfTheVisitorFails) {
  const std::vector<std::string> keys = {"a", "b"};
  int visited = 0;
  const auto fill = [&](DatabaseDraft& draft) {
    return draft.ReadStored(keys, [&](size_t, std::optional<absl::string_view>) {
      ++visited;
      return absl::InternalError("no more");
    });
  };
  EXPECT_EQ(database_->Write(fill, Go).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(visited, 1);
}

TEST_P(DatabaseTest, DropsASpaceWithItsMetasAndNothingElse) {
  const RowSpace dropped = RowSpace::View(ServiceId::kCheckout, 1);
  const RowSpace kept = RowSpace::View(ServiceId::kCheckout, 2);
  const std::string meta = MetaKey(FoldId::View(ServiceId::kCheckout, 1, Checkout(1)));
  ASSERT_TRUE(Write({{"a", "1"}, {RowKey(dropped, "k"), "2"}, {RowKey(kept, "k"), "3"}}).ok());
  ASSERT_TRUE(Write({{meta, "4"}}).ok());
  EXPECT_THAT(database_->Spaces(), ElementsAre(dropped, kept));
  {
    const auto snapshot = database_->TakeSnapshot();
    ASSERT_TRUE(database_->DropSpace(dropped).ok());
    ASSERT_TRUE(database_->DropSpace(RowSpace::State(Checkout(9))).ok());
    EXPECT_THAT(ContentOf(snapshot->Seek(SpacePrefix(dropped))), ElementsAre(Pair(RowKey(dropped, "k"), "2")));
  }
  for (int i = 0; i < 2; ++i, Reopen()) {
    EXPECT_EQ(*database_->Get("a"), "1");
    EXPECT_EQ(*database_->Get(RowKey(dropped, "k")), std::nullopt);
    EXPECT_EQ(*database_->Get(meta), std::nullopt);
    EXPECT_EQ(*database_->Get(RowKey(kept, "k")), "3");
    EXPECT_THAT(ContentOf(database_->Seek(SpacePrefix(dropped))), IsEmpty());
    EXPECT_THAT(database_->Spaces(), ElementsAre(kept));
  }
  ASSERT_TRUE(Write({{RowKey(dropped, "k"), "again"}}).ok());
  EXPECT_EQ(*database_->Get(RowKey(dropped, "k")), "again");
}

TEST_P(DatabaseTest, KeepsDamageInItsSpace) {
  const RowSpace bad = RowSpace::State(Checkout(1));
  const RowSpace good = RowSpace::State(Checkout(2));
  const FoldMeta meta{CursorAt(7), Digest(), 3};
  ASSERT_TRUE(Write({{RowKey(bad, "k"), Marker('b')}, {MetaKey(FoldId::State(Checkout(1))), EncodeMeta(meta)}}).ok());
  ASSERT_TRUE(Write({{RowKey(good, "k"), Marker('g')}, {MetaKey(FoldId::State(Checkout(2))), EncodeMeta(meta)}}).ok());
  place_->Damage(bad, Marker('b'));
  for (int i = 0; i < 2; ++i, Reopen()) {
    damaged_.clear();
    EXPECT_EQ(*database_->Get(RowKey(good, "k")), Marker('g'));
    EXPECT_THAT(damaged_, IsEmpty());
    const absl::Status read = database_->Get(RowKey(bad, "k")).status();
    EXPECT_TRUE(IsSpaceDamaged(read)) << read;
    EXPECT_EQ(read.code(), absl::StatusCode::kUnavailable);
    const auto cursor = database_->Rows(bad)->Seek("", "");
    EXPECT_FALSE(cursor->Valid());
    EXPECT_TRUE(IsSpaceDamaged(cursor->status())) << cursor->status();
    EXPECT_THAT(damaged_, ::testing::Each(bad));
    EXPECT_THAT(*database_->Metas(), ElementsAre(Pair(FoldId::State(Checkout(2)), meta)));
    ASSERT_TRUE(Write({{RowKey(good, absl::StrCat(i)), "more"}}).ok());
  }
  ASSERT_TRUE(database_->DropSpace(bad).ok());
  EXPECT_EQ(*database_->Get(RowKey(bad, "k")), std::nullopt);
  ASSERT_TRUE(Write({{RowKey(bad, "k"), "new"}}).ok());
  EXPECT_EQ(*database_->Get(RowKey(bad, "k")), "new");
}

TEST_P(DatabaseTest, GivesSnapshotsAndCursorsAConsistentView) {
  ASSERT_TRUE(Write({{"a", "1"}, {"b", "1"}, {"c", "1"}}).ok());
  const auto snapshot = database_->TakeSnapshot();
  auto cursor = database_->Seek("");
  ASSERT_TRUE(Write({{"a", "2"}, {"b", std::nullopt}, {"d", "2"}}).ok());
  ASSERT_TRUE(Write({{"a", "3"}}).ok());
  const auto before = ElementsAre(Pair("a", "1"), Pair("b", "1"), Pair("c", "1"));
  EXPECT_THAT(ContentOf(std::move(cursor)), before);
  EXPECT_THAT(ContentOf(snapshot->Seek("")), before);
  EXPECT_THAT(ContentOf(snapshot->Seek("b")), ElementsAre(Pair("b", "1")));
  EXPECT_THAT(ContentOf(database_->Seek("")), ElementsAre(Pair("a", "3"), Pair("c", "1"), Pair("d", "2")));
}

TEST_P(DatabaseTest, ReadsTheRowsOfOneSpaceOnly) {
  const RowSpace space = RowSpace::View(ServiceId::kCheckout, 1);
  std::map<std::string, std::optional<std::string>> changes;
  for (const RowSpace& each :
       {RowSpace::View(ServiceId::kCheckout, 0), space, RowSpace::View(ServiceId::kCheckout, 2)}) {
    for (const char* key : {"a1", "a2", "a3", "b1"}) {
      std::string stored;
      AppendRowHeader(each.kind, RowHeader{each.view + 10u, Checkout(4)}, &stored);
      changes[SpacePrefix(each) + key] = stored + key;
    }
  }
  ASSERT_TRUE(Write(changes).ok());
  const auto rows = database_->Rows(space);
  EXPECT_EQ((*rows->Get("a2"))->value, "a2");
  EXPECT_EQ((*rows->Get("a2"))->position, 11u);
  EXPECT_FALSE(rows->Get("a4")->has_value());
  const auto keys = [&](const char* prefix, const char* start) {
    std::vector<std::string> found;
    for (const auto cursor = rows->Seek(prefix, start); cursor->Valid(); cursor->Next()) {
      EXPECT_EQ(cursor->row().value, cursor->key());
      EXPECT_EQ(cursor->row().position, 11u);
      found.emplace_back(cursor->key());
    }
    return found;
  };
  EXPECT_THAT(keys("", ""), ElementsAre("a1", "a2", "a3", "b1"));
  EXPECT_THAT(keys("a", "a2"), ElementsAre("a2", "a3"));
  EXPECT_THAT(keys("b", "a"), ElementsAre("b1"));
  EXPECT_THAT(keys("a", "b"), IsEmpty());
}

TEST_P(DatabaseTest, ReportsARowShorterThanItsHeaderAsDamaged) {
  const RowSpace space = RowSpace::State(Checkout(1));
  ASSERT_TRUE(Write({{SpacePrefix(space) + "a", "short"}}).ok());
  const auto rows = database_->Rows(space);
  EXPECT_TRUE(IsSpaceDamaged(rows->Get("a").status()));
  const auto cursor = rows->Seek("", "");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(IsSpaceDamaged(cursor->status()));
  EXPECT_THAT(damaged_, ::testing::Each(space));
}

TEST_P(DatabaseTest, ReadsTheMetasOfASpace) {
  const FoldId state = FoldId::State(Checkout(1));
  const FoldId view = FoldId::View(ServiceId::kCheckout, 1, Checkout(1));
  const FoldMeta meta{CursorAt(7), Digest(), 3};
  EXPECT_FALSE(*database_->HasMetas(RowSpace::Of(view)));
  ASSERT_TRUE(Write({{MetaKey(view), EncodeMeta(meta)}}).ok());
  EXPECT_TRUE(*database_->HasMetas(RowSpace::Of(view)));
  EXPECT_FALSE(*database_->HasMetas(RowSpace::Of(state)));
  EXPECT_EQ(*database_->Meta(view), meta);
  EXPECT_EQ(*database_->Meta(state), std::nullopt);
  ASSERT_TRUE(Write({{MetaKey(state), EncodeMeta(meta)}}).ok());
  EXPECT_THAT(*database_->Metas(RowSpace::Of(view)), ElementsAre(Pair(view, meta)));
  EXPECT_THAT(*database_->Metas(), ElementsAre(Pair(state, meta), Pair(view, meta)));
  EXPECT_THAT(*database_->Metas(*database_->TakeSnapshot()), ElementsAre(Pair(state, meta), Pair(view, meta)));
  ASSERT_TRUE(Write({{MetaKey(state), "nonsense"}}).ok());
  EXPECT_TRUE(IsSpaceDamaged(database_->Meta(state).status()));
  EXPECT_THAT(*database_->Metas(), ElementsAre(Pair(view, meta)));
  EXPECT_THAT(damaged_, ::testing::Each(RowSpace::Of(state)));
}

TEST_P(DatabaseTest, BelongsToOneInstall) {
  EXPECT_EQ(ReasonOf(database_->CheckIdentity("here", Install(1))), "STORE_DAMAGED");
  ASSERT_TRUE(database_->WriteIdentity(Install(1)).ok());
  EXPECT_TRUE(database_->CheckIdentity("here", Install(1)).ok());
  const absl::Status foreign = database_->CheckIdentity("here", Install(2));
  EXPECT_EQ(ReasonOf(foreign), "FOREIGN_STORE");
  EXPECT_EQ(MetadataOf(foreign, "found"), Install(1).Hex());
  ASSERT_TRUE(Write({{IdentityKey(), EncodeIdentity({kStoreFormatVersion + 1, Install(1)})}}).ok());
  const absl::Status newer = database_->CheckIdentity("here", Install(1));
  EXPECT_EQ(ReasonOf(newer), "NEWER_STORE_FORMAT");
  EXPECT_THAT(std::string(newer.message()), HasSubstr("here has format 3"));
  ASSERT_TRUE(Write({{IdentityKey(), EncodeIdentity({kStoreFormatVersion - 1, Install(1)})}}).ok());
  EXPECT_EQ(ReasonOf(database_->CheckIdentity("here", Install(1))), "OLDER_STORE_FORMAT");
}

class DatabaseHomeTest : public DatabaseContract {};

TEST_P(DatabaseHomeTest, KeepsGenerationsApart) {
  const auto home = Home();
  EXPECT_THAT(*home->Generations(), IsEmpty());
  for (uint64_t generation : {1, 2}) {
    const auto database = Open(*home, generation, /*create=*/true);
    ASSERT_TRUE(
        database->Write([&](DatabaseDraft& draft) { return draft.Put("k", std::to_string(generation)); }, Go).ok());
  }
  EXPECT_THAT(*home->Generations(), ::testing::UnorderedElementsAre(1u, 2u));
  EXPECT_EQ(*Open(*home, 1, /*create=*/false)->Get("k"), "1");
  EXPECT_EQ(*Open(*home, 2, /*create=*/false)->Get("k"), "2");
  EXPECT_NE(home->GenerationPath(1), home->GenerationPath(2));
  home->Delete(1);
  EXPECT_THAT(*home->Generations(), ElementsAre(2u));
  EXPECT_EQ(ReasonOf(home->OpenGeneration(1, {}, /*create=*/false).status()), "STORE_DAMAGED");
  EXPECT_FALSE(home->OpenGeneration(2, {}, /*create=*/true).ok());
}

TEST_P(DatabaseHomeTest, RemembersTheCurrentGeneration) {
  EXPECT_EQ(*Home()->Current(), std::nullopt);
  ASSERT_TRUE(Home()->SetCurrent(3).ok());
  EXPECT_EQ(*Home()->Current(), 3u);
}

TEST_P(DatabaseHomeTest, IsLockedByOneProcessAtATime) {
  auto home = Home();
  EXPECT_EQ(ReasonOf(place_->Home().status()), "STORE_LOCKED");
  home.reset();
  EXPECT_TRUE(place_->Home().ok());
}

// The store on each database.
class StoreOnDatabaseTest : public DatabaseContract {
 protected:
  std::unique_ptr<Store> OpenStore() {
    auto store = Store::OpenOn(Home(), Install(1), Quiet());
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      std::abort();
    }
    return *std::move(store);
  }
};

TEST_P(StoreOnDatabaseTest, KeepsFlushedRowsAndCursorsAfterARestart) {
  {
    const auto store = OpenStore();
    TestSlot slot(store.get(), Checkout(3), {5});
    const auto view = MustOpenView(store.get());
    slot.Put("a", "1");
    slot.Put(std::string("\0\x05k", 3), "filtered");
    Fold(view.get(), Checkout(3), 6, "v", "7");
    ASSERT_TRUE(store->FlushNow().ok());
    slot.Put("c", "lost with the process");
  }
  const auto store = OpenStore();
  const TestSlot slot(store.get(), Checkout(3), {5});
  EXPECT_EQ(slot.next, 2u);
  EXPECT_THAT(ContentOf(slot.rows->confirmed()),
              ElementsAre(Pair(std::string("\0\x05k", 3), "filtered"), Pair("a", "1")));
  EXPECT_EQ(slot.Get(std::string("\0\x05k", 3)), "filtered");
  const auto view = MustOpenView(store.get());
  EXPECT_THAT(view->cursors(), ElementsAre(Pair(Checkout(3), CursorAt(7))));
  EXPECT_THAT(ContentOf(ViewRows::Query(view.get())), ElementsAre(Pair("v", "7")));
}

TEST_P(StoreOnDatabaseTest, DropsASpace) {
  const auto store = OpenStore();
  {
    TestSlot dropped(store.get(), Checkout(0)), kept(store.get(), Checkout(1));
    dropped.Put("a", "1");
    kept.Put("a", "1");
    ASSERT_TRUE(store->FlushNow().ok());
  }
  ASSERT_TRUE(store->Drop(RowSpace::State(Checkout(0))).ok());
  EXPECT_EQ(TestSlot(store.get(), Checkout(0)).Get("a"), "absent");
  EXPECT_EQ(TestSlot(store.get(), Checkout(1)).Get("a"), "1");
  EXPECT_EQ(store->LoadMetas()->size(), 1u);
}

TEST_P(StoreOnDatabaseTest, IsReplacedByASwappedInGeneration) {
  {
    const auto store = OpenStore();
    TestSlot slot(store.get(), Checkout(0));
    slot.Put("a", "old");
    ASSERT_TRUE(store->FlushNow().ok());
    // Abandoned again.
    ASSERT_TRUE(store->OpenBeside(Quiet()).ok());
    const auto beside = *store->OpenBeside(Quiet());
    EXPECT_NE(beside->dir(), store->dir());
    TestSlot rebuilt(beside.get(), Checkout(0));
    EXPECT_EQ(rebuilt.next, 0u);
    rebuilt.Put("a", "new");
    ASSERT_TRUE(beside->FlushNow().ok());
    EXPECT_EQ(slot.Get("a"), "old");
    ASSERT_TRUE(beside->SwapIn().ok());
  }
  {
    const auto store = OpenStore();
    EXPECT_EQ(TestSlot(store.get(), Checkout(0)).Get("a"), "new");
  }
  EXPECT_EQ(Home()->Generations()->size(), 1u);
}

// A random history, flushed at random moments.
void FoldHistory(Store* store, uint64_t seed) {
  SeededRandom random(seed);
  TestSlot slot(store, Checkout(2));
  const auto view = MustOpenView(store);
  for (Position p = 0; p < 2000; ++p) {
    const std::string key = absl::StrCat("k", random.Uniform(300));
    if (random.Uniform(4) == 0) {
      slot.Delete(key);
    } else {
      slot.Put(key, absl::StrCat(p));
    }
    const SlotId source = Checkout(static_cast<uint16_t>(random.Uniform(3)));
    Fold(view.get(), source, view->cursor(source).next, absl::StrCat(source.slot, "/", key),
         random.Uniform(4) == 0 ? "" : absl::StrCat(p));
    if (random.Uniform(100) == 0) {
      ASSERT_TRUE(store->FlushNow().ok());
    }
  }
  ASSERT_TRUE(store->FlushNow().ok());
}

TEST_P(StoreOnDatabaseTest, HoldsTheSameInMemoryAndOnDisk) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const std::unique_ptr<Place> here = GetParam().make();
    const TempDir dir;
    const auto store = *Store::OpenOn(*here->Home(), Install(1), Quiet());
    const auto on_disk = *Store::Open(dir.State(), Install(1), Quiet());
    FoldHistory(store.get(), seed);
    FoldHistory(on_disk.get(), seed);
    const auto comparison = *CompareSnapshots(**store->TakeSnapshot(), **on_disk->TakeSnapshot(), SchemaBook(),
                                              [](absl::string_view difference) { ADD_FAILURE() << difference; });
    EXPECT_TRUE(comparison.equal());
    EXPECT_GT(comparison.rows, 300u);
    EXPECT_EQ(comparison.positions, 4000u);
  }
}

const Implementation kImplementations[] = {{"RocksDb", [] { return std::make_unique<PlaceOnDisk>(); }},
                                           {"Memory", [] { return std::make_unique<PlaceInMemory>(); }}};
std::string NameOf(const ::testing::TestParamInfo<Implementation>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(All, DatabaseTest, ::testing::ValuesIn(kImplementations), NameOf);
INSTANTIATE_TEST_SUITE_P(All, DatabaseHomeTest, ::testing::ValuesIn(kImplementations), NameOf);
INSTANTIATE_TEST_SUITE_P(All, StoreOnDatabaseTest, ::testing::ValuesIn(kImplementations), NameOf);

}  // namespace
}  // namespace halles::store
