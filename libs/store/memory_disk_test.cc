// Tests of the simulated disk beyond the contract of a database: losses, delays and failures.
#include "libs/store/memory_disk.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr uint64_t kStepsMax = 10000;
const FoldId kFold = FoldId::View(ServiceId::kCheckout, 1, Checkout(0));
const absl::Duration kDelay = absl::Seconds(5);

// One process after another on one disk, in virtual time.
class MemoryDiskTest : public ::testing::Test {
 protected:
  MemoryDiskTest() { Start(); }
  ~MemoryDiskTest() override { Close(); }

  void Start() {
    node_ = std::make_unique<testing::VirtualScheduler::Node>(&scheduler_);
    StoreOptions options = Quiet();
    options.scheduler = node_.get();
    options.on_flush_step = [this](FlushStep step) { return flush_step_ ? flush_step_(step) : absl::OkStatus(); };
    store_ = *Store::OpenOn(*disk_.Open(), Install(1), std::move(options));
    view_ = MustOpenView(store_.get());
  }
  void Close() {
    view_.reset();
    store_.reset();
    node_.reset();
  }
  void CrashAndStart() {
    node_->Kill();
    Close();
    Start();
  }

  void Put(const std::string& key, const std::string& value) {
    Fold(view_.get(), Checkout(0), view_->cursor(Checkout(0)).next, key, value);
  }
  Content Read() { return ContentOf(ViewRows::Query(view_.get())); }
  Position NextOnDisk() const {
    const auto metas = store_->LoadMetas();
    return metas->count(kFold) > 0 ? metas->at(kFold).cursor.next : 0;
  }

  // The result of the flush is in `flushed_` after its end.
  void BeginFlush() {
    flushed_.reset();
    store_->FlushAsync([this](absl::Status status) { flushed_ = std::move(status); });
  }
  absl::Status Flush() {
    BeginFlush();
    EXPECT_TRUE(scheduler_.StepUntil([this] { return flushed_.has_value(); }, kStepsMax));
    return flushed_.value_or(absl::UnknownError("the flush did not end"));
  }

  std::function<absl::Status(FlushStep)> flush_step_;
  testing::VirtualScheduler scheduler_{1};
  MemoryDisk disk_{"memory"};
  std::unique_ptr<testing::VirtualScheduler::Node> node_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ViewRows> view_;
  std::optional<absl::Status> flushed_;
};

TEST_F(MemoryDiskTest, LosesUnflushedRowsWhenAProcessDies) {
  Put("a", "flushed");
  ASSERT_TRUE(Flush().ok());
  Put("b", "not flushed");
  CrashAndStart();
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "flushed")));
  EXPECT_EQ(view_->cursor(Checkout(0)), CursorAt(1));
}

TEST_F(MemoryDiskTest, DelaysAWriteAsSet) {
  disk_.SetWriteDelay(kDelay);
  Put("a", "1");
  BeginFlush();
  scheduler_.Advance(absl::ToInt64Microseconds(kDelay) - 1);
  EXPECT_FALSE(flushed_.has_value());
  EXPECT_EQ(NextOnDisk(), 0u);
  Put("a", "2");
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "2")));
  scheduler_.Advance(absl::ToInt64Microseconds(absl::Milliseconds(100)));
  ASSERT_TRUE(flushed_.has_value());
  EXPECT_TRUE(flushed_->ok());
  EXPECT_EQ(NextOnDisk(), 1u);
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "2")));
}

TEST_F(MemoryDiskTest, LosesASlowWriteWhenItsProcessDies) {
  Put("a", "1");
  ASSERT_TRUE(Flush().ok());
  disk_.SetWriteDelay(kDelay);
  Put("a", "2");
  Put("b", "2");
  BeginFlush();
  scheduler_.Advance(absl::ToInt64Microseconds(kDelay) / 2);
  CrashAndStart();
  scheduler_.Advance(absl::ToInt64Microseconds(kDelay));
  EXPECT_FALSE(flushed_.has_value() && flushed_->ok());
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "1")));
  EXPECT_EQ(NextOnDisk(), 1u);
}

TEST_F(MemoryDiskTest, KeepsFlushesAtomicWhenAProcessDiesAtAnyStep) {
  disk_.SetWriteDelay(absl::Milliseconds(1));
  Position kept = 0;
  std::vector<bool> stored;
  // Dies one step later each time, until a flush completes before.
  bool ended = false;
  for (uint64_t steps = 0; !ended; ++steps) {
    const Position next = view_->cursor(Checkout(0)).next;
    ASSERT_EQ(next, kept);
    Put("a", absl::StrCat(next));
    Put("b", absl::StrCat(next));
    BeginFlush();
    for (uint64_t i = 0; i < steps; ++i) scheduler_.Step();
    ended = flushed_.has_value();
    CrashAndStart();
    stored.push_back(NextOnDisk() != next);
    if (stored.back()) kept = next + 2;
    EXPECT_EQ(NextOnDisk(), kept);
    const Content expected =
        kept == 0 ? Content() : Content{{"a", absl::StrCat(kept - 2)}, {"b", absl::StrCat(kept - 2)}};
    EXPECT_EQ(Read(), expected);
    const auto snapshot = *store_->TakeSnapshot();
    const auto recomputed = *snapshot->Recompute();
    for (const auto& [fold, digest] : recomputed) EXPECT_EQ(digest, snapshot->folds().at(fold).digest);
  }
  EXPECT_FALSE(stored.front());
  EXPECT_TRUE(stored.back());
  // Some die between the ingestion and the end of the flush.
  EXPECT_GT(std::count(stored.begin(), stored.end(), true), 1);
}

TEST_F(MemoryDiskTest, RefusesToDropASpaceDuringASlowWriteOfIt) {
  disk_.SetWriteDelay(kDelay);
  Put("a", "1");
  BeginFlush();
  scheduler_.Advance(absl::ToInt64Microseconds(kDelay) / 2);
  view_.reset();
  EXPECT_EQ(ReasonOf(store_->Drop(RowSpace::Of(kFold))), "FLUSH_UNDER_WAY");
  scheduler_.Advance(absl::ToInt64Microseconds(kDelay));
  EXPECT_TRUE(store_->Drop(RowSpace::Of(kFold)).ok());
  view_ = MustOpenView(store_.get());
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(MemoryDiskTest, FailsOneWriteAndTheStoreRetries) {
  Put("a", "1");
  disk_.FailNextWrite();
  EXPECT_EQ(ReasonOf(Flush()), "STORE_WRITE_FAILED");
  EXPECT_EQ(NextOnDisk(), 0u);
  EXPECT_EQ(ReasonOf(store_->health()), "STORE_WRITE_FAILED");
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "1")));
  EXPECT_TRUE(scheduler_.StepUntil([this] { return store_->stats().flushes == 1; }, kStepsMax));
  EXPECT_EQ(NextOnDisk(), 1u);
  EXPECT_TRUE(store_->health().ok());
  EXPECT_EQ(store_->stats().failed_flushes, 1u);
}

TEST_F(MemoryDiskTest, FailsWritesWhileItIsFull) {
  Put("a", "1");
  disk_.SetFull(true);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(std::string(Flush().message()), HasSubstr("the disk is full"));
  }
  EXPECT_EQ(NextOnDisk(), 0u);
  disk_.SetFull(false);
  EXPECT_TRUE(Flush().ok());
  EXPECT_EQ(NextOnDisk(), 1u);
}

TEST_F(MemoryDiskTest, CannotBeOpenedWhileItIsFull) {
  Close();
  disk_.SetFull(true);
  EXPECT_EQ(ReasonOf(disk_.Open().status()), "STATE_DIR_UNUSABLE");
  disk_.SetFull(false);
  EXPECT_TRUE(disk_.Open().ok());
}

TEST_F(MemoryDiskTest, FailsOneReadOfAKeyAndOfAScan) {
  Put("a", "1");
  ASSERT_TRUE(Flush().ok());
  {
    disk_.FailNextRead();
    const ViewRows::Query query(view_.get());
    EXPECT_FALSE(query.Get("a").has_value());
    EXPECT_EQ(ReasonOf(query.status()), "STORE_READ_FAILED");
  }
  {
    disk_.FailNextRead();
    const ViewRows::Query query(view_.get());
    query.Scan("", "", [](absl::string_view, const Row&) {
      ADD_FAILURE() << "a row was read";
      return true;
    });
    EXPECT_EQ(ReasonOf(query.status()), "STORE_READ_FAILED");
  }
  EXPECT_THAT(Read(), ElementsAre(Pair("a", "1")));
}

// A row in memory does not follow when the stored ones before it cannot be read.
TEST_F(MemoryDiskTest, FailsAScanThatItsReaderWouldEndAtARowInMemory) {
  Put("a", "1");
  ASSERT_TRUE(Flush().ok());
  Put("b", "2");
  disk_.FailNextRead();
  const ViewRows::Query query(view_.get());
  query.Scan("", "", [](absl::string_view key, const Row&) {
    ADD_FAILURE() << key << " was read";
    return false;
  });
  EXPECT_EQ(ReasonOf(query.status()), "STORE_READ_FAILED");
}

TEST_F(MemoryDiskTest, FailsAFlushThatCannotReadStoredRows) {
  Put("a", "1");
  ASSERT_TRUE(Flush().ok());
  Put("a", "2");
  disk_.FailNextRead();
  EXPECT_EQ(ReasonOf(Flush()), "STORE_READ_FAILED");
  EXPECT_TRUE(Flush().ok());
  const auto snapshot = *store_->TakeSnapshot();
  EXPECT_EQ(*snapshot->Recompute(), (std::map<FoldId, Digest>{{kFold, snapshot->folds().at(kFold).digest}}));
}

// A flush looks for the rows that it replaces, but not for those that the filter knows to be new.
TEST_F(MemoryDiskTest, IsNotAskedForRowsThatTheFilterKnowsToBeNew) {
  TestSlot slot(store_.get(), Checkout(9), {5});
  const auto put = [&slot](int n) { slot.Put(std::string("\0\x05", 2) + std::to_string(n), std::to_string(n)); };
  const auto reads_of_a_flush = [this] {
    const uint64_t before = disk_.key_reads();
    EXPECT_TRUE(Flush().ok());
    return disk_.key_reads() - before;
  };
  put(0);
  reads_of_a_flush();
  put(1);
  const uint64_t reads = reads_of_a_flush();
  for (int n = 2; n < 50; ++n) put(n);
  put(49);  // twice in one flush
  EXPECT_EQ(reads_of_a_flush(), reads);
  put(0);
  put(1);
  put(50);
  EXPECT_EQ(reads_of_a_flush(), reads + 2);
}

// A flush may store its rows and fail all the same: the next one must not count them twice.
TEST_F(MemoryDiskTest, KeepsItsDigestWhenAFlushFailsAfterItStored) {
  flush_step_ = [](FlushStep step) {
    return step == FlushStep::kIngested ? absl::UnavailableError("planted") : absl::OkStatus();
  };
  TestSlot slot(store_.get(), Checkout(9), {5});
  slot.Put(std::string("\0\x05k", 3), "1");
  EXPECT_FALSE(Flush().ok());
  flush_step_ = nullptr;
  EXPECT_TRUE(Flush().ok());
  const auto snapshot = *store_->TakeSnapshot();
  const FoldId fold = FoldId::State(Checkout(9));
  EXPECT_EQ(snapshot->Recompute()->at(fold), snapshot->folds().at(fold).digest);
}

}  // namespace
}  // namespace halles::store
