// Tests of replays: what they fold, how they wait, and how they end.
#include "libs/projection/replay.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

class Replaying : public ProjectionTest {
 protected:
  void Follow() {
    a_.views = {Sums()};
    Start(a_);
    TimePasses(kWhileMicros);
  }
  void AddAll(int count, SlotId slot = kFirstSlot) {
    for (int i = 0; i < count; ++i) AddSome(a_, 1, 1 + i % 3, slot);
  }
  absl::StatusOr<std::unique_ptr<store::Store>> Beside(store::StoreOptions options = store::Quiet()) {
    options.scheduler = &threads_;
    return a_.store().OpenBeside(std::move(options));
  }

 private:
  // A replay blocks its caller while the store flushes, so the store has threads.
  SystemClock clock_;
  ThreadScheduler threads_{clock_};
};

TEST_F(Replaying, EqualsTheServingRows) {
  Follow();
  AddAll(300);
  AddAll(50, kOtherSlot);
  EXPECT_EQ(Submit(a_, Add("no", -10'000))->reason(), "BELOW_ZERO");
  Flush(a_);
  auto serving = a_.store().TakeSnapshot();
  ASSERT_TRUE(serving.ok());

  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource),
                                                              partition::counter::Service(kTarget)};
  const std::vector<ViewDefinition> views = {Sums()};
  const auto targets = EverythingIn(&log_, services, views);
  ASSERT_TRUE(targets.ok()) << targets.status();
  auto beside = Beside();
  ASSERT_TRUE(beside.ok()) << beside.status();
  uint64_t told = 0;
  const auto replayed = Replay(&log_, services, views, *targets, beside->get(), [&](const ReplayProgress& progress) {
    EXPECT_GE(progress.records_done, told);
    told = progress.records_done;
    EXPECT_LE(progress.records_done, progress.records_total);
    return absl::OkStatus();
  });
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_EQ(replayed->events, 700u) << "each by the state and by the view";
  auto rebuilt = (*beside)->TakeSnapshot();
  ASSERT_TRUE(rebuilt.ok());
  std::vector<std::string> differences;
  const auto comparison =
      store::CompareSnapshots(**serving, **rebuilt, store::SchemaBook(),
                              [&](absl::string_view difference) { differences.emplace_back(difference); });
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->equal()) << differences.front();
  EXPECT_GT(comparison->rows, 350u);
}

TEST_F(Replaying, EndsWhenItsObserverCancels) {
  Follow();
  AddAll(10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  const auto targets = EverythingIn(&log_, services, {});
  auto beside = Beside();
  ASSERT_TRUE(beside.ok()) << beside.status();
  const auto replayed = Replay(&log_, services, {}, *targets, beside->get(),
                               [](const ReplayProgress&) { return absl::CancelledError("enough"); });
  EXPECT_EQ(replayed.status().code(), absl::StatusCode::kCancelled);
}

// A log without records for the first read, and unreachable for the second.
class HesitantLog : public eventlog::EventLog {
 public:
  explicit HesitantLog(eventlog::EventLog* log) : log_(*log) {}

  const eventlog::LogIdentity& identity() const override { return log_.identity(); }
  void Append(SlotId slot, std::string bytes, uint64_t tag, eventlog::ReportSink* sink) override {
    log_.Append(slot, std::move(bytes), tag, sink);
  }
  void Abandon(SlotId slot, eventlog::ReportSink* sink) override { log_.Abandon(slot, sink); }
  absl::StatusOr<Position> End(SlotId slot) override { return log_.End(slot); }
  std::unique_ptr<eventlog::Subscription> Follow(eventlog::FollowOptions options) override {
    return log_.Follow(std::move(options));
  }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
    ASSIGN_OR_RETURN(std::unique_ptr<eventlog::LogReader> reader, log_.NewReader(slot, from));
    return std::make_unique<Reader>(std::move(reader));
  }

 private:
  class Reader : public eventlog::LogReader {
   public:
    explicit Reader(std::unique_ptr<eventlog::LogReader> reader) : reader_(std::move(reader)) {}
    absl::StatusOr<eventlog::ReadResult> Poll(const eventlog::ReadLimits& limits,
                                              std::vector<eventlog::StoredRecord>* out) override {
      ++asked_;
      if (asked_ == 1) return eventlog::ReadResult{.count = 0, .at_end = false};
      if (asked_ == 2) return Failure(absl::StatusCode::kUnavailable, "OUT_OF_REACH", "for a moment");
      return reader_->Poll(limits, out);
    }

    Position next() const override { return reader_->next(); }

   private:
    const std::unique_ptr<eventlog::LogReader> reader_;
    int asked_ = 0;
  };

  eventlog::EventLog& log_;
};

TEST_F(Replaying, WaitsForALogWithoutRecordsAtFirst) {
  Follow();
  AddAll(10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  HesitantLog log(&log_);
  const auto targets = EverythingIn(&log, services, {Sums()});
  auto beside = Beside();
  ASSERT_TRUE(beside.ok()) << beside.status();
  const auto replayed = Replay(&log, services, {Sums()}, *targets, beside->get(), nullptr);
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_EQ(replayed->events, 20u) << "each by the state and by the view";
}

TEST_F(Replaying, FailsForALogThatEndsBelowItsTarget) {
  Follow();
  AddAll(10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  auto targets = EverythingIn(&log_, services, {});
  ++(*targets)[store::FoldId::State(kFirstSlot)];
  auto beside = Beside();
  EXPECT_EQ(ReasonOf(Replay(&log_, services, {}, *targets, beside->get(), nullptr).status()), "LOG_CUT");
}

TEST_F(Replaying, WaitsWhileTooMuchIsDirty) {
  Follow();
  for (int counter = 0; counter < 3000; ++counter) {
    ASSERT_NE(Submit(a_, Add(absl::StrCat("counter-", counter), 1)), nullptr);
  }
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  const auto targets = EverythingIn(&log_, services, {Sums()});
  ASSERT_TRUE(targets.ok()) << targets.status();

  Mutex mutex;
  bool rested = false;
  store::StoreOptions options = store::Quiet();
  options.flush_bytes = 1 << 14;
  options.on_flush_step = [&](store::FlushStep step) {
    // The first flush is held up until the replay rests.
    MutexLock lock(&mutex);
    if (step == store::FlushStep::kFrozen) mutex.AwaitWithTimeout([&rested] { return rested; }, absl::Seconds(20));
    return absl::OkStatus();
  };
  auto beside = Beside(options);
  ASSERT_TRUE(beside.ok()) << beside.status();
  uint64_t told = 0;
  const auto replayed = Replay(&log_, services, {Sums()}, *targets, beside->get(), [&](const ReplayProgress& progress) {
    MutexLock lock(&mutex);
    if (progress.records_done > 0 && progress.records_done == told) rested = true;
    told = progress.records_done;
    return absl::OkStatus();
  });
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_TRUE(rested);
  EXPECT_EQ(replayed->events, 6000u);
  EXPECT_GT((*beside)->stats().flushes, 1u);
}

TEST_F(Replaying, EndsWithTheErrorOfAFlush) {
  Follow();
  AddAll(10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  const auto targets = EverythingIn(&log_, services, {});
  ASSERT_TRUE(targets.ok()) << targets.status();
  store::StoreOptions options = store::Quiet();
  options.on_flush_step = [](store::FlushStep) { return absl::ResourceExhaustedError("the disk is full"); };
  auto beside = Beside(options);
  ASSERT_TRUE(beside.ok()) << beside.status();
  const auto replayed = Replay(&log_, services, {}, *targets, beside->get(), nullptr);
  EXPECT_EQ(replayed.status().message(), "the disk is full");
}

}  // namespace
}  // namespace halles::projection
