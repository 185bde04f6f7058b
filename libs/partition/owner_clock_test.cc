// Tests of the owners' clock, and of starts with a wrong one.
#include "libs/partition/owner_clock.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;

TEST(OwnerClock, GoesOnWithTheMonotonicClockWhenTheWallClockIsSetBack) {
  ManualClock wall;
  const OwnerClock clock(wall);
  const UnixMicros start = clock.Now();
  EXPECT_EQ(start, wall.Wall());
  wall.SetWall(start - kDay);
  wall.Advance(kSecond);
  EXPECT_EQ(clock.Now(), start + kSecond);
}

TEST(OwnerClock, FollowsAWallClockThatIsSetForward) {
  ManualClock wall;
  const OwnerClock clock(wall);
  wall.SetWall(wall.Wall() + 60 * kDay);
  EXPECT_EQ(clock.Now(), wall.Wall());
  const UnixMicros furthest = wall.Wall();
  wall.SetWall(furthest - kHour);
  wall.Advance(kSecond);
  EXPECT_EQ(clock.Now(), furthest + kSecond);
}

TEST(OwnerClock, DoesNotFollowALeapThatNoStartWouldBelieve) {
  ManualClock wall;
  const OwnerClock clock(wall);
  const UnixMicros start = wall.Wall();
  wall.SetWall(start + 91 * kDay);
  EXPECT_EQ(clock.Now(), start);
}

// A check of two slots, and what it has decided.
class Check : public ::testing::Test {
 protected:
  std::string Decided() const { return !refused_.ok() ? ReasonOf(refused_) : believed_ ? "believed" : "nothing"; }

  ManualClock wall_;
  const OwnerClock clock_{wall_};
  const UnixMicros now_ = clock_.Now();
  bool believed_ = false;
  absl::Status refused_;
  ClockCheck check_{&clock_,
                    {.slots = 2,
                     .on_believed = [this] { believed_ = true; },
                     .on_refused = [this](const absl::Status& why) { refused_ = why; }}};
};

TEST_F(Check, BelievesTheClockOfANewLog) {
  check_.OnEndOfSlot(0);
  EXPECT_EQ(Decided(), "nothing") << "the other slot may have records";
  check_.OnEndOfSlot(0);
  EXPECT_EQ(Decided(), "believed");
  EXPECT_TRUE(check_.believed());
}

TEST_F(Check, BelievesTheClockAtTheFirstRecentRecord) {
  check_.OnEndOfSlot(now_ - 91 * kDay);
  EXPECT_EQ(Decided(), "nothing");
  check_.OnRecord(now_ - 90 * kDay);
  EXPECT_EQ(Decided(), "believed");
}

TEST_F(Check, RefusesAClockThatIsTooFarAhead) {
  check_.OnEndOfSlot(now_ - 200 * kDay);
  EXPECT_EQ(Decided(), "nothing");
  check_.OnEndOfSlot(now_ - 90 * kDay - 1);
  EXPECT_EQ(Decided(), "CLOCK_AHEAD");
  EXPECT_FALSE(check_.believed());
}

TEST_F(Check, RefusesAClockThatIsTooFarBehind) {
  check_.OnRecord(now_ + kHour);
  EXPECT_EQ(Decided(), "believed");
  check_.OnEndOfSlot(now_ + kHour + 1);
  EXPECT_EQ(Decided(), "CLOCK_BEHIND");
}

TEST_F(Check, NamesBothTimesAndTheFlag) {
  check_.OnRecord(1'700'000'000 * kSecond + 10 * kDay);
  EXPECT_EQ(refused_.message(),
            "this machine's clock says 2023-11-14T22:13:20Z, more than an hour behind the newest record of the "
            "log, 2023-11-24T22:13:20Z; set the clock, or start once with --accept-clock-jump if it is right");
}

class StartWithAWrongClock : public RuntimeTest {
 protected:
  // Starts after the wall clock was set; `forget` makes it read the whole log.
  void StartAt(int64_t offset, bool forget) {
    EXPECT_EQ(Submit(Add("before", 1))->value(), 1);
    end_ = End();
    Stop();
    if (forget) DeleteState();
    node_.JumpWall(offset);
    StartStore();
    Boot({counter::Service(ServiceId::kInventory)});
    Quiesce();
  }
  void ExpectRefused(const std::string& reason) {
    ASSERT_EQ(clock_refusals_.size(), 1u);
    EXPECT_EQ(ReasonOf(clock_refusals_[0]), reason);
    EXPECT_EQ(Submit(Add("after", 1))->reason(), reason);
    EXPECT_EQ(ValueOf(), 1) << "reads are served";
    TimePasses(kHour);
    EXPECT_EQ(End(), end_) << "nothing is claimed";
  }

  Position end_ = 0;
};

TEST_F(StartWithAWrongClock, ClaimsNothingWhenItIsFarAhead) {
  StartAt(91 * kDay, false);
  ExpectRefused("CLOCK_AHEAD");
}

TEST_F(StartWithAWrongClock, ClaimsNothingWhenTheWholeLogMustBeReadToFindThat) {
  StartAt(91 * kDay, true);
  ExpectRefused("CLOCK_AHEAD");
}

TEST_F(StartWithAWrongClock, ClaimsNothingWhenItIsBehind) {
  StartAt(-2 * kHour, false);
  ExpectRefused("CLOCK_BEHIND");
}

TEST_F(StartWithAWrongClock, GoesOnWhenTheOperatorAcceptsTheJump) {
  accept_clock_jump_ = true;
  StartAt(400 * kDay, false);
  EXPECT_TRUE(clock_refusals_.empty());
  EXPECT_EQ(Submit(Add("after", 1))->value(), 2);
}

TEST_F(StartWithAWrongClock, GoesOnAfterAPauseOfWeeks) {
  StartAt(89 * kDay, false);
  EXPECT_TRUE(clock_refusals_.empty());
  EXPECT_EQ(Submit(Add("after", 1))->value(), 2);
}

TEST_F(RuntimeTest, StampsRecordsWithAClockThatWasSetForwardLater) {
  EXPECT_EQ(Submit(Add("before", 1))->value(), 1);
  node_.JumpWall(kDay);
  EXPECT_EQ(Submit(Add("after", 1))->value(), 2);
  std::vector<eventlog::StoredRecord> records;
  auto reader = log_->NewReader(kFirstSlot, 0);
  ASSERT_TRUE((*reader)->Poll({.records_max = 10}, &records).ok());
  EXPECT_EQ(eventlog::ParseRecord(records.back().bytes).header.logical_time, node_.clock().Wall());
}

}  // namespace
}  // namespace halles::partition
