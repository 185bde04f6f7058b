// Tests of the owner rule: the fast path, every kind of doubt, and answers without a record.
#include "libs/eventlog/owner.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/protocol_fixture.h"

namespace halles::eventlog {
namespace {

using test::At;
using test::Buffer;
using test::Failed;
using test::Kinds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Effect::Kind;

// An owner 'A' and the log that it writes to.
class OwnerTest : public ::testing::Test {
 protected:
  Append Claim(Owner& owner, bool forced = false) {
    auto claim = owner.StartClaim("", forced, 0, &effects);
    EXPECT_TRUE(claim.ok()) << claim.status();
    effects.clear();
    return *claim;
  }
  // Appends to the log and returns the position.
  Position Land(const std::string& bytes) {
    log.push_back(bytes);
    return log.size() - 1;
  }
  // Reads to the end of the log, starting with the record before the cursor where that is requested.
  void ReadAll(Owner& owner) {
    effects.clear();
    for (Position p = owner.next_read(); p < log.size(); ++p) owner.OnRecord(p, log[p], &effects);
  }
  void Serve(Owner& owner) {
    Land(Claim(owner).bytes);
    ReadAll(owner);
    ASSERT_EQ(owner.phase(), Phase::kServing);
    effects.clear();
  }
  Append Propose(Owner& owner) {
    auto append = owner.Propose(RecordKind::kBatch, Buffer("body"), 0);
    EXPECT_TRUE(append.ok()) << append.status();
    return *append;
  }
  // Passes a report and returns the kinds of the effects.
  std::vector<Kind> Report(Owner& owner, const AppendReport& report) {
    effects.clear();
    owner.OnReport(report, &effects);
    return Kinds(effects);
  }

  Effects effects;
  std::vector<std::string> log;
  Owner a{test::Identity(), test::kSlot, OwnerOptions{.self = test::Instance('A')}};
  Owner b{test::Identity(), test::kSlot, OwnerOptions{.self = test::Instance('B')}};
};

TEST_F(OwnerTest, ServesOnceItsClaimIsRead) {
  const Append claim = Claim(a);
  EXPECT_FALSE(a.open());
  Land(claim.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kServing));
  EXPECT_TRUE(a.open());
}

TEST_F(OwnerTest, StepsDownWhenAnotherClaimCameFirst) {
  const Append claim = Claim(a);
  Land(Claim(b).bytes);
  Land(claim.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kSteppedDown));
  EXPECT_EQ(effects[0].instance, test::Instance('B'));
  EXPECT_EQ(a.phase(), Phase::kFenced);
}

TEST_F(OwnerTest, ConfirmsAtTheExpectedPositionInOrder) {
  Serve(a);
  const Append first = Propose(a);
  const Append second = Propose(a);
  EXPECT_EQ(second.expected, 2u);
  EXPECT_THAT(Report(a, At(second.tag, 2)), IsEmpty());
  EXPECT_THAT(Report(a, At(first.tag, 1)), ElementsAre(Kind::kConfirmed, Kind::kConfirmed));
  EXPECT_EQ(effects[0].tag, first.tag);
  EXPECT_EQ(effects[1].position, 2u);
}

TEST_F(OwnerTest, KeepsTheCursorThatAReaderOfTheLogHas) {
  Serve(a);
  for (int i = 0; i < 3; ++i) {
    const Append append = Propose(a);
    const Position position = Land(append.bytes);
    (void)Report(a, At(append.tag, position));
    ReadAll(b);
    EXPECT_EQ(a.cursor(), b.cursor());
  }
}

TEST_F(OwnerTest, TreatsEveryOtherOutcomeAsUnknown) {
  Serve(a);
  Owner other_position = a, no_position = a, timed_out = a;
  const Append append = Propose(other_position);
  (void)Propose(no_position);
  (void)Propose(timed_out);
  EXPECT_THAT(Report(other_position, At(append.tag, 5)), ElementsAre(Kind::kNeedClaim));
  AppendReport nowhere = At(append.tag, 0);
  nowhere.position.reset();
  EXPECT_THAT(Report(no_position, nowhere), ElementsAre(Kind::kNeedClaim));
  EXPECT_THAT(Report(timed_out, Failed(append.tag, absl::DeadlineExceededError("late"))),
              ElementsAre(Kind::kNeedClaim));
  EXPECT_EQ(timed_out.phase(), Phase::kUnsure);
  EXPECT_EQ(timed_out.Propose(RecordKind::kBatch, Buffer(""), 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(OwnerTest, ResolvesUnknownOutcomesByItsNextClaim) {
  Serve(a);
  const Append first = Propose(a);
  const Append second = Propose(a);
  (void)Report(a, Failed(second.tag, absl::UnavailableError("")));
  Land(first.bytes);
  Land(Claim(a).bytes);
  Land(second.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kConfirmed, Kind::kLost, Kind::kServing));
  EXPECT_EQ(effects[0].tag, first.tag);
  EXPECT_EQ(effects[1].tag, second.tag);
  EXPECT_TRUE(absl::IsUnavailable(effects[1].status));
  EXPECT_EQ(a.cursor().term, 2u);
  EXPECT_EQ(a.ignored()[static_cast<size_t>(IgnoreReason::kTerm)], 1u);
}

TEST_F(OwnerTest, LosesRecordsInFlightToAnothersClaim) {
  Serve(a);
  ReadAll(b);
  const Append append = Propose(a);
  Land(Claim(b).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kLost, Kind::kSteppedDown));
  EXPECT_THAT(Report(a, At(append.tag, 2)), IsEmpty());
}

TEST_F(OwnerTest, IsNotFencedByAnUnexpectedPositionAlone) {
  Serve(a);
  const Append append = Propose(a);
  Land("stray");
  EXPECT_THAT(Report(a, At(append.tag, Land(append.bytes))), ElementsAre(Kind::kNeedClaim));
  Land(Claim(a).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kConfirmed, Kind::kServing));
}

TEST_F(OwnerTest, IsInDoubtWhenItReadsAnIgnoredRecordBeforeOneInFlight) {
  Serve(a);
  const Append append = Propose(a);
  Land("stray");
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kNeedClaim));
  EXPECT_THAT(Report(a, At(append.tag, Land(append.bytes))), IsEmpty()) << "it is not where it was decided to stand";
  Land(Claim(a).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kConfirmed, Kind::kServing));
}

TEST_F(OwnerTest, KeepsServingWhenItReadsAnIgnoredRecordWithNoneInFlight) {
  Serve(a);
  Land("stray");
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), IsEmpty());
  EXPECT_EQ(a.phase(), Phase::kServing);
}

TEST_F(OwnerTest, ConfirmsRecordsThatItReadsWhileServing) {
  Serve(a);
  const Append append = Propose(a);
  Land(append.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kConfirmed));
  EXPECT_THAT(Report(a, At(append.tag, 1)), IsEmpty());
  EXPECT_EQ(a.phase(), Phase::kServing);
}

TEST_F(OwnerTest, AppliesRecordsOfOthers) {
  Serve(b);
  Land(Propose(b).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kApply));
  EXPECT_EQ(a.phase(), Phase::kFollowing);
}

TEST_F(OwnerTest, ReleasesAnAnswerAtOnceWhenNothingIsInFlight) {
  Serve(a);
  ASSERT_TRUE(a.AnswerWithoutRecord(&effects).ok());
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kAnswerReady));
}

TEST_F(OwnerTest, HoldsAnAnswerUntilItsRecordsAreConfirmed) {
  Serve(a);
  const Append before = Propose(a);
  const auto ticket = a.AnswerWithoutRecord(&effects);
  const Append after = Propose(a);
  EXPECT_THAT(effects, IsEmpty());
  EXPECT_THAT(Report(a, At(before.tag, 1)), ElementsAre(Kind::kConfirmed, Kind::kAnswerReady));
  EXPECT_EQ(effects[1].tag, *ticket);
  EXPECT_THAT(Report(a, At(after.tag, 2)), ElementsAre(Kind::kConfirmed));
}

TEST_F(OwnerTest, RequestsANewAnswerWhenARecordBeforeItIsLost) {
  Serve(a);
  const Append append = Propose(a);
  const auto ticket = a.AnswerWithoutRecord(&effects);
  (void)Report(a, Failed(append.tag, absl::UnavailableError("")));
  Land(Claim(a).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kLost, Kind::kAnswerAgain, Kind::kServing));
  EXPECT_EQ(effects[1].tag, *ticket);
}

TEST_F(OwnerTest, FallsBackWhenTheLogRefusesAllLaterRecords) {
  Serve(a);
  const Append first = Propose(a), second = Propose(a), third = Propose(a);
  EXPECT_THAT(Report(a, Failed(second.tag, absl::ResourceExhaustedError("full"))), IsEmpty());
  EXPECT_FALSE(a.open());
  EXPECT_THAT(Report(a, Failed(third.tag, absl::ResourceExhaustedError("full"))),
              ElementsAre(Kind::kLost, Kind::kLost));
  EXPECT_TRUE(absl::IsResourceExhausted(effects[0].status));
  EXPECT_TRUE(a.open());
  const Append again = Propose(a);
  EXPECT_EQ(again.expected, 2u);
  (void)Report(a, At(first.tag, Land(first.bytes)));
  EXPECT_THAT(Report(a, At(again.tag, Land(again.bytes))), ElementsAre(Kind::kConfirmed));
  ReadAll(b);
  EXPECT_EQ(a.cursor(), b.cursor());
}

TEST_F(OwnerTest, ClaimsWhenTheLogAcceptsARecordAfterARefusedOne) {
  Serve(a);
  const Append first = Propose(a), second = Propose(a);
  (void)Report(a, Failed(first.tag, absl::ResourceExhaustedError("full")));
  EXPECT_THAT(Report(a, At(second.tag, 1)), ElementsAre(Kind::kNeedClaim));
}

TEST_F(OwnerTest, ClosesIntakeWithItsSealAndEndsItsTerm) {
  Serve(a);
  const auto seal = a.ProposeSeal(Buffer(""), false, 0);
  ASSERT_TRUE(seal.ok());
  EXPECT_FALSE(a.open());
  EXPECT_THAT(Report(a, At(seal->tag, Land(seal->bytes))), ElementsAre(Kind::kConfirmed, Kind::kSealed));
  EXPECT_EQ(a.phase(), Phase::kSealed);
  EXPECT_TRUE(a.cursor().sealed);
  ReadAll(b);
  EXPECT_EQ(a.cursor(), b.cursor());
  Serve(b);
}

TEST_F(OwnerTest, ReportsThatOnlyAForcedClaimCanWin) {
  Serve(a);
  const auto seal = a.ProposeSeal(Buffer(""), true, 0);
  const Append claim = Claim(b);
  Land(seal->bytes);
  (void)Report(a, At(seal->tag, 1));
  EXPECT_EQ(ReasonOf(a.StartClaim("", false, 0, &effects).status()), "NEEDS_FORCE");
  ReadAll(b);
  Land(Claim(a, /*forced=*/true).bytes);
  ReadAll(a);
  EXPECT_EQ(a.phase(), Phase::kServing);
}

TEST_F(OwnerTest, ReportsItsClaimOverForeignBytes) {
  Serve(b);
  ReadAll(a);
  const Append claim = Claim(a);
  Land("stray");
  Land(claim.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kClaimRefused));
  EXPECT_EQ(ReasonOf(a.StartClaim("", false, 0, &effects).status()), "NEEDS_FORCE");
  Land(Claim(a, /*forced=*/true).bytes);
  ReadAll(a);
  EXPECT_EQ(a.phase(), Phase::kServing);
}

TEST_F(OwnerTest, QuarantinesWhenAnAppendLandsBelowTheCursor) {
  Serve(a);
  const Append append = Propose(a);
  EXPECT_THAT(Report(a, At(append.tag, 0)), ElementsAre(Kind::kQuarantine));
  EXPECT_EQ(ReasonOf(effects[0].status), "LOG_CUT");
  EXPECT_EQ(ReasonOf(a.StartClaim("", false, 0, &effects).status()), "NOT_NOW");
}

TEST_F(OwnerTest, IsInDoubtWhenItsRecordsAreReadOutOfOrder) {
  Serve(a);
  Propose(a);
  const Append second = Propose(a);
  const Position early = Land(second.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kNeedClaim));
  EXPECT_EQ(a.phase(), Phase::kUnsure);
  EXPECT_THAT(Report(a, At(second.tag, early)), IsEmpty()) << "a position below the cursor is no proof of a cut here";
  Land(Claim(a).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kLost, Kind::kLost, Kind::kServing));
}

TEST_F(OwnerTest, IsInDoubtWhenAnotherRecordHasThePlaceOfOneInFlight) {
  Serve(a);
  Land(log[0]);
  ReadAll(a);
  EXPECT_THAT(effects, IsEmpty()) << "nothing was to land there";
  const Append append = Propose(a);
  Land(log[0]);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kNeedClaim));
  EXPECT_THAT(Report(a, At(append.tag, Land(append.bytes))), IsEmpty()) << "its facts were decided for another place";
  Land(Claim(a).bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kConfirmed, Kind::kServing));
}

TEST_F(OwnerTest, QuarantinesWhenTheLogEndsBelowTheCursor) {
  Serve(a);
  effects.clear();
  a.OnEnd(1, &effects);
  EXPECT_THAT(effects, IsEmpty());
  a.OnEnd(0, &effects);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kQuarantine));
}

TEST_F(OwnerTest, RereadsTheRecordBeforeItsCursorBeforeItServes) {
  Serve(a);
  ReadAll(b);
  const Append claim = Claim(b);
  EXPECT_EQ(b.next_read(), 0u);
  log[0] = EncodeRecord(RecordHeader{.kind = RecordKind::kClaim, .term = 1, .instance = test::Instance('C')}, "");
  Land(claim.bytes);
  ReadAll(b);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kQuarantine));
  EXPECT_EQ(ReasonOf(effects[0].status), "OTHER_LINEAGE");
}

TEST_F(OwnerTest, ResumesFromAStoredCursorAndChecksItFirst) {
  Serve(a);
  Land(Propose(a).bytes);
  ReadAll(a);
  Owner resumed(a.cursor(), OwnerOptions{.self = test::Instance('C')});
  EXPECT_EQ(resumed.next_read(), 1u);
  ReadAll(resumed);
  EXPECT_THAT(effects, IsEmpty());
  EXPECT_EQ(resumed.next_read(), 2u);
  Serve(resumed);
}

TEST_F(OwnerTest, ClaimsAgainAfterAReconnect) {
  Serve(a);
  effects.clear();
  a.OnReconnect(&effects);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kNeedClaim));
  EXPECT_EQ(a.next_read(), 0u);
  b.OnReconnect(&effects);
  EXPECT_EQ(effects.back().kind, Kind::kReadFrom);
}

TEST_F(OwnerTest, MayClaimAgainWhileItsClaimSeemsLost) {
  const Append lost = Claim(a);
  EXPECT_THAT(Report(a, Failed(lost.tag, absl::DeadlineExceededError(""))), ElementsAre(Kind::kNeedClaim));
  const Append claim = Claim(a);
  Land(claim.bytes);
  Land(lost.bytes);
  ReadAll(a);
  EXPECT_THAT(Kinds(effects), ElementsAre(Kind::kServing));
}

TEST_F(OwnerTest, NeverMakesTwoEqualClaims) {
  const Append first = Claim(a);
  const Append second = Claim(a);
  EXPECT_EQ(ParseRecord(first.bytes).header.term, ParseRecord(second.bytes).header.term);
  EXPECT_NE(first.bytes, second.bytes);
}

TEST_F(OwnerTest, NeverLetsLogicalTimeGoBack) {
  Serve(a);
  EXPECT_EQ(a.LogicalTime(1000), 1000);
  EXPECT_EQ(a.Propose(RecordKind::kBatch, Buffer(""), 1000)->logical_time, 1000);
  EXPECT_EQ(a.LogicalTime(500), 1000);
  EXPECT_EQ(a.Propose(RecordKind::kBatch, Buffer(""), 500)->logical_time, 1000);
}

TEST_F(OwnerTest, RefusesBeyondItsLimits) {
  Owner small(test::Identity(), test::kSlot,
              OwnerOptions{.self = test::Instance('A'), .in_flight_records_max = 2, .in_flight_bytes_max = 250});
  Serve(small);
  ASSERT_TRUE(small.Propose(RecordKind::kBatch, Buffer("body"), 0).ok());
  EXPECT_EQ(ReasonOf(small.Propose(RecordKind::kBatch, Buffer(std::string(200, 'x')), 0).status()), "LOG_IN_FLIGHT");
  ASSERT_TRUE(small.Propose(RecordKind::kBatch, Buffer("body"), 0).ok());
  EXPECT_EQ(ReasonOf(small.Propose(RecordKind::kBatch, Buffer(""), 0).status()), "LOG_IN_FLIGHT");
  EXPECT_EQ(ReasonOf(small.Propose(RecordKind::kBatch, std::string(kMaxRecordBytes + 1, 'x'), 0).status()),
            "RECORD_TOO_LARGE");
}

TEST_F(OwnerTest, RequiresARaisedLevelOnEveryLaterRecord) {
  Owner modern(test::Identity(), test::kSlot, OwnerOptions{.self = test::Instance('A'), .level = 3});
  Serve(modern);
  ASSERT_TRUE(modern.ProposeLevel(Buffer(""), 2, 0).ok());
  const Append batch = Propose(modern);
  EXPECT_EQ(ParseRecord(batch.bytes).header.minimum_level, 2u);
  EXPECT_EQ(ReasonOf(modern.ProposeLevel(Buffer(""), 4, 0).status()), "NEWER_APPLIER");
}

TEST_F(OwnerTest, ConfirmsAThousandInFlightAndReleasesTheirBytes) {
  Serve(a);
  std::vector<uint64_t> tags;
  for (int round = 0; round < 3; ++round) {
    tags.clear();
    while (a.HasRoomFor(200)) tags.push_back(Propose(a).tag);
    EXPECT_EQ(tags.size(), 1024u);
    for (size_t i = 0; i < tags.size(); ++i) {
      EXPECT_THAT(Report(a, At(tags[i], a.cursor().next)), ElementsAre(Kind::kConfirmed));
    }
  }
  EXPECT_EQ(a.in_flight(), 0u);
}

}  // namespace
}  // namespace halles::eventlog
