// Tests of plans: the locations that lines get, and the failure when they get none.
#include "services/inventory/plan.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::inventory {
namespace {

using ::testing::ElementsAre;

using Parts = std::vector<PlanPart>;

TEST(PlanWhole, TakesTheFirstCandidateWithAllUnits) {
  EXPECT_THAT(PlanWhole({{3, {0, 1, 2}}}, {2, 3, 9}).lines, ElementsAre(Parts{{1, 3}}));
}

TEST(PlanWhole, FollowsTheOrderOfPreference) {
  EXPECT_THAT(PlanWhole({{1, {1, 0}}, {1, {1, 0}}}, {5, 1}).lines, ElementsAre(Parts{{1, 1}}, Parts{{0, 1}}));
}

TEST(PlanWhole, BacktracksWhenTheFirstChoiceFails) {
  EXPECT_THAT(PlanWhole({{2, {0, 1}}, {2, {0}}}, {2, 2}).lines, ElementsAre(Parts{{1, 2}}, Parts{{0, 2}}));
}

TEST(PlanWhole, StatesTheUnitsThatAFailingLineCouldGet) {
  const Plan plan = PlanWhole({{2, {0}}, {4, {0, 1}}, {1, {1}}}, {3, 2});
  ASSERT_FALSE(plan.complete);
  ASSERT_EQ(plan.failures.size(), 1u);
  EXPECT_EQ(plan.failures[0].line, 1u);
  EXPECT_EQ(plan.failures[0].asked, 4);
  EXPECT_EQ(plan.failures[0].available, 3);
  EXPECT_EQ(plan.failures[0].largest, 2);
}

TEST(PlanWhole, CountsAShortageAsZero) { EXPECT_EQ(PlanWhole({{1, {0}}}, {-4}).failures[0].available, 0); }

TEST(PlanWhole, GivesUpWithinItsSteps) {
  // 99 lines of 2 units do not fit 63 locations of 3, but only an exhaustive search would prove it.
  std::vector<PlanLine> lines;
  std::vector<size_t> candidates;
  for (size_t i = 0; i < 63; ++i) candidates.push_back(i);
  for (int i = 0; i < 99; ++i) {
    std::swap(candidates[static_cast<size_t>(i) % 63], candidates[0]);
    lines.push_back({2, candidates});
  }
  EXPECT_FALSE(PlanWhole(lines, std::vector<int64_t>(63, 3)).complete);
}

TEST(PlanSplit, TakesFromOneLocationWithAllUnits) {
  EXPECT_THAT(PlanSplit({{3, {0, 1}}}, {2, 3}).lines, ElementsAre(Parts{{1, 3}}));
}

TEST(PlanSplit, OtherwiseTakesInOrderOfPreference) {
  EXPECT_THAT(PlanSplit({{4, {1, 0}}}, {2, 3}).lines, ElementsAre(Parts{{1, 3}, {0, 1}}));
}

TEST(PlanSplit, MovesOtherLinesToMakeRoom) {
  EXPECT_THAT(PlanSplit({{2, {0, 1}}, {2, {0}}}, {2, 2}).lines, ElementsAre(Parts{{1, 2}}, Parts{{0, 2}}));
  EXPECT_THAT(PlanSplit({{2, {0, 1}}, {2, {1, 2}}, {3, {0}}}, {3, 2, 2}).lines,
              ElementsAre(Parts{{1, 2}}, Parts{{2, 2}}, Parts{{0, 3}}));
}

TEST(PlanSplit, FreesTheUnitsOfAFailingLineForTheOthers) {
  const Plan plan = PlanSplit({{5, {0, 1}}, {3, {1, 0}}}, {2, 1});
  ASSERT_EQ(plan.failures.size(), 1u);
  EXPECT_EQ(plan.failures[0].line, 0u);
  EXPECT_EQ(plan.failures[0].available, 3);
  EXPECT_EQ(plan.failures[0].largest, 2);
}

}  // namespace
}  // namespace halles::inventory
