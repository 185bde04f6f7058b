// Tests of faults of the log: lost, late and refused records, and unknown outcomes.
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
using Confirmed = RuntimeFaultTest;
using RefusedClaim = RuntimeFaultTest;
using UnavailableLog = RuntimeTest;
using Query = RuntimeFaultTest;

// Rows on a disk whose reads may fail.
class UnreadableJustNow : public RuntimeFaultTest {
 protected:
  UnreadableJustNow() { disk_ = std::make_unique<store::MemoryDisk>("disk"); }

  // Appends an old record again, which does not count.
  Position InjectOld() {
    std::vector<eventlog::StoredRecord> records;
    EXPECT_TRUE((*log_->NewReader(kFirstSlot, End() - 1))->Poll({}, &records).ok());
    return log_->Inject(kFirstSlot, records.front().bytes);
  }
};

TEST_F(UnreadableJustNow, ARecordIsFoldedLaterAndHandedOverWithItsCursor) {
  std::vector<ConfirmedRecord> confirmed;
  Crash();
  on_confirmed_ = [&confirmed](ConfirmedRecord record) { confirmed.push_back(std::move(record)); };
  Start();
  EXPECT_FALSE(Send(Add("r1", 5))->done());
  Deliver(LastAppend());
  Flush();
  Crash();
  Start();  // the row is only on the disk
  confirmed.clear();
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t append = LastAppend();
  const ReplyPtr third = Send(Add("r3", 1));
  const uint64_t behind = LastAppend();
  InjectOld();
  const Position elsewhere = InjectOld() + 1;
  ASSERT_TRUE(log_->DeliverAndHoldReport(append).ok());
  disk_->FailNextRead();
  Quiesce();
  Deliver(behind);
  for (int i = 0; i < 5; ++i) {
    DeliverEverything();
    TimePasses(1'000'000);
  }
  EXPECT_EQ(counters_.failed_reads, 1u);
  EXPECT_EQ(second->value(), 6);
  EXPECT_EQ(second->position().position, elsewhere + 1);
  EXPECT_EQ(third->value(), 7);
  ASSERT_EQ(confirmed.size(), 2u);
  for (const ConfirmedRecord& record : confirmed) EXPECT_EQ(record.before.next, record.position);
}

TEST_F(WithoutRecord, ARefusalWaitsForTheRecordsItDependsOn) {
  const ReplyPtr add = Send(Add("r1", 5));
  const ReplyPtr refused = Send(Add("r2", -6));
  const ReplyPtr read = Send(Add("", 0));
  EXPECT_FALSE(refused->done());
  EXPECT_FALSE(read->done());
  Deliver(LastAppend());
  EXPECT_EQ(add->value(), 5);
  EXPECT_EQ(refused->reason(), "BELOW_ZERO");
  EXPECT_EQ(read->value(), 5);
  EXPECT_EQ(read->position().position, add->position().position);
}

TEST_F(WithoutRecord, IsDecidedAgainWhenTheyAreLost) {
  const ReplyPtr first = Send(Add("r1", 5));
  Deliver(LastAppend());
  const ReplyPtr taken = Send(Add("r2", -5));
  const uint64_t append = LastAppend();
  const ReplyPtr refused = Send(Add("r3", -5));
  const ReplyPtr read = Send(Add("", 0));
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  DeliverClaim();
  EXPECT_EQ(taken->status().code(), absl::StatusCode::kUnavailable);
  // On the state without the lost record, one command is no longer refused and the other has another answer.
  EXPECT_FALSE(refused->done());
  Deliver(LastAppend());
  EXPECT_EQ(refused->value(), 0);
  EXPECT_TRUE(read->value() == 5 || read->value() == 0);
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(ValueOf(), 0);
}

TEST_F(WithoutRecord, CommandsThatAreDecidedAgainKeepTheirOrder) {
  EXPECT_FALSE(Send(Add("r1", 5))->done());
  Deliver(LastAppend());
  const ReplyPtr taken = Send(Add("r2", -5));
  const uint64_t append = LastAppend();
  const ReplyPtr first = Send(Add("r3", -5));
  const ReplyPtr second = Send(Add("r4", -5));
  const ReplyPtr third = Send(Add("r5", -5));
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  DeliverClaim();
  DeliverEverything();
  EXPECT_EQ(taken->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(first->value(), 0) << "who came first takes what is there";
  EXPECT_EQ(second->reason(), "BELOW_ZERO");
  EXPECT_EQ(third->reason(), "BELOW_ZERO");
}

TEST_F(LostRecord, WithoutAnyReportIsInDoubtAfterAWhile) {
  const ReplyPtr reply = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  ASSERT_TRUE(log_->DeliverAndLoseReport(append).ok());
  TimePasses(absl::ToInt64Microseconds(kAppendPatience) - 1);
  EXPECT_FALSE(reply->done());
  TimePasses(2000);
  DeliverClaim();
  EXPECT_EQ(reply->value(), 5);
}

TEST_F(LostRecord, ThatIsAClaimIsRepeatedAfterAWhile) {
  const ReplyPtr reply = Send(Add("r1", 5));
  TimeOut(LastAppend());
  const uint64_t claim = LastAppend();
  ASSERT_TRUE(log_->Drop(claim).ok());
  TimePasses(absl::ToInt64Microseconds(kAppendPatience) + 1);
  EXPECT_NE(LastAppend(), claim);
  DeliverClaim();
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(LostRecord, CausesNoPollingWhileTheLogIsSilent) {
  const ReplyPtr reply = Send(Add("r1", 5));
  TimeOut(LastAppend());
  TimePasses(absl::ToInt64Microseconds(kAppendPatience) + 1'000'000);
  const uint64_t before = world_.steps();
  TimePasses(1'000'000);
  EXPECT_LT(world_.steps() - before, 20u);
  DeliverEverything();
  EXPECT_TRUE(reply->done());
}

TEST_F(LostRecord, LetsLaterCommandsWaitUntilTheirDeadline) {
  const ReplyPtr lost = Send(Add("r1", 5));
  TimeOut(LastAppend());
  const ReplyPtr hurried = Submit(Add("r2", 1), kFirstSlot, node_.Now() + 5'000);
  const ReplyPtr patient = Submit(Add("r3", 1), kFirstSlot, node_.Now() + 60'000'000);
  TimePasses(4'999);
  EXPECT_FALSE(hurried->done());
  TimePasses(3'000);
  EXPECT_EQ(hurried->reason(), "DEADLINE_PASSED");
  EXPECT_FALSE(patient->done());
  DeliverEverything();
  EXPECT_EQ(patient->value(), lost->status().ok() ? 6 : 1);
}

TEST_F(RefusedClaim, RefusesCommandsUntilTheLogAcceptsIt) {
  const ReplyPtr doubtful = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  const ReplyPtr waiting = Send(Add("r2", 1));
  EXPECT_FALSE(waiting->done()) << "the claim may come";
  Refuse(LastAppend());
  EXPECT_EQ(waiting->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(waiting->reason(), "LOG_FULL");
  EXPECT_EQ(Send(Add("r3", 1))->reason(), "LOG_FULL") << "at once";
  EXPECT_FALSE(doubtful->done()) << "its fate is unknown";
  TimePasses(2'000'000);
  DeliverEverything();
  EXPECT_EQ(doubtful->reason(), "NOT_ACCEPTED");
  const ReplyPtr later = Send(Add("r4", 1));
  DeliverEverything();
  EXPECT_EQ(later->value(), 1);
}

TEST_F(RefusedClaim, IsRepeatedWithPausesWhileReadsAreServed) {
  EXPECT_FALSE(Send(Add("r1", 5))->done());
  Deliver(LastAppend());
  Crash();
  StartStore();
  Boot({counter::Service(ServiceId::kInventory)});
  for (int i = 0; i < 3; ++i) {
    Quiesce();
    for (const auto& claim : log_->pending()) ASSERT_TRUE(log_->Refuse(claim.id).ok());
    Quiesce();
    EXPECT_TRUE(runtime_->settled()) << "whoever opens the process goes on";
    EXPECT_EQ(ValueOf(), 5);
    EXPECT_TRUE(log_->pending().empty()) << "not at once";
    TimePasses(2'000'000);
    ASSERT_EQ(log_->pending().size(), 2u) << "one claim a slot";
  }
  DeliverEverything();
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
}

TEST_F(UnavailableLog, IsReadAgainUntilItAnswers) {
  EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
  Crash();
  log_->SetUnavailable(true);
  StartStore();
  Boot({counter::Service(ServiceId::kInventory)});
  TimePasses(10'000'000);
  EXPECT_FALSE(runtime_->settled());
  EXPECT_EQ(counters_.stopped_slots, 0u);
  log_->SetUnavailable(false);
  TimePasses(3'000'000);
  EXPECT_TRUE(runtime_->settled());
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(Confirmed, RecordsAreHandedOverWithTheCursorsOfAReader) {
  std::vector<ConfirmedRecord> confirmed;
  Crash();
  on_confirmed_ = [&confirmed](ConfirmedRecord record) {
    if (record.slot == kFirstSlot) confirmed.push_back(std::move(record));
  };
  Start();
  const Position from = End();
  for (int i = 0; i < 5; ++i) Send(Add(absl::StrCat("r", i), 1));
  const uint64_t doubtful = LastAppend();
  ASSERT_TRUE(log_->DeliverWithoutPosition(log_->pending().front().id).ok());
  DeliverEverything();  // some are confirmed by a report, some by being read
  EXPECT_NE(doubtful, 0u);
  ASSERT_EQ(confirmed.size(), Batches(from).size());
  std::vector<eventlog::StoredRecord> records;
  auto reader = log_->NewReader(kFirstSlot, 0);
  ASSERT_TRUE((*reader)->Poll({.records_max = 1000}, &records).ok());
  eventlog::Cursor cursor = eventlog::GenesisCursor(log_->identity(), kFirstSlot);
  size_t next = 0;
  for (const eventlog::StoredRecord& record : records) {
    const eventlog::Cursor before = cursor;
    ASSERT_TRUE(eventlog::Adjudicate(record.bytes, record.position, &cursor).ok());
    if (next == confirmed.size() || confirmed[next].position != record.position) continue;
    EXPECT_EQ(confirmed[next].bytes, record.bytes);
    EXPECT_EQ(confirmed[next].before, before);
    EXPECT_EQ(confirmed[next].after, cursor);
    ++next;
  }
  EXPECT_EQ(next, confirmed.size());
}

TEST_F(LostRecord, IsUnavailableWithAllLaterOnesAndLeavesNoRow) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t behind = LastAppend();
  TimeOut(append);
  ASSERT_TRUE(log_->Drop(append).ok());
  ASSERT_TRUE(log_->Drop(behind).ok());
  EXPECT_FALSE(first->done()) << "its fate is unknown";
  DeliverClaim();
  EXPECT_EQ(first->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(first->reason(), "NOT_ACCEPTED");
  EXPECT_EQ(second->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ValueOf(), 0);
  EXPECT_EQ(counters_.lost.load(), 2u);

  const ReplyPtr again = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(again->value(), 5);
}

TEST_F(LostRecord, ThatLandsLateDoesNotCount) {
  const ReplyPtr lost = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  TimeOut(append);
  DeliverClaim();
  EXPECT_EQ(lost->status().code(), absl::StatusCode::kUnavailable);
  Deliver(append);
  // The log has grown by a record that is not the slot's own; the slot has read it when the next one arrives.
  const ReplyPtr next = Send(Add("r2", 1));
  Deliver(LastAppend());
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

TEST_F(UnknownOutcome, ThatLandedElsewhereGivesTheRowsOfThatPosition) {
  EXPECT_FALSE(Send(Add("r1", 5))->done());
  Deliver(LastAppend());
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t append = LastAppend();
  const ReplyPtr third = Send(Add("r3", 1));
  const uint64_t behind = LastAppend();
  // An old record lands again and does not count; the records in flight land after it.
  std::vector<eventlog::StoredRecord> records;
  ASSERT_TRUE((*log_->NewReader(kFirstSlot, End() - 1))->Poll({}, &records).ok());
  const Position elsewhere = log_->Inject(kFirstSlot, records.front().bytes) + 1;
  ASSERT_TRUE(log_->DeliverWithoutPosition(append).ok());
  ASSERT_TRUE(log_->DeliverWithoutPosition(behind).ok());
  Quiesce();
  DeliverClaim();
  EXPECT_EQ(second->value(), 6);
  EXPECT_EQ(second->position().position, elsewhere + 1);
  EXPECT_EQ(third->value(), 7);
  const auto digests = Digests();
  Crash();
  DeleteState();
  Start();
  EXPECT_EQ(Digests(), digests) << "as whoever reads the log folds it";
}

TEST_F(UnknownOutcome, OfRecordsWithLateReportsIsReadFromTheLog) {
  EXPECT_FALSE(Send(Add("r1", 5))->done());
  Deliver(LastAppend());
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t append = LastAppend();
  const ReplyPtr third = Send(Add("r3", 1));
  const uint64_t behind = LastAppend();
  // Old records land again and do not count. The records in flight land after them, and only the first one is reported.
  std::vector<eventlog::StoredRecord> records;
  ASSERT_TRUE((*log_->NewReader(kFirstSlot, End() - 1))->Poll({}, &records).ok());
  for (int i = 0; i < 2; ++i) log_->Inject(kFirstSlot, records.front().bytes);
  ASSERT_TRUE(log_->DeliverAndHoldReport(append).ok());
  Quiesce();
  const ReplyPtr fourth = Send(Add("r4", 1));
  Deliver(behind);
  DeliverEverything();
  EXPECT_EQ(second->value(), 6);
  EXPECT_EQ(third->value(), 7);
  EXPECT_EQ(fourth->value(), 8) << "decided on all before it";
  const auto digests = Digests();
  Crash();
  DeleteState();
  Start();
  EXPECT_EQ(ValueOf(), 8);
  EXPECT_EQ(Digests(), digests) << "as whoever reads the log folds it";
}

TEST_F(UnknownOutcome, OfSomeRecordsIsSettledForEach) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t landed = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  const uint64_t dropped = LastAppend();
  ASSERT_TRUE(log_->DeliverAndLoseReport(landed).ok());
  TimeOut(dropped);
  ASSERT_TRUE(log_->Drop(dropped).ok());
  DeliverClaim();
  EXPECT_EQ(first->value(), 5);
  EXPECT_EQ(second->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(UnknownOutcome, OfAClaimLeadsToAnotherClaim) {
  const ReplyPtr reply = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  ASSERT_TRUE(log_->DeliverWithoutPosition(append).ok());
  Quiesce();
  const uint64_t claim = LastAppend();
  TimeOut(claim);
  ASSERT_TRUE(log_->Drop(claim).ok());
  TimePasses(100'000);
  DeliverClaim();
  EXPECT_EQ(reply->value(), 5);
}

TEST_F(RefusedAppend, IsResourceExhaustedAndLeavesNoRow) {
  const ReplyPtr reply = Send(Add("r1", 5));
  Refuse(LastAppend());
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(reply->reason(), "LOG_FULL");
  const ReplyPtr next = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(next->value(), 5);
}

TEST_F(RefusedAppend, DoesNotAffectEarlierRecords) {
  const ReplyPtr first = Send(Add("r1", 5));
  const uint64_t good = LastAppend();
  const ReplyPtr second = Send(Add("r2", 1));
  Refuse(LastAppend());
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
  Deliver(LastAppend());
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reply->reason(), "SLOT_STOPPED");
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kStopped);
  EXPECT_EQ(ReasonOf(StateOf(kFirstSlot).error), "NEEDS_FORCE");
  Deliver(append);  // the record lands after all: whoever forces the claim will find it
  const ReplyPtr other = Submit(Add("r2", 1), kOtherSlot);
  Quiesce();
  Deliver(LastAppend());
  EXPECT_EQ(other->value(), 1);
}

TEST_F(FullSlot, RefusesDoorsWithARetryDelayAndKeepsRoomForReactions) {
  std::vector<ReplyPtr> replies;
  for (int64_t i = 0; i < kSlotCommandsFromDoorsMax; ++i) replies.push_back(Submit(Add(absl::StrCat("r", i), 1)));
  const ReplyPtr refused = Submit(Add("one too many", 1));
  EXPECT_EQ(refused->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused->reason(), "SLOT_QUEUE_FULL");
  EXPECT_TRUE(RetryAfterOf(refused->status()).has_value());
  EXPECT_EQ(counters_.shed.load(), 1u);

  for (int64_t i = kSlotCommandsFromDoorsMax; i < kSlotCommandsMax; ++i) {
    replies.push_back(Submit(Add(absl::StrCat("i", i), 1), kFirstSlot, kNoDeadline, /*internal=*/true));
  }
  const ReplyPtr internal = Submit(Add("internal", 1), kFirstSlot, kNoDeadline, /*internal=*/true);
  EXPECT_EQ(internal->reason(), "SLOT_QUEUE_FULL");
  const ReplyPtr other = Submit(Add("r", 1), kOtherSlot);
  DeliverEverything();
  EXPECT_TRUE(replies.back()->done() && other->done());
  for (const ReplyPtr& reply : replies) ASSERT_TRUE(reply->status().ok()) << reply->status();
  EXPECT_EQ(other->value(), 1);
  EXPECT_EQ(ValueOf(), kSlotCommandsMax);
}

TEST_F(FullSlot, RefusesCommandsOfTooManyBytes) {
  constexpr int64_t kBytes = 256 << 10;
  const auto large = [](const std::string& id) {
    counter::AddRequest request = Add(id, 1);
    request.set_padding(std::string(kBytes, 'x'));
    return request;
  };
  std::vector<ReplyPtr> replies;
  for (int64_t taken = 0; taken < kSlotCommandBytesFromDoorsMax; taken += kBytes) {
    replies.push_back(Submit(large(absl::StrCat("r", taken))));
    EXPECT_FALSE(replies.back()->done());
  }
  EXPECT_EQ(Submit(Add("small", 1))->reason(), "SLOT_QUEUE_FULL");
  replies.push_back(Submit(Add("internal", 1), kFirstSlot, kNoDeadline, /*internal=*/true));
  DeliverEverything();
  for (const ReplyPtr& reply : replies) ASSERT_TRUE(reply->status().ok()) << reply->status();
  replies.push_back(Submit(large("later")));
  DeliverEverything();
  EXPECT_TRUE(replies.back()->status().ok()) << "room again";
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
  DeliverEverything();
  EXPECT_TRUE(replies.back()->done());
  EXPECT_EQ(ValueOf(), static_cast<int64_t>(limits.in_flight_records_max + 10));
}

TEST_F(InFlight, BytesAreCapped) {
  const eventlog::OwnerOptions limits;
  std::vector<ReplyPtr> replies;
  for (int i = 0; i < 15; ++i) {
    counter::AddRequest request = Add(absl::StrCat("r", i), 1);
    request.set_padding(std::string(size_t{400} << 10, 'x'));
    replies.push_back(Submit(request));
  }
  Quiesce();
  size_t bytes = 0;
  for (const auto& append : log_->pending()) bytes += append.bytes.size();
  EXPECT_LE(bytes, limits.in_flight_bytes_max);
  EXPECT_GE(bytes, limits.in_flight_bytes_max - 2 * eventlog::kMaxRecordBytes) << "and the cap is used";
  DeliverEverything();
  EXPECT_TRUE(replies.back()->done());
  EXPECT_EQ(ValueOf(), 15);
}

TEST_F(Drain, AnswersCommandsInProgressAndRefusesNewOnes) {
  const ReplyPtr under_way = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  bool drained = false;
  runtime_->Drain(node_.Now() + 1'000'000, [&drained] { drained = true; });
  Quiesce();
  EXPECT_EQ(Submit(Add("late", 1))->reason(), "DRAINING");
  EXPECT_FALSE(drained);
  Deliver(append);
  TimePasses(10'000);
  EXPECT_TRUE(drained);
  EXPECT_EQ(under_way->value(), 5);
  EXPECT_TRUE(log_->pending().empty());
}

TEST_F(Drain, AnswersTheRestAtTheDeadlineAndIgnoresLaterReports) {
  const ReplyPtr stuck = Send(Add("r1", 5));
  const uint64_t append = LastAppend();
  const ReplyPtr waiting = Send(Add("r2", -6));
  const uint64_t second = LastAppend();
  EXPECT_EQ(append, second);
  absl::Status query;
  runtime_->Query(kFirstSlot, End() + 10, kNoDeadline,
                  [&](const absl::StatusOr<const store::RowReader*>& rows, Position) { query = rows.status(); });
  EndIntake(20'000);
  EXPECT_EQ(stuck->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stuck->reason(), "DRAINING");
  EXPECT_EQ(waiting->reason(), "DRAINING");
  EXPECT_EQ(ReasonOf(query), "DRAINING");
  Deliver(append);  // acknowledged by the log after all waiting callers were answered
  Stop();
  Start();
  EXPECT_EQ(ValueOf(), 5) << "unknown to its caller, and a fact";
}

TEST_F(Query, WaitsUntilThePositionIsReached) {
  const Position target = End() + 1;
  Position answered = 0;
  int64_t value = -1;
  runtime_->Query(kFirstSlot, target, kNoDeadline,
                  [&](const absl::StatusOr<const store::RowReader*>& rows, Position position) {
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

TEST_F(Query, AfterItsDeadlineReportsThatTheTokenIsNotReached) {
  const auto done = std::make_shared<Reply>();
  runtime_->Query(
      kFirstSlot, End() + 1, node_.Now() + 1000,
      [done](const absl::StatusOr<const store::RowReader*>& rows, Position) { done->Set(rows.status(), {}); });
  TimePasses(999);
  EXPECT_FALSE(done->done());
  TimePasses(1001);
  EXPECT_EQ(done->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(done->reason(), "TOKEN_NOT_REACHED");
}

TEST_F(Query, BeyondTheLimitOfWaitingQueriesIsRefused) {
  size_t refused = 0;
  size_t answered = 0;
  for (size_t i = 0; i <= kSlotWaitingReadsMax; ++i) {
    runtime_->Query(kFirstSlot, End() + 1, kNoDeadline,
                    [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                      if (rows.ok()) ++answered;
                      if (ReasonOf(rows.status()) == "TOO_MANY_WAITING_READS") ++refused;
                    });
  }
  Quiesce();
  EXPECT_EQ(refused, 1u);
  const ReplyPtr reply = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(answered, kSlotWaitingReadsMax);
  EXPECT_EQ(reply->value(), 5);
}

}  // namespace
}  // namespace halles::partition
