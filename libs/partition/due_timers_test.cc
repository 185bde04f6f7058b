// Tests of the order and pauses of timers, and of the collection of outcomes.
#include "libs/partition/due_timers.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "libs/partition/noting_rows.h"
#include "libs/partition/outcome_gatherer.h"
#include "libs/store/memory_rows.h"

namespace halles::partition {
namespace {

class DueTimersTest : public ::testing::Test {
 protected:
  void Set(UnixMicros due, const std::string& key) {
    NotingRows noting(&rows_);
    SetTimer(noting, context_, due, key);
    timers_.OnSet(noting.earliest());
  }
  void Clear(UnixMicros due, const std::string& key) { ClearTimer(rows_, context_, due, key); }

  // The keys taken at `now`.
  std::string Take(UnixMicros now) {
    if (!timers_.MayBeDue(now)) return "nothing may be due";
    taken_ = timers_.Take(rows_, now);
    return absl::StrJoin(taken_, " ", [](std::string* out, const TimerKey& timer) { out->append(timer.name); });
  }
  // Answers the timers taken last at `now`; all but `standing` are cleared.
  void Answer(UnixMicros now, const std::string& standing = "") {
    for (size_t i = 0; i < taken_.size(); ++i) {
      if (taken_[i].name != standing) Clear(taken_[i].due_us, taken_[i].name);
      if (timers_.Answered()) timers_.Settle(rows_, now);
    }
  }
  // Answers all of them, and clears none.
  void Leave(UnixMicros now) {
    for (size_t i = 0; i < taken_.size(); ++i) {
      if (timers_.Answered()) timers_.Settle(rows_, now);
    }
  }

  const FactContext context_{.aggregate_type = 1, .aggregate_id = "one"};
  store::MemoryRows rows_;
  DueTimers timers_;
  std::vector<TimerKey> taken_;
};

TEST_F(DueTimersTest, TakesDueTimersEarliestFirst) {
  Set(30, "c");
  Set(10, "a");
  Set(20, "b");
  Set(31, "d");
  EXPECT_EQ(Take(30), "a b c");
}

TEST_F(DueTimersTest, DoesNotReadBeforeTheEarliestIsDue) {
  Set(10, "a");
  EXPECT_EQ(Take(5), "");
  EXPECT_EQ(Take(9), "nothing may be due");
  EXPECT_EQ(Take(10), "a");
}

TEST_F(DueTimersTest, NoticesATimerBeforeTheEarliest) {
  Set(100, "late");
  EXPECT_EQ(Take(5), "");
  Set(10, "soon");
  EXPECT_EQ(Take(10), "soon");
}

TEST_F(DueTimersTest, WaitsForTheAnswersToTimersInProgress) {
  Set(10, "a");
  EXPECT_EQ(Take(10), "a");
  Set(11, "b");
  EXPECT_EQ(Take(20), "nothing may be due");
  Answer(20);
  EXPECT_EQ(Take(20), "b");
}

TEST_F(DueTimersTest, RetriesAnUnclearedTimerAfterAPause) {
  Set(10, "a");
  Set(11, "b");
  EXPECT_EQ(Take(20), "a b");
  Answer(20, "a");
  EXPECT_EQ(Take(20 + kTimerRetryMicros - 1), "nothing may be due");
  EXPECT_EQ(Take(20 + kTimerRetryMicros), "a");
  Answer(20 + kTimerRetryMicros);
  EXPECT_EQ(Take(20 + 4 * kTimerRetryMicros), "") << "it notices that none is left";
  EXPECT_EQ(timers_.MayBeDueFrom(), DueTimers::kNever);
}

TEST_F(DueTimersTest, RetriesLessAndLessOftenWhatIsNeverCleared) {
  Set(10, "a");
  EXPECT_EQ(Take(10), "a");
  Leave(10);
  UnixMicros now = 10;
  std::vector<int64_t> pauses;
  for (int i = 0; i < 9; ++i) {
    const UnixMicros next = timers_.MayBeDueFrom();
    pauses.push_back((next - now) / kTimerRetryMicros);
    now = next;
    EXPECT_EQ(Take(now - 1), "nothing may be due");
    EXPECT_EQ(Take(now), "a");
    Leave(now);
  }
  EXPECT_EQ(pauses, (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 60, 60, 60}));
  timers_.Reset();
  EXPECT_EQ(Take(now), "a") << "a restart does so at once";
}

TEST_F(DueTimersTest, RetriesOthersSoonOnceOneWasCleared) {
  for (int i = 0; i < 100; ++i) Set(10, absl::StrFormat("a%02d", i));
  for (int i = 0; i < 2; ++i) {
    Take(20);
    Leave(20);
  }
  UnixMicros now = 20;
  const auto next = [&] {
    const int64_t pause = timers_.MayBeDueFrom() - now;
    now = timers_.MayBeDueFrom();
    Take(now);
    Leave(now);
    return absl::StrCat(pause / kTimerRetryMicros, " s: ", taken_.size(), " from ", taken_[0].name);
  };
  EXPECT_EQ(next(), "1 s: 64 from a00");
  EXPECT_EQ(next(), "2 s: 36 from a64") << "each in its turn";
  for (int i = 0; i < 8; ++i) next();
  EXPECT_EQ(next(), "60 s: 64 from a00");
  Clear(10, "a07");
  EXPECT_EQ(next(), "60 s: 36 from a64");
  EXPECT_EQ(next(), "1 s: 64 from a00");
}

TEST_F(DueTimersTest, FiresOthersInTimeWhileSomeAreNeverCleared) {
  Set(10, "stuck");
  UnixMicros now = 10;
  EXPECT_EQ(Take(now), "stuck");
  Leave(now);
  for (int i = 0; i < 10; ++i) {
    now = timers_.MayBeDueFrom();
    EXPECT_EQ(Take(now), "stuck");
    Leave(now);
  }
  Set(now + 5, "b");
  EXPECT_EQ(timers_.MayBeDueFrom(), now + 5);
  EXPECT_EQ(Take(now + 5), "b");
  Answer(now + 5, "b");
  EXPECT_EQ(timers_.MayBeDueFrom(), now + 5 + kTimerRetryMicros) << "one that joins them does not wait as long";
}

TEST_F(DueTimersTest, DoesNotLetAnUnclearedTimerBlockOthers) {
  for (size_t i = 0; i < kTimersAtATime; ++i) Set(10, absl::StrCat("a", i));
  Set(11, "b");
  Set(1'000'000'000'000, "far");
  Take(20);
  EXPECT_EQ(taken_.size(), kTimersAtATime);
  Answer(20, "a0");
  EXPECT_EQ(Take(20), "b");
  Answer(20);
  EXPECT_EQ(Take(20), "nothing may be due");
  EXPECT_EQ(Take(20 + kTimerRetryMicros), "a0");
  Answer(20 + kTimerRetryMicros);
  EXPECT_EQ(Take(20 + kTimerRetryMicros), "nothing may be due");
  EXPECT_EQ(Take(1'000'000'000'000), "far");
}

TEST_F(DueTimersTest, ReadsAllTimersAgainAfterAReset) {
  EXPECT_EQ(Take(5), "");
  SetTimer(rows_, context_, 10, "folded by nobody here");
  EXPECT_EQ(Take(20), "nothing may be due");
  timers_.Reset();
  EXPECT_EQ(Take(20), "folded by nobody here");
}

TEST_F(DueTimersTest, MoveTimerClearsAndSets) {
  MoveTimer(rows_, context_, 0, 10, "a");
  MoveTimer(rows_, context_, 10, 30, "a");
  MoveTimer(rows_, context_, 30, 30, "a");
  EXPECT_EQ(Take(20), "");
  timers_.Reset();
  EXPECT_EQ(Take(30), "a");
  MoveTimer(rows_, context_, 30, 0, "a");
  EXPECT_EQ(rows_.size(), 0u);
}

class OutcomeGathererTest : public ::testing::Test {
 protected:
  void Add(uint64_t group, const std::string& tag, CallOutcome::Kind kind = CallOutcome::Kind::kSucceeded) {
    CallOutcome outcome;
    outcome.reply_tag = tag;
    outcome.kind = kind;
    gatherer_.Add(group, std::move(outcome));
  }

  std::vector<std::string> delivered_;
  OutcomeGatherer gatherer_{[this](const std::string& tenant, const std::vector<CallOutcome>& outcomes) {
    delivered_.push_back(absl::StrCat(tenant, ":"));
    for (const CallOutcome& outcome : outcomes) absl::StrAppend(&delivered_.back(), outcome.reply_tag);
  }};
  using Delivered = std::vector<std::string>;
};

TEST_F(OutcomeGathererTest, DeliversTheOutcomesOfAGroupTogether) {
  const uint64_t group = gatherer_.Begin("t", 2, 0);
  Add(group, "a");
  EXPECT_EQ(delivered_, Delivered());
  Add(group, "b");
  EXPECT_EQ(delivered_, Delivered({"t:ab"}));
  EXPECT_TRUE(gatherer_.empty());
}

TEST_F(OutcomeGathererTest, LeavesOutUnknownOutcomes) {
  const uint64_t group = gatherer_.Begin("", 2, 0);
  Add(group, "a", CallOutcome::Kind::kUnknown);
  Add(group, "b");
  EXPECT_EQ(delivered_, Delivered({":b"}));
  Add(gatherer_.Begin("", 1, 0), "c", CallOutcome::Kind::kUnknown);
  EXPECT_EQ(delivered_.size(), 1u) << "nothing to deliver";
}

TEST_F(OutcomeGathererTest, DeliversTimelyOutcomesTogetherAndLateOnesAsTheyArrive) {
  const uint64_t group = gatherer_.Begin("", 3, 0);
  Add(group, "a");
  EXPECT_FALSE(gatherer_.MayBeDue(kGatherMicros - 1));
  EXPECT_TRUE(gatherer_.MayBeDue(kGatherMicros));
  gatherer_.DeliverDue(kGatherMicros);
  EXPECT_EQ(delivered_, Delivered({":a"}));
  EXPECT_FALSE(gatherer_.MayBeDue(2 * kGatherMicros));
  Add(group, "b");
  Add(group, "c");
  EXPECT_EQ(delivered_, Delivered({":a", ":b", ":c"}));
  EXPECT_TRUE(gatherer_.empty());
}

TEST_F(OutcomeGathererTest, ForgetsAllGroupsWhenCleared) {
  const uint64_t group = gatherer_.Begin("", 1, 0);
  gatherer_.Clear();
  Add(group, "a");
  EXPECT_EQ(delivered_, Delivered());
}

}  // namespace
}  // namespace halles::partition
