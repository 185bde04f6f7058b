// Tests of a runtime that starts and ends while its log, and the services that it called, continue.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

// A memory log that notifies followers at the moment they follow, as a driver with threads may, and tracks which
// appends may still be reported.
class WatchedLog : public eventlog::EventLog {
 public:
  explicit WatchedLog(eventlog::MemoryLog* log) : log_(*log) {}

  const eventlog::LogIdentity& identity() const override { return log_.identity(); }
  void Append(SlotId slot, std::string bytes, uint64_t tag, eventlog::ReportSink* sink) override {
    owed_.emplace(slot, sink);
    log_.Append(slot, std::move(bytes), tag, sink);
  }
  void Abandon(SlotId slot, eventlog::ReportSink* sink) override {
    owed_.erase({slot, sink});
    log_.Abandon(slot, sink);
  }
  absl::StatusOr<Position> End(SlotId slot) override { return log_.End(slot); }
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> NewReader(SlotId slot, Position from) override {
    return log_.NewReader(slot, from);
  }
  std::unique_ptr<eventlog::Subscription> Follow(eventlog::FollowOptions options) override {
    std::unique_ptr<eventlog::Subscription> subscription = log_.Follow(options);
    for (const SlotId slot : options.slots) options.listener->OnGrowth({{{slot, *log_.End(slot)}}});
    options.listener->OnReset(options.slots);
    if (on_follow) on_follow();
    return subscription;
  }

  std::function<void()> on_follow;
  // Slots and sinks with appends since they last abandoned.
  const std::set<std::pair<SlotId, eventlog::ReportSink*>>& owed() const { return owed_; }

 private:
  eventlog::MemoryLog& log_;
  std::set<std::pair<SlotId, eventlog::ReportSink*>> owed_;
};

class Lifetime : public RuntimeFaultTest {
 protected:
  void SetUp() override {
    watched_ = std::make_unique<WatchedLog>(log_.get());
    watches_ = watched_.get();
    RuntimeFaultTest::SetUp();
  }
  void TearDown() override { Stop(); }

  std::unique_ptr<WatchedLog> watched_;
};

TEST_F(Lifetime, EndsWithoutPendingReports) {
  const ReplyPtr reply = Send(Add("r1", 5));
  EXPECT_FALSE(watched_->owed().empty());
  Crash();
  EXPECT_TRUE(watched_->owed().empty());
  log_->DeliverAll();
  EXPECT_FALSE(reply->done());
  Start();
  EXPECT_EQ(ValueOf(), 5);
}

TEST_F(Lifetime, EndsWhileItsFirstClaimsAreInFlight) {
  Crash();
  StartStore();
  Boot({counter::Service(ServiceId::kInventory)});
  Quiesce();
  EXPECT_EQ(log_->pending().size(), 2u);
  Crash();
  EXPECT_TRUE(watched_->owed().empty());
  log_->DeliverAll();
}

TEST_F(Lifetime, OpensAllSlotsBeforeAnyNotification) {
  const ReplyPtr reply = Send(Add("r1", 5));
  Deliver(LastAppend());
  EXPECT_EQ(reply->value(), 5);
  Crash();
  // Tasks posted to a slot run before the runtime has started.
  watched_->on_follow = [this] { Quiesce(); };
  Start();
  EXPECT_EQ(ValueOf(), 5);
}

}  // namespace
}  // namespace halles::partition
