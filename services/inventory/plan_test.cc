// Tests of plans: which location a line gets, and what is said when it gets none.
#include "services/inventory/plan.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::inventory {
namespace {

using ::testing::ElementsAre;

using Parts = std::vector<PlanPart>;

TEST(PlanWhole, TakesTheFirstCandidateThatHasAll) {
  EXPECT_THAT(PlanWhole({{3, {0, 1, 2}}}, {2, 3, 9}).lines, ElementsAre(Parts{{1, 3}}));
}

TEST(PlanWhole, KeepsToTheOrderOfPreferenceWhereThatWorks) {
  EXPECT_THAT(PlanWhole({{1, {1, 0}}, {1, {1, 0}}}, {5, 1}).lines, ElementsAre(Parts{{1, 1}}, Parts{{0, 1}}));
}

TEST(PlanWhole, GoesBackWhereTheFirstChoiceLeavesALineWithout) {
  EXPECT_THAT(PlanWhole({{2, {0, 1}}, {2, {0}}}, {2, 2}).lines, ElementsAre(Parts{{1, 2}}, Parts{{0, 2}}));
}

TEST(PlanWhole, SaysWhatEachLineThatFitsNowhereCouldHave) {
  const Plan plan = PlanWhole({{2, {0}}, {4, {0, 1}}, {1, {1}}}, {3, 2});
  ASSERT_FALSE(plan.complete);
  ASSERT_EQ(plan.failures.size(), 1u);
  EXPECT_EQ(plan.failures[0].line, 1u);
  EXPECT_EQ(plan.failures[0].asked, 4);
  EXPECT_EQ(plan.failures[0].available, 3);
  EXPECT_EQ(plan.failures[0].largest, 2);
}

TEST(PlanWhole, TakesWhatIsMissingForNothing) { EXPECT_EQ(PlanWhole({{1, {0}}}, {-4}).failures[0].available, 0); }

TEST(PlanWhole, GivesUpWithinItsSteps) {
  // 99 lines of 2 units do not fit 63 locations of 3, which only a search through everything would find out.
  std::vector<PlanLine> lines;
  std::vector<size_t> candidates;
  for (size_t i = 0; i < 63; ++i) candidates.push_back(i);
  for (int i = 0; i < 99; ++i) {
    std::swap(candidates[static_cast<size_t>(i) % 63], candidates[0]);
    lines.push_back({2, candidates});
  }
  EXPECT_FALSE(PlanWhole(lines, std::vector<int64_t>(63, 3)).complete);
}

TEST(PlanSplit, TakesFromOneLocationWhenOneHasAll) {
  EXPECT_THAT(PlanSplit({{3, {0, 1}}}, {2, 3}).lines, ElementsAre(Parts{{1, 3}}));
}

TEST(PlanSplit, TakesInOrderOfPreferenceOtherwise) {
  EXPECT_THAT(PlanSplit({{4, {1, 0}}}, {2, 3}).lines, ElementsAre(Parts{{1, 3}, {0, 1}}));
}

TEST(PlanSplit, MovesWhatOtherLinesTookToMakeRoom) {
  EXPECT_THAT(PlanSplit({{2, {0, 1}}, {2, {0}}}, {2, 2}).lines, ElementsAre(Parts{{1, 2}}, Parts{{0, 2}}));
  EXPECT_THAT(PlanSplit({{2, {0, 1}}, {2, {1, 2}}, {3, {0}}}, {3, 2, 2}).lines,
              ElementsAre(Parts{{1, 2}}, Parts{{2, 2}}, Parts{{0, 3}}));
}

TEST(PlanSplit, LeavesWhatAFailingLineCannotUseToTheOthers) {
  const Plan plan = PlanSplit({{5, {0, 1}}, {3, {1, 0}}}, {2, 1});
  ASSERT_EQ(plan.failures.size(), 1u);
  EXPECT_EQ(plan.failures[0].line, 0u);
  EXPECT_EQ(plan.failures[0].available, 3);
  EXPECT_EQ(plan.failures[0].largest, 2);
}

}  // namespace
}  // namespace halles::inventory
