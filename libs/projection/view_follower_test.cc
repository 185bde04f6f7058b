// Views: followed, restarted midway, stopped by what cannot be projected, waited for.
#include "libs/projection/view_follower.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/projection/projection_fixture.h"
#include "libs/projection/replay.h"

namespace halles::projection {
namespace {

class ViewTest : public partition::RuntimeTest {
 protected:
  ~ViewTest() override { view_.reset(); }

  void Follow(ViewDefinition definition = Sums()) {
    auto view = ViewFollower::Start(
        std::move(definition), log_.get(), store_.get(),
        [this](const std::vector<std::string>& topics) {
          MutexLock lock(&mutex_);
          touched_.insert(touched_.end(), topics.begin(), topics.end());
        },
        &share_);
    ASSERT_TRUE(view.ok()) << view.status();
    view_ = *std::move(view);
  }
  // Ends the process; with `flush` everything projected is stored before.
  void Restart(bool flush, ViewDefinition definition = Sums()) {
    if (flush) {
      EXPECT_TRUE(store_->FlushNow().ok());
    }
    view_.reset();
    Crash();
    Start();
    Follow(std::move(definition));
  }
  void AddAll(int from, int to, SlotId slot = kFirstSlot) {
    for (int i = from; i < to; ++i) {
      ASSERT_TRUE(Submit(Add(absl::StrCat("r", i), 1 + i % 3, "c"), slot)->status().ok());
    }
  }
  absl::Status AwaitEnd(SlotId slot = kFirstSlot) { return Await({{slot, End(slot)}}, absl::Now() + kPatience); }
  absl::Status Await(const TokenPositions& positions, absl::Time deadline) {
    const auto reply = std::make_shared<partition::Reply>();
    view_->WhenReached(positions, deadline, [reply](absl::Status status) {
      reply->Set(status.ok() ? absl::StatusOr<AddResponse>(AddResponse()) : status, {});
    });
    return reply->status();
  }
  CounterRow Sum(SlotId source = kFirstSlot) {
    const store::ViewRows::Query rows(&view_->rows());
    return kSums.Get(rows, {"c", source}).value_or(CounterRow());
  }
  // The stop of a source, when it has come.
  absl::Status AwaitStop(SlotId slot) {
    absl::Status stopped;
    Until([&] {
      for (const SourceState& state : view_->States()) {
        if (state.source == slot) stopped = state.error;
      }
      return !stopped.ok();
    });
    return stopped;
  }

  RecordShare share_;
  std::unique_ptr<ViewFollower> view_;
  Mutex mutex_;
  std::vector<std::string> touched_;
};

using View = ViewTest;
using SourceThatCannotBeProjected = ViewTest;
using WaitForAView = ViewTest;
using ReplayOfAView = ViewTest;

TEST_F(View, FollowsItsSourcesAndSaysWhatWasTouched) {
  Follow();
  AddAll(0, 3);
  AddAll(0, 1, kOtherSlot);
  ASSERT_TRUE(AwaitEnd().ok());
  ASSERT_TRUE(AwaitEnd(kOtherSlot).ok());
  EXPECT_EQ(Sum().value(), 6);
  EXPECT_EQ(Sum(kOtherSlot).value(), 1);
  EXPECT_EQ(view_->projected_events(), 4u);
  Until([this] {
    MutexLock lock(&mutex_);
    return touched_.size() == 4;
  });
  EXPECT_EQ(view_->reached(kFirstSlot), End());
  EXPECT_EQ(view_->positions().size(), 2u);
}

TEST_F(View, NamesTheEventBehindEachRow) {
  Follow();
  AddAll(0, 3);
  ASSERT_TRUE(AwaitEnd().ok());
  const store::ViewRows::Query rows(&view_->rows());
  EXPECT_EQ(kSums.Find(rows, {"c", kFirstSlot})->position, End() - 1);
}

TEST_F(View, GoesOnBehindWhatOthersShared) {
  AddAll(0, 10);
  SourceReader other(log_.get(), kFirstSlot, eventlog::GenesisCursor(log_->identity(), kFirstSlot), &share_);
  SourceBatches records;
  ASSERT_TRUE(other.Read(4, 1'000, &records).ok());
  Follow();
  ASSERT_TRUE(AwaitEnd().ok()) << "the slot does not grow any more";
  EXPECT_EQ(Sum().additions(), 10u);
}

TEST_F(View, GoesOnMidwayAfterARestart) {
  Follow();
  // More than a batch of records before the flush, more behind it.
  AddAll(0, 300);
  ASSERT_TRUE(AwaitEnd().ok());
  ASSERT_TRUE(store_->FlushNow().ok());
  AddAll(300, 500);
  ASSERT_TRUE(AwaitEnd().ok());
  const CounterRow before = Sum();
  Restart(/*flush=*/false);
  ASSERT_TRUE(AwaitEnd().ok());
  EXPECT_EQ(Sum().value(), before.value());
  EXPECT_EQ(Sum().additions(), 500u);
  EXPECT_EQ(view_->projected_events(), 200u) << "what was flushed is not read again";
}

TEST_F(View, OfAnotherFoldVersionIsFoldedAgain) {
  Follow();
  AddAll(0, 10);
  ASSERT_TRUE(AwaitEnd().ok());
  Restart(/*flush=*/true, Sums(&ProjectSum, /*fold_version=*/2));
  ASSERT_TRUE(AwaitEnd().ok());
  EXPECT_EQ(Sum().additions(), 10u);
  EXPECT_EQ(view_->projected_events(), 10u);
}

TEST_F(View, OfATruncatedLogStopsWithItsReason) {
  Follow();
  AddAll(0, 10);
  ASSERT_TRUE(AwaitEnd().ok());
  ASSERT_TRUE(store_->FlushNow().ok());
  const std::map<SlotId, store::FoldCursor> cursors = view_->rows().cursors();
  view_.reset();
  log_->Truncate(kFirstSlot, End() - 1);
  Follow();
  EXPECT_EQ(ReasonOf(AwaitStop(kFirstSlot)), "LOG_CUT");
  EXPECT_EQ(view_->rows().cursors(), cursors) << "and leaves its rows as they were";
}

TEST_F(SourceThatCannotBeProjected, StopsAloneBeforeTheEvent) {
  Follow(Sums(&ProjectStrictly));
  AddAll(0, 2);
  const Position unlucky = End();
  ASSERT_TRUE(Submit(Add("u", partition::counter::kUnlucky))->status().ok());
  AddAll(2, 4);
  AddAll(0, 4, kOtherSlot);
  const absl::Status stopped = AwaitStop(kFirstSlot);
  EXPECT_TRUE(absl::StrContains(stopped.message(), EventRef({kFirstSlot, unlucky, 0}).ToString())) << stopped;
  ASSERT_TRUE(AwaitEnd(kOtherSlot).ok());
  EXPECT_EQ(Sum(kOtherSlot).additions(), 4u);
  EXPECT_EQ(Sum().additions(), 2u) << "no write of the event itself";
  EXPECT_TRUE(Await({{kFirstSlot, unlucky}}, absl::Now() + kPatience).ok());
  EXPECT_EQ(ReasonOf(Await({{kFirstSlot, unlucky + 1}}, absl::Now())), "TOKEN_NOT_REACHED");
}

TEST_F(SourceThatCannotBeProjected, IsNotDoubledByRestarts) {
  AddAll(0, 2);
  ASSERT_TRUE(Submit(Add("u", partition::counter::kUnlucky))->status().ok());
  Follow(Sums(&ProjectStrictly));
  for (int start = 0; start < 3; ++start) {
    // From the second start on the event is the first that is read.
    ASSERT_FALSE(AwaitStop(kFirstSlot).ok());
    EXPECT_EQ(Sum().additions(), 2u) << "start " << start;
    Restart(/*flush=*/true, Sums(&ProjectStrictly));
  }
  ASSERT_FALSE(AwaitStop(kFirstSlot).ok());
  // A build that can project it goes on from there.
  Restart(/*flush=*/true);
  ASSERT_TRUE(AwaitEnd().ok());
  EXPECT_EQ(Sum().additions(), 3u);
  EXPECT_EQ(view_->projected_events(), 1u);
}

TEST_F(SourceThatCannotBeProjected, AtItsVeryFirstEventKeepsACursorThatCanBeRead) {
  Follow(Sums(&ProjectStrictly));
  ASSERT_TRUE(Submit(Add("u", partition::counter::kUnlucky))->status().ok());
  ASSERT_FALSE(AwaitStop(kFirstSlot).ok());
  for (const auto& [fold, meta] : Metas()) {
    EXPECT_TRUE(eventlog::DecodeCursor(meta.cursor.bytes).ok()) << fold.ToString();
  }
  Restart(/*flush=*/true);
  ASSERT_TRUE(AwaitEnd().ok());
  EXPECT_EQ(Sum().additions(), 1u);
}

TEST_F(WaitForAView, EndsWhenThePositionIsProjected) {
  Follow();
  const Position target = End() + 1;
  const auto reply = std::make_shared<partition::Reply>();
  view_->WhenReached({{kFirstSlot, target}}, absl::InfiniteFuture(), [reply](absl::Status status) {
    reply->Set(status.ok() ? absl::StatusOr<AddResponse>(AddResponse()) : status, {});
  });
  EXPECT_FALSE(reply->done());
  AddAll(0, 1);
  EXPECT_TRUE(reply->status().ok());
  EXPECT_EQ(Sum().value(), 1);
}

TEST_F(WaitForAView, EndsAtItsDeadline) {
  Follow();
  const absl::Status late = Await({{kFirstSlot, End() + 1}}, absl::Now() + absl::Milliseconds(1));
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(late), "TOKEN_NOT_REACHED");
}

TEST_F(WaitForAView, CountsNoSlotThatIsNoSource) {
  Follow();
  EXPECT_TRUE(Await({{SlotId{kTarget, 0}, 1000}}, absl::Now()).ok());
}

TEST_F(WaitForAView, EndsWithTheView) {
  Follow();
  const auto reply = std::make_shared<partition::Reply>();
  view_->WhenReached({{kFirstSlot, End() + 1}}, absl::InfiniteFuture(),
                     [reply](absl::Status status) { reply->Set(status, {}); });
  view_.reset();
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reply->reason(), "DRAINING");
}

TEST_F(WaitForAView, BeyondTheLimitIsRefused) {
  Follow();
  for (size_t i = 0; i < kWaitersMax; ++i) {
    view_->WhenReached({{kFirstSlot, End() + 1}}, absl::InfiniteFuture(), [](absl::Status) {});
  }
  const absl::Status refused = Await({{kFirstSlot, End() + 1}}, absl::InfiniteFuture());
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_WAITING_READS");
  EXPECT_TRUE(RetryAfterOf(refused).has_value());
}

TEST_F(ReplayOfAView, AndOfStatesEqualsWhatServes) {
  Follow();
  AddAll(0, 300);
  AddAll(0, 50, kOtherSlot);
  EXPECT_EQ(Submit(Add("no", -10'000))->reason(), "BELOW_ZERO");
  ASSERT_TRUE(AwaitEnd().ok());
  ASSERT_TRUE(AwaitEnd(kOtherSlot).ok());
  ASSERT_TRUE(store_->FlushNow().ok());
  auto serving = store_->TakeSnapshot();
  ASSERT_TRUE(serving.ok());

  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  const std::vector<ViewDefinition> views = {Sums()};
  const auto targets = EverythingIn(log_.get(), services, views);
  ASSERT_TRUE(targets.ok()) << targets.status();
  auto beside = store_->OpenBeside(store::Quiet());
  ASSERT_TRUE(beside.ok()) << beside.status();
  uint64_t told = 0;
  const auto replayed =
      Replay(log_.get(), services, views, *targets, beside->get(), [&](const ReplayProgress& progress) {
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

TEST_F(ReplayOfAView, EndsWhenItsObserverSaysSo) {
  AddAll(0, 10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  const auto targets = EverythingIn(log_.get(), services, {});
  auto beside = store_->OpenBeside(store::Quiet());
  ASSERT_TRUE(beside.ok()) << beside.status();
  const auto replayed = Replay(log_.get(), services, {}, *targets, beside->get(),
                               [](const ReplayProgress&) { return absl::CancelledError("enough"); });
  EXPECT_EQ(replayed.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ReplayOfAView, OfALogThatEndsBelowItsTargetFails) {
  AddAll(0, 10);
  const std::vector<partition::ServiceDefinition> services = {partition::counter::Service(kSource)};
  auto targets = EverythingIn(log_.get(), services, {});
  ++(*targets)[store::FoldId::State(kFirstSlot)];
  auto beside = store_->OpenBeside(store::Quiet());
  EXPECT_EQ(ReasonOf(Replay(log_.get(), services, {}, *targets, beside->get(), nullptr).status()), "LOG_CUT");
}

}  // namespace
}  // namespace halles::projection
