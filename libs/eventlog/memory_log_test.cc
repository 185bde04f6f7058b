// Tests of the memory driver: the contract, and each fate that an append can meet.
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

 private:
  MemoryLog log_{Identity()};
};

INSTANTIATE_TEST_SUITE_P(Memory, LogContract,
                         ::testing::Values(LogDriver{"Memory", [] { return std::make_unique<AtOnce>(); }}),
                         LogDriverName);

// A log by hand with two appends pending.
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

TEST_F(MemoryLogTest, LandsInTheOrderThatTheTestGives) {
  ASSERT_TRUE(log.Deliver(2).ok());
  ASSERT_TRUE(log.Deliver(1).ok());
  EXPECT_THAT(Records(), ElementsAre("second", "first"));
  EXPECT_EQ(sink.WaitFor(2)[1].position, 1u);
}

TEST_F(MemoryLogTest, DropsOneThatNeverLands) {
  ASSERT_TRUE(log.Drop(1).ok());
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("second"));
  EXPECT_EQ(sink.WaitFor(1).size(), 1u);
}

TEST_F(MemoryLogTest, TimesOutOneThatLandsLater) {
  ASSERT_TRUE(log.TimeOut(1).ok());
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  log.DeliverAll();
  EXPECT_THAT(Records(), ElementsAre("first", "second"));
}

TEST_F(MemoryLogTest, LandsOneTwice) {
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

TEST_F(MemoryLogTest, RefusesOneThatIsCertainlyNotInTheLog) {
  ASSERT_TRUE(log.Refuse(2).ok());
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(log.Deliver(2).ok());
}

TEST_F(MemoryLogTest, TellsAReaderThatWasBeyondACut) {
  log.DeliverAll();
  auto reader = *log.NewReader(kSlot, 2);
  log.Truncate(kSlot, 1);
  std::vector<StoredRecord> records;
  EXPECT_EQ(reader->Poll({}, &records).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Records(), ElementsAre("first"));
  EXPECT_EQ(log.Inject(kSlot, "stray"), 1u);
}

TEST_F(MemoryLogTest, AnswersUnavailableWhenToldTo) {
  log.SetUnavailable(true);
  log.Append(kSlot, "third", 13, &sink);
  EXPECT_EQ(sink.WaitFor(1)[0].status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(log.End(kSlot).status().code(), absl::StatusCode::kUnavailable);
}

TEST(MemoryLog, ReportsThroughTheRunnerInOrder) {
  std::vector<std::function<void()>> tasks;
  MemoryLog log(Identity(), MemoryLog::Delivery::kAtOnce, [&](std::function<void()> task) { tasks.push_back(task); });
  CollectingSink sink;
  log.Append(kSlot, "a", 1, &sink);
  log.Append(kSlot, "b", 2, &sink);
  EXPECT_THAT(sink.WaitFor(0), IsEmpty());
  for (const auto& task : tasks) task();
  EXPECT_EQ(sink.WaitFor(2)[1].tag, 2u);
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
