// Reads of a slot: bounded, in time, and each by itself on a disk that fails to read now and then.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Confirmed rows lie on the disk alone.
class FailedRead : public RuntimeTest {
 protected:
  FailedRead() { disk_ = std::make_unique<store::MemoryDisk>("disk"); }

  void SetUp() override {
    RuntimeTest::SetUp();
    EXPECT_EQ(Submit(Add("r1", 5))->value(), 5);
    Reopen({Counter()});
  }
  void Reopen(std::vector<ServiceDefinition> services) {
    Flush();
    Crash();
    Start(std::move(services));
  }
  // Its rule can make the read fail that comes next, which is one of Evolve.
  ServiceDefinition Counter() {
    ServiceDefinition service;
    service.id = ServiceId::kInventory;
    service.aggregates = {AggregateDefinitionOf(counter::kCounter)};
    service.Add(CommandOf<counter::AddRequest>(
        [](const counter::AddRequest& request) { return request.counter(); }, kNoDoor,
        [](const store::RowReader& state, const counter::AddRequest& request, const CommandContext& context) {
          auto decided = counter::Decide(state, request, context);
          if (fail_evolve > 0) {
            --fail_evolve;
            faulty->FailNextRead();
          }
          return decided;
        },
        counter::kCounter));
    faulty = disk_.get();
    return service;
  }
  struct Answer {
    absl::Status status = absl::UnknownError("no answer");
    int64_t value = -1;
  };
  Answer Ask() {
    Answer read;
    runtime_->Query(kFirstSlot, 0, kNoDeadline, [&read](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      read.value = counter::kCounters.Get(**rows, {"c"}).value_or(counter::CounterRow()).value();
      read.status = (*rows)->status();
    });
    Quiesce();
    return read;
  }

  static int fail_evolve;
  static store::MemoryDisk* faulty;
};
int FailedRead::fail_evolve = 0;
store::MemoryDisk* FailedRead::faulty = nullptr;

TEST_F(FailedRead, OfAQueryIsItsOwn) {
  disk_->FailNextRead();
  EXPECT_EQ(Ask().status.code(), absl::StatusCode::kUnavailable);
  const Answer next = Ask();
  EXPECT_TRUE(next.status.ok()) << next.status;
  EXPECT_EQ(next.value, 5);
  EXPECT_EQ(Submit(Add("r2", 1))->value(), 6) << "nor does it touch decisions";
}

TEST_F(FailedRead, OfAWatchIsItsOwn) {
  std::vector<absl::Status> looks;
  for (int i = 0; i < 2; ++i) {
    if (i == 0) disk_->FailNextRead();
    runtime_->Watch(kFirstSlot, "c", 0, kNoDeadline, [&looks](absl::StatusOr<const store::RowReader*> rows, Position) {
      counter::kCounters.Get(**rows, {"c"});
      looks.push_back((*rows)->status());
      return true;
    });
    Quiesce();
  }
  ASSERT_EQ(looks.size(), 2u);
  EXPECT_EQ(looks[0].code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(looks[1].ok()) << looks[1];
}

TEST_F(FailedRead, OfADecisionIsTriedAgainAndKeepsTheOrder) {
  disk_->FailNextRead();
  const ReplyPtr first = Submit(Add("r2", -5));
  const ReplyPtr second = Submit(Add("r3", -5));
  EXPECT_FALSE(first->done()) << "not decided as if nothing were there";
  TimePasses(2 * kSecond);
  EXPECT_EQ(first->value(), 0);
  EXPECT_EQ(second->reason(), "BELOW_ZERO");
  EXPECT_EQ(counters_.failed_reads, 1u);
  EXPECT_EQ(StateOf(kFirstSlot).phase, SlotPhase::kServing);
}

TEST_F(FailedRead, OfAnEvolvedFactIsTriedAgainAndLeavesNoRow) {
  fail_evolve = 1;
  const Position before = End();
  const ReplyPtr reply = Submit(Add("r2", 1));
  EXPECT_FALSE(reply->done());
  EXPECT_EQ(End(), before);
  TimePasses(2 * kSecond);
  EXPECT_EQ(reply->value(), 6);
  EXPECT_EQ(ValueOf(), 6);
  EXPECT_EQ(counters_.failed_reads, 1u);
}

using Read = RuntimeTest;

TEST_F(Read, BeyondTheLimitOfThoseOnTheirWayIsRefusedWithATimeToWait) {
  size_t answered = 0;
  std::vector<absl::Status> refused;
  for (int64_t i = 0; i < kSlotReadsOnTheirWayMax + 2; ++i) {
    runtime_->Query(kFirstSlot, 0, kNoDeadline, [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
      if (rows.ok()) {
        ++answered;
      } else {
        refused.push_back(rows.status());
      }
    });
  }
  EXPECT_EQ(answered, 0u);
  ASSERT_EQ(refused.size(), 2u) << "at once";
  EXPECT_EQ(refused[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused[0]), "TOO_MANY_WAITING_READS");
  EXPECT_TRUE(RetryAfterOf(refused[0]).has_value());
  absl::Status watched;
  runtime_->Watch(kFirstSlot, "c", 0, kNoDeadline, [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
    watched = rows.status();
    return true;
  });
  EXPECT_EQ(ReasonOf(watched), "TOO_MANY_WAITING_READS");
  EXPECT_EQ(ValueOf("c", kOtherSlot), 0) << "each slot has its own limit";
  Quiesce();
  EXPECT_EQ(answered, static_cast<size_t>(kSlotReadsOnTheirWayMax));
  EXPECT_EQ(ValueOf(), 0) << "and there is room again";
}

TEST_F(Read, WhoseDeadlineHasPassedIsNotMade) {
  absl::Status query;
  absl::Status watch;
  runtime_->Query(kFirstSlot, 0, node_.Now() - 1,
                  [&](const absl::StatusOr<const store::RowReader*>& rows, Position) { query = rows.status(); });
  runtime_->Watch(kFirstSlot, "c", 0, node_.Now() - 1,
                  [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    watch = rows.status();
                    return true;
                  });
  Quiesce();
  EXPECT_EQ(ReasonOf(query), "DEADLINE_PASSED");
  EXPECT_EQ(ReasonOf(watch), "DEADLINE_PASSED");
}

}  // namespace
}  // namespace halles::partition
