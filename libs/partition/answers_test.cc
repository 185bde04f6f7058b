// Tests of requests and answers: recorded once, repeated, refused, expired.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "halles/log/v1/runtime_events.pb.h"
#include "libs/base/status.h"
#include "libs/partition/expiry.h"
#include "libs/partition/request_id.h"
#include "libs/partition/runtime_fixture.h"

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

TEST(TimeOfUuid7, IsReadFromVersionSevenOnly) {
  EXPECT_EQ(TimeOfUuid7("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), 1'645'557'742'000'000);
  EXPECT_EQ(TimeOfUuid7(Uuid7At(1'700'000'000'123'000)), 1'700'000'000'123'000);
  EXPECT_EQ(TimeOfUuid7("017F22E2-79B0-4CC3-98C4-DC0C0C07398F"), std::nullopt);
  EXPECT_EQ(TimeOfUuid7("017F22E2-79B0-7CC3-78C4-DC0C0C07398F"), std::nullopt);
  EXPECT_EQ(TimeOfUuid7("017F22E2079B0-7CC3-98C4-DC0C0C07398F"), std::nullopt);
  EXPECT_EQ(TimeOfUuid7("017G22E2-79B0-7CC3-98C4-DC0C0C07398F"), std::nullopt);
  EXPECT_EQ(TimeOfUuid7("order-17"), std::nullopt);
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

TEST_F(Uuid7, IsForgottenByARecordedEventAndInAReplay) {
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
  TimePasses(absl::ToInt64Microseconds(kExpiryScan));
  EXPECT_GT(runtime_->confirmed(kFirstSlot), before);
  EXPECT_FALSE(Remembers(id));
  EXPECT_TRUE(Remembers(later));
  EXPECT_TRUE(Remembers("kept"));
  EXPECT_EQ(Submit(Add(id, 5))->reason(), "REQUEST_ID_EXPIRED");
  EXPECT_EQ(ValueOf(), 15);

  const std::vector<log::v1::Batch> batches = Batches(before);
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].events_size(), 1);
  EXPECT_EQ(batches[0].events(0).type(), 0u);
  log::v1::RuntimeEvent event;
  ASSERT_TRUE(event.ParseFromString(batches[0].events(0).payload()));
  EXPECT_EQ(event.request_ids_expired().until_us(), start + 30 * kDay);

  const auto digests = Digests();
  Stop();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests);
}

TEST_F(Uuid7, IsForgottenTogetherWithAllThatAreDue) {
  const UnixMicros start = node_.clock().Wall();
  constexpr int kMany = 2 * static_cast<int>(kExpiryBatch) + 100;
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(Submit(Add(Uuid7At(start + i * 1000), 1))->status().ok());
  TimePasses(30 * kDay);
  TimePasses(absl::ToInt64Microseconds(kExpiryScan));
  size_t left = 0;
  runtime_->Query(kFirstSlot, 0, kNoDeadline, [&](absl::StatusOr<const store::RowReader*> rows, Position) {
    kDedupeExpiry.ForEach(**rows, [&left](const DedupeExpiryKey&, const rows::EmptyRow&, Position) {
      ++left;
      return true;
    });
  });
  Quiesce();
  EXPECT_EQ(left, 0u) << "a scan does not end before";
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

}  // namespace
}  // namespace halles::partition
