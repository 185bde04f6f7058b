// Tests of when rows are flushed, in virtual time: every step of a flush is a task that the test runs.
#include "libs/store/flusher.h"

#include <functional>
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
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr uint64_t kStepsMax = 10000;
// One step of the scheduler may let up to this much time pass, and a flush takes a few steps.
constexpr absl::Duration kSlack = absl::Milliseconds(1);

// A store on a scheduler, and a slot whose tasks run on their own queue.
class World {
 public:
  explicit World(uint64_t seed = 1) : scheduler_(seed), node_(&scheduler_) {
    StoreOptions options = Quiet();
    options.scheduler = &node_;
    options.flush_bytes = 100'000;
    options.flush_log_bytes = 50'000;
    options.dirty_bytes_max = 400'000;
    options.on_flush_step = [this](FlushStep step) {
      if (step != FlushStep::kFrozen) return absl::OkStatus();
      attempts.push_back(now());
      return failure;
    };
    store = *Store::Open(dir_.State(), Install(1), std::move(options));
    view = MustOpenView(store.get());
    OpenSlot();
  }
  ~World() {
    view.reset();
    CloseSlot();
    store.reset();
  }

  void OpenSlot() {
    executor_ = node_.NewQueue("slot");
    SlotOptions options;
    options.post = [this](std::function<void()> task) { executor_->Post(std::move(task)); };
    options.cursor = [this] { return CursorAt(next); };
    slot = *store->OpenSlot(Checkout(0), std::move(options));
    next = slot->opened_at().value_or(FoldCursor()).next;
  }
  void CloseSlot() {
    slot.reset();
    executor_.reset();
  }

  void PutInSlot(const std::string& key, const std::string& value) { slot->BeginApply(next++).Put(key, value); }
  void PutInView(SlotId source, const std::string& key, const std::string& value) {
    Fold(view.get(), source, view->cursor(source).next, key, value);
  }

  absl::Duration now() const { return absl::Microseconds(scheduler_.now()); }
  uint64_t flushes() const { return store->stats().flushes; }
  // Steps until so many flushes are done; returns how long that took.
  absl::Duration Flushed(uint64_t flushes) {
    const absl::Duration from = now();
    EXPECT_TRUE(scheduler_.StepUntil([&] { return store->stats().flushes >= flushes; }, kStepsMax));
    return now() - from;
  }
  // Steps until no task is left.
  void Settle() {
    EXPECT_FALSE(scheduler_.StepUntil([] { return false; }, kStepsMax));
  }

  testing::VirtualScheduler& scheduler() { return scheduler_; }
  testing::VirtualScheduler::Node& node() { return node_; }

  absl::Status failure;                  // returned by each flush before it writes
  std::vector<absl::Duration> attempts;  // the time of each attempt to write
  Position next = 0;
  std::unique_ptr<Store> store;
  std::unique_ptr<SlotRows> slot;
  std::unique_ptr<ViewRows> view;

 private:
  const TempDir dir_;
  testing::VirtualScheduler scheduler_;
  testing::VirtualScheduler::Node node_;
  std::unique_ptr<TaskQueue> executor_;
};

FoldCursor CursorOnDisk(const World& world, const FoldId& fold) {
  const auto meta = world.store->LoadMetas();
  return meta->count(fold) > 0 ? meta->at(fold).cursor : FoldCursor();
}

const FoldId kSlotFold = FoldId::State(Checkout(0));

TEST(Flusher, RunsNoTaskWhileNothingIsDirty) {
  World world;
  EXPECT_FALSE(world.scheduler().Step());
  world.PutInSlot("k", "v");
  world.Settle();
  EXPECT_EQ(world.flushes(), 1u);
  EXPECT_FALSE(world.scheduler().Step());
}

TEST(Flusher, FlushesAtTheMaximumAge) {
  World world;
  world.PutInSlot("k", "1");
  const absl::Duration took = world.Flushed(1);
  EXPECT_GE(took, kFlushAge);
  EXPECT_LT(took, kFlushAge + kSlack);
  EXPECT_EQ(CursorOnDisk(world, kSlotFold), CursorAt(1));
  world.Settle();
  world.PutInView(Checkout(3), "v", "1");
  EXPECT_GE(world.Flushed(2), kFlushAge);
}

TEST(Flusher, CountsTheAgeFromTheFirstDirtyRowAfterAFlush) {
  World world;
  world.PutInSlot("k", "1");
  std::optional<absl::Status> done;
  world.store->FlushAsync([&](absl::Status status) { done = std::move(status); });
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return done.has_value(); }, kStepsMax));
  EXPECT_LT(world.now(), kSlack);
  // Half an age later, with the timer of the first row still set.
  const auto clock = world.node().NewQueue("clock");
  bool later = false;
  clock->PostAfter(kFlushAge / 2, [&] { later = true; });
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return later; }, kStepsMax));
  world.PutInSlot("k", "2");
  EXPECT_GE(world.Flushed(2), kFlushAge);
  world.Settle();
  EXPECT_EQ(world.flushes(), 2u);
}

TEST(Flusher, FlushesAtOnceWhenEnoughIsDirty) {
  World world;
  world.PutInView(Checkout(1), "k", std::string(150'000, 'x'));
  EXPECT_LT(world.Flushed(1), kSlack);
  EXPECT_EQ(CursorOnDisk(world, FoldId::View(ServiceId::kCheckout, 1, Checkout(1))), CursorAt(1));
}

TEST(Flusher, FlushesAtOnceWhenTheLogGrewEnough) {
  World world;
  world.PutInSlot("k", "1");
  world.store->NoteLogBytes(49'999);
  world.store->NoteLogBytes(1);
  EXPECT_LT(world.Flushed(1), kSlack);
  world.Settle();
  world.store->NoteLogBytes(50'000);
  world.Settle();
  EXPECT_EQ(world.flushes(), 1u) << "there was nothing to write";
  world.PutInSlot("k", "2");
  world.store->NoteLogBytes(49'999);
  EXPECT_GE(world.Flushed(2), kFlushAge) << "the bytes before the last flush were counted again";
}

TEST(Flusher, FlushesAgainIfEnoughBecameDirtyDuringAFlush) {
  World world;
  world.PutInSlot("a", std::string(150'000, 'x'));
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return !world.attempts.empty(); }, kStepsMax));
  world.PutInSlot("b", std::string(150'000, 'x'));
  EXPECT_LT(world.Flushed(2), kSlack);
  world.Settle();
  EXPECT_EQ(world.store->dirty_bytes(), 0u);
}

TEST(Flusher, RetriesAfterAFailureWithExponentialBackoff) {
  World world;
  world.failure = absl::UnavailableError("the disk is gone");
  world.PutInSlot("a", std::string(150'000, 'x'));
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return world.attempts.size() == 9; }, kStepsMax));
  std::vector<int64_t> waits;
  for (size_t i = 1; i < world.attempts.size(); ++i) {
    waits.push_back(absl::ToInt64Seconds(world.attempts[i] - world.attempts[i - 1]));
  }
  EXPECT_THAT(waits, ElementsAre(1, 2, 4, 8, 16, 32, 32, 32));
  EXPECT_EQ(world.store->health(), world.failure);
  // There are now other rows above the frozen ones; only the retry is pending.
  world.PutInSlot("b", "small");
  world.PutInView(Checkout(1), "v", "1");
  world.failure = absl::OkStatus();
  EXPECT_LT(world.Flushed(2), absl::Seconds(32) + kSlack);
  EXPECT_TRUE(world.store->health().ok());
  EXPECT_EQ(CursorOnDisk(world, kSlotFold), CursorAt(2));
  EXPECT_EQ(CursorOnDisk(world, FoldId::View(ServiceId::kCheckout, 1, Checkout(1))), CursorAt(1));
  world.Settle();
  EXPECT_EQ(world.store->dirty_bytes(), 0u);
}

TEST(Flusher, NotifiesCallersWhenTheirRowsAreStored) {
  World world;
  std::vector<std::pair<FoldCursor, absl::Status>> told;
  const auto ask = [&] {
    world.store->FlushAsync(
        [&](absl::Status status) { told.emplace_back(CursorOnDisk(world, kSlotFold), std::move(status)); });
  };
  ask();
  world.Settle();
  EXPECT_THAT(told, ElementsAre(Pair(FoldCursor(), absl::OkStatus()))) << "nothing is dirty";
  told.clear();
  world.failure = absl::UnavailableError("the disk is gone");
  world.PutInSlot("k", "1");
  ask();
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return !told.empty(); }, kStepsMax));
  EXPECT_THAT(told, ElementsAre(Pair(FoldCursor(), world.failure)));
  told.clear();
  // The first row is frozen, the second above it: two flushes.
  world.PutInSlot("k", "2");
  world.failure = absl::OkStatus();
  ask();
  world.Settle();
  EXPECT_THAT(told, ElementsAre(Pair(CursorAt(2), absl::OkStatus())));
  told.clear();
  // Requested during a flush: the running one does not count.
  world.PutInSlot("k", "3");
  ask();
  const size_t attempts = world.attempts.size();
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return world.attempts.size() > attempts; }, kStepsMax));
  world.PutInSlot("k", "4");
  ask();
  world.Settle();
  EXPECT_THAT(told, ElementsAre(Pair(CursorAt(3), absl::OkStatus()), Pair(CursorAt(4), absl::OkStatus())));
}

TEST(Flusher, CanBeClosedAtAnyStepOfAFlush) {
  uint64_t complete = 0;
  for (uint64_t steps = 0; complete == 0; ++steps) {
    SCOPED_TRACE(absl::StrCat("after step ", steps));
    World world(steps);
    world.PutInSlot("k", "1");
    world.PutInView(Checkout(1), "v", "1");
    std::vector<absl::Status> told;
    world.store->FlushAsync([&](absl::Status status) { told.push_back(std::move(status)); });
    for (uint64_t i = 0; i < steps; ++i) world.scheduler().Step();
    world.view.reset();
    world.slot.reset();
    world.store.reset();
    ASSERT_EQ(told.size(), 1u);
    if (!told[0].ok()) {
      EXPECT_EQ(ReasonOf(told[0]), "STORE_CLOSED");
      EXPECT_EQ(told[0].code(), absl::StatusCode::kUnavailable);
    } else {
      complete = steps;
    }
  }
  EXPECT_GE(complete, 4u);
}

TEST(Flusher, KeepsRowsThatAreReopenedAtAnyStepOfAFlush) {
  for (uint64_t seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    World world(seed);
    for (int round = 0; round < 4; ++round) {
      world.PutInSlot("k", absl::StrCat("slot ", round));
      world.PutInView(Checkout(1), "v", absl::StrCat("view ", round));
      bool done = false;
      world.store->FlushAsync([&](const absl::Status&) { done = true; });
      for (uint64_t steps = world.scheduler().random().Uniform(6); steps > 0; --steps) world.scheduler().Step();
      // Rows continue from the cursor that they are opened with, whatever it is.
      world.CloseSlot();
      world.OpenSlot();
      ASSERT_EQ(ContentOf(world.slot->confirmed()).size(), world.next == 0 ? 0u : 1u);
      if (world.next > 0) {
        EXPECT_EQ(world.slot->confirmed().Get("k")->position + 1, world.next);
      }
      world.view.reset();
      world.view = MustOpenView(world.store.get());
      const Position viewed = world.view->cursor(Checkout(1)).next;
      if (viewed > 0) {
        EXPECT_EQ(ViewRows::Query(world.view.get()).Get("v")->position + 1, viewed);
      }
      ASSERT_TRUE(world.scheduler().StepUntil([&] { return done; }, kStepsMax));
    }
    world.Settle();
    EXPECT_EQ(world.store->dirty_bytes(), 0u);
    const auto snapshot = *world.store->TakeSnapshot();
    const auto digests = *snapshot->Recompute();
    for (const auto& [fold, meta] : snapshot->folds()) EXPECT_EQ(digests.at(fold), meta.digest) << fold.ToString();
  }
}

TEST(Flusher, ContinuesWithoutASlotWhoseQueueEnds) {
  World world;
  world.PutInSlot("k", "1");
  world.PutInView(Checkout(1), "v", "1");
  std::vector<absl::Status> told;
  world.store->FlushAsync([&](absl::Status status) { told.push_back(std::move(status)); });
  world.CloseSlot();
  ASSERT_TRUE(world.scheduler().StepUntil([&] { return !told.empty(); }, kStepsMax));
  EXPECT_THAT(told, ElementsAre(absl::OkStatus()));
  EXPECT_EQ(CursorOnDisk(world, FoldId::View(ServiceId::kCheckout, 1, Checkout(1))), CursorAt(1));
}

TEST(Flusher, RefusesToDropRowsThatAreBeingWritten) {
  const TempDir dir;
  std::unique_ptr<Store> store;
  std::unique_ptr<ViewRows> view;
  StoreOptions options = Quiet();
  absl::Status dropped;
  options.on_flush_step = [&](FlushStep step) {
    if (step == FlushStep::kFrozen) {
      view.reset();
      dropped = store->Drop(RowSpace::View(ServiceId::kCheckout, 1));
    }
    return absl::OkStatus();
  };
  store = *Store::Open(dir.State(), Install(1), std::move(options));
  view = MustOpenView(store.get());
  Fold(view.get(), Checkout(1), 0, "v", "1");
  ASSERT_TRUE(store->FlushNow().ok());
  EXPECT_EQ(ReasonOf(dropped), "FLUSH_UNDER_WAY");
  EXPECT_EQ(dropped.code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(store->Drop(RowSpace::View(ServiceId::kCheckout, 1)).ok());
  EXPECT_THAT(*store->LoadMetas(), IsEmpty());
}

// A scheduler whose background queues never run a task.
class Busy : public Scheduler {
 public:
  explicit Busy(Scheduler* scheduler) : scheduler_(scheduler) {}
  std::unique_ptr<TaskQueue> NewQueue(std::string name, QueuePriority priority) override {
    if (priority == QueuePriority::kBackground) return std::make_unique<Starved>();
    return scheduler_->NewQueue(std::move(name), priority);
  }
  const Clock& clock() const override { return scheduler_->clock(); }

 private:
  class Starved : public TaskQueue {
   public:
    void Post(Task) override {}
    void PostAfter(absl::Duration, Task) override {}
    void Stop() override {}
  };
  Scheduler* const scheduler_;
};

// A store of one view with the real sizes but for that of a flush.
class OneView : public ::testing::Test {
 protected:
  // The flushes run on `scheduler`, which may be null: the test's own.
  void Open(Scheduler* scheduler = nullptr, StoreOptions options = Quiet()) {
    options.scheduler = scheduler == nullptr ? &node_ : scheduler;
    options.flush_bytes = 100'000;
    store_ = *Store::Open(dir_.State(), Install(1), std::move(options));
    view_ = MustOpenView(store_.get());
  }
  void Put(uint16_t source, Position at, const std::string& key, size_t bytes) {
    Fold(view_.get(), Checkout(source), at, key, std::string(bytes, 'x'));
  }
  bool Steps(const std::function<bool()>& until) { return scheduler_.StepUntil(until, kStepsMax); }
  bool IsFlushedOnce() {
    return Steps([this] { return store_->stats().flushes == 1; });
  }

  const TempDir dir_;
  testing::VirtualScheduler scheduler_{1};
  testing::VirtualScheduler::Node node_{&scheduler_};
  Busy busy_{&node_};
  std::unique_ptr<Store> store_;
  std::unique_ptr<ViewRows> view_;
};

using FlusherInTheBackground = OneView;

TEST_F(FlusherInTheBackground, LeavesItWhenTheNextFlushIsDueBySize) {
  Open(&busy_);
  // The flush begins in the background, which gets no processor time.
  Put(1, 0, "a", 150'000);
  EXPECT_FALSE(scheduler_.Step());
  Put(2, 0, "b", 60'000);
  EXPECT_TRUE(IsFlushedOnce());
}

TEST_F(FlusherInTheBackground, LeavesItWhenAFlushForTheLogIsDueBySizeToo) {
  StoreOptions options = Quiet();
  options.flush_log_bytes = 1'000;
  Open(&busy_, std::move(options));
  Put(1, 0, "a", 1);
  store_->NoteLogBytes(1'000);
  EXPECT_FALSE(scheduler_.Step());
  Put(1, 1, "a", 150'000);
  EXPECT_TRUE(IsFlushedOnce());
}

// The background has begun to write when it turns out that the next flush is due.
TEST_F(FlusherInTheBackground, BeginsAgainWhatItWasWriting) {
  int writes = 0;
  StoreOptions options = Quiet();
  options.on_flush_step = [&](FlushStep step) {
    if (step == FlushStep::kFrozen && ++writes == 1) Put(3, 0, "c", 210'000);
    return absl::OkStatus();
  };
  Open(nullptr, std::move(options));
  Put(1, 0, "a", 1);
  bool done = false;
  store_->FlushAsync([&](const absl::Status& status) { done = status.ok(); });
  EXPECT_TRUE(Steps([&] { return done; }));
  EXPECT_GE(writes, 2);
  EXPECT_EQ(store_->stats().failed_flushes, 0u);
  EXPECT_EQ((*store_->LoadMeta(FoldId::View(ServiceId::kCheckout, 1, Checkout(1))))->cursor, CursorAt(1));
}

TEST_F(OneView, LetsFoldsThatAreBehindRestWhileFlushesAreBehind) {
  Open();
  EXPECT_TRUE(store_->HasRoomToCatchUp());
  Put(1, 0, "a", 301'000);
  EXPECT_FALSE(store_->HasRoomToCatchUp());
  EXPECT_TRUE(Steps([this] { return store_->HasRoomToCatchUp(); }));
}

}  // namespace
}  // namespace halles::store
