// What the log may do to a slot: lose, delay, refuse, and leave its fate open.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/owner.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

using WithoutRecord = RuntimeFaultTest;
using LostRecord = RuntimeFaultTest;
using UnknownOutcome = RuntimeFaultTest;
using RefusedAppend = RuntimeFaultTest;
using ForeignBytes = RuntimeFaultTest;
using FullSlot = RuntimeFaultTest;
using InFlight = RuntimeFaultTest;
using Drain = RuntimeFaultTest;
using Query = RuntimeFaultTest;

TEST_F(WithoutRecord, ARefusalWaitsForWhatItWasDecidedOn) {
  const ReplyPtr add = Send(Add("r1", 5));
  const ReplyPtr refused = Send(Add("r2", -6));
  const ReplyPtr read = Send(Add("r3", 0));
  EXPECT_FALSE(refused->done());
  EXPECT_FALSE(read->done());
  Deliver(LastAppend());
  EXPECT_EQ(add->value(), 5);
  EXPECT_EQ(refused->reason(), "BELOW_ZERO");
  EXPECT_EQ(read->value(), 5);
  EXPECT_EQ(read->position().position, add->position().position);
}

TEST_F(WithoutRecord, IsDecidedAgainWhenThatIsLost) {
  const ReplyPtr first = Send(Add("r1", 5));
  Deliver(LastAppend());
  const ReplyPtr taken = Send(Add("r2", -5));
  const uint64_t append = LastAppend();
  const ReplyPtr refused = Send(Add("r3", -5));
  const ReplyPtr read = Send(Add("r4", 0));
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  DeliverClaim();
  EXPECT_EQ(taken->status().code(), absl::StatusCode::kAborted);
  // On the state without the lost record one is not refused any more, and the other has another answer.
  EXPECT_FALSE(refused->done());
  Deliver(LastAppend());
  EXPECT_EQ(refused->value(), 0);
  read->Await();
  EXPECT_TRUE(read->value() == 5 || read->value() == 0);
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(ValueOf(), 0);
}

TEST_F(LostRecord, IsAbortedWithAllBehindItAndLeavesNoRow) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t behind = LastAppend();
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  ASSERT_TRUE(log_->Drop(behind).ok());
  EXPECT_FALSE(first->done()) << "its fate is unknown";
  DeliverClaim();
  EXPECT_EQ(first->status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(first->reason(), "NOT_ACCEPTED");
  EXPECT_EQ(second->status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ValueOf(), 0);
  EXPECT_EQ(counters_.lost.load(), 2u);

  const ReplyPtr again = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(again->value(), 5);
}

TEST_F(LostRecord, ThatLandsLateIsNoFact) {
  const ReplyPtr lost = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  TimeOut(append);
  DeliverClaim();
  EXPECT_EQ(lost->status().code(), absl::StatusCode::kAborted);
  Deliver(append);
  // The slot does not stand where it thought: it finds out at its next record.
  const ReplyPtr next = Send(Add("r2", 1));
  Deliver(LastAppend());
  DeliverClaim();
  EXPECT_EQ(next->value(), 1);
  EXPECT_EQ(ValueOf(), 1);
  EXPECT_EQ(Batches().size(), 1u);
}

TEST_F(UnknownOutcome, ThatWasAcceptedIsASuccess) {
  const ReplyPtr reply = Send(Add("r1", 5));
  const Position position = End();
  ASSERT_TRUE(log_->DeliverWithoutPosition(LastAppend()).ok());
  Quiesce();
  const ReplyPtr meanwhile = Send(Add("r2", 1));
  EXPECT_FALSE(meanwhile->done());
  DeliverClaim();
  EXPECT_EQ(reply->value(), 5);
  EXPECT_EQ(reply->position().position, position + 1);
  Deliver(LastAppend());
  EXPECT_EQ(meanwhile->value(), 6);
  EXPECT_EQ(counters_.unknown_outcomes.load(), 1u);
  EXPECT_EQ(counters_.lost.load(), 0u);
}

TEST_F(UnknownOutcome, OfSomeIsSettledForEach) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t landed = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t dropped = LastAppend();
  ASSERT_TRUE(log_->DeliverAndLoseReport(landed).ok());
  TimeOut(dropped);
  ASSERT_TRUE(log_->Drop(dropped).ok());
  DeliverClaim();
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(second->status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(UnknownOutcome, OfTheClaimItselfIsClaimedAgain) {
  const ReplyPtr reply = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  ASSERT_TRUE(log_->DeliverWithoutPosition(append).ok());
  Quiesce();
  const uint64_t claim = LastAppend();
  TimeOut(claim);
  ASSERT_TRUE(log_->Drop(claim).ok());
  Quiesce();
  DeliverClaim();
  EXPECT_EQ(reply->value(), 5);
}

TEST_F(RefusedAppend, IsResourceExhaustedAndLeavesNoRow) {
  const ReplyPtr reply = Send(Add("r1", 5));
  ASSERT_TRUE(log_->Refuse(LastAppend()).ok());
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(reply->reason(), "LOG_FULL");
  const ReplyPtr next = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(next->value(), 5);
}

TEST_F(RefusedAppend, TakesNothingFromThoseBeforeIt) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t good = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  ASSERT_TRUE(log_->Refuse(LastAppend()).ok());
  EXPECT_EQ(second->reason(), "LOG_FULL");
  EXPECT_FALSE(first->done());
  const ReplyPtr third = Send(Add("r3", 2));
  Deliver(good);
  Deliver(LastAppend());
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(third->value(), 7);
  EXPECT_EQ(ValueOf(), 7);
}

TEST_F(ForeignBytes, BeforeTheClaimStopTheSlotAlone) {
  const ReplyPtr reply = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  TimeOut(append);
  log_->Inject(kFirstSlot, "a stray producer");
  ASSERT_TRUE(log_->Deliver(LastAppend()).ok());
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reply->reason(), "SLOT_STOPPED");
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kStopped);
  EXPECT_EQ(ReasonOf(StateOf(kFirstSlot).error), "NEEDS_FORCE");
  Deliver(append);  // the record comes after all: the log has it, whoever forces the claim finds it
  const ReplyPtr other = Submit(Add("r2", 1), kOtherSlot);
  Quiesce();
  Deliver(LastAppend());
  EXPECT_EQ(other->value(), 1);
}

TEST_F(FullSlot, RefusesDoorsWithATimeToWaitAndKeepsRoomForReactions) {
  std::vector<ReplyPtr> replies;
  for (int64_t i = 0; i < kSlotCommandsFromDoorsMax; ++i) replies.push_back(Submit(Add(absl::StrCat("r", i), 1)));
  const ReplyPtr refused = Submit(Add("one too many", 1));
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused->reason(), "SLOT_QUEUE_FULL");
  EXPECT_TRUE(RetryAfterOf(refused->status()).has_value());
  EXPECT_EQ(counters_.shed.load(), 1u);

  for (int64_t i = kSlotCommandsFromDoorsMax; i < kSlotCommandsMax; ++i) {
    replies.push_back(Submit(Add(absl::StrCat("i", i), 1), kFirstSlot, absl::InfiniteFuture(), /*internal=*/true));
  }
  const ReplyPtr internal = Submit(Add("internal", 1), kFirstSlot, absl::InfiniteFuture(), /*internal=*/true);
  EXPECT_EQ(internal->reason(), "SLOT_QUEUE_FULL");
  const ReplyPtr other = Submit(Add("r", 1), kOtherSlot);
  Until([&] {
    log_->DeliverAll();
    return replies.back()->done() && other->done();
  });
  for (const ReplyPtr& reply : replies) ASSERT_TRUE(reply->status().ok()) << reply->status();
  EXPECT_EQ(other->value(), 1);
  EXPECT_EQ(ValueOf(), kSlotCommandsMax);
}

TEST_F(InFlight, RecordsAreCapped) {
  const eventlog::OwnerOptions limits;
  std::vector<ReplyPtr> replies;
  for (size_t i = 0; i < limits.in_flight_records_max + 10; ++i)
    replies.push_back(Submit(Add(absl::StrCat("r", i), 1)));
  Quiesce();
  EXPECT_EQ(log_->pending().size(), limits.in_flight_records_max);
  EXPECT_EQ(StateOf(kFirstSlot).in_flight, limits.in_flight_records_max);
  Deliver(log_->pending().front().id);
  EXPECT_EQ(log_->pending().size(), limits.in_flight_records_max) << "one goes, one comes";
  Until([&] {
    log_->DeliverAll();
    return replies.back()->done();
  });
  EXPECT_EQ(ValueOf(), static_cast<int64_t>(limits.in_flight_records_max + 10));
}

TEST_F(InFlight, BytesAreCapped) {
  const eventlog::OwnerOptions limits;
  std::vector<ReplyPtr> replies;
  for (int i = 0; i < 20; ++i) {
    counter::AddRequest request = Add(absl::StrCat("r", i), 1);
    request.set_padding(std::string(size_t{400} << 10, 'x'));
    replies.push_back(Submit(request));
  }
  Quiesce();
  size_t bytes = 0;
  for (const auto& append : log_->pending()) bytes += append.bytes.size();
  EXPECT_LE(bytes, limits.in_flight_bytes_max);
  EXPECT_GE(bytes, limits.in_flight_bytes_max - 2 * eventlog::kMaxRecordBytes) << "and the cap is used";
  Until([&] {
    log_->DeliverAll();
    return replies.back()->done();
  });
  EXPECT_EQ(ValueOf(), 20);
}

TEST_F(Drain, AnswersWhatIsUnderWayAndRefusesWhatIsNew) {
  const ReplyPtr under_way = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  std::thread drain([this] { runtime_->Drain(kPatience); });
  ReplyPtr late;
  // Taken or refused, nothing stays without an answer.
  Until([&] {
    late = Submit(Add("late", 1));
    runtime_->States();
    return late->done();
  });
  EXPECT_EQ(late->reason(), "DRAINING");
  log_->DeliverAll();
  drain.join();
  EXPECT_EQ(under_way->value(), 5);
  EXPECT_TRUE(log_->pending().empty());
  EXPECT_NE(append, 0u);
}

TEST_F(Drain, AnswersTheRestAtTheDeadlineAndIgnoresWhatComesLater) {
  const ReplyPtr stuck = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr waiting = Send(Add("r2", -6));
  const uint64_t second = LastAppend();
  EXPECT_EQ(append, second);
  absl::Status query;
  runtime_->Query(kFirstSlot, End() + 10, absl::InfiniteFuture(),
                  [&](absl::StatusOr<const store::RowReader*> rows, Position) { query = rows.status(); });
  runtime_->Drain(absl::Milliseconds(20));
  EXPECT_EQ(stuck->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stuck->reason(), "DRAINING");
  EXPECT_EQ(waiting->reason(), "DRAINING");
  EXPECT_EQ(ReasonOf(query), "DRAINING");
  Deliver(append);  // acknowledged by the log after nobody waits any more
  Stop();
  Start();
  EXPECT_EQ(ValueOf(), 5) << "unknown to its caller, and a fact";
}

TEST_F(Query, WaitsUntilThePositionIsReached) {
  const Position target = End() + 1;
  Position answered = 0;
  int64_t value = -1;
  runtime_->Query(kFirstSlot, target, absl::InfiniteFuture(),
                  [&](absl::StatusOr<const store::RowReader*> rows, Position position) {
                    answered = position;
                    value = counter::kCounters.Get(**rows, {"c"})->value();
                  });
  const ReplyPtr reply = Send(Add("r1", 5));
  EXPECT_EQ(answered, 0u) << "what is in flight is nothing to read";
  Deliver(LastAppend());
  EXPECT_EQ(reply->value(), 5);
  EXPECT_EQ(answered, target);
  EXPECT_EQ(value, 5);
}

TEST_F(Query, BeyondItsDeadlineSaysThatTheTokenIsNotReached) {
  const auto done = std::make_shared<Reply>();
  runtime_->Query(kFirstSlot, End() + 1, absl::Now() + absl::Milliseconds(1),
                  [done](absl::StatusOr<const store::RowReader*> rows, Position) { done->Set(rows.status(), {}); });
  EXPECT_EQ(done->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(done->reason(), "TOKEN_NOT_REACHED");
}

TEST_F(Query, BeyondTheLimitOfThoseThatWaitIsRefused) {
  size_t refused = 0;
  size_t answered = 0;
  for (size_t i = 0; i <= kSlotWaitingQueriesMax; ++i) {
    runtime_->Query(kFirstSlot, End() + 1, absl::InfiniteFuture(),
                    [&](absl::StatusOr<const store::RowReader*> rows, Position) {
                      if (rows.ok()) ++answered;
                      if (ReasonOf(rows.status()) == "TOO_MANY_WAITING_READS") ++refused;
                    });
  }
  Quiesce();
  EXPECT_EQ(refused, 1u);
  const ReplyPtr reply = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(answered, kSlotWaitingQueriesMax);
  EXPECT_EQ(reply->value(), 5);
}

}  // namespace
}  // namespace halles::partition
