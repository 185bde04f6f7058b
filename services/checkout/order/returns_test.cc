// Tests of returns and exchanges: their values, and that an exchange is recorded as a whole.
#include "services/checkout/order/returns.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/checkout/order/queries.h"
#include "services/checkout/order/test_builders.h"

namespace halles::checkout::order {
namespace {

constexpr char kHugePrice[] = "90000000000000000.00";

TEST(ReturnLines, RefundsExactlyTheAmountOfTheLineHoweverItIsSplit) {
  GivenOrder given = HandedOver();
  EXPECT_EQ(given.Record(TakeBack("r1", {BackOf("a", 1)})).response().net().minor_units(), -333);
  EXPECT_EQ(given.Record(TakeBack("r2", {BackOf("a", 1), BackOf("a", 1)})).response().net().minor_units(), -667);
  EXPECT_EQ(given.LineOf("a").returned_units(), 3);
}

TEST(ReturnLines, RecordsADocumentInTheFormOfAnImport) {
  GivenOrder given = HandedOver();
  const auto outcome = given.Record(TakeBack("r1", {BackOf("b", 1)}));
  const v1::GoodsReturned& returned = outcome.FactAt<v1::OrderEvent>(0).goods_returned();
  EXPECT_EQ(returned.location_id(), "nice-stock");
  EXPECT_EQ(returned.lines(0).sku(), "hat");
  EXPECT_EQ(returned.sale().external().external_id(), "c-1/r1");
  EXPECT_EQ(returned.sale().site_id(), "nice");
  ASSERT_EQ(returned.sale().lines_size(), 1);
  EXPECT_EQ(returned.sale().lines(0).kind(), v1::LINE_KIND_RETURN);
  EXPECT_EQ(returned.sale().lines(0).quantity().unscaled(), -1);
  EXPECT_EQ(returned.sale().net().minor_units(), -500);
  const v1::Order order = FindOrder(given.rows(), kSlot, OrderId::FromString(kOrderId)).value();
  ASSERT_EQ(order.returns_size(), 1);
  EXPECT_FALSE(order.returns(0).event().empty());
}

TEST(ReturnLines, NamesTheEarlierReturnsInARefusal) {
  GivenOrder given = HandedOver();
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  given.Record(TakeBack("r2", {BackOf("a", 1), BackOf("b", 1)}));
  EXPECT_EQ(given.When(TakeBack("r3", {BackOf("a", 2)})).Metadata("return_ids"), "r1,r2");
  EXPECT_EQ(given.When(TakeBack("r3", {BackOf("b", 1)})).Metadata("return_ids"), "r2");
}

TEST(ReturnLines, IsPossibleDuringAnExchangeExceptForItsUnits) {
  GivenOrder given = HandedOver();
  given.Record(Swap("x1", BackOf("a", 2), "n", "12.00"));
  given.When(TakeBack("r1", {BackOf("a", 2)})).ThenRejected(v1::REJECT_REASON_RETURN_EXCEEDS_BOUGHT);
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  given.AnswerAll();
  EXPECT_EQ(given.LineOf("a").returned_units(), 3);
}

TEST(ReturnLines, LeavesAnExchangeItsId) {
  GivenOrder given = HandedOver();
  const v1::ExchangeLinesResponse begun = given.Record(Swap("x1", BackOf("a", 1), "n", "12.00")).response();
  given.When(TakeBack("x1", {BackOf("b", 1)})).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
  given.AnswerAll(2);
  EXPECT_EQ((*given.AnswerTo(begun))->order().returns_size(), 1);
  EXPECT_EQ(given.LineOf("n").exchange_id(), "x1");
}

TEST(ExchangeLines, RecordsReturnAndSaleTogether) {
  GivenOrder given = HandedOver();
  const v1::ExchangeLinesResponse begun = given.Record(Swap("x1", BackOf("a", 1), "n", "12.00")).response();
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_COMPLETED);
  given.AnswerAll(2);
  EXPECT_EQ(given.Order().state(), v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(given.LineOf("a").returned_units(), 1);
  EXPECT_EQ(given.LineOf("n").exchange_id(), "x1");
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().location_id(), "nice");
  EXPECT_EQ(given.Fulfilment("f2").fulfilment().lines(0).hold_id(), "c-1/x1");
  const auto outcome = given.AnswerTo(begun);
  ASSERT_TRUE(outcome.ok() && outcome->has_value());
  EXPECT_EQ((*outcome)->difference().minor_units(), 1200 - 333);
  given.When(Swap("x1", BackOf("a", 1), "m", "1.00")).ThenRejected(v1::REJECT_REASON_RETURN_EXISTS);
}

TEST(ExchangeLines, AnswersARepeatWithTheOutcome) {
  GivenOrder given = HandedOver();
  const v1::ExchangeLinesResponse refused = given.Record(Swap("x1", BackOf("a", 1), "n", "12.00")).response();
  given.Refuse("c-1/x1/s0", Insufficient("0", "0"));
  given.AnswerAll();
  // The refused exchange did not use up its id.
  const v1::ExchangeLinesResponse made = given.Record(Swap("x1", BackOf("a", 1), "n", "12.00")).response();
  given.AnswerAll(2);
  const std::string answer = (*given.AnswerTo(made))->SerializeAsString();
  given.Record(TakeBack("r1", {BackOf("b", 1)}));
  EXPECT_EQ(ReasonOf(given.AnswerTo(refused).status()), "EXCHANGE_REJECTED");
  EXPECT_EQ((*given.AnswerTo(made))->SerializeAsString(), answer);
  EXPECT_EQ((*given.AnswerTo(made))->order().returns_size(), 1);
}

// One line of nearly the largest amount that fits into 64 bits, and one of 1.00.
GivenOrder HandedOverHuge() {
  GivenOrder given({CartLineOf("a", 1, kHugePrice, "ring"), CartLineOf("b", 1, "1.00", "hat")}, TakeAlong("paris"));
  given.Record(Place());
  given.AnswerAll();
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f1"));
  return given;
}

TEST(ExchangeLines, IsRefusedWhenTheValueOfTheOrderOverflows) {
  GivenOrder given = HandedOverHuge();
  given.When(Swap("x1", BackOf("b", 1), "c", kHugePrice)).ThenRejected(v1::REJECT_REASON_AMOUNT_OVERFLOW);
  // The new line fits in exchange for the expensive one, or after that one was returned.
  EXPECT_EQ(given.When(Swap("x1", BackOf("a", 1), "c", kHugePrice)).status(), absl::OkStatus());
  given.Record(TakeBack("r1", {BackOf("a", 1)}));
  EXPECT_EQ(given.When(Swap("x1", BackOf("b", 1), "c", kHugePrice)).status(), absl::OkStatus());
}

TEST(ExchangeLines, IsRejectedWhenTheOrderHasAsManyLinesAsAnAnswerShows) {
  GivenOrder given({CartLineOf("a", 5'000, "3.333", "shoe")}, TakeAlong("paris"));
  given.Record(Place());
  given.AnswerAll();
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f1"));
  const auto swap = [](int exchange) {
    const std::string id = absl::StrCat("x", exchange, std::string(60, 'x'));
    v1::ExchangeLinesRequest request = Swap(id, BackOf("a", 1), "n", "1.00");
    const v1::ExchangeLine one = request.new_lines(0);
    request.clear_new_lines();
    for (int i = 0; i < 100; ++i) {
      v1::ExchangeLine& line = *request.add_new_lines() = one;
      line.set_line_id(absl::StrCat(exchange, "/", i, std::string(50, 'l')));
      line.set_sku(std::string(64, 's'));
      line.set_description(std::string(120, 'd'));
    }
    return request;
  };
  int exchanges = 0;
  while (exchanges < kReturnsMax && given.When(swap(exchanges)).status().ok()) {
    given.Record(swap(exchanges));
    given.AnswerAll(++exchanges + 1);
  }
  EXPECT_GT(exchanges, 10);
  const auto outcome = given.When(swap(exchanges));
  outcome.ThenRejected(v1::REJECT_REASON_EXCHANGE_REJECTED);
  v1::OrderProblems problems;
  ASSERT_TRUE(problems.ParseFromString(
      std::string(*outcome.status().GetPayload("type.googleapis.com/halles.checkout.v1.OrderProblems"))));
  EXPECT_EQ(problems.problems(0).kind(), v1::PROBLEM_KIND_TOO_LARGE);
  EXPECT_THAT(problems.problems(0).message(), ::testing::HasSubstr("beyond 1048576 it takes no exchange"));
  const v1::Order order = FindOrder(given.rows(), kSlot, OrderId::FromString(kOrderId)).value();
  EXPECT_LT(order.ByteSizeLong(), size_t{4} << 20);
  EXPECT_EQ(given.When(TakeBack("r1", {BackOf("a", 1)})).status(), absl::OkStatus()) << "goods still come back";
}

TEST(ExchangeLines, AllowsTheReturnOfTheNewLine) {
  GivenOrder given = HandedOver();
  given.Record(Swap("x1", BackOf("a", 1), "n", "12.00"));
  given.AnswerAll(2);
  given.When(TakeBack("r1", {BackOf("n", 1)})).ThenRejected(v1::REJECT_REASON_NOT_HANDED_OVER);
  given.Record(OfFulfilment<v1::CollectFulfilmentRequest>("f2"));
  EXPECT_EQ(given.Record(TakeBack("r1", {BackOf("n", 1)})).response().net().minor_units(), -1200);
}

}  // namespace
}  // namespace halles::checkout::order
