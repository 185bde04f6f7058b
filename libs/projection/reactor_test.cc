// Reactions: each event is reacted to exactly once in effect, whatever is lost, refused or started again.
#include "libs/projection/reactor.h"

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/partition/fold.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

std::atomic<int> reacted{0};
std::vector<AddRequest> ReactAndCount(const CounterEvent& event, const partition::FactContext& context) {
  ++reacted;
  return ReactOnce(event, context);
}

// Five is copied as what nobody can evolve.
std::vector<AddRequest> ReactBadlyToFive(const CounterEvent& event, const partition::FactContext&) {
  ++reacted;
  return {Copy("all", event.amount() == 5 ? partition::counter::kNotEvolvable : event.amount())};
}

// The test decides what becomes of each append of either service.
class ReactorTest : public partition::RuntimeFaultTest {
 protected:
  ~ReactorTest() override { End(); }
  void SetUp() override { StartServices(); }

  void StartServices() { Start({partition::counter::Service(kSource), partition::counter::Service(kTarget)}); }
  void React(ReactionDefinition definition = Reacts(&ReactOnce, "all"),
             uint64_t progress_every = kReactionProgressEvery) {
    auto reactor = Reactor::Start(std::move(definition), log_.get(), runtime_.get(), progress_every);
    ASSERT_TRUE(reactor.ok()) << reactor.status();
    reactor_ = *std::move(reactor);
  }
  // Ends the process without a flush; records that did not land are lost.
  void Kill() {
    if (reactor_ != nullptr) reactor_->Stop();
    for (const auto& append : log_->pending()) ASSERT_TRUE(log_->Drop(append.id).ok());
    runtime_.reset();
    reactor_.reset();
    store_.reset();
  }
  void End() {
    if (reactor_ != nullptr) reactor_->Stop();
    if (runtime_ != nullptr) {
      log_->DeliverAll();
      Stop();
    }
    reactor_.reset();
  }

  // Records additions in a slot of the source.
  void AddSome(int count, int64_t amount = 1, SlotId slot = kFirstSlot) {
    for (int i = 0; i < count; ++i) {
      const ReplyPtr reply = Submit(Add(absl::StrCat("r", next_++), amount), slot);
      const Position before = log_->End(slot).value();
      Until([&] {
        for (const auto& append : log_->pending()) {
          if (append.slot == slot) {
            EXPECT_TRUE(log_->Deliver(append.id).ok());
          }
        }
        return reply->done();
      });
      ASSERT_TRUE(reply->status().ok()) << reply->status();
      ASSERT_EQ(log_->End(slot).value(), before + 1);
    }
  }
  // Appends of the target that have not met their fate.
  std::vector<uint64_t> Reactions() {
    std::vector<uint64_t> ids;
    for (const auto& append : log_->pending()) {
      if (append.slot.service == kTarget) ids.push_back(append.id);
    }
    return ids;
  }
  // Everything lands until the sources are reacted to.
  void Settle() {
    Until([this] {
      log_->DeliverAll();
      return reactor_->reached(kFirstSlot) >= log_->End(kFirstSlot).value() &&
             reactor_->reached(kOtherSlot) >= log_->End(kOtherSlot).value();
    });
    Quiesce();
  }
  CounterRow Target(const std::string& counter = "all") {
    CounterRow row;
    const SlotId slot = runtime_->SlotFor(kTarget, "", counter);
    runtime_->Query(slot, 0, absl::InfiniteFuture(), [&](absl::StatusOr<const store::RowReader*> rows, Position) {
      ASSERT_TRUE(rows.ok()) << rows.status();
      row = partition::counter::kCounters.Get(**rows, {counter}).value_or(CounterRow());
    });
    Quiesce();
    return row;
  }
  SlotId TargetSlot(const std::string& counter = "all") const { return runtime_->SlotFor(kTarget, "", counter); }

  std::unique_ptr<Reactor> reactor_;
  int next_ = 0;
};

using ReactorRuns = ReactorTest;
using ReactorRestarts = ReactorTest;
using FailedReaction = ReactorTest;
using RefusedReaction = ReactorTest;
using ReactionProgress = ReactorTest;
using MergedReactions = ReactorTest;

TEST_F(ReactorRuns, ReactsToEachEventOnce) {
  React();
  AddSome(5, 2);
  AddSome(3, 1, kOtherSlot);
  Settle();
  EXPECT_EQ(Target().additions(), 8u);
  EXPECT_EQ(Target().value(), 13);
  for (const log::v1::Batch& batch : Batches(0, TargetSlot())) {
    EXPECT_EQ(batch.cause().service(), static_cast<log::v1::Service>(kSource));
    EXPECT_TRUE(batch.request_id().empty());
  }
}

TEST_F(ReactorRuns, ReachesARecordWhenItsReactionIsRecorded) {
  React();
  AddSome(1);
  Until([this] { return Reactions().size() == 1; });
  EXPECT_LT(reactor_->reached(kFirstSlot), log_->End(kFirstSlot).value());
  const auto waited = std::make_shared<partition::Reply>();
  reactor_->WhenReached({{kFirstSlot, log_->End(kFirstSlot).value()}}, absl::InfiniteFuture(),
                        [waited](const absl::Status& status) {
                          waited->Set(status.ok() ? absl::StatusOr<AddResponse>(AddResponse()) : status, {});
                        });
  EXPECT_FALSE(waited->done());
  log_->DeliverAll();
  EXPECT_TRUE(waited->status().ok());
  // What waits for a reaction goes on to the target at its confirmed position: it must hold the reaction.
  EXPECT_EQ(runtime_->confirmed(TargetSlot()), log_->End(TargetSlot()).value());
}

TEST_F(ReactorRuns, PausesWithManyUnderWay) {
  React();
  AddSome(static_cast<int>(kReactionsInFlightMax) + 5);
  Until([this] { return Reactions().size() == kReactionsInFlightMax; });
  Quiesce();
  EXPECT_EQ(Reactions().size(), kReactionsInFlightMax);
  Settle();
  EXPECT_EQ(Target().additions(), kReactionsInFlightMax + 5);
}

TEST_F(ReactorRuns, MakesSeveralReactionsToOneEventInSeveralSlots) {
  ASSERT_NE(TargetSlot("left"), TargetSlot("right"));
  React(Reacts(&ReactThrice));
  AddSome(4, 3);
  Settle();
  EXPECT_EQ(Target("left").additions(), 8u);
  EXPECT_EQ(Target("right").additions(), 4u);
}

// For each number of recorded reactions, one more landed or not, with the target's rows kept or not.
TEST_F(ReactorRestarts, ReactExactlyOnceFromEveryPoint) {
  constexpr int kEvents = 6;
  for (int recorded = 0; recorded <= kEvents; ++recorded) {
    for (const bool unreported : {false, true}) {
      SCOPED_TRACE(absl::StrCat(recorded, " recorded, then ", unreported ? "one without report" : "none"));
      const CounterRow before = Target();
      AddSome(kEvents);
      React();
      Until([&] { return Reactions().size() == kEvents; });
      for (int i = 0; i < recorded; ++i) Deliver(Reactions().front());
      if (unreported && recorded < kEvents) {
        ASSERT_TRUE(log_->DeliverAndLoseReport(Reactions().front()).ok());
      }
      if (recorded % 2 == 0) {
        EXPECT_TRUE(store_->FlushNow().ok());
      }
      Kill();
      if (recorded % 3 == 0) DeleteState();
      StartServices();
      React();
      Settle();
      EXPECT_EQ(Target().additions(), before.additions() + kEvents);
      EXPECT_EQ(Target().value(), before.value() + kEvents);
      reactor_->Stop();
      Kill();
      StartServices();
    }
  }
}

TEST_F(ReactorRestarts, ReactExactlyOnceInSeveralSlotsFromEveryPoint) {
  constexpr int kEvents = 3;
  for (int landed = 0; landed <= 3 * kEvents; ++landed) {
    SCOPED_TRACE(absl::StrCat(landed, " landed"));
    const CounterRow left = Target("left");
    const CounterRow right = Target("right");
    AddSome(kEvents);
    React(Reacts(&ReactThrice));
    Until([&] { return Reactions().size() == 3 * kEvents; });
    for (int i = 0; i < landed; ++i) Deliver(Reactions().front());
    Kill();
    StartServices();
    React(Reacts(&ReactThrice));
    Settle();
    EXPECT_EQ(Target("left").additions(), left.additions() + 2 * kEvents);
    EXPECT_EQ(Target("right").additions(), right.additions() + kEvents);
    Kill();
    StartServices();
  }
}

TEST_F(MergedReactions, AreAllMadeAndEachOnce) {
  React(ReactsInTwoWays());
  AddSome(4, 3);
  Settle();
  EXPECT_EQ(Target("left").additions(), 4u);
  EXPECT_EQ(Target("right").additions(), 8u);
}

TEST_F(MergedReactions, ReactExactlyOnceFromEveryPoint) {
  constexpr int kEvents = 3;
  for (int landed = 0; landed <= 3 * kEvents; ++landed) {
    SCOPED_TRACE(absl::StrCat(landed, " landed"));
    const CounterRow left = Target("left");
    const CounterRow right = Target("right");
    AddSome(kEvents);
    React(ReactsInTwoWays());
    Until([&] { return Reactions().size() == 3 * kEvents; });
    for (int i = 0; i < landed; ++i) Deliver(Reactions().front());
    Kill();
    StartServices();
    React(ReactsInTwoWays());
    Settle();
    EXPECT_EQ(Target("left").additions(), left.additions() + kEvents);
    EXPECT_EQ(Target("right").additions(), right.additions() + 2 * kEvents);
    Kill();
    StartServices();
  }
}

TEST_F(MergedReactions, KeepTheirOwnTypesAndFields) {
  ReactionDefinition other_type = Reacts(&ReactOnce);
  other_type.type = 2;
  ReactionDefinition other_field = Reacts(&ReactOnce);
  other_field.fields = {CounterEvent::kPaddingFieldNumber};
  ReactionDefinition own = Reacts(&ReactOnce);
  own.fields = {CounterEvent::kCounterFieldNumber};
  React(MergeReactions("three", {other_type, other_field, own}));
  AddSome(2);
  Settle();
  EXPECT_EQ(Target().additions(), 2u);
}

// Two parts whose requests have the same bytes: what the one has recorded says nothing of the other.
TEST_F(MergedReactions, AreToldApartWhereOnceIsEnough) {
  ReactionDefinition once = Reacts(&ReactOnce);
  once.once_is_enough = true;
  React(MergeReactions("two", {once, once}));
  AddSome(1);
  Settle();
  EXPECT_EQ(Target().additions(), 2u);
  AddSome(1);
  Settle();
  EXPECT_EQ(Target().additions(), 2u) << "the same again";
}

TEST(MergeReactions, TakesOnlyReactionsOfOneServiceToOneSource) {
  ReactionDefinition other = Reacts(&ReactOnce);
  other.source = kTarget;
  EXPECT_DEATH(MergeReactions("x", {Reacts(&ReactOnce), other}), "several sources");
  EXPECT_DEATH(MergeReactions("x", {Reacts(&ReactOnce), Reacts(&ReactOnce, "all")}), "several targets");
  EXPECT_DEATH(MergeReactions("x", {}), "nothing to merge");
}

TEST_F(FailedReaction, IsTriedAgainWithAllBehindIt) {
  React();
  AddSome(4);
  Until([this] { return Reactions().size() == 4; });
  const std::vector<uint64_t> reactions = Reactions();
  Deliver(reactions[0]);
  ASSERT_TRUE(log_->TimeOut(reactions[1]).ok());
  for (size_t i = 1; i < 4; ++i) ASSERT_TRUE(log_->Drop(reactions[i]).ok());
  Settle();
  EXPECT_GE(counters_.lost.load(), 3u);
  EXPECT_EQ(Target().additions(), 4u);
}

TEST_F(FailedReaction, IsNotOvertakenByOneThatWasQueuedBehindIt) {
  reacted = 0;
  React(Reacts(&ReactAndCount, "all"));
  AddSome(1);
  Until([this] { return Reactions().size() == 1; });
  const uint64_t first = Reactions().front();
  ASSERT_TRUE(log_->TimeOut(first).ok());
  Until([this] { return Reactions().size() == 2; });  // the claim
  const uint64_t claim = Reactions().back();
  // While the target claims, the second reaction waits in its queue.
  AddSome(1);
  Until([] { return reacted >= 2; });
  Quiesce();
  ASSERT_TRUE(log_->Drop(first).ok());
  ASSERT_TRUE(log_->Deliver(claim).ok());
  Settle();
  EXPECT_EQ(Target().additions(), 2u);
}

TEST_F(FailedReaction, OfARefusedAppendIsNotOvertaken) {
  React();
  AddSome(3);
  Until([this] { return Reactions().size() == 3; });
  for (const uint64_t reaction : Reactions()) ASSERT_TRUE(log_->Refuse(reaction).ok());
  AddSome(2);
  Settle();
  EXPECT_EQ(Target().additions(), 5u);
}

TEST_F(FailedReaction, ThatCannotBeEvolvedHoldsBackThoseBehindIt) {
  AddSome(2);
  AddSome(1, 5);
  AddSome(2);
  reacted = 0;
  React(Reacts(&ReactBadlyToFive, "all"));
  // It is tried again and again, with those behind it.
  Until([this] {
    log_->DeliverAll();
    return reacted >= 5 + 2 * 3;
  });
  EXPECT_EQ(Target().additions(), 2u);
  EXPECT_EQ(reactor_->reached(kFirstSlot), log_->End(kFirstSlot).value() - 3);
}

TEST_F(RefusedReaction, IsRecordedWithoutEventsAndNotTriedAgain) {
  React();
  AddSome(1, 5);
  Settle();
  // Copied as it is, the counter would fall below zero; the source stands higher.
  AddSome(1, 10, kOtherSlot);
  Settle();
  const ReplyPtr taken = Submit(Add("", -12, "all"), TargetSlot());
  Until([&] {
    log_->DeliverAll();
    return taken->done();
  });
  const Position before = log_->End(TargetSlot()).value();
  AddSome(1, -4, kOtherSlot);
  AddSome(1, 1, kOtherSlot);
  Settle();
  EXPECT_EQ(Target().value(), 4);
  const std::vector<log::v1::Batch> batches = Batches(before, TargetSlot());
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].events_size(), 0);
  EXPECT_TRUE(batches[0].has_cause());
  EXPECT_EQ(batches[1].events_size(), 1);

  const Position end = log_->End(TargetSlot()).value();
  Kill();
  StartServices();
  React();
  Settle();
  // The new owner's claim alone.
  EXPECT_EQ(log_->End(TargetSlot()).value(), end + 1);
  EXPECT_EQ(Target().value(), 4);
}

TEST_F(ReactionProgress, IsRecordedEveryNPositionsAndTakenUp) {
  constexpr uint64_t kEvery = 10;
  React(Reacts(&ReactThrice), kEvery);
  AddSome(35);
  Settle();
  const auto progress = [this] {
    std::vector<uint64_t> positions;
    for (const SlotId slot : {SlotId{kTarget, 0}, SlotId{kTarget, 1}}) {
      for (const log::v1::Batch& batch : Batches(0, slot)) {
        if (batch.has_cause() && batch.cause().progress()) positions.push_back(batch.cause().position());
      }
    }
    return positions;
  };
  Until([&] {
    log_->DeliverAll();
    return !progress().empty();
  });
  Quiesce();
  const std::vector<uint64_t> recorded = progress();
  EXPECT_LE(recorded.size(), 3u);
  for (size_t i = 1; i < recorded.size(); ++i) EXPECT_GE(recorded[i], recorded[i - 1] + kEvery);
  const uint64_t last = recorded.back();

  Kill();
  StartServices();
  reacted = 0;
  React(Reacts(+[](const CounterEvent& event, const partition::FactContext& context) {
          EXPECT_GE(context.slot.slot, 0);
          ++reacted;
          return ReactThrice(event, context);
        }),
        kEvery);
  EXPECT_GE(reactor_->reached(kFirstSlot), last) << "it does not begin anew";
  Settle();
  EXPECT_LE(reacted.load(), static_cast<int>(log_->End(kFirstSlot).value() - last));
  EXPECT_EQ(Target("left").additions(), 70u);
  EXPECT_EQ(Target("right").additions(), 35u);
}

}  // namespace
}  // namespace halles::projection
