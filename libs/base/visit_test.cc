// Tests of visitors of events.
#include "libs/base/visit.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/visit_test_events.visit.h"

namespace halles::visit_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ShopEvent Opened(const std::string& keeper) {
  ShopEvent event;
  event.mutable_shop_opened()->set_keeper(keeper);
  return event;
}

ShopEvent Sold(int64_t units) {
  ShopEvent event;
  event.mutable_goods_sold()->set_units(units);
  return event;
}

ShopEvent HasMoved() {
  ShopEvent event;
  event.mutable_moved_to_2nd_floor();
  return event;
}

struct Evolver {
  std::string& rows;
  absl::Status operator()(const ShopOpened& opened) const {
    absl::StrAppend(&rows, "opened by ", opened.keeper(), ";");
    return absl::OkStatus();
  }
  absl::Status operator()(const GoodsSold& sold) const {
    absl::StrAppend(&rows, "sold ", sold.units(), ";");
    return absl::OkStatus();
  }
  absl::Status operator()(const Moved&) const { return absl::FailedPreconditionError("it cannot move"); }
  absl::Status operator()(NoEvent) const { return absl::DataLossError("no event"); }
};

using Requests = std::vector<std::string>;

struct Reaction : PassesOver<ShopOpened, Moved> {
  using PassesOver::operator();
  Requests operator()(const GoodsSold& sold) const { return {absl::StrCat("reorder ", sold.units())}; }
  Requests operator()(NoEvent) const { return {"look"}; }
};

TEST(Visit, CallsTheOverloadOfTheKindThatIsSet) {
  std::string rows;
  EXPECT_TRUE(Visit(Opened("Ann"), Evolver{rows}).ok());
  EXPECT_TRUE(Visit(Sold(3), Evolver{rows}).ok());
  EXPECT_EQ(rows, "opened by Ann;sold 3;");
}

TEST(Visit, ReturnsWhatTheOverloadReturns) {
  std::string rows;
  EXPECT_EQ(Visit(HasMoved(), Evolver{rows}).message(), "it cannot move");
  EXPECT_THAT(Visit(Sold(3), Reaction()), ElementsAre("reorder 3"));
}

TEST(Visit, GivesAnEventWithoutAKindToNoEvent) {
  std::string rows;
  EXPECT_EQ(Visit(ShopEvent(), Evolver{rows}).code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Visit(ShopEvent(), Reaction()), ElementsAre("look"));
}

TEST(Visit, GivesAKindOfANewerBuildToNoEvent) {
  ShopEvent event;
  ASSERT_TRUE(event.ParseFromString("J\002ab"));  // field 9
  std::string rows;
  EXPECT_EQ(Visit(event, Evolver{rows}).code(), absl::StatusCode::kDataLoss);
}

TEST(Visit, ReturnsANeutralValueForAnIgnoredKind) {
  EXPECT_THAT(Visit(Opened("Ann"), Reaction()), IsEmpty());
  EXPECT_THAT(Visit(HasMoved(), Reaction()), IsEmpty());
}

struct StatusVisitor : PassesOver<ShopOpened, GoodsSold, Moved> {
  using PassesOver::operator();
  absl::Status operator()(NoEvent) const { return absl::DataLossError("no event"); }
};

struct RequestsOrStatus : PassesOver<ShopOpened, GoodsSold, Moved> {
  using PassesOver::operator();
  absl::StatusOr<Requests> operator()(NoEvent) const { return absl::DataLossError("no event"); }
};

TEST(Visit, ReturnsOkForAnIgnoredKind) {
  EXPECT_TRUE(Visit(Sold(3), StatusVisitor()).ok());
  const absl::StatusOr<Requests> requests = Visit(Sold(3), RequestsOrStatus());
  ASSERT_TRUE(requests.ok());
  EXPECT_THAT(*requests, IsEmpty());
}

struct Counter : PassesOver<Moved> {
  using PassesOver::operator();
  void operator()(const ShopOpened&) { ++opened; }
  void operator()(const GoodsSold&) { ++sold; }
  void operator()(NoEvent) {}
  int opened = 0;
  int sold = 0;
};

TEST(Visit, KeepsTheStateOfTheVisitor) {
  Counter counter;
  for (const ShopEvent& event : {Opened("Ann"), Sold(1), Sold(2), HasMoved()}) Visit(event, counter);
  EXPECT_EQ(counter.opened, 1);
  EXPECT_EQ(counter.sold, 2);
}

TEST(HandledFields, AreTheKindsThatAreNotIgnoredInTheOrderOfTheProto) {
  EXPECT_THAT((kHandledFields<ShopEvent, Evolver>), ElementsAre(1, 3, 2));
  EXPECT_THAT((kHandledFields<ShopEvent, Reaction>), ElementsAre(ShopEvent::kGoodsSoldFieldNumber));
  EXPECT_TRUE((kHandledFields<ShopEvent, StatusVisitor>.empty()));
}

// The list is a compile-time constant.
static_assert(kHandledFields<ShopEvent, Counter>.size() == 2);

}  // namespace
}  // namespace halles::visit_test
