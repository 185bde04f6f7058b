// Tests of order numbers: they have no gaps, each document gets one, and only malformed requests are refused.
#include "services/checkout/numbers/commands.h"

#include <string>

#include "gtest/gtest.h"
#include "services/checkout/numbers/state.h"
#include "services/checkout/series.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::numbers {
namespace {

struct NumberDomain {
  using Event = v1::OrderNumberEvent;
  static absl::Status Evolve(store::Rows& rows, const Event& event, const partition::FactContext& context) {
    return numbers::Evolve(rows, event, context);
  }
  static auto Decide(const store::RowReader& rows, const v1::AssignOrderNumberRequest& request,
                     const partition::CommandContext& context) {
    return numbers::Decide(rows, request, context);
  }
};
using GivenNumbers = testing::Given<NumberDomain>;

v1::AssignOrderNumberRequest Assign(const std::string& site, const std::string& document) {
  v1::AssignOrderNumberRequest request;
  request.set_request_id("request");
  request.set_site_id(site);
  request.set_document_id(document);
  return request;
}

TEST(AssignOrderNumber, IsRefusedWhenMalformed) {
  const GivenNumbers given(kSlot);
  given.When(Assign("", "c-1")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
  given.When(Assign("web", "")).ThenRejected(v1::REJECT_REASON_MALFORMED_COMMAND);
}

TEST(AssignOrderNumber, CountsWithoutAGapWithinEachSite) {
  GivenNumbers given(kSlot);
  EXPECT_EQ(given.Record(Assign("web", "c-1")).response().number(), 1);
  EXPECT_EQ(given.Record(Assign("web", "c-2")).response().number(), 2);
  EXPECT_EQ(given.Record(Assign("paris", "c-3")).response().number(), 1);
  EXPECT_EQ(given.Record(Assign("web", "c-3")).response().number(), 3);
}

TEST(AssignOrderNumber, AnswersTheSameDocumentWithTheSameNumber) {
  GivenNumbers given(kSlot);
  given.Record(Assign("web", "c-1"));
  given.Record(Assign("web", "c-2"));
  const auto again = given.When(Assign("web", "c-1"));
  again.ThenNothing();
  EXPECT_EQ(again.response().number(), 1);
}

TEST(NumberAssigned, IsNotEvolvedWithAGapOrTwice) {
  GivenNumbers given(kSlot);
  partition::Fact<v1::OrderNumberEvent> fact{SeriesOf("web"), {}};
  fact.event.mutable_number_assigned()->set_number(2);
  fact.event.mutable_number_assigned()->set_document_id("c-1");
  EXPECT_EQ(given.TryEvolve({fact}).code(), absl::StatusCode::kDataLoss);
  fact.event.mutable_number_assigned()->set_number(1);
  EXPECT_TRUE(given.TryEvolve({fact}).ok());
  fact.event.mutable_number_assigned()->set_number(2);
  EXPECT_EQ(given.TryEvolve({fact}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace halles::checkout::numbers
