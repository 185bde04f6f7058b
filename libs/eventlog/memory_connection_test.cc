// Tests of connections to a shared memory log: the contract in virtual time and on threads, each fault by itself, and
// owners that contend for a slot under all faults.
#include "libs/eventlog/memory_connection.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/backoff.h"
#include "libs/eventlog/log_contract_test.h"
#include "libs/eventlog/owner.h"
#include "libs/eventlog/protocol_fixture.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::eventlog {
namespace {

using test::Identity;
using test::kSlot;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::VirtualScheduler;

constexpr uint32_t kAlways = 1'000'000;

// Virtual time with delays only: these settings keep the contract.
class InVirtualTime : public LogUnderTest {
 public:
  explicit InVirtualTime(uint64_t seed) : world_(seed) {}
  EventLog& log() override { return connection_; }
  void Settle() override {
    while (world_.Step()) {
    }
  }
  bool SetUnreadable(bool unreadable) override {
    ConnectionFaults faults;
    if (unreadable) faults.fail_read = kAlways;
    connection_.SetFaults(faults);
    return true;
  }
  bool LoseConnection(SlotId slot) override {
    connection_.Reset({slot});
    return true;
  }

 private:
  VirtualScheduler world_;
  MemoryLog log_{Identity()};
  VirtualScheduler::Node broker_{&world_};
  VirtualScheduler::Node instance_{&world_};
  const std::unique_ptr<TaskQueue> network_ = broker_.NewQueue("network");
  MemoryConnection connection_{&log_, network_.get(), &instance_, 1, {}};
};

class OnThreads : public LogUnderTest {
 public:
  ~OnThreads() override { network_->Stop(); }
  EventLog& log() override { return connection_; }
  bool LoseConnection(SlotId slot) override {
    connection_.Reset({slot});
    return true;
  }

 private:
  SystemClock clock_;
  ThreadScheduler scheduler_{clock_};
  MemoryLog log_{Identity()};
  const std::unique_ptr<TaskQueue> network_ = scheduler_.NewQueue("network");
  MemoryConnection connection_{
      &log_,
      network_.get(),
      &scheduler_,
      1,
      {.append_delay_max = {}, .report_delay_max = absl::Microseconds(20), .fetch_delay_max = absl::Microseconds(20)}};
};

INSTANTIATE_TEST_SUITE_P(
    Connection, LogContract,
    ::testing::Values(LogDriver{"InVirtualTime1", [] { return std::make_unique<InVirtualTime>(1); }},
                      LogDriver{"InVirtualTime2", [] { return std::make_unique<InVirtualTime>(2); }},
                      LogDriver{"OnThreads", [] { return std::make_unique<OnThreads>(); }}),
    LogDriverName);

// Two instances on one log.
class MemoryConnectionTest : public ::testing::Test {
 protected:
  struct Instance {
    Instance(VirtualScheduler* world, MemoryLog* log, TaskQueue* network, uint64_t seed)
        : node(world), connection(std::make_unique<MemoryConnection>(log, network, &node, seed, ConnectionFaults())) {}
    VirtualScheduler::Node node;
    std::unique_ptr<MemoryConnection> connection;
  };

  void Settle() {
    while (world.Step()) {
    }
  }
  void With(const ConnectionFaults& faults) { a.connection->SetFaults(faults); }
  void Append(int count) {
    for (int i = 0; i < count; ++i) a.connection->Append(kSlot, absl::StrCat(i), static_cast<uint64_t>(i), &sink);
  }
  std::vector<absl::StatusCode> Codes() {
    std::vector<absl::StatusCode> codes;
    for (const AppendReport& report : sink.WaitFor(0)) codes.push_back(report.status.code());
    return codes;
  }
  std::vector<std::string> Stored() {
    std::vector<StoredRecord> records;
    EXPECT_TRUE((*log.NewReader(kSlot, 0))->Poll({}, &records).ok());
    std::vector<std::string> bytes;
    for (const StoredRecord& record : records) bytes.push_back(record.bytes);
    return bytes;
  }

  VirtualScheduler world{7};
  MemoryLog log{Identity()};
  VirtualScheduler::Node broker{&world};
  const std::unique_ptr<TaskQueue> network = broker.NewQueue("network");
  CollectingSink sink;
  Instance a{&world, &log, network.get(), 1};
  Instance b{&world, &log, network.get(), 2};
};

TEST_F(MemoryConnectionTest, LosesAppends) {
  With({.lose = kAlways});
  Append(3);
  Settle();
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_THAT(Codes(), ElementsAre(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kDeadlineExceeded,
                                   absl::StatusCode::kDeadlineExceeded));
}

TEST_F(MemoryConnectionTest, RefusesAppends) {
  With({.refuse = kAlways});
  Append(1);
  Settle();
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_THAT(Codes(), ElementsAre(absl::StatusCode::kResourceExhausted));
}

TEST_F(MemoryConnectionTest, LandsAppendsAfterTheyTimedOut) {
  With({.land_late = kAlways});
  Append(1);
  EXPECT_TRUE(world.StepUntil([&] { return sink.count() == 1; }, 1000));
  EXPECT_THAT(Codes(), ElementsAre(absl::StatusCode::kDeadlineExceeded));
  Settle();
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(MemoryConnectionTest, LandsAppendsTwiceAndReportsThemOnce) {
  With({.land_twice = kAlways});
  Append(1);
  Settle();
  EXPECT_THAT(Stored(), ElementsAre("0", "0"));
  EXPECT_THAT(Codes(), ElementsAre(absl::StatusCode::kOk));
}

TEST_F(MemoryConnectionTest, KeepsTheOrderOfASlotUnlessAppendsOvertake) {
  Append(100);
  Settle();
  std::vector<std::string> in_order;
  for (int i = 0; i < 100; ++i) in_order.push_back(absl::StrCat(i));
  EXPECT_EQ(Stored(), in_order);
  With({.overtake = kAlways});
  Append(100);
  Settle();
  const std::vector<std::string> all = Stored();
  ASSERT_EQ(all.size(), 200u);
  EXPECT_NE(std::vector<std::string>(all.begin() + 100, all.end()), in_order);
}

TEST_F(MemoryConnectionTest, LosesReportsAndPositions) {
  With({.lose_report = kAlways});
  Append(1);
  Settle();
  With({.hide_position = kAlways});
  Append(1);
  Settle();
  EXPECT_THAT(Stored(), SizeIs(2));
  EXPECT_THAT(Codes(), ElementsAre(absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kOk));
  EXPECT_EQ(sink.WaitFor(2)[1].position, std::nullopt);
}

TEST_F(MemoryConnectionTest, ReportsInOrderUnlessReportsAreHeld) {
  Append(100);
  Settle();
  std::vector<AppendReport> reports = sink.WaitFor(100);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_EQ(reports[i].tag, i);
  With({.hold_report = kAlways / 2});
  Append(100);
  Settle();
  reports = sink.WaitFor(200);
  EXPECT_FALSE(std::is_sorted(reports.begin() + 100, reports.end(),
                              [](const AppendReport& x, const AppendReport& y) { return x.tag < y.tag; }));
}

TEST_F(MemoryConnectionTest, StallsASlotAndItsLaterAppends) {
  With({.stall_max = absl::Seconds(1), .stall = kAlways});
  Append(50);
  Settle();
  EXPECT_GT(world.now(), 500'000);
  std::vector<AppendReport> reports = sink.WaitFor(50);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(reports[i].position, i);
}

TEST_F(MemoryConnectionTest, ShowsOthersARecordAfterADelay) {
  CollectingListener listener;
  const auto following = b.connection->Follow({.slots = {kSlot}, .listener = &listener});
  const auto reader = *b.connection->NewReader(kSlot, 0);
  std::vector<StoredRecord> records;
  EXPECT_FALSE(reader->Poll({}, &records)->at_end);
  Settle();
  EXPECT_TRUE(reader->Poll({}, &records)->at_end);
  b.connection->SetFaults({.fetch_delay_max = absl::Seconds(10)});
  Append(1);
  EXPECT_TRUE(world.StepUntil([&] { return sink.count() == 1; }, 1000));
  EXPECT_EQ(reader->Poll({}, &records)->count, 0u);
  // A reader opened now must not report the end at what it can see.
  const auto late = *b.connection->NewReader(kSlot, 0);
  const auto read = late->Poll({}, &records);
  EXPECT_EQ(read->count, 0u);
  EXPECT_FALSE(read->at_end);
  Settle();
  EXPECT_EQ(listener.ends()[kSlot], 1u);
  EXPECT_EQ(late->Poll({}, &records)->count, 1u);
  EXPECT_EQ(reader->Poll({}, &records)->count, 1u);
}

TEST_F(MemoryConnectionTest, NotifiesFollowersWhenAReaderLearnsTheEnd) {
  class Waker : public CollectingListener {
   public:
    void OnGrowth(absl::Span<const SlotEnd> grown) override {
      ++calls;
      CollectingListener::OnGrowth(grown);
    }
    int calls = 0;
  } listener;
  const auto following = b.connection->Follow({.slots = {kSlot}, .listener = &listener});
  const auto reader = *b.connection->NewReader(kSlot, 0);
  std::vector<StoredRecord> records;
  EXPECT_FALSE(reader->Poll({}, &records)->at_end);
  Settle();
  EXPECT_EQ(listener.calls, 1);
  EXPECT_TRUE(reader->Poll({}, &records)->at_end);
}

TEST_F(MemoryConnectionTest, LandsAppendsOfADeadInstance) {
  Append(5);
  a.node.Kill();
  a.connection.reset();
  Settle();
  EXPECT_THAT(Stored(), SizeIs(5));
  EXPECT_EQ(sink.count(), 0u);
}

TEST_F(MemoryConnectionTest, LandsNoAppendAfterACutThatWasSentBeforeIt) {
  CollectingListener listener;
  const auto following = a.connection->Follow({.slots = {kSlot}, .listener = &listener});
  Append(5);
  Settle();
  auto reader = *b.connection->NewReader(kSlot, 5);
  With({.land_late = kAlways / 2, .land_twice = kAlways / 2});
  Append(20);
  b.connection->Append(kSlot, "of a dead instance", 0, &sink);
  b.node.Kill();
  log.Truncate(kSlot, 3);
  EXPECT_TRUE(listener.resets().empty()) << "it is told by the instance's queue";
  Settle();
  EXPECT_THAT(Stored(), ElementsAre("0", "1", "2"));
  EXPECT_EQ(listener.resets()[kSlot], 1);
  EXPECT_EQ(sink.count(), 25u);
  std::vector<StoredRecord> records;
  EXPECT_EQ(reader->Poll({}, &records).status().code(), absl::StatusCode::kDataLoss);
}

// In any order of steps: earlier appends are reported, then the reset is notified, then later reports follow.
TEST(MemoryConnection, NotifiesOfAResetBetweenEarlierAndLaterReports) {
  class Witness : public ReportSink, public LogListener {
   public:
    void OnReports(absl::Span<const AppendReport> reports) override {
      for (const AppendReport& report : reports) {
        if ((report.tag >= 100) != reset) ++wrong;
        ++count;
      }
    }
    void OnGrowth(absl::Span<const SlotEnd>) override {}
    void OnReset(absl::Span<const SlotId>) override { reset = true; }
    bool reset = false;
    int wrong = 0;
    size_t count = 0;
  };
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    VirtualScheduler world(seed);
    MemoryLog log(Identity());
    VirtualScheduler::Node broker(&world), node(&world);
    const std::unique_ptr<TaskQueue> network = broker.NewQueue("network");
    // Short delays make it likely that a report is about to leave when the reset happens.
    const absl::Duration delay_max = absl::Microseconds(seed % 2 == 0 ? 1000 : 5);
    MemoryConnection connection(
        &log, network.get(), &node, seed,
        {.append_delay_max = delay_max, .report_delay_max = delay_max, .hold_report = kAlways / 4});
    Witness witness;
    const auto following = connection.Follow({.slots = {kSlot}, .listener = &witness});
    for (uint64_t tag = 0; tag < 20; ++tag) connection.Append(kSlot, "before", tag, &witness);
    for (uint64_t i = world.random().Uniform(40); i > 0; --i) world.Step();
    connection.Reset({kSlot});
    for (uint64_t tag = 100; tag < 120; ++tag) connection.Append(kSlot, "after", tag, &witness);
    while (world.Step()) {
    }
    ASSERT_EQ(witness.wrong, 0) << "seed " << seed;
    ASSERT_EQ(witness.count, 40u) << "seed " << seed;
  }
}

TEST_F(MemoryConnectionTest, DoesNothingWhileUnreachable) {
  CollectingListener listener;
  const auto following = a.connection->Follow({.slots = {kSlot}, .listener = &listener});
  Append(3);  // in transit: it lands, and this instance never learns of it
  a.connection->SetReachable(false);
  Append(2);  // never sent
  EXPECT_EQ(a.connection->End(kSlot).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(a.connection->NewReader(kSlot, 0).status().code(), absl::StatusCode::kUnavailable);
  Settle();
  EXPECT_THAT(Stored(), SizeIs(3));
  EXPECT_THAT(Codes(), Each(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(sink.count(), 5u);
  EXPECT_TRUE(listener.ends().empty());
  a.connection->SetReachable(true);
  Settle();
  EXPECT_EQ(listener.resets()[kSlot], 1);
  EXPECT_EQ(*a.connection->End(kSlot), 3u);
  Append(1);
  Settle();
  EXPECT_EQ(listener.ends()[kSlot], 4u);
}

// An instance that contends for the slot: claims, proposes numbered records, and passes all reports to the judge.
class Contender : public LogListener, public ReportSink {
 public:
  struct Judge {
    std::map<Position, std::string> confirmed;
    std::set<std::string> lost;
    uint64_t answers = 0;
    uint64_t claims = 0;
  };

  Contender(VirtualScheduler* world, MemoryConnection* connection, VirtualScheduler::Node* node, char name,
            Judge* judge)
      : world_(*world),
        log_(*connection),
        node_(*node),
        judge_(*judge),
        name_(name),
        queue_(node->NewQueue("owner")),
        owner_(connection->identity(), kSlot, {.self = test::Instance(name)}),
        following_(connection->Follow({.slots = {kSlot}, .listener = this})) {
    queue_->Post([this] { Recover(); });
  }

  // Runs on the log's queue.
  void OnReports(absl::Span<const AppendReport> reports) override {
    queue_->Post([this, all = std::vector<AppendReport>(reports.begin(), reports.end())] {
      for (const AppendReport& report : all) {
        Effects effects;
        owner_.OnReport(report, &effects);
        Heed(effects);
      }
    });
  }
  void OnGrowth(absl::Span<const SlotEnd>) override {
    queue_->Post([this] { ReadSome(); });
  }
  void OnReset(absl::Span<const SlotId>) override {
    queue_->Post([this] {
      Effects effects;
      owner_.OnReconnect(&effects);
      Heed(effects);
    });
  }

  Phase phase() const { return owner_.phase(); }

 private:
  void Recover() {
    reader_.reset();
    if (owner_.phase() == Phase::kServing) return;
    auto reader = log_.NewReader(kSlot, owner_.next_read());
    if (!reader.ok()) {
      ASSERT_TRUE(IsPassing(reader.status())) << reader.status();
      return Later([this] { Recover(); });
    }
    backoff_.Reset();
    reader_ = *std::move(reader);
    ReadSome();
  }

  void ReadSome() {
    if (reader_ == nullptr) return;
    std::vector<StoredRecord> records;
    const auto read = reader_->Poll({.records_max = 64}, &records);
    if (!read.ok()) {
      ASSERT_TRUE(IsPassing(read.status())) << read.status();
      return Later([this] { ReadSome(); });
    }
    for (const StoredRecord& record : records) {
      Effects effects;
      owner_.OnRecord(record.position, record.bytes, &effects);
      Heed(effects);
      if (reader_ == nullptr) return;
    }
    if (read->count > 0) {
      queue_->Post([this] { ReadSome(); });
    } else if (read->at_end && owner_.phase() == Phase::kServing) {
      reader_.reset();
      Pump();
    } else if (read->at_end && owner_.phase() != Phase::kClaiming && !claim_due_) {
      // The other instance may serve; let it for a while.
      claim_due_ = true;
      queue_->PostAfter(absl::Milliseconds(20 + world_.random().Uniform(60)), [this] {
        claim_due_ = false;
        if (owner_.phase() != Phase::kServing && owner_.phase() != Phase::kClaiming) Claim();
      });
    }
  }

  void Claim() {
    Effects effects;
    log_.Abandon(kSlot, this);
    auto claim = owner_.StartClaim("", /*forced=*/true, node_.clock().Wall(), &effects);
    ASSERT_TRUE(claim.ok()) << claim.status();
    ++judge_.claims;
    log_.Append(kSlot, std::move(claim->bytes), claim->tag, this);
    Heed(effects);
    // A claim may be lost without a report.
    queue_->PostAfter(absl::Milliseconds(100), [this, tag = claim->tag] {
      if (owner_.phase() == Phase::kClaiming && claim_tag_ == tag) Claim();
    });
    claim_tag_ = claim->tag;
  }

  void Pump() {
    while (owner_.open() && owner_.in_flight() < 16) {
      const std::string name = absl::StrCat(std::string(1, name_), number_++);
      auto append = owner_.Propose(RecordKind::kBatch, test::Buffer(name), owner_.LogicalTime(node_.clock().Wall()));
      ASSERT_TRUE(append.ok()) << append.status();
      proposed_[append->tag] = name;
      log_.Append(kSlot, std::move(append->bytes), append->tag, this);
    }
  }

  void Heed(const Effects& effects) {
    for (const Effect& effect : effects) {
      switch (effect.kind) {
        case Effect::Kind::kConfirmed:
          if (proposed_.contains(effect.tag)) {
            judge_.confirmed[effect.position] = proposed_[effect.tag];
            ++judge_.answers;
          }
          break;
        case Effect::Kind::kLost:
          judge_.lost.insert(proposed_[effect.tag]);
          break;
        case Effect::Kind::kNeedClaim:
          queue_->Post([this] {
            if (owner_.phase() == Phase::kUnsure) Claim();
          });
          break;
        case Effect::Kind::kReadFrom:
          Recover();
          break;
        case Effect::Kind::kQuarantine:
          ADD_FAILURE() << "quarantined: " << effect.status;
          break;
        case Effect::Kind::kApply:
        case Effect::Kind::kAnswerReady:
        case Effect::Kind::kAnswerAgain:
        case Effect::Kind::kServing:
        case Effect::Kind::kSteppedDown:
        case Effect::Kind::kSealed:
        case Effect::Kind::kClaimRefused:
          break;
      }
    }
    if (owner_.phase() == Phase::kServing && reader_ == nullptr) Pump();
  }

  template <typename Task>
  void Later(Task task) {
    queue_->PostAfter(backoff_.Next(world_.random()), task);
  }

  VirtualScheduler& world_;
  MemoryConnection& log_;
  VirtualScheduler::Node& node_;
  Judge& judge_;
  const char name_;
  const std::unique_ptr<TaskQueue> queue_;
  Owner owner_;
  Backoff backoff_{absl::Milliseconds(1), absl::Milliseconds(50)};
  std::map<uint64_t, std::string> proposed_;
  std::unique_ptr<LogReader> reader_;
  uint64_t number_ = 0;
  uint64_t claim_tag_ = 0;
  bool claim_due_ = false;
  std::unique_ptr<Subscription> following_;
};

// Owners contend for one slot over connections with all faults: every confirmed record is accepted by every reader at
// its position, and lost records are nowhere in the log.
TEST(MemoryConnection, KeepsTheGuaranteesOfContendingOwnersUnderAllFaults) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    VirtualScheduler world(seed);
    MemoryLog log(Identity());
    VirtualScheduler::Node broker(&world), first(&world), second(&world);
    const std::unique_ptr<TaskQueue> network = broker.NewQueue("network");
    const ConnectionFaults faults{.append_timeout = absl::Milliseconds(200),
                                  .stall = 500,
                                  .refuse = 1000,
                                  .lose = 1000,
                                  .land_late = 1000,
                                  .land_twice = 1000,
                                  .overtake = 1000,
                                  .lose_report = 1000,
                                  .hide_position = 1000,
                                  .hold_report = 1000,
                                  .reset = 200,
                                  .fail_read = 10'000};
    MemoryConnection to_first(&log, network.get(), &first, seed + 100, faults);
    MemoryConnection to_second(&log, network.get(), &second, seed + 200, faults);
    Contender::Judge judge;
    Contender a(&world, &to_first, &first, 'a', &judge);
    Contender b(&world, &to_second, &second, 'b', &judge);
    for (int round = 0; round < 20; ++round) {
      for (int i = 0; i < 500; ++i) ASSERT_TRUE(world.Step());
      to_first.SetReachable(round % 5 != 3);
      to_second.SetReachable(round % 7 != 3);
    }
    first.Kill();
    second.Kill();
    std::map<Position, std::string> accepted;
    std::vector<StoredRecord> records;
    ASSERT_TRUE((*log.NewReader(kSlot, 0))->Poll({.records_max = 1'000'000, .bytes_max = 1 << 30}, &records).ok());
    Cursor cursor = GenesisCursor(Identity(), kSlot);
    for (const StoredRecord& record : records) {
      const auto judgement = Adjudicate(record.bytes, record.position, &cursor);
      ASSERT_TRUE(judgement.ok()) << judgement.status();
      if (judgement->verdict == Verdict::kAccepted && judgement->header.kind == RecordKind::kBatch) {
        accepted[record.position] = std::string(judgement->body);
      }
    }
    for (const auto& [position, name] : judge.confirmed) {
      ASSERT_TRUE(accepted.contains(position)) << name << " was confirmed at " << position;
      ASSERT_EQ(accepted[position], name);
    }
    for (const auto& [position, name] : accepted) ASSERT_FALSE(judge.lost.contains(name)) << name;
    EXPECT_GT(judge.confirmed.size(), 100u);
    EXPECT_GT(judge.claims, 5u);
    EXPECT_GT(judge.lost.size(), 0u);
  }
}

}  // namespace
}  // namespace halles::eventlog
