// Tests of sagas whose target does not answer for a week: what they record, how they go on, and what an operator sees.
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "halles/checkout/v1/checkout_internal.pb.h"
#include "libs/base/request_id.h"
#include "libs/partition/due_timers.h"
#include "libs/saga/saga.h"
#include "tests/simulation/shop.h"

namespace halles::simulation {
namespace {

using StuckSaga = Shop;

// Within this time it goes on once its target answers.
constexpr int64_t kPromptly = partition::kTimerRetryMaxMicros + kSecond;

// A pivot that is not answered: the saga can only go forward.
TEST_F(StuckSaga, WritesFewRecordsInAWeekAndGoesOnWhenItsTargetAnswers) {
  unanswered_ = checkout::v1::AssignOrderNumberRequest::descriptor()->full_name();
  const Position before = Records(ServiceId::kCheckout);
  Place("c-1");
  world_.Advance(kWeek);
  const Position records = Records(ServiceId::kCheckout) - before;
  printf("%llu records of checkout in a week, %llu calls that nobody answered, %llu of them without a record\n",
         static_cast<unsigned long long>(records), static_cast<unsigned long long>(lost_),
         static_cast<unsigned long long>(host_->counters().calls_without_record.load()));
  // Two for the cart, its order, the outcome of the hold, and the recorded retries.
  EXPECT_EQ(records, 4 + saga::kRecordedRetries);
  EXPECT_GT(lost_, 10'000u) << "it asks about once a minute";
  EXPECT_EQ(host_->counters().calls_without_record.load() + 1 + saga::kRecordedRetries, lost_);
  EXPECT_EQ(StateOf("c-1"), checkout::v1::ORDER_STATE_PLACING);
  EXPECT_EQ(Work(), "c-1 is being placed; nobody answers its calls, which are sent again until somebody does");

  unanswered_.clear();
  world_.Advance(kPromptly);
  EXPECT_EQ(StateOf("c-1"), checkout::v1::ORDER_STATE_CONFIRMED);
  EXPECT_EQ(Work(), "");
}

TEST_F(StuckSaga, GoesOnAtOnceAfterARestart) {
  unanswered_ = checkout::v1::AssignOrderNumberRequest::descriptor()->full_name();
  Place("c-1");
  world_.Advance(kWeek);
  End();
  unanswered_.clear();
  Start();
  world_.Advance(kSecond / 10);
  EXPECT_EQ(StateOf("c-1"), checkout::v1::ORDER_STATE_CONFIRMED);
}

// A hold and its cancel that are not answered: the saga has turned back.
TEST_F(StuckSaga, ThatTurnedBackWaitsForItsCancels) {
  const std::string& reserve = inventory::v1::ReserveStockRequest::descriptor()->full_name();
  const Position before = Records(ServiceId::kCheckout);
  unanswered_ = reserve;
  Place("c-1");
  world_.Advance(saga::kGiveUpMicros - 1);
  unanswered_ = inventory::v1::CancelReservationRequest::descriptor()->full_name();
  world_.Advance(kWeek);
  const Position records = Records(ServiceId::kCheckout) - before;
  printf("%llu records of checkout in a week\n", static_cast<unsigned long long>(records));
  EXPECT_LE(records, 3 + 2 * (saga::kRecordedRetries + 1));
  EXPECT_EQ(Work(),
            "c-1 is being undone: it took too long; nobody answers its calls, which are sent again until "
            "somebody does");
  unanswered_.clear();
  world_.Advance(kPromptly);
  EXPECT_EQ(StateOf("c-1"), checkout::v1::ORDER_STATE_REJECTED);
  EXPECT_EQ(Work(), "");
}

// Its steps are over: the target does not know any more what became of them, and executes none of them late.
TEST_F(StuckSaga, ThatIsTooOldStaysForPeople) {
  unanswered_ = checkout::v1::AssignOrderNumberRequest::descriptor()->full_name();
  Place("c-1");
  world_.Advance(kSagaLifeMicros);
  unanswered_.clear();
  const Position before = Records(ServiceId::kCheckout);
  world_.Advance(kWeek);
  EXPECT_EQ(Records(ServiceId::kCheckout), before);
  EXPECT_EQ(StateOf("c-1"), checkout::v1::ORDER_STATE_PLACING);
  EXPECT_EQ(Work(), "c-1 is being placed; it is too old for its calls to be executed and does not end by itself");
}

// Many of them share the retries of their slot, and recover one after the other.
TEST_F(StuckSaga, AreManyAtNoHigherCost) {
  constexpr int kMany = 300;
  unanswered_ = checkout::v1::AssignOrderNumberRequest::descriptor()->full_name();
  for (int i = 0; i < kMany; ++i) Place(absl::StrCat("c-", i));
  world_.Advance(kWeek / 7);
  const uint64_t lost = lost_;
  const Position before = Records(ServiceId::kCheckout);
  world_.Advance(3600 * kSecond);
  EXPECT_EQ(Records(ServiceId::kCheckout), before);
  EXPECT_LE(lost_ - lost, 2 * 60 * partition::kTimersAtATime) << "of two slots in an hour";
  unanswered_.clear();
  world_.Advance(3 * kPromptly);
  for (int i = 0; i < kMany; ++i) {
    ASSERT_EQ(StateOf(absl::StrCat("c-", i)), checkout::v1::ORDER_STATE_CONFIRMED) << i;
  }
}

}  // namespace
}  // namespace halles::simulation
