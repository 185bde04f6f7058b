// Tests that a slot whose stored rows are damaged folds them again, and that nothing is lost or done twice meanwhile.
#include <memory>
#include <string>

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
  EXPECT_EQ(End(), before + 1) << "the addition; the claim of before still holds";
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
  if (in_flight->reason() != "") {
    EXPECT_EQ(in_flight->reason(), "SLOT_REFOLDING");
  }
  const ReplyPtr again = Submit(Add("r2", 1));
  Settle();
  EXPECT_EQ(again->value(), 6);
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
  EXPECT_EQ(ValueOf(), 6);
}

}  // namespace
}  // namespace halles::partition
