// Tests that a slot whose stored rows are damaged folds them again, and that nothing is lost or done twice meanwhile.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/store/memory_disk.h"

namespace halles::partition {
namespace {

class DamagedSlot : public RuntimeTest {
 protected:
  DamagedSlot() : DamagedSlot(Delivery::kAtOnce) {}
  explicit DamagedSlot(Delivery delivery) : RuntimeTest(delivery) {
    disk_ = std::make_unique<store::MemoryDisk>("disk");
  }
  void Damage() { disk_->DamageSpace(store::RowSpace::State(kFirstSlot)); }
  void Settle() {
    for (int i = 0; i < 10; ++i) {
      log_->DeliverAll();
      Quiesce();
      TimePasses(1'000'000);
    }
  }
};

TEST_F(DamagedSlot, IsFoldedAgainAndDecidesAsBefore) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  Flush();
  Crash();
  Start();  // the row is nowhere but on the disk
  const Position before = End();
  Damage();
  const ReplyPtr late = Submit(Add("r2", 1));
  Settle();
  EXPECT_EQ(late->value(), 6) << "what waits is decided once the rows are there again";
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5) << "the first answer";
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
  EXPECT_EQ(End(), before + 2) << "a claim, since records of before might have landed late, and the addition";
  const auto digests = Digests();
  Crash();
  disk_ = std::make_unique<store::MemoryDisk>("another");
  Start();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(DamagedSlot, LeavesTheOthersServing) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  EXPECT_EQ(Submit(Add("r1", 7, "d"), kOtherSlot)->value(), 7);
  Flush();
  Crash();
  Start();
  const uint64_t term = StateOf(kOtherSlot).term;
  Damage();
  const ReplyPtr waits = Submit(Add("r2", 1));
  EXPECT_EQ(Submit(Add("r2", 1, "d"), kOtherSlot)->value(), 8);
  Settle();
  EXPECT_EQ(waits->value(), 6);
  EXPECT_EQ(StateOf(kOtherSlot).term, term);
  Flush();
}

TEST_F(DamagedSlot, ShowsNoReadLessThanWasThere) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  Flush();
  Crash();
  Start();
  Damage();
  int64_t seen = -1;
  absl::Status failed;
  const auto read = [&](absl::StatusOr<const store::RowReader*> rows, Position) {
    if (!rows.ok()) {
      failed = rows.status();
      return;
    }
    const auto row = counter::kCounters.Get(**rows, {"c"});
    failed = (*rows)->status();
    if (failed.ok()) seen = row.value_or(counter::CounterRow()).value();
  };
  runtime_->Query(kFirstSlot, 0, kNoDeadline, read);  // meets the damage
  Quiesce();
  EXPECT_EQ(ReasonOf(failed), "SPACE_DAMAGED");
  runtime_->Query(kFirstSlot, 0, kNoDeadline, read);
  Settle();
  EXPECT_TRUE(failed.ok()) << failed;
  EXPECT_EQ(seen, 5);
}

class DamagedSlotInFlight : public DamagedSlot {
 protected:
  DamagedSlotInFlight() : DamagedSlot(Delivery::kByHand) {}
};

TEST_F(DamagedSlotInFlight, AnswersWhatItHadDecidedAsUnknownAndDoesItOnce) {
  const ReplyPtr first = Submit(Add("r1", 5));
  Settle();
  EXPECT_EQ(first->value(), 5);
  Flush();
  Crash();
  Start();
  const ReplyPtr in_flight = Submit(Add("r2", 1));
  EXPECT_FALSE(in_flight->done());
  Damage();
  Submit(Add("unknown", 1, "e"));  // reads a row that is nowhere but on the disk
  Submit(Add("r1", 5));
  Settle();
  EXPECT_EQ(in_flight->reason(), "SLOT_REFOLDING");
  const ReplyPtr again = Submit(Add("r2", 1));
  Settle();
  EXPECT_EQ(again->value(), 6);
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
  EXPECT_EQ(ValueOf(), 6);
}

// The sync of a record can take longer than the rows take to be folded again.
TEST_F(DamagedSlotInFlight, IsOwnedOnlyAfterANewClaimSinceRecordsMayLandLate) {
  const ReplyPtr first = Submit(Add("r1", 5));
  Settle();
  EXPECT_EQ(first->value(), 5);
  Flush();
  Crash();
  Start();
  const ReplyPtr in_flight = Submit(Add("r2", 1));
  ASSERT_EQ(log_->pending().size(), 1u);
  const uint64_t late = log_->pending().front().id;
  Damage();
  Submit(Add("unknown", 1, "e"));  // meets the damage
  TimePasses(1'000'000);
  EXPECT_EQ(in_flight->reason(), "SLOT_REFOLDING");
  const ReplyPtr second = Submit(Add("r3", 1));
  const ReplyPtr third = Submit(Add("r4", 1));
  ASSERT_TRUE(log_->Deliver(late).ok());
  Settle();
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing) << StateOf(kFirstSlot).error;
  EXPECT_EQ(second->value(), 7) << "the late record counts, and was decided on";
  EXPECT_EQ(third->value(), 8);
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 6) << "its answer is recorded";
  EXPECT_EQ(ValueOf(), 8);
}

TEST_F(DamagedSlot, ThatHasStoppedKeepsNoDirtyRows) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  Flush();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Submit(Add(absl::StrCat("r", i), 5, absl::StrCat("c", i)))->status().ok());
  EXPECT_EQ(Submit(Add("another", 5))->value(), 10);
  log_->Truncate(kFirstSlot, End() - 1);
  Quiesce();
  ASSERT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kStopped);
  ASSERT_GT(store_->dirty_bytes(), 0u);
  Damage();
  absl::Status flushed = absl::UnknownError("no answer");
  store_->FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });  // finds the damage
  Settle();
  EXPECT_TRUE(flushed.ok()) << flushed;
  EXPECT_EQ(store_->dirty_bytes(), 0u);
}

}  // namespace
}  // namespace halles::partition
