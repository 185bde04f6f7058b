// Tests of the reader rule, rule by rule.
#include "libs/eventlog/adjudicator.h"

#include <random>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/protocol_fixture.h"

namespace halles::eventlog {
namespace {

using test::OwnedBy;
using test::Prefix;

// The verdict, the reason for ignoring the record, or the reason for stopping, as one word.
std::string Outcome(const absl::StatusOr<Judgement>& judgement) {
  if (!judgement.ok()) return ReasonOf(judgement.status());
  switch (judgement->verdict) {
    case Verdict::kClaim:
      return "claim";
    case Verdict::kAccepted:
      return "accepted";
    case Verdict::kIgnored:
      return std::string(IgnoreReasonName(judgement->reason));
  }
  return "";
}

TEST(Claim, ConfersAtTheNextTerm) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B'))), "claim");
  EXPECT_EQ(prefix.cursor.term, 2u);
  EXPECT_EQ(prefix.cursor.instance, test::Instance('B'));
}

TEST(Claim, IsInertAtTheCurrentTermAndBelow) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B', 0))), "INERT_CLAIM");
  RecordHeader old = prefix.ClaimBy('B');
  old.term = 0;
  EXPECT_EQ(Outcome(prefix.Read(old)), "INERT_CLAIM");
  EXPECT_EQ(prefix.cursor.instance, test::Instance('A'));
}

TEST(Claim, ExtendsTheChainWithAnyPreviousHash) {
  Prefix prefix = OwnedBy('A');
  RecordHeader claim = prefix.ClaimBy('B');
  claim.previous = Hash256{};
  const Hash256 before = prefix.cursor.chain;
  EXPECT_EQ(Outcome(prefix.Read(claim)), "claim");
  EXPECT_EQ(prefix.cursor.chain, ChainAfter(before, prefix.records.back()));
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next())), "accepted");
}

TEST(Claim, ResetsTheSequenceAndTheSeal) {
  Prefix prefix = OwnedBy('A');
  ASSERT_EQ(Outcome(prefix.Read(prefix.Next(RecordKind::kSeal))), "accepted");
  ASSERT_TRUE(prefix.cursor.sealed);
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B'))), "claim");
  EXPECT_FALSE(prefix.cursor.sealed);
  EXPECT_EQ(prefix.cursor.next_sequence, 0u);
}

TEST(Claim, TakesAFinallySealedSlotOnlyByForce) {
  Prefix prefix = OwnedBy('A');
  RecordHeader seal = prefix.Next(RecordKind::kSeal);
  seal.final_seal = true;
  ASSERT_EQ(Outcome(prefix.Read(seal)), "accepted");
  RecordHeader claim = prefix.ClaimBy('B');
  EXPECT_EQ(Outcome(prefix.Read(claim)), "CLAIM_OVER_FINAL_SEAL");
  claim.forced = true;
  EXPECT_EQ(Outcome(prefix.Read(claim)), "claim");
}

TEST(Record, IsAcceptedWhenItIsTheNextOfTheTerm) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next())), "accepted");
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next())), "accepted");
  EXPECT_EQ(prefix.cursor.next_sequence, 2u);
}

TEST(Record, IsIgnoredFromAnOlderTerm) {
  Prefix prefix = OwnedBy('A');
  RecordHeader late = prefix.Next();
  (void)prefix.Read(prefix.ClaimBy('B'));
  EXPECT_EQ(Outcome(prefix.Read(late)), "TERM");
}

TEST(Record, IsIgnoredFromAnotherInstance) {
  Prefix prefix = OwnedBy('A');
  RecordHeader other = prefix.Next();
  other.instance = test::Instance('B');
  EXPECT_EQ(Outcome(prefix.Read(other)), "INSTANCE");
}

TEST(Record, IsIgnoredOutOfSequence) {
  Prefix prefix = OwnedBy('A');
  const RecordHeader first = prefix.Next();
  RecordHeader third = first;
  third.sequence = 2;
  EXPECT_EQ(Outcome(prefix.Read(third)), "SEQUENCE");
  EXPECT_EQ(Outcome(prefix.Read(first)), "accepted");
  EXPECT_EQ(Outcome(prefix.Read(first)), "SEQUENCE");
}

TEST(Record, IsIgnoredAfterTheSealOfItsTerm) {
  Prefix prefix = OwnedBy('A');
  ASSERT_EQ(Outcome(prefix.Read(prefix.Next(RecordKind::kSeal))), "accepted");
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next())), "AFTER_SEAL");
}

TEST(Record, DoesNotChangeTheChainWhenIgnored) {
  Prefix prefix = OwnedBy('A');
  const Hash256 chain = prefix.cursor.chain;
  (void)prefix.Read(prefix.ClaimBy('B', 0));
  EXPECT_EQ(prefix.cursor.chain, chain);
  EXPECT_NE(prefix.cursor.tail, chain);
  EXPECT_EQ(prefix.cursor.next, 2u);
}

TEST(Gap, StopsTheReader) {
  Prefix prefix = OwnedBy('A');
  const Cursor before = prefix.cursor;
  const std::string bytes = EncodeRecord(prefix.Next(), "");
  EXPECT_EQ(Outcome(Adjudicate(bytes, 2, &prefix.cursor)), "GAP");
  EXPECT_EQ(Outcome(Adjudicate(bytes, 0, &prefix.cursor)), "GAP");
  EXPECT_EQ(prefix.cursor, before);
}

TEST(Level, StopsAReaderBelowIt) {
  Prefix prefix = OwnedBy('A');
  RecordHeader level = prefix.Next(RecordKind::kLevel);
  level.minimum_level = kApplierLevel + 1;
  const Cursor before = prefix.cursor;
  EXPECT_EQ(Outcome(prefix.Read(level)), "NEWER_APPLIER");
  EXPECT_EQ(prefix.cursor, before);
  EXPECT_TRUE(Adjudicate(prefix.records.back(), 1, &prefix.cursor, kApplierLevel + 1).ok());
  EXPECT_EQ(prefix.cursor.level, kApplierLevel + 1);
}

TEST(Level, IsNotCheckedInAnIgnoredRecord) {
  Prefix prefix = OwnedBy('A');
  RecordHeader other = prefix.Next();
  other.instance = test::Instance('B');
  other.minimum_level = kApplierLevel + 1;
  other.kind = static_cast<RecordKind>(99);
  EXPECT_EQ(Outcome(prefix.Read(other)), "INSTANCE");
}

TEST(Level, StopsAReaderAtAnUnknownKind) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next(static_cast<RecordKind>(99)))), "NEWER_APPLIER");
}

TEST(ForeignBytes, AreIgnoredAndChainedOverByTheNextAcceptedRecord) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read("stray")), "FOREIGN");
  EXPECT_TRUE(prefix.cursor.foreign);
  EXPECT_EQ(Outcome(prefix.Read(prefix.Next())), "accepted");
  EXPECT_FALSE(prefix.cursor.foreign);
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B'))), "claim");
}

TEST(ForeignBytes, AreClaimedOverOnlyByForce) {
  Prefix prefix = OwnedBy('A');
  (void)prefix.Read("stray");
  RecordHeader claim = prefix.ClaimBy('B');
  EXPECT_EQ(Outcome(prefix.Read(claim)), "CLAIM_OVER_FOREIGN");
  claim.forced = true;
  EXPECT_EQ(Outcome(prefix.Read(claim)), "claim");
}

TEST(ForeignBytes, ThatLookLikeARecordStopTheReader) {
  Prefix prefix = OwnedBy('A');
  std::string damaged = EncodeRecord(prefix.Next(), "body");
  damaged.pop_back();
  EXPECT_EQ(Outcome(prefix.Read(damaged)), "DAMAGED_RECORD");
  std::string newer = EncodeRecord(prefix.Next(), "body");
  newer[3] = kFormatVersion + 1;
  EXPECT_EQ(Outcome(prefix.Read(newer)), "NEWER_FORMAT");
}

TEST(Evidence, IsTheNextRecordOnAnotherPrefix) {
  Prefix prefix = OwnedBy('A');
  RecordHeader fork = prefix.Next();
  fork.previous = Hash256{};
  EXPECT_EQ(Outcome(prefix.Read(fork)), "FORKED_CHAIN");
  EXPECT_EQ(Outcome(prefix.Read(fork, Guards{.evidence = false})), "CHAIN");
}

TEST(Evidence, IsARecordOfALaterTermOtherThanAClaim) {
  Prefix prefix = OwnedBy('A');
  RecordHeader fork = prefix.Next();
  ++fork.term;
  EXPECT_EQ(Outcome(prefix.Read(fork)), "FORKED_TERM");
  EXPECT_EQ(Outcome(prefix.Read(fork, Guards{.evidence = false})), "TERM");
}

TEST(Evidence, IsAClaimBeyondTheNextTerm) {
  Prefix prefix = OwnedBy('A');
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B', 2))), "FORKED_CLAIM");
  EXPECT_EQ(Outcome(prefix.Read(prefix.ClaimBy('B', 2), Guards{.evidence = false})), "INERT_CLAIM");
}

TEST(Evidence, IsALogThatEndsBelowTheCursor) {
  Prefix prefix = OwnedBy('A');
  EXPECT_TRUE(CheckEnd(1, prefix.cursor).ok());
  EXPECT_EQ(ReasonOf(CheckEnd(0, prefix.cursor)), "LOG_CUT");
}

TEST(Lineage, HoldsForTheLastRecordReadAcceptedOrNot) {
  Prefix prefix = OwnedBy('A');
  EXPECT_TRUE(CheckLineage(prefix.records.back(), prefix.cursor).ok());
  (void)prefix.Read(prefix.Next());
  EXPECT_TRUE(CheckLineage(prefix.records.back(), prefix.cursor).ok());
  (void)prefix.Read(prefix.ClaimBy('B', 0));
  EXPECT_TRUE(CheckLineage(prefix.records.back(), prefix.cursor).ok());
  EXPECT_EQ(ReasonOf(CheckLineage(prefix.records.front(), prefix.cursor)), "OTHER_LINEAGE");
}

TEST(StoredCursor, RoundTrips) {
  Prefix prefix = OwnedBy('A');
  RecordHeader seal = prefix.Next(RecordKind::kSeal);
  seal.final_seal = true;
  seal.logical_time = 1'700'000'000'000'000;
  (void)prefix.Read(seal);
  (void)prefix.Read("stray");
  const auto back = DecodeCursor(EncodeCursor(prefix.cursor));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, prefix.cursor);
}

TEST(StoredCursor, IsRefusedWhenDamagedOrNewer) {
  const std::string bytes = EncodeCursor(OwnedBy('A').cursor);
  for (size_t i = 1; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(ReasonOf(DecodeCursor(damaged).status()), "DAMAGED_CURSOR") << i;
    EXPECT_FALSE(DecodeCursor(bytes.substr(0, i)).ok()) << i;
  }
  std::string newer = bytes;
  newer[0] = 2;
  EXPECT_EQ(ReasonOf(DecodeCursor(newer).status()), "NEWER_FORMAT");
}

TEST(Reader, SurvivesArbitraryBytes) {
  std::mt19937_64 random(4711);
  Prefix prefix = OwnedBy('A');
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes = EncodeRecord(random() % 3 == 0 ? prefix.ClaimBy('B', random() % 2) : prefix.Next(), "body");
    for (uint64_t i = random() % 3; i > 0; --i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const Cursor before = prefix.cursor;
    const auto judgement = Adjudicate(bytes, before.next, &prefix.cursor);
    ASSERT_EQ(prefix.cursor.next, before.next + (judgement.ok() ? 1 : 0));
    if (!judgement.ok()) {
      ASSERT_EQ(prefix.cursor, before);
    }
  }
}

}  // namespace
}  // namespace halles::eventlog
