// Explores every order of events for a saga of three steps: lost, duplicated and late messages, targets that accept or
// refuse, crashes at each record, timers and aborts. Every end is either complete, with each step done once, or
// compensated, with none in effect, and later messages do not change it. From every state the saga can reach an end.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gtest/gtest.h"
#include "libs/saga/saga.h"

namespace halles::saga {
namespace {

using partition::CallOutcome;

constexpr size_t kSteps = 3;  // two in the first stage, one in the second
constexpr std::array<const char*, kSteps> kNames = {"a", "b", "c"};
constexpr UnixMicros kDue = 1'000;  // time advances only for timers
constexpr UnixMicros kGiveUp = 1'000'000'000;

// The events that may happen, and the rules that hold.
struct Rules {
  Guards guards;
  bool tombstones = true;
  bool last_is_pivot = true;
  bool pivot_has_cancel = false;
  bool pivot_refuses_for_ever = true;
  bool sends_may_double = false;  // as told to the saga
  uint8_t doubles = 0;            // copies that the network makes
  uint8_t timers = 4;
};

// One step as the saga and its target see it, and the messages between them. Only bytes, so that it can be compared and
// hashed as such.
struct StepWorld {
  uint8_t state = v1::STEP_STATE_PLANNED;
  uint8_t sends = 0;
  uint8_t copies = 0;         // of the step's call, still to arrive
  uint8_t cancel_copies = 0;  // of its cancel, still to arrive
  uint8_t recorded = 0;       // the target has accepted the call
  uint8_t effective = 0;
  uint8_t executions = 0;
  uint8_t tombstone = 0;
  uint8_t refused = 0;        // the target has refused the call once
  uint8_t answered_done = 0;  // answers that may arrive, any number of times
  uint8_t answered_refused = 0;
  uint8_t answered_cancelled = 0;
};
struct World {
  uint8_t saga = v1::SAGA_STATE_UNSPECIFIED;
  uint8_t timers = 0;   // still to fire
  uint8_t doubles = 0;  // copies that the network may still make
  std::array<StepWorld, kSteps> steps;

  std::string_view bytes() const { return {reinterpret_cast<const char*>(this), sizeof(*this)}; }
  friend bool operator==(const World& a, const World& b) { return a.bytes() == b.bytes(); }
};
static_assert(sizeof(World) == 3 + kSteps * 12, "padding would be compared");
struct WorldHash {
  size_t operator()(const World& world) const { return std::hash<std::string_view>()(world.bytes()); }
};

class Model {
 public:
  explicit Model(const Rules& rules) : rules_(rules) {
    v1::Plan plan;
    plan.set_saga_id("s");
    plan.set_start_us(1);
    plan.set_reply_key("order");
    for (size_t i = 0; i < kSteps; ++i) {
      v1::Step* step = plan.add_steps();
      step->set_name(kNames[i]);
      step->set_service(4);
      step->set_aggregate_key(kNames[i]);
      step->set_method("Do");
      step->set_stage(i < 2 ? 0 : 1);
      step->set_pivot(i == 2 && rules.last_is_pivot);
      if (!step->pivot() || rules.pivot_has_cancel) step->set_cancel_method("Cancel");
    }
    Options options;
    options.sends_may_double = rules.sends_may_double;
    const Advance begun = Begin(plan, 0, options);
    EXPECT_TRUE(Apply(&saga_, begun.event, 0).ok());
    World world;
    world.timers = rules.timers;
    world.doubles = rules.doubles;
    ReadSaga(&world);
    first_[0] = world;  // the process ended before the calls were sent
    Send(begun.calls, &world);
    first_[1] = world;
  }

  // Explores all states; returns the first fault, or "".
  std::string Explore() {
    for (const World& world : first_) Reach(world);
    while (!todo_.empty() && fault_.empty()) {
      const World world = todo_.front();
      todo_.pop_front();
      CheckEnd(world);
      CheckCanEnd(world);
      Spread(world);
    }
    return fault_;
  }
  size_t worlds() const { return seen_.size(); }
  size_t completed() const { return completed_; }
  size_t compensated() const { return compensated_; }

 private:
  void Reach(const World& world) {
    if (seen_.insert(world).second) todo_.push_back(world);
  }
  void Fail(const std::string& what) {
    if (fault_.empty()) fault_ = what;
  }

  // Safety, checked in every state, so also after late copies.
  void CheckEnd(const World& world) {
    if (world.saga == v1::SAGA_STATE_COMPLETED) {
      ++completed_;
      for (const StepWorld& step : world.steps) {
        if (step.effective != 1 || step.executions != 1) Fail("completed, but a step was not done exactly once");
      }
    } else if (world.saga == v1::SAGA_STATE_COMPENSATED) {
      ++compensated_;
      for (const StepWorld& step : world.steps) {
        if (step.effective != 0) Fail("compensated, but a step is in effect");
      }
    }
  }

  // Liveness: if messages arrive and timers fire, the saga ends, whether targets accept or refuse.
  void CheckCanEnd(const World& start) {
    for (const bool accept : {false, true}) {
      World world = start;
      std::vector<World> passed;
      for (int round = 0; Open(world) && !ends_[accept].contains(world); ++round) {
        if (round > 20) return Fail("it does not end although everything arrives");
        passed.push_back(world);
        for (size_t i = 0; i < kSteps; ++i) {
          while (world.steps[i].copies > 0) DeliverDo(i, accept, &world);
          while (world.steps[i].cancel_copies > 0) DeliverCancel(i, &world);
        }
        Advanced(world, OnOutcomes(SagaOf(world), AllAnswers(world), kDue, rules_.guards), &world);
        if (Open(world)) Advanced(world, OnTimer(SagaOf(world), kDue, rules_.guards), &world);
      }
      ends_[accept].insert(passed.begin(), passed.end());
    }
  }
  static bool Open(const World& world) {
    return world.saga == v1::SAGA_STATE_FORWARD || world.saga == v1::SAGA_STATE_BACKWARD;
  }

  void Spread(const World& world) {
    for (size_t i = 0; i < kSteps; ++i) {
      if (world.steps[i].copies > 0) {
        for (const bool accept : {false, true}) {
          World next = world;
          DeliverDo(i, accept, &next);
          Reach(next);
        }
        if (world.doubles > 0) {
          World next = world;
          --next.doubles;
          ++next.steps[i].copies;
          Reach(next);
        }
      }
      if (world.steps[i].cancel_copies > 0) {
        World next = world;
        DeliverCancel(i, &next);
        Reach(next);
      }
    }
    // Answers one by one, in pairs and all at once.
    const std::vector<CallOutcome> answers = AllAnswers(world);
    for (size_t i = 0; i < answers.size(); ++i) {
      Record(world, OnOutcomes(SagaOf(world), {answers[i]}, kDue, rules_.guards));
      for (size_t j = 0; j < answers.size(); ++j) {
        if (i != j) Record(world, OnOutcomes(SagaOf(world), {answers[i], answers[j]}, kDue, rules_.guards));
      }
    }
    Record(world, OnOutcomes(SagaOf(world), answers, kDue, rules_.guards));
    Record(world, Abort(SagaOf(world), "enough", kDue, rules_.guards));
    if (world.timers > 0) {
      World ticked = world;
      --ticked.timers;
      Record(ticked, OnTimer(SagaOf(ticked), kDue, rules_.guards));
      Record(ticked, OnTimer(SagaOf(ticked), kGiveUp, rules_.guards));
    }
  }

  // Records the event. The process may end before it sends the calls.
  void Record(const World& world, const std::optional<Advance>& advance) {
    if (!advance.has_value()) return;
    World next = world;
    SagaOf(world);
    EXPECT_TRUE(Apply(&saga_, advance->event, 0).ok());
    ReadSaga(&next);
    Reach(next);
    Send(advance->calls, &next);
    Reach(next);
  }
  void Advanced(const World& world, const std::optional<Advance>& advance, World* next) {
    if (!advance.has_value()) return;
    SagaOf(world);
    EXPECT_TRUE(Apply(&saga_, advance->event, 0).ok());
    ReadSaga(next);
    Send(advance->calls, next);
  }

  void DeliverDo(size_t i, bool accept, World* world) const {
    StepWorld& step = world->steps[i];
    --step.copies;
    if (step.recorded != 0) {
      step.answered_done = 1;
      return;
    }
    const bool never = i == 2 && rules_.last_is_pivot && rules_.pivot_refuses_for_ever && step.refused != 0;
    if (!accept || never || (rules_.tombstones && step.tombstone != 0)) {
      step.refused = 1;
      step.answered_refused = 1;
      return;
    }
    step.recorded = step.effective = step.answered_done = 1;
    ++step.executions;
  }
  static void DeliverCancel(size_t i, World* world) {
    StepWorld& step = world->steps[i];
    --step.cancel_copies;
    step.effective = 0;
    step.tombstone = 1;
    step.answered_cancelled = 1;
  }

  static void Send(const std::vector<partition::OutgoingCall>& calls, World* world) {
    for (const partition::OutgoingCall& call : calls) {
      EXPECT_EQ(call.reply_to.key, "order");
      for (size_t i = 0; i < kSteps; ++i) {
        if (call.reply_tag == DoTag("s", kNames[i])) ++world->steps[i].copies;
        if (call.reply_tag == CancelTag("s", kNames[i])) ++world->steps[i].cancel_copies;
      }
    }
  }

  static std::vector<CallOutcome> AllAnswers(const World& world) {
    std::vector<CallOutcome> answers;
    for (size_t i = 0; i < kSteps; ++i) {
      const StepWorld& step = world.steps[i];
      const auto add = [&](std::string tag, CallOutcome::Kind kind) {
        CallOutcome outcome;
        outcome.reply_tag = std::move(tag);
        outcome.kind = kind;
        if (kind == CallOutcome::Kind::kRefused) outcome.refusal = absl::FailedPreconditionError("no");
        answers.push_back(std::move(outcome));
      };
      if (step.answered_refused != 0) add(DoTag("s", kNames[i]), CallOutcome::Kind::kRefused);
      if (step.answered_done != 0) add(DoTag("s", kNames[i]), CallOutcome::Kind::kSucceeded);
      if (step.answered_cancelled != 0) add(CancelTag("s", kNames[i]), CallOutcome::Kind::kSucceeded);
    }
    return answers;
  }

  const v1::Saga& SagaOf(const World& world) {
    saga_.set_state(static_cast<v1::SagaState>(world.saga));
    saga_.set_due_us(Open(world) ? kDue : 0);
    saga_.set_attempt(0);
    saga_.set_give_up_us(kGiveUp);
    for (size_t i = 0; i < kSteps; ++i) {
      v1::SagaStep* step = saga_.mutable_steps(static_cast<int>(i));
      step->set_state(static_cast<v1::StepState>(world.steps[i].state));
      step->set_sends(world.steps[i].sends);
    }
    return saga_;
  }
  void ReadSaga(World* world) const {
    world->saga = static_cast<uint8_t>(saga_.state());
    for (size_t i = 0; i < kSteps; ++i) {
      const v1::SagaStep& step = saga_.steps(static_cast<int>(i));
      world->steps[i].state = static_cast<uint8_t>(step.state());
      // All that matters is whether it was sent more than once.
      world->steps[i].sends = static_cast<uint8_t>(std::min(step.sends(), 2u));
    }
  }

  const Rules rules_;
  v1::Saga saga_;  // the plan stays; SagaOf sets the rest
  std::array<World, 2> first_;
  std::unordered_set<World, WorldHash> seen_;
  std::deque<World> todo_;
  std::array<std::unordered_set<World, WorldHash>, 2> ends_;  // states known to reach an end; refusing, accepting
  std::string fault_;
  size_t completed_ = 0;
  size_t compensated_ = 0;
};

void ExpectHolds(const Rules& rules) {
  Model model(rules);
  EXPECT_EQ(model.Explore(), "");
  EXPECT_GT(model.completed(), 0u);
  EXPECT_GT(model.compensated(), 0u);
  EXPECT_GT(model.worlds(), 10'000u) << "too few states were explored";
}

TEST(EveryOrder, EndsCompletedOrCompensated) { ExpectHolds({}); }

TEST(EveryOrder, EndsWithoutAPivot) { ExpectHolds({.last_is_pivot = false}); }

TEST(EveryOrder, EndsWithAPivotThatIsRefusedAndLaterAccepted) {
  ExpectHolds({.pivot_has_cancel = true, .pivot_refuses_for_ever = false});
}

TEST(EveryOrder, EndsWhenTheNetworkDuplicatesMessages) {
  ExpectHolds({.last_is_pivot = false, .sends_may_double = true, .doubles = 2, .timers = 2});
}

// Each rule is needed: without it, some order of events ends wrong.
TEST(WithoutAGuard, ALateCopyOfARefusedStepTakesEffect) {
  EXPECT_EQ(Model({.guards = {.cancel_refused_when_sent_again = false}}).Explore(),
            "compensated, but a step is in effect");
}

TEST(WithoutAGuard, AStepWithoutAnOutcomeTakesEffect) {
  EXPECT_EQ(Model({.guards = {.cancel_unknown = false}}).Explore(), "compensated, but a step is in effect");
}

TEST(WithoutAGuard, ACopyAfterItsCancelTakesEffect) {
  EXPECT_EQ(Model({.tombstones = false}).Explore(), "compensated, but a step is in effect");
}

TEST(WithoutAGuard, ARefusedPivotThatIsAcceptedLaterTakesEffect) {
  EXPECT_EQ(Model({.pivot_refuses_for_ever = false}).Explore(), "compensated, but a step is in effect");
}

TEST(WithoutAGuard, ADuplicatedCallTakesEffect) {
  EXPECT_EQ(Model({.doubles = 1, .timers = 1}).Explore(), "compensated, but a step is in effect");
}

}  // namespace
}  // namespace halles::saga
