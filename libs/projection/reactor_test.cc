// Tests of reactions: each event has its effect exactly once, despite losses, refusals, restarts and takeovers.
#include "libs/projection/reactor.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/projection/projection_fixture.h"

namespace halles::projection {
namespace {

int reacted = 0;
std::vector<AddRequest> ReactAndCount(const CounterEvent& event, const partition::FactContext& context) {
  ++reacted;
  return ReactOnce(event, context);
}
std::vector<AddRequest> ReactThriceAndCount(const CounterEvent& event, const partition::FactContext& context) {
  ++reacted;
  return ReactThrice(event, context);
}

class ReactorTest : public ProjectionTest {
 protected:
  explicit ReactorTest(uint64_t seed = 1) : ProjectionTest(seed) {}

  void React(std::vector<ReactionDefinition> definitions = {Reacts(&ReactOnce)}) {
    a_.reactions = std::move(definitions);
    Start(a_);
  }
  void Restart() {
    Kill(a_);
    Start(a_);
  }
  CounterRow Target(const std::string& counter = "all") { return ProjectionTest::Target(a_, counter); }
};

// With many seeds, and so in many orders of tasks.
class FailedReactionInAnyOrder : public ReactorTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  FailedReactionInAnyOrder() : ReactorTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Seeds, FailedReactionInAnyOrder, ::testing::Range<uint64_t>(1, 25));

using Reactions = ReactorTest;
using ReactionsAfterARestart = ReactorTest;
using SeveralReactions = ReactorTest;
using FailedReaction = ReactorTest;
using RefusedReaction = ReactorTest;
using ReactionProgress = ReactorTest;

TEST_F(Reactions, AreMadeOnceForEachEvent) {
  React();
  AddSome(a_, 5, 2);
  AddSome(a_, 3, 1, kOtherSlot);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 8u);
  EXPECT_EQ(Target().value(), 13);
  for (const log::v1::Batch& batch : Batches(TargetSlot())) {
    EXPECT_EQ(batch.cause().service(), static_cast<log::v1::Service>(kSource));
    EXPECT_TRUE(batch.request_id().empty());
  }
}

TEST_F(Reactions, GoOnWhileTheStoreHasNoRoom) {
  a_.disk = std::make_unique<store::MemoryDisk>("disk");
  a_.flush_bytes = 512;
  a_.views = {Sums()};
  React();
  a_.disk->SetFull(true);
  AddSome(a_, 100);
  Settle(a_);
  EXPECT_FALSE(a_.store().HasRoomToCatchUp());
  EXPECT_EQ(Target().value(), 100);
  EXPECT_EQ(Sum(a_).value(), 100) << "the owner's records reach the view too";
  a_.disk->SetFull(false);
}

TEST_F(Reactions, CoverARecordOnceTheyAreRecorded) {
  React();
  AddSome(a_, 1);
  ASSERT_EQ(UnderWay().size(), 1u);
  EXPECT_LT(a_.reactor().reached(kFirstSlot), End());
  absl::StatusOr<TokenPositions> extended = absl::UnknownError("not yet");
  a_.reactor().ExtendToken({{kFirstSlot, End()}}, kNoDeadline,
                           [&](absl::StatusOr<TokenPositions> positions) { extended = std::move(positions); });
  Quiesce();
  EXPECT_TRUE(absl::IsUnknown(extended.status()));
  DeliverFirst(1);
  ASSERT_TRUE(extended.ok()) << extended.status();
  // A reader that waits for this position of the target sees the reaction.
  EXPECT_EQ(extended->at(TargetSlot()), End(TargetSlot()));
}

TEST_F(Reactions, AreWaitedForUntilTheDeadline) {
  React();
  AddSome(a_, 1);
  absl::StatusOr<TokenPositions> extended = absl::UnknownError("not yet");
  a_.reactor().ExtendToken({{kFirstSlot, End()}}, a_.scheduler().Now() + kWhileMicros,
                           [&](absl::StatusOr<TokenPositions> positions) { extended = std::move(positions); });
  TimePasses(kWhileMicros - 1);
  EXPECT_TRUE(absl::IsUnknown(extended.status()));
  TimePasses(1);
  EXPECT_EQ(ReasonOf(extended.status()), "TOKEN_NOT_REACHED");
}

TEST_F(Reactions, PauseWhenManyAreInFlight) {
  React();
  AddSome(a_, static_cast<int>(kReactionsInFlightMax) + 5);
  EXPECT_EQ(UnderWay().size(), kReactionsInFlightMax);
  Settle(a_);
  EXPECT_EQ(Target().additions(), kReactionsInFlightMax + 5);
}

TEST_F(Reactions, ToOneEventMayGoToSeveralSlotsAndAreMadeOnce) {
  ASSERT_NE(TargetSlot("left"), TargetSlot("right"));
  reacted = 0;
  React({Reacts(&ReactThriceAndCount)});
  AddSome(a_, 4, 3);
  EXPECT_EQ(reacted, 4) << "once for all target slots";
  Settle(a_);
  EXPECT_EQ(Target("left").additions(), 8u);
  EXPECT_EQ(Target("right").additions(), 4u);
}

// For each number of recorded reactions, with one more landed or not, and the target's rows kept or not.
TEST_F(ReactionsAfterARestart, TakeEffectOnceFromEveryPoint) {
  constexpr int kEvents = 6;
  React();
  for (int recorded = 0; recorded <= kEvents; ++recorded) {
    for (const bool unreported : {false, true}) {
      SCOPED_TRACE(absl::StrCat(recorded, " recorded, then ", unreported ? "one without report" : "none"));
      const CounterRow before = Target();
      AddSome(a_, kEvents);
      ASSERT_EQ(UnderWay().size(), static_cast<size_t>(kEvents));
      DeliverFirst(recorded);
      if (unreported && recorded < kEvents) {
        ASSERT_TRUE(log_.DeliverAndLoseReport(UnderWay().front()).ok());
      }
      if (recorded % 2 == 0) Flush(a_);
      Kill(a_);
      if (recorded % 3 == 0) a_.DeleteState();
      Start(a_);
      Settle(a_);
      EXPECT_EQ(Target().additions(), before.additions() + kEvents);
      EXPECT_EQ(Target().value(), before.value() + kEvents);
    }
  }
}

TEST_F(ReactionsAfterARestart, TakeEffectOnceInSeveralSlotsFromEveryPoint) {
  constexpr int kEvents = 3;
  for (const bool two_ways : {false, true}) {
    a_.reactions = two_ways ? ReactsInTwoWays() : std::vector<ReactionDefinition>{Reacts(&ReactThrice)};
    Start(a_);
    for (int landed = 0; landed <= 3 * kEvents; ++landed) {
      SCOPED_TRACE(absl::StrCat(landed, " landed"));
      const CounterRow left = Target("left");
      const CounterRow right = Target("right");
      AddSome(a_, kEvents);
      ASSERT_EQ(UnderWay().size(), static_cast<size_t>(3 * kEvents));
      DeliverFirst(landed);
      Restart();
      Settle(a_);
      EXPECT_EQ(Target("left").additions(), left.additions() + (two_ways ? 1 : 2) * kEvents);
      EXPECT_EQ(Target("right").additions(), right.additions() + (two_ways ? 2 : 1) * kEvents);
    }
    Kill(a_);
  }
}

TEST_F(SeveralReactions, KeepTheirOwnTypesAndFields) {
  ReactionDefinition other_type = Reacts(&ReactOnce);
  other_type.type = 2;
  React({other_type, Reacts(&ReactOnce, {CounterEvent::kPaddingFieldNumber}),
         Reacts(&ReactOnce, {CounterEvent::kCounterFieldNumber})});
  AddSome(a_, 2);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 2u);
}

// Two reactions make requests with the same bytes; one being recorded says nothing about the other.
TEST_F(SeveralReactions, AreDistinguishedWhenRepeatsAreSkipped) {
  const ReactionDefinition once = Reacts(&ReactOnce, {}, /*once_is_enough=*/true);
  React({once, once});
  AddSome(a_, 1);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 2u);
  AddSome(a_, 1);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 2u) << "the same again";
}

TEST_F(SeveralReactions, WithAnUnregisteredRequestStopTheSource) {
  React({ReactionOf<CounterEvent>("odd", kTarget, kSource, 1, [](const CounterEvent&, const partition::FactContext&) {
    return std::vector<AddResponse>(1);
  })});
  AddSome(a_, 1);
  AddSome(a_, 0, 1, kOtherSlot);
  std::map<SlotId, std::string> reasons;
  for (const SourceState& state : a_.reactor().States()) reasons[state.source] = ReasonOf(state.error);
  EXPECT_EQ(reasons.at(kFirstSlot), "NO_REACTION");
  std::string waiting;
  a_.reactor().ExtendToken(
      {{kFirstSlot, End()}}, kNoDeadline,
      [&waiting](const absl::StatusOr<TokenPositions>& extended) { waiting = ReasonOf(extended.status()); });
  EXPECT_EQ(waiting, "REACTIONS_STOPPED") << "none will come";
  EXPECT_EQ(reasons.at(kOtherSlot), "");
}

TEST_F(FailedReaction, IsTriedAgainWithAllLaterOnes) {
  React();
  AddSome(a_, 4);
  const std::vector<uint64_t> reactions = UnderWay();
  ASSERT_EQ(reactions.size(), 4u);
  Deliver(reactions[0]);
  ASSERT_TRUE(log_.TimeOut(reactions[1]).ok());
  for (size_t i = 1; i < 4; ++i) ASSERT_TRUE(log_.Drop(reactions[i]).ok());
  Settle(a_);
  EXPECT_GE(a_.counters().lost.load(), 3u);
  EXPECT_EQ(Target().additions(), 4u);
}

TEST_P(FailedReactionInAnyOrder, IsNotOvertakenByALaterOne) {
  React();
  AddSome(a_, 3);
  ASSERT_EQ(UnderWay().size(), 3u);
  Send(a_, Add("last", 1));
  // At the same moment, the three are lost and the fourth follows from the source.
  for (const uint64_t reaction : UnderWay()) ASSERT_TRUE(log_.Refuse(reaction).ok());
  DeliverAllOf(kFirstSlot);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 4u);
}

TEST_F(FailedReaction, WithAnUnknownOutcomeIsTriedAgainWithLaterOnes) {
  React();
  AddSome(a_, 1);
  const uint64_t first = UnderWay().front();
  ASSERT_TRUE(log_.TimeOut(first).ok());
  Quiesce();
  ASSERT_EQ(UnderWay().size(), 2u);
  const uint64_t claim = UnderWay().back();
  // While the target claims, another event arrives.
  AddSome(a_, 1);
  ASSERT_TRUE(log_.Drop(first).ok());
  Deliver(claim);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 2u);
}

TEST_F(FailedReaction, OfARefusedAppendIsNotOvertaken) {
  React();
  AddSome(a_, 3);
  for (const uint64_t reaction : UnderWay()) ASSERT_TRUE(log_.Refuse(reaction).ok());
  AddSome(a_, 2);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 5u);
}

TEST_F(FailedReaction, IsNotTriedAgainBeforeAllThatAreUnderWayAreAnswered) {
  React();
  AddSome(a_, 3);
  const std::vector<uint64_t> reactions = UnderWay();
  ASSERT_EQ(reactions.size(), 3u);
  // The last two fail; what becomes of the first is open.
  for (size_t i = 1; i < 3; ++i) ASSERT_TRUE(log_.Refuse(reactions[i]).ok());
  TimePasses(5'000'000);
  EXPECT_EQ(UnderWay(), std::vector<uint64_t>{reactions[0]}) << "nothing is made a second time yet";
  EXPECT_EQ(a_.counters().dedupe_hits.load(), 0u);
  Deliver(reactions[0]);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 3u);
  EXPECT_EQ(a_.reactor().reached(kFirstSlot), End());
}

// Again and again, with reactions of the former time under way: their answers are none of those that the new time waits for.
TEST_F(Reactions, BeginAnewWithTheSlotFromWhatIsConfirmed) {
  React();
  for (int i = 0; i < 3; ++i) {
    AddSome(a_, 5);
    DeliverFirst(2);
    a_.reactor().OnServing(TargetSlot(), false);
    a_.reactor().OnServing(TargetSlot(), true);
    DeliverAllOf(TargetSlot());
    Quiesce();
  }
  AddSome(a_, static_cast<int>(kReactionsInFlightMax) + 5);
  Settle(a_);
  EXPECT_EQ(Target().additions(), 3 * 5 + kReactionsInFlightMax + 5);
  EXPECT_EQ(a_.reactor().reached(kFirstSlot), End());
}

TEST_F(FailedReaction, IsNotShownWhenARetryHelps) {
  React();
  AddSome(a_, 1);
  ASSERT_TRUE(log_.Refuse(UnderWay().front()).ok());
  Quiesce();
  for (const SourceState& state : a_.reactor().States()) EXPECT_TRUE(state.error.ok()) << state.error;
}

TEST_F(RefusedReaction, IsRecordedWithoutEventsAndNotTriedAgain) {
  React();
  AddSome(a_, 1, 5);
  // Copied unchanged, the counter would fall below zero; the source is higher.
  AddSome(a_, 1, 10, kOtherSlot);
  Settle(a_);
  ASSERT_TRUE(Submit(a_, Add("", -12, "all"), TargetSlot())->status().ok());
  const Position before = End(TargetSlot());
  AddSome(a_, 1, -4, kOtherSlot);
  AddSome(a_, 1, 1, kOtherSlot);
  Settle(a_);
  EXPECT_EQ(Target().value(), 4);
  const std::vector<log::v1::Batch> batches = Batches(TargetSlot(), before);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].events_size(), 0);
  EXPECT_TRUE(batches[0].has_cause());
  EXPECT_EQ(batches[1].events_size(), 1);

  const Position end = End(TargetSlot());
  Restart();
  Settle(a_);
  EXPECT_EQ(End(TargetSlot()), end + 1) << "the new owner's claim alone";
  EXPECT_EQ(Target().value(), 4);
}

TEST_F(ReactionProgress, OfAllSourcesIsOneRecordAndIsReadBack) {
  a_.progress_every = 20;
  // The slot of "right" gets nothing but progress.
  React();
  const SlotId idle{kTarget, static_cast<uint16_t>(1 - TargetSlot().slot)};
  AddSome(a_, 14);
  AddSome(a_, 14, 1, kOtherSlot);
  Settle(a_);
  std::vector<log::v1::Batch> told;
  for (const log::v1::Batch& batch : Batches(idle)) {
    if (batch.progress_size() > 0) told.push_back(batch);
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].progress_size(), 2) << "one record for both";
  uint64_t covered = 0;
  for (const log::v1::SourceProgress& progress : told[0].progress()) covered += progress.position();
  EXPECT_GE(covered, 20u);

  reacted = 0;
  a_.reactions = {Reacts(&ReactAndCount)};
  Restart();
  Settle(a_);
  EXPECT_LE(reacted, 28 - 14) << "it does not begin anew";
  EXPECT_EQ(Target().additions(), 28u);
}

// A stopped target --------------------------------------------------------------------------------------------------

std::vector<AddRequest> ReactInKind(const CounterEvent& event, const partition::FactContext&) {
  return {Copy(event.counter(), event.amount())};
}

// Additions to a counter are copied to that of the same name. The slot of "left" stops.
class StoppedTarget : public ReactorTest {
 protected:
  void StopLeft() {
    const SlotId left = TargetSlot("left");
    const ReplyPtr lost = Send(a_, Add("lost", 1, "left"), left);
    const uint64_t append = UnderWay().back();
    ASSERT_TRUE(log_.TimeOut(append).ok());
    ASSERT_TRUE(log_.Drop(append).ok());
    Quiesce();
    log_.Inject(left, "a stray producer");
    DeliverAllOf(left);
    Quiesce();
    ASSERT_EQ(lost->reason(), "SLOT_STOPPED");
  }
  void Count(const std::string& counter, SlotId slot = kFirstSlot) {
    ASSERT_TRUE(Submit(a_, Add(absl::StrCat("r", next_++), 1, counter), slot)->status().ok());
    DeliverAllOf(TargetSlot("right"));
    DeliverAllOf(TargetSlot("left"));
    Quiesce();
  }
  // The outcome of waiting for all reactions to what the source holds now.
  std::string Waiting(SlotId source = kFirstSlot) {
    std::string outcome = "none";
    a_.reactor().ExtendToken({{source, End(source)}}, kNoDeadline,
                             [&outcome](const absl::StatusOr<TokenPositions>& extended) {
                               outcome = extended.ok() ? "reached" : ReasonOf(extended.status());
                             });
    Quiesce();
    return outcome;
  }
};

TEST_F(StoppedTarget, FailsOnlyThoseWhoWaitForAReactionThatItDidNotRecord) {
  React({Reacts(&ReactInKind)});
  Count("left");
  StopLeft();
  EXPECT_EQ(Waiting(), "reached") << "it was recorded before";
  Count("right");
  EXPECT_EQ(Waiting(), "reached") << "nothing in it concerns the slot that has stopped";
  Count("left");
  Count("right");
  EXPECT_EQ(Waiting(), "REACTIONS_STOPPED");
  Count("right", kOtherSlot);
  EXPECT_EQ(Waiting(kOtherSlot), "reached");
  for (const SourceState& state : a_.reactor().States()) {
    EXPECT_EQ(ReasonOf(state.error), state.source == kFirstSlot ? "REACTIONS_STOPPED" : "");
  }
}

TEST_F(StoppedTarget, FailsThoseWhoWaitedAlready) {
  React({Reacts(&ReactInKind)});
  ASSERT_TRUE(Submit(a_, Add("first", 1, "left"))->status().ok());
  std::string outcome;
  a_.reactor().ExtendToken(
      {{kFirstSlot, End()}}, kNoDeadline,
      [&outcome](const absl::StatusOr<TokenPositions>& extended) { outcome = ReasonOf(extended.status()); });
  Quiesce();
  ASSERT_EQ(outcome, "");
  for (const uint64_t reaction : UnderWay()) ASSERT_TRUE(log_.Drop(reaction).ok());
  StopLeft();
  EXPECT_EQ(outcome, "REACTIONS_STOPPED");
}

TEST_F(StoppedTarget, IsKnownAfterARestart) {
  React({Reacts(&ReactInKind)});
  Count("left");
  StopLeft();
  Count("right");
  Kill(a_);
  a_.Start();
  for (int i = 0; i < 10; ++i) {
    Quiesce();
    log_.DeliverAll();
  }
  EXPECT_EQ(Waiting(), "reached");
  Count("left");
  EXPECT_EQ(Waiting(), "REACTIONS_STOPPED");
}

// Two instances -------------------------------------------------------------------------------------------------------

class TwoInstances : public ReactorTest {
 protected:
  // From the first to the second.
  class Wire : public partition::Calls {
   public:
    explicit Wire(Instance* to) : to_(*to) {}
    void Call(partition::OutgoingCall, const partition::Command::Envelope&, partition::CallDone) override {}
    void ExtendToken(SlotId target, TokenPositions sources, partition::ExtendDone done) override {
      to_.runtime().ExtendToken(target, std::move(sources), done);
    }

   private:
    Instance& to_;
  };

  // One instance owns everything except the target slots that the other has taken over.
  void StartBoth() {
    a_.reactions = {Reacts(&ReactThrice)};
    b_.reactions = {Reacts(&ReactThrice)};
    b_.role = partition::SlotRole::kStandby;
    Start(a_);
    Start(b_);
  }
  void TakeOver(Instance& instance, SlotId slot) {
    instance.runtime().TakeOver(slot);
    for (int i = 0; i < 10 && !instance.runtime().serving(slot); ++i) {
      for (Quiesce(); !log_.pending().empty(); Quiesce()) log_.DeliverAll();
    }
    ASSERT_TRUE(instance.runtime().serving(slot));
  }
  void SettleBoth() {
    for (int i = 0; i < 10; ++i) {
      Settle(a_);
      Settle(b_);
    }
  }

  Wire wire_{&b_};
};

TEST_F(TwoInstances, ThatOwnHalfOfTheTargetsEachReactOnce) {
  StartBoth();
  TakeOver(b_, TargetSlot("right"));
  EXPECT_FALSE(a_.runtime().serving(TargetSlot("right")));
  EXPECT_TRUE(a_.runtime().serving(TargetSlot("left")));
  AddSome(a_, 10);
  SettleBoth();
  EXPECT_EQ(ProjectionTest::Target(a_, "left").additions(), 20u);
  EXPECT_EQ(ProjectionTest::Target(b_, "right").additions(), 10u);
  EXPECT_EQ(ProjectionTest::Target(a_, "right").additions(), 10u) << "as it follows";
}

TEST_F(TwoInstances, AskTheOtherForItsTargets) {
  a_.calls = &wire_;
  StartBoth();
  TakeOver(b_, TargetSlot("right"));
  AddSome(a_, 1);
  absl::StatusOr<TokenPositions> extended = absl::UnknownError("not yet");
  a_.reactor().ExtendToken({{kFirstSlot, End()}}, kNoDeadline,
                           [&](absl::StatusOr<TokenPositions> positions) { extended = std::move(positions); });
  Quiesce();
  EXPECT_TRUE(absl::IsUnknown(extended.status()));
  SettleBoth();
  ASSERT_TRUE(extended.ok()) << extended.status();
  EXPECT_EQ(extended->at(TargetSlot("right")), End(TargetSlot("right")));
}

// For each number of reactions that the former owner recorded before it lost the slot, with the later ones in flight.
TEST_F(TwoInstances, TheNewOwnerContinuesFromTheCursorInTheLog) {
  StartBoth();
  constexpr int kEvents = 3;
  Instance* owner = &a_;
  Instance* other = &b_;
  const SlotId slot = TargetSlot("left");
  for (int landed = 0; landed <= 2 * kEvents; ++landed) {
    SCOPED_TRACE(absl::StrCat(landed, " landed"));
    const CounterRow before = ProjectionTest::Target(*owner, "left");
    AddSome(a_, kEvents);
    std::vector<uint64_t> under_way;
    for (const auto& append : log_.pending()) {
      if (append.slot == slot) under_way.push_back(append.id);
    }
    ASSERT_EQ(under_way.size(), static_cast<size_t>(2 * kEvents));
    for (int i = 0; i < landed; ++i) Deliver(under_way[static_cast<size_t>(i)]);
    // The claim lands before the reactions in flight, which then land without effect.
    other->runtime().TakeOver(slot);
    Quiesce();
    for (const auto& append : log_.pending()) {
      if (append.slot == slot && append.id > under_way.back()) Deliver(append.id);
    }
    ASSERT_TRUE(other->runtime().serving(slot));
    SettleBoth();
    EXPECT_EQ(ProjectionTest::Target(*other, "left").additions(), before.additions() + 2 * kEvents);
    EXPECT_EQ(ProjectionTest::Target(*owner, "left").additions(), before.additions() + 2 * kEvents);
    std::swap(owner, other);
  }
}

}  // namespace
}  // namespace halles::projection
