// Tests of requests and answers: recorded once, repeated, refused, expired.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/partition/expired_answers.h"
#include "libs/partition/fold.h"
#include "libs/partition/request_id.h"
#include "libs/partition/runtime_fixture.h"
#include "libs/store/memory_rows.h"

namespace halles::partition {
namespace {

using Answer = RuntimeTest;
using Repeat = RuntimeTest;
using Uuid7 = RuntimeTest;
using RepeatInFlight = RuntimeFaultTest;

constexpr int64_t kHour = int64_t{3600} * 1'000'000;
constexpr int64_t kDay = 24 * kHour;

TEST_F(Answer, CarriesThePositionAfterItsRecord) {
  const Position before = End();
  const ReplyPtr first = Submit(Add("r1", 5));
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(first->position().slot, kFirstSlot);
  EXPECT_EQ(first->position().position, before + 1);
  EXPECT_EQ(Submit(Add("r2", 2))->position().position, before + 2);
  EXPECT_EQ(ValueOf(), 7);
}

TEST_F(Answer, IsVisibleToAllThreadsOnceGiven) {
  for (int i = 0; i < 200; ++i) {
    const ReplyPtr reply = Submit(Add(absl::StrCat("r", i), 1));
    ASSERT_GE(runtime_->confirmed(kFirstSlot), reply->position().position);
  }
}

TEST_F(Answer, IsUnavailableFromASlotThatIsNotServedHere) {
  const ReplyPtr reply = Submit(Add("r1", 1), SlotId{ServiceId::kLoyalty, 0});
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reply->reason(), "NOT_OWNER");
}

TEST_F(Answer, IsNotRecordedForARefusal) {
  const Position before = End();
  EXPECT_EQ(Submit(Add("r1", -1))->reason(), "BELOW_ZERO");
  EXPECT_EQ(End(), before);
  EXPECT_FALSE(Remembers("r1"));
}

TEST_F(Answer, WithoutFactsIsRecordedForItsLateCopies) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  const Position before = End();
  EXPECT_EQ(Submit(Add("r2", 0))->value(), 5);
  EXPECT_EQ(End(), before + 1);
  EXPECT_EQ(Submit(Add("r3", 1))->value(), 6);
  Crash();
  Start();
  EXPECT_EQ(Submit(Add("r2", 0))->value(), 5) << "the answer is the recorded one";
}

TEST_F(Answer, WithoutFactsThatNoLaterStateChangesRecordsNothing) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  const Position before = End();
  EXPECT_EQ(Submit(Add("r2", counter::kNoneEver))->value(), 0);
  EXPECT_EQ(End(), before);
  EXPECT_FALSE(Remembers("r2"));
}

TEST_F(Answer, WithoutFactsAndRequestIdRecordsNothingAndCoversWhatItSaw) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  const Position before = End();
  const ReplyPtr reply = Submit(Add("", 0));
  EXPECT_EQ(reply->value(), 5);
  EXPECT_EQ(reply->position().position, before);
  EXPECT_EQ(End(), before);
}

TEST_F(Answer, AfterTheDeadlineComesWithoutADecision) {
  const Position before = End();
  const ReplyPtr late = Submit(Add("r1", 5), kFirstSlot, node_.Now() - 1);
  EXPECT_EQ(late->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(late->reason(), "DEADLINE_PASSED");
  EXPECT_EQ(End(), before);
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5) << "the repeat is free to do it";
}

TEST_F(Answer, IsInternalWithoutARecordIfTheDecisionCannotBeEvolved) {
  EXPECT_EQ(Submit(Add("r1", 1))->value(), 1);
  const Position before = End();
  const ReplyPtr reply = Submit(Add("r2", counter::kNotEvolvable));
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(reply->reason(), "NOT_EVOLVABLE");
  EXPECT_EQ(End(), before);
  EXPECT_EQ(Submit(Add("r3", 1))->value(), 2) << "no row of it stays behind";
}

TEST_F(Answer, ReportsARecordThatIsTooLarge) {
  const Position before = End();
  counter::AddRequest large = Add("r1", 1);
  large.set_padding(std::string(eventlog::kMaxRecordBytes, 'x'));
  EXPECT_EQ(Submit(large)->reason(), "RECORD_TOO_LARGE");
  EXPECT_EQ(End(), before);
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 1);
}

TEST_F(Repeat, GetsTheFirstAnswerWithoutARecord) {
  const ReplyPtr first = Submit(Add("r1", 5));
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 6);
  const Position before = End();
  const ReplyPtr again = Submit(Add("r1", 5));
  EXPECT_EQ(again->value(), 5);
  EXPECT_EQ(again->position().position, first->position().position);
  EXPECT_EQ(End(), before);
  EXPECT_EQ(ValueOf(), 6);
}

TEST_F(Repeat, GetsTheFirstAnswerAfterARestart) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 6);
  Crash();
  Start();
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  EXPECT_EQ(ValueOf(), 6);
}

TEST_F(Repeat, WithAnotherBodyIsRefusedAndChangesNothing) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  const Position before = End();
  const auto digests = Digests();
  const ReplyPtr reuse = Submit(Add("r1", 6));
  EXPECT_EQ(reuse->status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(reuse->reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(MetadataOf(reuse->status(), "request_id"), "r1");
  EXPECT_EQ(End(), before);
  EXPECT_EQ(Digests(), digests);
}

TEST_F(RepeatInFlight, WaitsForTheConfirmationOfTheFirstCopy) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr again = Send(Add("r1", 5));
  const ReplyPtr reuse = Send(Add("r1", 6));
  EXPECT_EQ(log_->pending().size(), 1u);
  EXPECT_FALSE(again->done());
  EXPECT_FALSE(reuse->done());
  Deliver(append);
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(again->value(), 5);
  EXPECT_EQ(again->position().position, first->position().position);
  EXPECT_EQ(reuse->reason(), "REQUEST_ID_REUSED");
}

TEST_F(RepeatInFlight, CarriesThePositionOfTheFirstCopy) {
  EXPECT_FALSE(Send(Add("r0", 1))->done());
  Deliver(LastAppend());
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr again = Send(Add("r1", 5));
  std::vector<eventlog::StoredRecord> records;
  ASSERT_TRUE((*log_->NewReader(kFirstSlot, End() - 1))->Poll({}, &records).ok());
  const Position landed = log_->Inject(kFirstSlot, records.front().bytes) + 1;
  ASSERT_TRUE(log_->DeliverWithoutPosition(append).ok());
  Quiesce();
  DeliverClaim();
  EXPECT_EQ(first->value(), 6);
  EXPECT_EQ(again->value(), 6);
  EXPECT_EQ(first->position().position, landed + 1);
  EXPECT_EQ(again->position().position, landed + 1);
}

TEST_F(RepeatInFlight, IsExecutedWhenTheFirstCopyIsLost) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr again = Send(Add("r1", 5));
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  DeliverClaim();
  EXPECT_EQ(first->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(again->done());
  Deliver(LastAppend());
  EXPECT_EQ(again->value(), 5);
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(RepeatInFlight, IsAnsweredAsTheFirstCopyWhenOthersAreConfirmedWithIt) {
  const ReplyPtr first = Send(Add("r1", 5));
  const ReplyPtr again = Send(Add("r1", 5));
  const ReplyPtr other = Send(Add("r2", 1));
  DeliverEverything();
  EXPECT_EQ(again->position().position, first->position().position);
  EXPECT_GT(other->position().position, first->position().position);
}

TEST_F(Uuid7, OlderThanThirtyDaysIsRefused) {
  const UnixMicros now = node_.clock().Wall();
  const Position before = End();
  const ReplyPtr old = Submit(Add(Uuid7At(now - 30 * kDay), 1));
  EXPECT_EQ(old->status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(old->reason(), "REQUEST_ID_EXPIRED");
  EXPECT_EQ(End(), before);
  EXPECT_EQ(Submit(Add(Uuid7At(now - 30 * kDay + 1000), 1))->value(), 1);
}

TEST_F(Uuid7, TooFarAheadIsRefused) {
  const UnixMicros now = node_.clock().Wall();
  const ReplyPtr ahead = Submit(Add(Uuid7At(now + kDay + 1000), 1));
  EXPECT_EQ(ahead->status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ahead->reason(), "REQUEST_ID_AHEAD");
  EXPECT_EQ(Submit(Add(Uuid7At(now + kDay), 1))->value(), 1);
}

TEST_F(Uuid7, IsForgottenByTheFirstRecordAfterItIsOverAndInAReplay) {
  const UnixMicros start = node_.clock().Wall();
  const std::string id = Uuid7At(start);
  const std::string later = Uuid7At(start + kHour);
  EXPECT_EQ(Submit(Add(id, 5))->value(), 5);
  EXPECT_EQ(Submit(Add(later, 5))->value(), 10);
  EXPECT_EQ(Submit(Add("kept", 5))->value(), 15);

  TimePasses(30 * kDay - 1000);
  const Position before = End();
  EXPECT_EQ(Submit(Add(id, 5))->value(), 5) << "still remembered";
  EXPECT_EQ(End(), before);

  TimePasses(1000);
  EXPECT_EQ(Submit(Add(id, 5))->reason(), "REQUEST_ID_EXPIRED");
  EXPECT_TRUE(Remembers(id)) << "no record has come since";
  EXPECT_EQ(Submit(Add("next", 1))->value(), 16);
  EXPECT_EQ(End(), before + 1) << "nothing is recorded for it";
  EXPECT_FALSE(Remembers(id));
  EXPECT_TRUE(Remembers(later));
  EXPECT_TRUE(Remembers("kept"));
  EXPECT_EQ(Submit(Add(id, 5))->reason(), "REQUEST_ID_EXPIRED");
  EXPECT_EQ(ValueOf(), 16);

  const auto digests = Digests();
  Stop();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests);
}

// However busy the slot was, it forgets faster than it learns.
TEST_F(Uuid7, IsForgottenWithoutACeiling) {
  const UnixMicros start = node_.clock().Wall();
  constexpr size_t kMany = 2'000;
  for (size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(
        Submit(Add(Uuid7At(start + static_cast<int64_t>(i / 50) * 1000, static_cast<int>(i)), 1))->status().ok());
    if (i == kMany / 3) Flush();
  }
  Flush();
  TimePasses(31 * kDay);
  EXPECT_EQ(AnswersWithATime(), kMany);
  for (size_t i = 1; i <= kMany / kAnswersDroppedPerRecord; ++i) {
    ASSERT_TRUE(Submit(Add(absl::StrCat("r", i), 1))->status().ok());
    if (i % 100 == 0) {
      ASSERT_EQ(AnswersWithATime(), kMany - i * kAnswersDroppedPerRecord);
    }
    if (i % 150 == 0) Flush();
  }
  EXPECT_EQ(AnswersWithATime(), 0u);
  const auto digests = Digests();
  Crash();
  Start();
  EXPECT_EQ(Digests(), digests);
  Stop();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Uuid7, IsForgottenByLogicalTimeEvenIfTheWallClockIsSetBack) {
  const UnixMicros start = node_.clock().Wall();
  EXPECT_EQ(Submit(Add(Uuid7At(start), 5))->value(), 5);
  node_.JumpWall(-365 * kDay);
  EXPECT_EQ(Submit(Add(Uuid7At(start - 30 * kDay), 5))->reason(), "REQUEST_ID_EXPIRED");
  Crash();
  accept_clock_jump_ = true;  // the wall clock is behind the log
  Start();
  EXPECT_EQ(Submit(Add(Uuid7At(start - 30 * kDay), 5))->reason(), "REQUEST_ID_EXPIRED");
}

// Expired answers come back with a record that is lost, and go with the next one.
TEST_F(RepeatInFlight, AndExpiredAnswersAreForgottenOnceWhenARecordIsLost) {
  const UnixMicros start = node_.clock().Wall();
  for (int i = 0; i < 10; ++i) Send(Add(Uuid7At(start, i), 1));
  DeliverEverything();
  TimePasses(31 * kDay);
  EXPECT_EQ(AnswersWithATime(), 10u);
  const ReplyPtr lost = Send(Add("lost", 1));
  const uint64_t append = LastAppend();
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  DeliverClaim();
  EXPECT_FALSE(lost->status().ok());
  EXPECT_EQ(AnswersWithATime(), 10u);
  for (const size_t left : {6, 2, 0}) {
    Send(Add(absl::StrCat("r", left), 1));
    EXPECT_EQ(Send(Add(absl::StrCat("large", left), counter::kNotEvolvable))->done(), false);
    DeliverEverything();
    EXPECT_EQ(AnswersWithATime(), left);
  }
  const auto digests = Digests();
  Stop();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests);
}

class Step : public RuntimeTest {
 protected:
  std::string Id() const { return StepRequestId(start_, "saga", "a"); }
  const UnixMicros start_ = node_.clock().Wall();
};

TEST_F(Step, IsForgottenAfterTheLongestLifeOfItsSaga) {
  EXPECT_EQ(Submit(Add(Id(), 5))->value(), 5);
  TimePasses(kSagaLifeMicros - 1000);
  EXPECT_EQ(Submit(Add(Id(), 5))->value(), 5);
  EXPECT_EQ(ValueOf(), 5);
  TimePasses(1000);
  EXPECT_EQ(Submit(Add("next", 1))->value(), 6);
  EXPECT_FALSE(Remembers(Id()));
}

TEST_F(Step, OfASagaThatIsTooOldIsUnknownNotRefused) {
  TimePasses(kSagaLifeMicros);
  for (const int64_t amount : {5, -5}) {
    const ReplyPtr late = Submit(Add(Id(), amount));
    EXPECT_EQ(late->reason(), "STEP_EXPIRED");
    EXPECT_EQ(OutcomeOf(late->status(), {}).kind, CallOutcome::Kind::kUnknown);
  }
  EXPECT_EQ(ValueOf(), 0) << "never executed";
}

TEST_F(Step, IsExecutedWhateverTheClockOfItsSagaSays) {
  const std::string ahead = StepRequestId(start_ + 400 * kDay, "saga", "a");
  EXPECT_EQ(Submit(Add(ahead, 5))->value(), 5);
  EXPECT_EQ(Submit(Add(ahead, 5))->value(), 5);
  EXPECT_EQ(ValueOf(), 5);
}

using RequestId = RuntimeTest;

TEST_F(RequestId, IsScopedToItsAggregateInWhateverSlot) {
  EXPECT_EQ(Submit(Add("r1", 5, "c"))->value(), 5);
  EXPECT_EQ(Submit(Add("r1", 7, "d"))->value(), 7) << "the same slot";
  EXPECT_EQ(Submit(Add("r1", 9, "e"), kOtherSlot)->value(), 9) << "another slot";
  EXPECT_EQ(Submit(Add("r1", 5, "c"))->value(), 5);
  EXPECT_EQ(Submit(Add("r1", 7, "d"))->value(), 7);
  EXPECT_EQ(Submit(Add("r1", 9, "e"), kOtherSlot)->value(), 9);
  EXPECT_EQ(Submit(Add("r1", 7, "c"))->reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(Submit(Add("r1", 5, "d"))->reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(Submit(Add("r1", 5, "e"), kOtherSlot)->reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(ValueOf("c"), 5);
  EXPECT_EQ(ValueOf("d"), 7);
  EXPECT_EQ(ValueOf("e", kOtherSlot), 9);
}

// A memory of what is ahead must not change which rows go.
TEST(ExpiredAnswers, GoAlikeWithAndWithoutAMemoryOfThem) {
  SeededRandom random(7);
  store::MemoryRows with, without;
  ExpiredAnswers memory;
  UnixMicros now = 40 * kDay;
  const ServiceDefinition service = counter::Service(ServiceId::kInventory);
  for (int i = 0; i < 20'000; ++i) {
    // Now many records, now few, whose ids are up to 30 days old.
    now += static_cast<int64_t>(random.Uniform(i / 4'000 % 2 == 0 ? 2'000 : 200'000'000));
    log::v1::Batch batch;
    batch.set_aggregate_type(1);
    batch.set_aggregate_key("c");
    const auto age = static_cast<int64_t>(random.Uniform(30 * kDay));
    batch.set_request_id(random.Uniform(10) == 0 ? absl::StrCat("r", i) : Uuid7At(now - age, i));
    const Position position = static_cast<Position>(i);
    ASSERT_TRUE(FoldBatch(service, kFirstSlot, position, now, batch, with, &memory).ok());
    ASSERT_TRUE(FoldBatch(service, kFirstSlot, position, now, batch, without).ok());
    ASSERT_EQ(with.size(), without.size());
    if (i % 1'000 == 0) {
      ASSERT_TRUE(SameContent(with, without));
    }
    if (i % 777 == 0) memory.Reset();
  }
  EXPECT_TRUE(SameContent(with, without));
  EXPECT_LT(with.size(), 19'000u) << "some are over";
}

}  // namespace
}  // namespace halles::partition
