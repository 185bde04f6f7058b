// Tests of the memory driver: the contract, and each fate of an append.
#include "libs/eventlog/memory_log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/eventlog/log_contract_test.h"
#include "libs/eventlog/protocol_fixture.h"

namespace halles::eventlog {
namespace {

using test::Identity;
using test::kSlot;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AtOnce : public LogUnderTest {
 public:
  EventLog& log() override { return log_; }
  bool SetUnreadable(bool unreadable) override {
    log_.SetUnavailable(unreadable);
    return true;
  }
  bool LoseConnection(SlotId slot) override {
    log_.Reset(slot);
    return true;
  }

 private:
  MemoryLog log_{Identity()};
};

INSTANTIATE_TEST_SUITE_P(Memory, LogContract,
                         ::testing::Values(LogDriver{"Memory", [] { return std::make_unique<AtOnce>(); }}),
                         LogDriverName);

// A kByHand log with two pending appends.
class MemoryLogTest : public ::testing::Test {
 protected:
  MemoryLogTest() {
    log.Append(kSlot, "first", 11, &sink);
    log.Append(kSlot, "second", 12, &sink);
  }
  std::vector<std::string> Records() {
    std::vector<StoredRecord> stored;
    EXPECT_TRUE((*log.NewReader(kSlot, 0))->Poll({}, &stored).ok());
    std::vector<std::string> records;
    for (const StoredRecord& record : stored) records.push_back(record.bytes);
    return records;
  }

  MemoryLog log{Identity(), MemoryLog::Delivery::kByHand};
  CollectingSink sink;
};

TEST_F(MemoryLogTest, LandsNothingByItself) {
  EXPECT_THAT(Records(), IsEmpty());
  EXPECT_EQ(log.pending().size(), 2u);
}

TEST_F(MemoryLogTest, LandsInTheOrderOfTheTest) {
  ASSERT_TRUE(log.Deliver(2).ok());
  ASSERT_TRUE(log.Deliver(1).ok());
  EXPECT_THAT(Records(), ElementsAre("second", "first"));
  EXPECT_EQ(sink.WaitFor(2)[1].position, 1u);
}

TEST_F(MemoryLogTest, DropsAnAppendThatNeverLands) {
  ASSERT_TRUE(log.Drop(1).ok());
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("second"));
  EXPECT_EQ(sink.WaitFor(1).size(), 1u);
}

TEST_F(MemoryLogTest, TimesOutAnAppendThatLandsLater) {
  ASSERT_TRUE(log.TimeOut(1).ok());
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("first", "second"));
}

TEST_F(MemoryLogTest, LandsAnAppendTwice) {
  ASSERT_TRUE(log.DeliverCopy(1).ok());
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("first", "first", "second"));
}

TEST_F(MemoryLogTest, ReportsWithoutAPositionOrNotAtAll) {
  ASSERT_TRUE(log.DeliverWithoutPosition(1).ok());
  ASSERT_TRUE(log.DeliverAndLoseReport(2).ok());
  EXPECT_THAT(Records(), ElementsAre("first", "second"));
  EXPECT_EQ(sink.WaitFor(1)[0].position, std::nullopt);
  EXPECT_EQ(sink.WaitFor(1).size(), 1u);
}

TEST_F(MemoryLogTest, ReordersReports) {
  ASSERT_TRUE(log.DeliverAndHoldReport(1).ok());
  ASSERT_TRUE(log.DeliverAndHoldReport(2).ok());
  EXPECT_THAT(log.held_reports(), ElementsAre(1, 2));
  ASSERT_TRUE(log.ReleaseReport(2).ok());
  ASSERT_TRUE(log.ReleaseReport(1).ok());
  EXPECT_EQ(sink.WaitFor(2)[0].tag, 12u);
  EXPECT_FALSE(log.ReleaseReport(1).ok());
}

TEST_F(MemoryLogTest, RefusesAnAppendThatNeverLands) {
  ASSERT_TRUE(log.Refuse(2).ok());
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(log.Deliver(2).ok());
}

TEST_F(MemoryLogTest, ReportsACutToAReaderBeyondIt) {
  log.DeliverAll();
  auto reader = *log.NewReader(kSlot, 2);
  log.Truncate(kSlot, 1);
  std::vector<StoredRecord> records;
  EXPECT_EQ(reader->Poll({}, &records).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Records(), ElementsAre("first"));
  EXPECT_EQ(log.Inject(kSlot, "stray"), 1u);
}

TEST_F(MemoryLogTest, NotifiesFollowersOfACut) {
  log.DeliverAll();
  CollectingListener listener;
  const auto following = log.Follow({.slots = {kSlot}, .listener = &listener});
  log.Truncate(kSlot, 1);
  EXPECT_EQ(listener.resets(), (std::map<SlotId, int>{{kSlot, 1}}));
}

TEST_F(MemoryLogTest, ReportsPendingAppendsAsUnknownBeforeALostConnection) {
  class Listener : public CollectingListener {
   public:
    explicit Listener(CollectingSink* sink) : sink_(*sink) {}
    void OnReset(absl::Span<const SlotId>) override { reported = sink_.count(); }
    size_t reported = 0;

   private:
    CollectingSink& sink_;
  } listener(&sink);
  const auto following = log.Follow({.slots = {kSlot}, .listener = &listener});
  log.Reset(kSlot);
  EXPECT_EQ(listener.reported, 2u);
  EXPECT_EQ(sink.WaitFor(2)[0].status.code(), absl::StatusCode::kUnavailable);
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("first", "second"));
  EXPECT_EQ(sink.count(), 2u);
}

TEST_F(MemoryLogTest, HidesRecordsWithoutReportingTheEnd) {
  CollectingListener listener;
  const auto following = log.Follow({.slots = {kSlot}, .listener = &listener});
  ASSERT_TRUE(log.Deliver(1).ok());
  log.Hide(kSlot);
  ASSERT_TRUE(log.Deliver(2).ok());
  EXPECT_EQ(*log.End(kSlot), 2u);
  const auto reader = *log.NewReader(kSlot, 0);
  std::vector<StoredRecord> records;
  auto read = reader->Poll({}, &records);
  EXPECT_EQ(read->count, 1u);
  EXPECT_FALSE(read->at_end);
  EXPECT_EQ(reader->Poll({}, &records)->count, 0u);
  EXPECT_EQ(listener.ends()[kSlot], 1u);
  log.Show(kSlot);
  EXPECT_EQ(listener.ends()[kSlot], 2u);
  read = reader->Poll({}, &records);
  EXPECT_EQ(read->count, 1u);
  EXPECT_TRUE(read->at_end);
}

TEST_F(MemoryLogTest, DeliversAbandonedAppendsWithoutAReport) {
  ASSERT_TRUE(log.DeliverAndHoldReport(1).ok());
  log.Abandon(kSlot, &sink);
  EXPECT_THAT(log.held_reports(), IsEmpty());
  ASSERT_TRUE(log.Deliver(2).ok());
  EXPECT_THAT(Records(), ElementsAre("first", "second"));
  EXPECT_EQ(sink.count(), 0u);
}

TEST_F(MemoryLogTest, FailsWithUnavailableOnDemand) {
  log.SetUnavailable(true);
  log.Append(kSlot, "third", 13, &sink);
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(log.End(kSlot).status().code(), absl::StatusCode::kUnavailable);
}

TEST(MemoryLog, LetsASinkAppend) {
  class Chain : public ReportSink {
   public:
    explicit Chain(MemoryLog* log) : log_(*log) {}
    void OnReports(absl::Span<const AppendReport> reports) override {
      if (reports[0].tag < 5) log_.Append(kSlot, "next", reports[0].tag + 1, this);
    }

   private:
    MemoryLog& log_;
  };
  MemoryLog log(Identity());
  Chain chain(&log);
  log.Append(kSlot, "first", 1, &chain);
  EXPECT_EQ(*log.End(kSlot), 5u);
}

}  // namespace
}  // namespace halles::eventlog
