// Tests of what follows from a record: calls and their outcomes, timers, watches; over loss, doubling and crashes.
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/buyer_service.h"
#include "libs/partition/callable.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

// Between the slots: loses, keeps and doubles as it is told.
// Thread safety: used by the one executor; the test looks at it when that is quiet.
class Wire : public CallSink {
 public:
  void Attach(Runtime* runtime) { runtime_.store(runtime); }

  void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) override {
    ++calls;
    Runtime* runtime = runtime_.load();
    if (lose_calls > 0 || runtime == nullptr) {
      --lose_calls;
      return;
    }
    if (keep_of == call.reply_tag) {
      kept.push_back([=] { runtime->Call(call, from, done); });
      return;
    }
    if (lose_answers > 0) {
      --lose_answers;
      done = [](const absl::StatusOr<std::string>&) {};
    }
    if (doubles) runtime->Call(call, from, done);
    runtime->Call(call, from, done);
  }
  void Submit(ServiceId service, absl::string_view aggregate_key, std::unique_ptr<Command> command) override {
    Runtime* runtime = runtime_.load();
    const SlotId slot = runtime->SlotFor(service, command->envelope.tenant, aggregate_key);
    runtime->Submit(slot, std::move(command));
  }

  std::atomic<int> calls{0};
  std::atomic<int> lose_calls{0};
  std::atomic<int> lose_answers{0};
  std::atomic<bool> doubles{false};
  std::string keep_of;
  std::vector<std::function<void()>> kept;

 private:
  std::atomic<Runtime*> runtime_{nullptr};
};

class FollowUpsTest : public RuntimeTest {
 protected:
  explicit FollowUpsTest(Delivery delivery = Delivery::kAtOnce) : RuntimeTest(delivery) { calls_ = &wire_; }

  void SetUp() override { Open(); }
  void Open() {
    Start({buyer::Counters(), buyer::Service()});
    wire_.Attach(runtime_.get());
  }
  void EndProcess() {
    wire_.Attach(nullptr);
    Crash();
  }
  void Stock(const std::string& counter, int64_t amount) {
    const ReplyPtr reply = Submit(Add(absl::StrCat("stock ", counter), amount, counter), SlotOfCounter(counter));
    ASSERT_TRUE(reply->status().ok()) << reply->status();
  }
  SlotId SlotOfCounter(const std::string& counter) { return runtime_->SlotFor(ServiceId::kInventory, "", counter); }
  SlotId SlotOfOrder(const std::string& order) { return runtime_->SlotFor(ServiceId::kCheckout, "", order); }
  int64_t StockOf(const std::string& counter) { return ValueOf(counter, SlotOfCounter(counter)); }

  ReplyPtr Order(const std::string& order) {
    auto reply = std::make_shared<Reply>();
    auto command = std::make_unique<TypedCommand<counter::AddRequest, counter::AddResponse, counter::CounterEvent>>(
        Add("", 1, order), &buyer::Begin, buyer::kOrder,
        [reply](absl::StatusOr<counter::AddResponse> answer, AnswerPosition position) {
          reply->Set(std::move(answer), position);
        });
    runtime_->Submit(SlotOfOrder(order), std::move(command));
    return reply;
  }
  // What an order has come to: how many counters it took from; -1 when it was refused.
  int64_t OutcomeOf(const std::string& order) {
    int64_t value = -2;
    runtime_->Query(SlotOfOrder(order), 0, absl::InfiniteFuture(),
                    [&](absl::StatusOr<const store::RowReader*> rows, Position) {
                      value = buyer::kOrders.Get(**rows, {order}).value_or(counter::CounterRow()).value();
                    });
    Quiesce();
    return value;
  }
  void AwaitOutcome(const std::string& order, int64_t outcome) {
    Until([&] { return OutcomeOf(order) == outcome; });
  }
  // Turns the time and waits until the runtime has looked at it: ticks come by themselves.
  void TimePasses(int64_t micros) { clock_.Advance(micros); }
  size_t RecordsOf(const std::string& order) { return Batches(0, SlotOfOrder(order)).size(); }

  Wire wire_;
};

class HeldFollowUpsTest : public FollowUpsTest {
 protected:
  HeldFollowUpsTest() : FollowUpsTest(Delivery::kByHand) {}
};

using Calls = FollowUpsTest;
using CallsBeforeTheLogAnswers = HeldFollowUpsTest;
using Timers = FollowUpsTest;
using Watches = FollowUpsTest;

TEST_F(Calls, ReachTheirAggregateAndBringTheOutcomeBack) {
  Stock("a", 5);
  EXPECT_TRUE(Order("o:a")->status().ok());
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(StockOf("a"), 4);
  EXPECT_EQ(wire_.calls, 1);
  EXPECT_EQ(counters_.calls, 1u);
}

TEST_F(Calls, BringARefusalBack) {
  EXPECT_TRUE(Order("o:a")->status().ok());
  AwaitOutcome("o:a", -1);
}

TEST_F(CallsBeforeTheLogAnswers, AreNotSent) {
  const ReplyPtr reply = Order("o:a");
  Quiesce();
  EXPECT_EQ(wire_.calls, 0);
  log_->DeliverAll();
  EXPECT_TRUE(reply->status().ok());
  Quiesce();
  EXPECT_EQ(wire_.calls, 1);
  log_->DeliverAll();
}

TEST_F(Calls, ThatAreLostAreSentAgainByTheTimer) {
  Stock("a", 5);
  wire_.lose_calls = 2;
  Order("o:a")->Await();
  for (int sent = 1; sent <= 3; ++sent) {
    Until([&] { return wire_.calls == sent; });
    Quiesce();
    EXPECT_EQ(OutcomeOf("o:a"), sent < 3 ? 0 : 1);
    TimePasses(buyer::kRetryMicros);
  }
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, WhoseAnswerIsLostTakeEffectOnce) {
  Stock("a", 5);
  wire_.lose_answers = 1;
  Order("o:a")->Await();
  Until([&] { return StockOf("a") == 4; });
  EXPECT_EQ(OutcomeOf("o:a"), 0);
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(wire_.calls, 2);
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, ThatAreDoubledTakeEffectOnce) {
  Stock("a", 5);
  wire_.doubles = true;
  Order("o:a")->Await();
  AwaitOutcome("o:a", 1);
  Quiesce();
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, SurviveTheEndOfTheProcessBeforeTheyLeft) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  Order("o:a")->Await();
  Until([&] { return wire_.calls == 1; });
  EndProcess();
  Open();
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, SurviveTheLossOfTheState) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  Order("o:a")->Await();
  Until([&] { return wire_.calls == 1; });
  EndProcess();
  DeleteState();
  Open();
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
}

TEST_F(Calls, AreNotSentByAReplay) {
  Stock("a", 5);
  Order("o:a")->Await();
  AwaitOutcome("o:a", 1);
  EndProcess();
  DeleteState();
  Open();
  TimePasses(10 * buyer::kRetryMicros);
  EXPECT_EQ(OutcomeOf("o:a"), 1);
  EXPECT_EQ(wire_.calls, 1);
}

TEST_F(Calls, OfOneDecisionComeBackAsOneRecord) {
  Stock("a", 5);
  Stock("b", 5);
  Stock("c", 5);
  Order("o:a,b,c")->Await();
  AwaitOutcome("o:a,b,c", 3);
  EXPECT_EQ(RecordsOf("o:a,b,c"), 2u) << "what was asked, and what came of it";
}

TEST_F(Calls, ThatAreAnsweredDoNotWaitForOneThatIsNotForever) {
  Stock("a", 5);
  Stock("b", 5);
  wire_.keep_of = "b";
  Order("o:a,b")->Await();
  Until([&] { return StockOf("a") == 4; });
  EXPECT_EQ(OutcomeOf("o:a,b"), 0) << "waits for b";
  // The timer's own calls wait in the same way; the first group is due.
  TimePasses(kGatherMicros);
  AwaitOutcome("o:a,b", 1);
  ASSERT_FALSE(wire_.kept.empty());
  wire_.kept.front()();
  AwaitOutcome("o:a,b", 2);
}

TEST_F(Calls, ThatNobodyTakesHaveNoOutcome) {
  wire_.Attach(nullptr);
  runtime_.reset();
  Start({counter::Service(ServiceId::kInventory), buyer::Service()});
  wire_.Attach(runtime_.get());
  Order("o:a")->Await();
  Until([&] { return wire_.calls == 1; });
  Quiesce();
  EXPECT_EQ(OutcomeOf("o:a"), 0);
}

TEST_F(Calls, AreNotSentByASlotThatDrains) {
  wire_.lose_calls = 1'000;
  Order("o:a")->Await();
  runtime_->Drain(absl::ZeroDuration());
  TimePasses(10 * buyer::kRetryMicros);
  Quiesce();
  EXPECT_LE(wire_.calls, 1);
}

TEST(ACallable, HasTheBodyHashOfTheSameRequestThroughADoor) {
  counter::AddRequest request = Add("r", 1);
  const auto command = buyer::Counters().callables.at(request.GetDescriptor()->full_name())(
      request.SerializeAsString(), "key", [](const absl::StatusOr<std::string>&) {});
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ((*command)->envelope.request_id, "r");
  EXPECT_EQ((*command)->envelope.body_hash, BodyHashOf("key", &request));
  EXPECT_EQ(request.request_id(), "r");
}

TEST(ACallable, RefusesWhatDoesNotParse) {
  const auto command = buyer::Counters().callables.begin()->second("\xff", "key", {});
  EXPECT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Timers, AreDueAtTheirLogicalTime) {
  wire_.lose_calls = 1'000;
  Order("o:a")->Await();
  TimePasses(buyer::kRetryMicros - 1);
  // Two ticks at least have looked.
  const absl::Time looked = absl::Now() + 3 * Executor::kTick;
  Until([&] { return absl::Now() >= looked; });
  EXPECT_EQ(counters_.timers, 0u);
  TimePasses(1);
  Until([&] { return counters_.timers == 1; });
}

TEST_F(Timers, ThatAreClearedAreNotDue) {
  Stock("a", 5);
  Order("o:a")->Await();
  AwaitOutcome("o:a", 1);
  TimePasses(10 * buyer::kRetryMicros);
  const absl::Time looked = absl::Now() + 3 * Executor::kTick;
  Until([&] { return absl::Now() >= looked; });
  EXPECT_EQ(counters_.timers, 0u);
}

TEST_F(Timers, AreAllTakenWhateverTheirNumber) {
  wire_.lose_calls = 1'000'000;
  constexpr int kOrders = 5 * static_cast<int>(kTimersAtATime);
  for (int i = 0; i < kOrders; ++i) Order(absl::StrCat("o", i, ":a"))->Await();
  Until([&] { return wire_.calls == kOrders; });
  TimePasses(buyer::kRetryMicros);
  Until([&] { return wire_.calls == 2 * kOrders; });
  Quiesce();
  EXPECT_EQ(counters_.timers, static_cast<uint64_t>(kOrders));
}

// One watch on an order; what it was told.
struct Told {
  std::atomic<int> asked{0};
  std::atomic<bool> done{false};
  absl::Status status;
  Position position = 0;
};

TEST_F(Watches, AreAskedAgainWithEachFactOfTheirAggregate) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  const ReplyPtr reply = Order("o:a");
  reply->Await();
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", reply->position().position, absl::InfiniteFuture(),
                  [told](absl::StatusOr<const store::RowReader*> rows, Position position) {
                    ++told->asked;
                    told->position = position;
                    told->done = buyer::kOrders.Get(**rows, {"o:a"})->value() == 1;
                    return told->done.load();
                  });
  Quiesce();
  EXPECT_EQ(told->asked, 1);
  Order("other:x")->Await();
  Quiesce();
  EXPECT_EQ(told->asked, 1) << "not its aggregate";
  TimePasses(buyer::kRetryMicros);
  Until([&] { return told->done.load(); });
  Quiesce();
  EXPECT_EQ(told->asked, 3) << "asked again, then taken";
  EXPECT_EQ(told->position, End(SlotOfOrder("o:a")));
}

TEST_F(Watches, EndAtTheirDeadline) {
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", 0, absl::Now() + absl::Milliseconds(1),
                  [told](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    ++told->asked;
                    if (rows.ok()) return false;
                    told->status = rows.status();
                    told->done = true;
                    return true;
                  });
  Until([&] { return told->done.load(); });
  EXPECT_EQ(ReasonOf(told->status), "NOT_SETTLED");
  EXPECT_EQ(told->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(told->asked, 2);
}

TEST_F(Watches, EndWithTheSlot) {
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", 0, absl::InfiniteFuture(),
                  [told](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    told->status = rows.status();
                    told->done = !rows.ok();
                    return false;
                  });
  Quiesce();
  runtime_->Drain(absl::ZeroDuration());
  Until([&] { return told->done.load(); });
  EXPECT_EQ(told->status.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace halles::partition
