// Tests of the single transitions of a saga: the calls it sends, when, and the steps it undoes.
#include "libs/saga/saga.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles::saga {
namespace {

using partition::CallOutcome;

constexpr UnixMicros kNow = 1'700'000'000'000'000;

v1::Step StepOf(const std::string& name, uint32_t stage) {
  v1::Step step;
  step.set_name(name);
  step.set_service(static_cast<uint32_t>(ServiceId::kInventory));
  step.set_aggregate_key("sku-" + name);
  step.set_method("Reserve");
  step.set_request("reserve " + name);
  step.set_cancel_method("Cancel");
  step.set_cancel_request("cancel " + name);
  step.set_stage(stage);
  return step;
}

// Reserves x and y, then z, then assigns the number.
v1::Plan Order() {
  v1::Plan plan;
  plan.set_saga_id("o1/1");
  plan.set_start_us(kNow);
  plan.set_reply_key("o1");
  *plan.add_steps() = StepOf("x", 0);
  *plan.add_steps() = StepOf("y", 0);
  *plan.add_steps() = StepOf("z", 1);
  v1::Step* number = plan.add_steps();
  *number = StepOf("number", 2);
  number->clear_cancel_method();
  number->clear_cancel_request();
  number->set_pivot(true);
  return plan;
}

CallOutcome OutcomeOf(const std::string& tag, CallOutcome::Kind kind) {
  CallOutcome outcome;
  outcome.reply_to.key = "o1";
  outcome.reply_tag = tag;
  outcome.kind = kind;
  return outcome;
}
CallOutcome Done(const std::string& step) {
  CallOutcome outcome = OutcomeOf("o1/1/" + step, CallOutcome::Kind::kSucceeded);
  outcome.response = "did " + step;
  return outcome;
}
CallOutcome Refused(const std::string& step) {
  CallOutcome outcome = OutcomeOf("o1/1/" + step, CallOutcome::Kind::kRefused);
  outcome.refusal = Failure(absl::StatusCode::kFailedPrecondition, "INSUFFICIENT_STOCK", "none left", {{"sku", step}});
  return outcome;
}
CallOutcome Cancelled(const std::string& step) {
  return OutcomeOf("o1/1/" + step + "/cancel", CallOutcome::Kind::kSucceeded);
}

// A saga that folds its events as they are made.
class Running {
 public:
  explicit Running(v1::Plan plan = Order(), const Options& options = {}) {
    Take(Begin(std::move(plan), kNow, options));
  }

  Running& On(const std::vector<CallOutcome>& outcomes) {
    Take(OnOutcomes(saga_, outcomes, now_));
    return *this;
  }
  Running& OnTime(int64_t micros_later) {
    now_ += micros_later;
    Take(OnTimer(saga_, now_));
    return *this;
  }
  Running& OnDue() { return OnTime(std::max<int64_t>(NextDue(saga_) - now_, 0)); }
  Running& OnAbort() {
    Take(Abort(saga_, "she left", now_));
    return *this;
  }

  // The request ids that the last transition sent.
  Running& ThenSends(const std::string& request_ids) {
    EXPECT_EQ(sent_, request_ids);
    return *this;
  }
  Running& ThenNothing() {
    EXPECT_FALSE(moved_);
    return *this;
  }
  // What it sends now without a record.
  Running& ThenSendsAgain(const std::string& tags) {
    EXPECT_EQ(absl::StrJoin(
                  CallsAgain(saga_, now_), " ",
                  [](std::string* out, const partition::OutgoingCall& call) { out->append(call.reply_tag.substr(5)); }),
              tags);
    return *this;
  }
  Running& Then(v1::SagaState state) {
    EXPECT_EQ(saga_.state(), state) << saga_.DebugString();
    return *this;
  }
  // Outcomes, with a check before the pivot.
  Running& On(const std::vector<CallOutcome>& outcomes, PivotCheck check) {
    Take(OnOutcomes(saga_, outcomes, now_, {}, check));
    return *this;
  }
  const v1::Saga& saga() const { return saga_; }
  const Advance& last() const { return last_; }
  UnixMicros now() const { return now_; }

 private:
  void Take(std::optional<Advance> advance) {
    moved_ = advance.has_value();
    sent_.clear();
    if (!moved_) return;
    last_ = *std::move(advance);
    const absl::Status applied = Apply(&saga_, last_.event, now_);
    EXPECT_TRUE(applied.ok()) << applied;
    sent_ = absl::StrJoin(last_.calls, " ", [](std::string* out, const partition::OutgoingCall& call) {
      EXPECT_EQ(call.request_id, absl::StrCat("saga@1700000000000/", call.reply_tag));
      out->append(call.reply_tag.substr(5));
    });
  }

  v1::Saga saga_;
  UnixMicros now_ = kNow;
  bool moved_ = false;
  std::string sent_;
  Advance last_;
};

TEST(Begin, SendsTheFirstStageAsPlanned) {
  Running running;
  running.ThenSends("x y").Then(v1::SAGA_STATE_FORWARD);
  const partition::OutgoingCall& call = running.last().calls[1];
  EXPECT_EQ(call.service, ServiceId::kInventory);
  EXPECT_EQ(call.aggregate_key, "sku-y");
  EXPECT_EQ(call.method, "Reserve");
  EXPECT_EQ(call.request, "reserve y");
  EXPECT_EQ(call.request_id, DoRequestId(kNow, "o1/1", "y"));
  EXPECT_EQ(call.reply_to.key, "o1");
  EXPECT_EQ(NextDue(running.saga()), kNow + kFirstRetryMicros);
}

TEST(Forward, TheNextStageBeginsWhenAllOfTheLastSucceeded) {
  Running running;
  running.On({Done("x")}).ThenSends("").On({Done("y")}).ThenSends("z");
  running.On({Done("z")}).ThenSends("number").On({Done("number")}).ThenSends("").Then(v1::SAGA_STATE_COMPLETED);
  EXPECT_EQ(NextDue(running.saga()), 0);
  EXPECT_EQ(running.saga().steps(0).response(), "did x");
  EXPECT_EQ(running.saga().started_us(), kNow);
}

TEST(Forward, OutcomesThatArriveTogetherAreOneAdvance) { Running().On({Done("y"), Done("x")}).ThenSends("z"); }

TEST(Forward, UnknownRepeatedAndForeignOutcomesChangeNothing) {
  Running().On({OutcomeOf("o1/1/x", CallOutcome::Kind::kUnknown)}).ThenNothing();
  Running().On({Done("x")}).On({Done("x")}).ThenNothing();
  Running().On({OutcomeOf("o1/2/x", CallOutcome::Kind::kSucceeded)}).ThenNothing();
  Running().On({OutcomeOf("o1/1/w", CallOutcome::Kind::kSucceeded)}).ThenNothing();
  Running().On({OutcomeOf("nonsense", CallOutcome::Kind::kSucceeded)}).ThenNothing();
}

TEST(Timer, SendsCallsWithoutAnOutcomeAgain) {
  Running().On({Done("x")}).OnDue().ThenSends("y");
  EXPECT_EQ(Running().OnDue().saga().steps(0).sends(), 2u);
}

TEST(Timer, DoesNothingBeforeItsTimeOrAfterTheEnd) {
  Running().OnTime(kFirstRetryMicros - 1).ThenNothing();
  Running().On({Refused("x"), Done("y")}).On({Cancelled("y")}).OnTime(1'000'000'000).ThenNothing();
}

TEST(Timer, DoublesItsDelayUpToTheMaximum) {
  Running running(Order(), {.give_up_micros = 1'000'000'000});
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    waits.push_back(NextDue(running.saga()) - running.now());
    running.OnDue();
  }
  EXPECT_EQ(waits,
            (std::vector<int64_t>{200'000, 400'000, 800'000, 1'600'000, 3'200'000, 6'400'000, 10'000'000, 10'000'000}));
  running.On({Done("x"), Done("y")});
  EXPECT_EQ(NextDue(running.saga()) - running.now(), kFirstRetryMicros) << "an outcome resets the delay";
}

TEST(Timer, TurnsBackAtTheTimeToGiveUp) {
  Running running;
  running.On({Done("x")});
  while (running.saga().state() == v1::SAGA_STATE_FORWARD) running.OnDue();
  EXPECT_EQ(running.now(), kNow + kGiveUpMicros);
  EXPECT_EQ(running.saga().cause(), "it took too long");
  running.ThenSends("y/cancel x/cancel");
}

TEST(Timer, SendsAPivotAgainForEver) {
  Running running;
  running.On({Done("x"), Done("y")}).On({Done("z")});
  for (uint32_t i = 0; i < kRecordedRetries; ++i) running.OnDue().ThenSends("number").Then(v1::SAGA_STATE_FORWARD);
  for (int i = 0; i < 20; ++i) running.OnDue().ThenNothing().ThenSendsAgain("number");
  running.On({Done("number")}).Then(v1::SAGA_STATE_COMPLETED).ThenSendsAgain("");
}

TEST(Timer, SendsAgainWithoutARecordOnlyWhatWasRecordedOften) {
  Running running(Order(), {.give_up_micros = 1'000'000'000});
  running.On({Done("x")}).ThenSendsAgain("");
  for (uint32_t i = 0; i < kRecordedRetries; ++i) running.OnDue().ThenSendsAgain("");
  EXPECT_EQ(running.saga().steps(1).sends(), kRecordedRetries + 1);
  running.OnDue().ThenNothing().ThenSendsAgain("y");
  EXPECT_EQ(NextDue(running.saga()), running.now()) << "the timer stays set, so a restart asks at once";
  running.OnTime(3'600'000'000).ThenSends("y/cancel x/cancel").ThenSendsAgain("");
}

TEST(Timer, RecordsRetriesOfTheNextCallsAgain) {
  Running running(Order(), {.give_up_micros = 1'000'000'000'000});
  for (uint32_t i = 0; i <= kRecordedRetries; ++i) running.OnDue();
  running.ThenSendsAgain("x y").On({Done("x"), Done("y")}).ThenSends("z").ThenSendsAgain("");
  running.OnDue().ThenSends("z");
}

TEST(Backward, UndoesTheStagesInReverse) {
  Running running;
  running.On({Done("x"), Done("y")}).On({Done("z")}).On({Refused("number")}).ThenSends("z/cancel");
  running.On({Cancelled("z")}).ThenSends("y/cancel x/cancel").On({Cancelled("x")}).ThenSends("");
  running.On({Cancelled("y")}).Then(v1::SAGA_STATE_COMPENSATED);
  EXPECT_EQ(running.saga().cause(), "number: none left");
}

TEST(Backward, EndsAtOnceWhenNothingHasToBeUndone) {
  v1::Plan plan = Order();
  plan.mutable_steps()->DeleteSubrange(1, 3);
  Running running(plan);
  running.On({Refused("x")}).ThenSends("").Then(v1::SAGA_STATE_COMPENSATED);
}

TEST(Backward, CancelsStepsWithoutAnOutcome) { Running().On({Refused("x")}).ThenSends("y/cancel"); }

TEST(Backward, CancelsARefusedStepThatWasSentTwice) {
  Running().OnDue().On({Refused("x")}).ThenSends("y/cancel x/cancel");
}

TEST(Backward, CancelsEveryRefusedStepWhenMessagesMayBeDuplicated) {
  Running(Order(), {.sends_may_double = true}).On({Refused("x")}).ThenSends("y/cancel x/cancel");
}

TEST(Backward, IgnoresALateSuccessOfACancelledStep) {
  Running running;
  running.On({Refused("x")}).On({Done("y")}).ThenNothing();
  running.On({Cancelled("y")}).Then(v1::SAGA_STATE_COMPENSATED).On({Done("y")}).ThenNothing();
}

TEST(Backward, SendsCancelsAgainForEver) {
  Running running;
  running.On({Refused("x")});
  for (uint32_t i = 0; i < kRecordedRetries; ++i) running.OnDue().ThenSends("y/cancel");
  for (int i = 0; i < 20; ++i) running.OnDue().ThenNothing().ThenSendsAgain("y/cancel");
  EXPECT_EQ(running.saga().steps(1).cancel_sends(), kRecordedRetries + 1);
}

TEST(Backward, SendsARefusedCancelAgain) {
  Running running;
  running.On({Refused("x")}).On({Refused("y/cancel")}).ThenNothing().OnDue().ThenSends("y/cancel");
}

TEST(AbortOf, TurnsBackUntilThePivotIsSent) {
  Running running;
  running.On({Done("x")}).OnAbort().ThenSends("y/cancel x/cancel").OnAbort().ThenNothing();
  EXPECT_EQ(running.saga().cause(), "she left");
  Running().On({Done("x"), Done("y")}).On({Done("z")}).OnAbort().ThenNothing();
}

TEST(Refusal, KeepsItsDetails) {
  Running running;
  running.On({Refused("x")});
  const absl::Status refusal = DecodeRefusal(running.saga().steps(0).refusal());
  EXPECT_EQ(refusal, Refused("x").refusal);
  EXPECT_EQ(ReasonOf(refusal), "INSUFFICIENT_STOCK");
  EXPECT_EQ(MetadataOf(refusal, "sku"), "x");
  EXPECT_EQ(DecodeRefusal("\xff nonsense").code(), absl::StatusCode::kDataLoss);
}

TEST(SagaIdOf, IsThePrefixOfATag) {
  EXPECT_EQ(SagaIdOfTag(DoTag("o1/1", "x")), "o1/1");
  EXPECT_EQ(SagaIdOfTag(CancelTag("o1/1", "x")), "o1/1");
  EXPECT_EQ(SagaIdOfTag("nonsense"), "");
}

TEST(CheckPlan, AcceptsAPlanThatCanBeDoneAndUndone) { EXPECT_TRUE(CheckPlan(Order()).ok()); }

TEST(CheckPlan, RefusesAnyOtherPlan) {
  const auto refused = [](const std::function<void(v1::Plan*)>& change) {
    v1::Plan plan = Order();
    change(&plan);
    return CheckPlan(plan).code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->clear_saga_id(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->set_saga_id(std::string(kSagaIdBytesMax + 1, 'x')); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->clear_start_us(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->clear_reply_key(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->clear_steps(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->set_name("a/b"); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->set_name("cancel"); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->set_name(""); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->set_name("y"); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->clear_method(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->clear_cancel_method(); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(0)->set_stage(1); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(3)->set_stage(1); }));
  EXPECT_TRUE(refused([](v1::Plan* plan) { plan->mutable_steps(2)->set_pivot(true); }));
}

TEST(Apply, RefusesEventsThatDoNotFit) {
  Running running;
  v1::Saga saga = running.saga();
  EXPECT_EQ(Apply(&saga, Begin(Order(), kNow).event, kNow).code(), absl::StatusCode::kDataLoss) << "twice";
  v1::SagaAdvanced other = running.On({Done("x")}).last().event;
  other.set_saga_id("o1/2");
  EXPECT_EQ(Apply(&saga, other, kNow).code(), absl::StatusCode::kDataLoss);
  other.set_saga_id("o1/1");
  other.mutable_changes(0)->set_step(4);
  EXPECT_EQ(Apply(&saga, other, kNow).code(), absl::StatusCode::kDataLoss);
}

TEST(EncodeRefusal, GivesTheSameBytesForTheSameRefusal) {
  // The order in which a status visits its payloads depends on its address.
  const auto refusal = [] { return InvalidField("lines[0].units", "must be positive"); };
  std::vector<absl::Status> kept = {refusal()};
  for (int i = 0; i < 64; ++i) {
    kept.push_back(refusal());
    EXPECT_EQ(EncodeRefusal(kept.back()), EncodeRefusal(kept.front()));
  }
}

TEST(Saga, AsksTheCallerOnceAllButThePivotHasSucceeded) {
  std::string learned;
  const auto let = [&](const v1::Saga& saga) {
    for (const v1::SagaStep& step : saga.steps()) learned += step.response() + ";";
    return "";
  };
  Running saga;
  saga.On({Done("x")}, let).On({Done("y")}, let);
  EXPECT_EQ(learned, "");
  saga.On({Done("z")}, let).ThenSends("number");
  EXPECT_EQ(learned, "did x;did y;did z;;");
  saga.On({Done("number")}, let).Then(v1::SAGA_STATE_COMPLETED);
  EXPECT_EQ(learned, "did x;did y;did z;;");
}

TEST(Saga, TurnsBackWhenTheCallerCannotRecordItsEnd) {
  const auto refuse = [](const v1::Saga&) { return "no room"; };
  Running saga;
  saga.On({Done("x"), Done("y")}, refuse).Then(v1::SAGA_STATE_FORWARD);
  saga.On({Done("z")}, refuse).Then(v1::SAGA_STATE_BACKWARD).ThenSends("z/cancel");
  EXPECT_EQ(saga.saga().cause(), "no room");
  saga.On({Cancelled("z")}, refuse).On({Cancelled("x"), Cancelled("y")}, refuse).Then(v1::SAGA_STATE_COMPENSATED);
}

}  // namespace
}  // namespace halles::saga
