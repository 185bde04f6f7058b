// Tests of restarts: from store and log, from the log alone, with another build, with damage.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/store/alter_rows.h"

namespace halles::partition {
namespace {

using Restart = RuntimeTest;
using UnreadableFact = RuntimeTest;

constexpr ServiceId kService = ServiceId::kInventory;

TEST_F(Restart, FromStoreAndLogGivesEqualDigests) {
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(Submit(Add(absl::StrCat("r", i), 1, absl::StrCat("c", i % 3)))->status().ok());
  Flush();
  for (int i = 20; i < 40; ++i)
    EXPECT_TRUE(Submit(Add(absl::StrCat("r", i), 1, absl::StrCat("c", i % 3)))->status().ok());
  const auto digests = Digests();
  Crash();  // only flushed rows survive
  Start();
  EXPECT_EQ(Digests(), digests);
  EXPECT_EQ(Submit(Add("r40", 1, "c1"))->value(), 14);
}

TEST_F(Restart, AnswersReadsOnlyAfterItHasReadTheLog) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Submit(Add(absl::StrCat("r", i), 1))->status().ok());
  Crash();
  StartStore();
  Boot({counter::Service(kService)});
  int64_t value = -1;
  runtime_->Query(kFirstSlot, 0, kNoDeadline, [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
    value = counter::kCounters.Get(**rows, {"c"}).value_or(counter::CounterRow()).value();
  });
  Quiesce();
  EXPECT_EQ(value, 20);
}

TEST_F(Restart, WithoutAFlushReadsTheLogAgain) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Submit(Add(absl::StrCat("r", i), 1))->status().ok());
  Crash();
  Start();
  EXPECT_EQ(ValueOf(), 20);
  EXPECT_GE(counters_.replayed.load(), 20u);
}

TEST_F(Restart, FromTheLogAloneGivesEqualDigests) {
  // More records than one task reads.
  for (int i = 0; i < 700; ++i)
    EXPECT_TRUE(Submit(Add(absl::StrCat("r", i), 1, absl::StrCat("c", i % 5)))->status().ok());
  EXPECT_EQ(Submit(Add("no", -1000))->reason(), "BELOW_ZERO");
  const auto digests = Digests();
  Stop();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests);
  EXPECT_GE(counters_.replayed.load(), 700u);
}

TEST_F(Restart, WithAnotherFoldVersionFoldsTheLogAgain) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  const auto before = Metas();
  Stop();
  counters_.replayed = 0;
  Start({counter::Service(kService, counter::kCounter, /*fold_version=*/2)});
  EXPECT_EQ(counters_.replayed.load(), 1u);
  const auto after = Metas();
  const store::FoldId fold = store::FoldId::State(kFirstSlot);
  EXPECT_EQ(before.at(fold).version, 1u);
  EXPECT_EQ(after.at(fold).version, 2u);
  EXPECT_EQ(after.at(fold).digest, before.at(fold).digest);
  Stop();
  counters_.replayed = 0;
  Start({counter::Service(kService, counter::kCounter, /*fold_version=*/2)});
  EXPECT_EQ(counters_.replayed.load(), 0u) << "once";
}

TEST_F(UnreadableFact, StopsOnlyItsSlotAndIsNamed) {
  EXPECT_EQ(Submit(Add("r1", 1))->value(), 1);
  const Position position = End();
  EXPECT_EQ(Submit(Add("r2", counter::kUnlucky))->value(), 14);
  EXPECT_EQ(Submit(Add("r3", 1))->value(), 15);
  EXPECT_EQ(Submit(Add("r4", 7), kOtherSlot)->value(), 7);
  Crash();
  DeleteState();
  Start({counter::Service(kService, counter::kStrictCounter)});

  const SlotState state = StateOf(kFirstSlot);
  EXPECT_EQ(state.phase, SlotPhase::kStopped);
  EXPECT_EQ(state.position, position) << "everything before it is folded";
  EXPECT_TRUE(absl::StrContains(state.error.message(), EventRef({kFirstSlot, position, 0}).ToString())) << state.error;
  const Position end = End();
  const ReplyPtr refused = Submit(Add("r5", 1));
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused->reason(), "SLOT_STOPPED");
  EXPECT_EQ(End(), end);
  absl::Status read;
  runtime_->Query(kFirstSlot, 0, kNoDeadline,
                  [&](const absl::StatusOr<const store::RowReader*>& rows, Position) { read = rows.status(); });
  Quiesce();
  EXPECT_EQ(ReasonOf(read), "SLOT_STOPPED");
  EXPECT_EQ(Submit(Add("r6", 1), kOtherSlot)->value(), 8) << "others serve";
  EXPECT_EQ(counters_.stopped_slots.load(), 1u);
}

TEST_F(UnreadableFact, IsNotSkippedByTheNextStart) {
  EXPECT_EQ(Submit(Add("r1", 1))->value(), 1);
  const Position position = End();
  EXPECT_EQ(Submit(Add("r2", counter::kUnlucky))->value(), 14);
  EXPECT_EQ(Submit(Add("r3", 1))->value(), 15);
  Crash();
  DeleteState();
  for (int start = 0; start < 2; ++start) {
    Start({counter::Service(kService, counter::kStrictCounter)});
    EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kStopped) << "start " << start;
    EXPECT_EQ(Metas().at(store::FoldId::State(kFirstSlot)).cursor.next, position);
    Stop();
  }
  // A build that can read it continues from there.
  Start();
  EXPECT_EQ(ValueOf(), 15);
}

class UnreadableRow : public RuntimeTest {
 protected:
  // Two slots with a counter each; the row of the first one is damaged.
  void SetUp() override {
    RuntimeTest::SetUp();
    EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
    EXPECT_EQ(Submit(Add("r2", 7), kOtherSlot)->value(), 7);
    Stop();
    const std::string key = counter::kCounters.Encode({"c"});
    EXPECT_EQ(store::AlterRows(dir_.State(), store::RowSpace::State(kFirstSlot),
                               [&](absl::string_view row, std::string* value) {
                                 if (row != key) return false;
                                 *value = "\xff\xff\xff";
                                 return true;
                               }),
              1);
    Start();
  }
};

TEST_F(UnreadableRow, StopsTheSlotWithoutAnAppend) {
  const Position end = End();
  const ReplyPtr reply = Submit(Add("r3", 1));
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reply->reason(), "SLOT_STOPPED");
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kStopped);
  EXPECT_EQ(runtime_->why_stopped(kFirstSlot), StateOf(kFirstSlot).error) << "for who may not wait for the queue";
  EXPECT_EQ(End(), end);
  EXPECT_EQ(Submit(Add("r4", 1), kOtherSlot)->value(), 8);
}

TEST_F(UnreadableRow, CausesNoRefusal) {
  EXPECT_EQ(Submit(Add("r3", -6))->reason(), "SLOT_STOPPED") << "not as if the counter stood at zero";
}

}  // namespace
}  // namespace halles::partition
