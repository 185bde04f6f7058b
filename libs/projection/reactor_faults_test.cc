// Tests of reactions that a fault of the program keeps from being recorded: none is lost, each is shown, and one holds back
// only those behind it.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/record.h"
#include "libs/projection/projection_fixture.h"
#include "libs/projection/reactor.h"

namespace halles::projection {
namespace {

int reacted = 0;
// An addition of five is copied as an event that cannot be evolved or decided or is too large, until that is fixed.
bool mended = false;
std::vector<AddRequest> ReactBadlyToFive(const CounterEvent& event, const partition::FactContext&) {
  ++reacted;
  return {Copy("all", event.amount() == 5 && !mended ? partition::counter::kNotEvolvable : event.amount())};
}
std::vector<AddRequest> ReactUndecidablyToFive(const CounterEvent& event, const partition::FactContext&) {
  return {Copy("all", event.amount() == 5 && !mended ? partition::counter::kNotDecidable : event.amount())};
}
std::vector<AddRequest> ReactTooMuchToFive(const CounterEvent& event, const partition::FactContext&) {
  AddRequest copy = Copy("all", event.amount());
  if (event.amount() == 5 && !mended) copy.set_padding(std::string(eventlog::kMaxRecordBytes, 'x'));
  return {copy};
}

class ReactionOfAFaultyBuild : public ProjectionTest {
 protected:
  void React(std::vector<AddRequest> (*react)(const CounterEvent&, const partition::FactContext&)) {
    a_.reactions = {Reacts(react)};
    Start(a_);
    mended = false;
    reacted = 0;
  }
  // Delivers all that is appended meanwhile.
  void Wait(int64_t micros) {
    for (int64_t waited = 0; waited < micros; waited += kWhileMicros) {
      for (Quiesce(); !log_.pending().empty(); Quiesce()) log_.DeliverAll();
      TimePasses(kWhileMicros);
    }
  }
  CounterRow Target() { return ProjectionTest::Target(a_, "all"); }
};

// A fault of the program that keeps a reaction from being recorded.
struct Fault {
  const char* name;
  std::vector<AddRequest> (*react)(const CounterEvent&, const partition::FactContext&);
  std::string reason;
};
class FaultyReaction : public ReactionOfAFaultyBuild, public ::testing::WithParamInterface<Fault> {};
INSTANTIATE_TEST_SUITE_P(Kinds, FaultyReaction,
                         ::testing::Values(Fault{"NotEvolvable", &ReactBadlyToFive, "NOT_EVOLVABLE"},
                                           Fault{"NotDecidable", &ReactUndecidablyToFive, "NOT_DECIDABLE"},
                                           Fault{"TooLarge", &ReactTooMuchToFive, "RECORD_TOO_LARGE"}),
                         [](const auto& fault) { return fault.param.name; });

TEST_F(ReactionOfAFaultyBuild, ThatCannotBeEvolvedHoldsBackLaterOnes) {
  React(&ReactBadlyToFive);
  AddSome(a_, 2);
  AddSome(a_, 1, 5);
  AddSome(a_, 2);
  // It is tried again and again, together with the later ones.
  Wait(10'000'000);
  EXPECT_GE(reacted, 5 + 2 * 3);
  EXPECT_EQ(Target().additions(), 2u);
  EXPECT_EQ(a_.reactor().reached(kFirstSlot), End() - 3);
}

TEST_P(FaultyReaction, IsNeitherLostNorTakenForRefusedAndIsShown) {
  React(GetParam().react);
  const Position before = End(TargetSlot());
  AddSome(a_, 1, 5);
  AddSome(a_, 1, 7, kOtherSlot);
  Wait(1'000'000);
  const auto reason = [this](SlotId source) {
    for (const SourceState& state : a_.reactor().States()) {
      if (state.source == source) return ReasonOf(state.error);
    }
    return std::string("no such source");
  };
  EXPECT_EQ(reason(kFirstSlot), GetParam().reason);
  EXPECT_EQ(reason(kOtherSlot), "");
  EXPECT_EQ(Target().value(), 7) << "of the other source";
  EXPECT_EQ(End(TargetSlot()), before + 1);
  mended = true;
  Settle(a_);
  EXPECT_EQ(reason(kFirstSlot), "");
  EXPECT_EQ(Target().additions(), 2u);
}

TEST_F(ReactionOfAFaultyBuild, ThatNoRetryHelpsIsTriedAgainOnceAMinute) {
  React(&ReactBadlyToFive);
  AddSome(a_, 1, 5);
  Wait(600'000'000);
  EXPECT_GE(reacted, 10);
  EXPECT_LE(reacted, 30);
}

}  // namespace
}  // namespace halles::projection
