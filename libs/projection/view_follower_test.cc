// Tests of views: following, restarts, events that cannot be projected, waiting, replays.
#include "libs/projection/view_follower.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

class ViewTest : public ProjectionTest {
 protected:
  void Follow(ViewDefinition definition = Sums()) {
    a_.views = {std::move(definition)};
    Start(a_);
    AwaitEnd();
  }
  // Ends the process; with `flush`, all projected rows are stored before.
  void Restart(bool flush, ViewDefinition definition = Sums()) {
    if (flush) Flush(a_);
    Kill(a_);
    Follow(std::move(definition));
  }
  void AddAll(int count, SlotId slot = kFirstSlot) {
    for (int i = 0; i < count; ++i) AddSome(a_, 1, 1 + i % 3, slot);
  }
  // Lets claims be found, which no owner offers.
  void AwaitEnd() { TimePasses(kWhileMicros); }
  // OK, an error, or CANCELLED while there is no answer.
  absl::Status Await(const TokenPositions& positions, MonotonicMicros deadline = kNoDeadline) {
    const auto answer = Wait(positions, deadline);
    Quiesce();
    return *answer;
  }
  std::shared_ptr<absl::Status> Wait(const TokenPositions& positions, MonotonicMicros deadline = kNoDeadline) {
    auto answer = std::make_shared<absl::Status>(absl::CancelledError("no answer yet"));
    a_.view().WhenReached(positions, deadline, [answer](absl::Status status) { *answer = std::move(status); });
    return answer;
  }
  CounterRow Sum(SlotId source = kFirstSlot) { return ProjectionTest::Sum(a_, source); }
  absl::Status StopOf(SlotId slot) {
    for (const SourceState& state : a_.view().States()) {
      if (state.source == slot) return state.error;
    }
    return absl::NotFoundError("no source of the view");
  }
};

using View = ViewTest;
using SourceThatCannotBeProjected = ViewTest;
using WaitForAView = ViewTest;

TEST_F(View, FollowsItsSourcesAndReportsTouchedTopics) {
  Follow();
  AddAll(3);
  AddAll(1, kOtherSlot);
  EXPECT_EQ(Sum().value(), 6);
  EXPECT_EQ(Sum(kOtherSlot).value(), 1);
  EXPECT_EQ(a_.view().projected_events(), 4u);
  EXPECT_EQ(a_.touched.size(), 4u);
  EXPECT_EQ(a_.view().reached(kFirstSlot), End());
  EXPECT_EQ(a_.view().positions().size(), 2u);
  EXPECT_TRUE(a_.pool().caught_up());
}

TEST_F(View, AcceptsConfirmedRecordsWithoutARead) {
  Follow();
  const SourceFollower& follower = *a_.pool().FollowerOf(kFirstSlot);
  const uint64_t read = follower.records_read();
  AddAll(20);
  TimePasses(kWhileMicros);
  EXPECT_EQ(Sum().additions(), 20u);
  EXPECT_EQ(follower.offers_taken(), 20u);
  EXPECT_EQ(follower.records_read(), read);
}

TEST_F(View, IsTheSameFromOffersAndFromTheLog) {
  a_.views = {Sums(), Sums(&ProjectSum, 1, kSumsView + 1)};
  b_.views = a_.views;
  b_.role = partition::SlotRole::kStandby;
  Start(a_);
  Start(b_);
  AddAll(300);
  EXPECT_EQ(Sum().additions(), 300u);
  for (Instance* instance : {&a_, &b_}) {
    for (const uint8_t view : {kSumsView, static_cast<uint8_t>(kSumsView + 1)}) {
      EXPECT_EQ(ProjectionTest::Sum(*instance, kFirstSlot, view).value(), Sum().value());
      EXPECT_EQ(instance->view(view).rows().cursor(kFirstSlot), a_.view().rows().cursor(kFirstSlot));
    }
  }
}

TEST_F(View, NamesTheEventBehindEachRow) {
  Follow();
  AddAll(3);
  const store::ViewRows::Query rows(&a_.view().rows());
  EXPECT_EQ(kSums.Find(rows, {"c", kFirstSlot})->position, End() - 1);
}

TEST_F(View, IgnoresEventsThatItDoesNotHandle) {
  ViewDefinition definition = Sums();
  definition.sources[0].fields = {CounterEvent::kPaddingFieldNumber};
  Follow(std::move(definition));
  AddAll(3);
  EXPECT_EQ(a_.view().projected_events(), 0u);
  EXPECT_EQ(a_.view().reached(kFirstSlot), End());
}

TEST_F(View, IsFoldedAgainWhenItsStoredRowsAreDamaged) {
  a_.disk = std::make_unique<store::MemoryDisk>("disk");
  Follow();
  AddAll(300);
  Flush(a_);
  const int64_t sum = Sum().value();
  Restart(/*flush=*/false);  // the rows are nowhere but on the disk
  AwaitEnd();
  const TokenPositions before = a_.view().positions();
  a_.disk->DamageSpace(store::RowSpace::View(kTarget, kSumsView));
  {
    const store::ViewRows::Query query(&a_.view().rows());
    EXPECT_FALSE(kSums.Find(query, {"c", kFirstSlot}).has_value());
    EXPECT_EQ(ReasonOf(query.status()), "SPACE_DAMAGED");
  }
  TimePasses(kWhileMicros);
  EXPECT_TRUE(Await({}).ok());
  EXPECT_EQ(a_.view().positions(), before);
  EXPECT_FALSE(a_.view().Behind(store::ViewRows::Query(&a_.view().rows())));
  EXPECT_EQ(Sum().value(), sum);
  EXPECT_EQ(Sum().additions(), 300u);
  EXPECT_TRUE(a_.pool().caught_up());
}

TEST_F(View, ContinuesAfterARestart) {
  Follow();
  // More than one batch of records before the flush, and more after it.
  AddAll(300);
  Flush(a_);
  AddAll(200);
  const CounterRow before = Sum();
  Restart(/*flush=*/false);
  EXPECT_EQ(Sum().value(), before.value());
  EXPECT_EQ(Sum().additions(), 500u);
  EXPECT_EQ(a_.view().projected_events(), 200u) << "what was flushed is not read again";
}

TEST_F(View, GoesOnAfterAReadThatFailed) {
  a_.disk = std::make_unique<store::MemoryDisk>("disk");
  a_.views = {Sums()};
  Start(a_);
  AddSome(a_, 3);
  Settle(a_);
  Flush(a_);
  Kill(a_);
  Start(a_);  // its rows lie on the disk alone
  const ReplyPtr added = Send(a_, Add("next", 1));
  a_.disk->FailNextRead();
  DeliverAllOf(kFirstSlot);
  Quiesce();
  EXPECT_TRUE(added->status().ok());
  EXPECT_EQ(Sum().value(), 3) << "the read was the view's";
  Settle(a_);
  EXPECT_EQ(Sum().value(), 4);
  for (const SourceState& state : a_.view().States()) EXPECT_TRUE(state.error.ok()) << state.error;
}

TEST_F(View, OfAnotherFoldVersionIsFoldedAgain) {
  Follow();
  AddAll(10);
  Restart(/*flush=*/true, Sums(&ProjectSum, /*fold_version=*/2));
  EXPECT_EQ(Sum().additions(), 10u);
  EXPECT_EQ(a_.view().projected_events(), 10u);
}

TEST_F(View, OfATruncatedLogStopsWithItsReason) {
  Follow();
  AddAll(10);
  const store::FoldCursor cursor = a_.view().rows().cursor(kFirstSlot);
  log_.Truncate(kFirstSlot, End() - 1);
  Quiesce();
  EXPECT_EQ(ReasonOf(StopOf(kFirstSlot)), "LOG_CUT");
  EXPECT_EQ(a_.view().rows().cursor(kFirstSlot), cursor) << "and leaves its rows as they were";
}

TEST_F(SourceThatCannotBeProjected, StopsAloneBeforeTheEvent) {
  Follow(Sums(&ProjectStrictly));
  AddAll(2);
  const Position unlucky = End();
  AddSome(a_, 1, partition::counter::kUnlucky);
  AddAll(2);
  AddAll(4, kOtherSlot);
  const absl::Status stopped = StopOf(kFirstSlot);
  EXPECT_TRUE(absl::StrContains(stopped.message(), EventRef({kFirstSlot, unlucky, 0}).ToString())) << stopped;
  EXPECT_EQ(Sum(kOtherSlot).additions(), 4u);
  EXPECT_EQ(Sum().additions(), 2u) << "no write of the event itself";
  EXPECT_TRUE(Await({{kFirstSlot, unlucky}}).ok());
  EXPECT_EQ(ReasonOf(Await({{kFirstSlot, unlucky + 1}}, 0)), "TOKEN_NOT_REACHED");
}

TEST_F(SourceThatCannotBeProjected, IsFoldedUpToThereAgainAfterDamage) {
  a_.disk = std::make_unique<store::MemoryDisk>("disk");
  Follow(Sums(&ProjectStrictly));
  AddAll(2);
  const Position unlucky = End();
  AddSome(a_, 1, partition::counter::kUnlucky);
  ASSERT_FALSE(StopOf(kFirstSlot).ok());
  Restart(/*flush=*/true, Sums(&ProjectStrictly));
  a_.disk->DamageSpace(store::RowSpace::View(kTarget, kSumsView));
  EXPECT_EQ(Sum().additions(), 0u);  // meets the damage
  TimePasses(kWhileMicros);
  EXPECT_TRUE(Await({{kFirstSlot, unlucky}}).ok()) << "it is read as before";
  EXPECT_EQ(Sum().additions(), 2u);
  EXPECT_FALSE(StopOf(kFirstSlot).ok());
}

TEST_F(SourceThatCannotBeProjected, IsNotDuplicatedByRestarts) {
  Follow(Sums(&ProjectStrictly));
  AddAll(2);
  AddSome(a_, 1, partition::counter::kUnlucky);
  for (int start = 0; start < 3; ++start) {
    // From the second start on, the event is the first one that is read.
    ASSERT_FALSE(StopOf(kFirstSlot).ok());
    EXPECT_EQ(Sum().additions(), 2u) << "start " << start;
    Restart(/*flush=*/true, Sums(&ProjectStrictly));
  }
  ASSERT_FALSE(StopOf(kFirstSlot).ok());
  // A build that can project it continues from there.
  Restart(/*flush=*/true);
  EXPECT_EQ(Sum().additions(), 3u);
  EXPECT_EQ(a_.view().projected_events(), 1u);
}

TEST_F(SourceThatCannotBeProjected, AtTheFirstEventKeepsAReadableCursor) {
  Follow(Sums(&ProjectStrictly));
  AddSome(a_, 1, partition::counter::kUnlucky);
  ASSERT_FALSE(StopOf(kFirstSlot).ok());
  Flush(a_);
  const auto metas = a_.store().LoadMetas();
  ASSERT_TRUE(metas.ok());
  EXPECT_TRUE(metas->contains(store::FoldId::View(kTarget, kSumsView, kFirstSlot)));
  for (const auto& [fold, meta] : *metas) {
    EXPECT_TRUE(eventlog::DecodeCursor(meta.cursor.bytes).ok()) << fold.ToString();
  }
  Restart(/*flush=*/true);
  EXPECT_EQ(Sum().additions(), 1u);
}

TEST_F(WaitForAView, EndsWhenThePositionIsProjected) {
  Follow();
  const auto answer = Wait({{kFirstSlot, End() + 1}});
  EXPECT_TRUE(absl::IsCancelled(*answer));
  AddAll(1);
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(Sum().value(), 1);
}

TEST_F(WaitForAView, EndsAtItsDeadline) {
  Follow();
  const auto late = Wait({{kFirstSlot, End() + 1}}, a_.scheduler().Now() + 2'000);
  const auto first = Wait({{kFirstSlot, End() + 1}}, a_.scheduler().Now() + 1'000);
  TimePasses(1'000);
  EXPECT_EQ(ReasonOf(*first), "TOKEN_NOT_REACHED");
  EXPECT_TRUE(absl::IsCancelled(*late));
  TimePasses(1'000);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*late));
}

TEST_F(WaitForAView, IgnoresSlotsThatAreNoSource) {
  Follow();
  EXPECT_TRUE(Await({{SlotId{kTarget, 0}, 1000}}).ok());
}

TEST_F(WaitForAView, EndsWithThePool) {
  Follow();
  const auto answer = Wait({{kFirstSlot, End() + 1}});
  a_.pool().Stop();
  EXPECT_TRUE(absl::IsUnavailable(*answer));
  EXPECT_EQ(ReasonOf(*answer), "DRAINING");
}

TEST_F(WaitForAView, BeyondTheLimitIsRefused) {
  Follow();
  for (size_t i = 0; i < kWaitersMax; ++i) {
    a_.view().WhenReached({{kFirstSlot, End() + 1}}, kNoDeadline, [](const absl::Status&) {});
  }
  const absl::Status refused = Await({{kFirstSlot, End() + 1}});
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_WAITING_READS");
  EXPECT_TRUE(RetryAfterOf(refused).has_value());
}

}  // namespace
}  // namespace halles::projection
