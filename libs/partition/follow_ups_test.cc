// Tests of follow-ups of records: calls and their outcomes, timers, watches; with losses, duplicates and crashes.
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/partition/buyer_service.h"
#include "libs/partition/runtime_fixture.h"

namespace halles::partition {
namespace {

// A transport between slots that loses, holds and duplicates calls on demand.
class Wire : public Calls {
 public:
  void Attach(Runtime* runtime) { runtime_ = runtime; }

  void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) override {
    ++calls;
    Runtime* runtime = runtime_;
    if (lose_calls > 0 || runtime == nullptr) {
      --lose_calls;
      return;
    }
    if (keep_of == call.reply_tag) {
      kept.push_back([=] { runtime->Call(call, from, done); });
      return;
    }
    if (keeps_answers) {
      answers.push_back(std::move(done));
      return;
    }
    if (lose_answers > 0) {
      --lose_answers;
      done = [](const absl::StatusOr<std::string>&, AnswerPosition) {};
    }
    if (doubles) runtime->Call(call, from, done);
    runtime->Call(call, from, done);
  }
  void ExtendToken(SlotId target, TokenPositions sources, ExtendDone done) override {
    runtime_->ExtendToken(target, std::move(sources), done);
  }
  int calls = 0;
  int lose_calls = 0;
  int lose_answers = 0;
  bool doubles = false;
  std::string keep_of;
  std::vector<std::function<void()>> kept;
  bool keeps_answers = false;
  std::vector<CallDone> answers;  // to calls that were not delivered

 private:
  Runtime* runtime_ = nullptr;
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
    counter::OrderRequest request;
    request.set_order(order);
    runtime_->Submit(*runtime_->Find(request.GetDescriptor()), order, std::move(request), {}, To(reply));
    Quiesce();
    return reply;
  }
  // The state of an order: the number of counters taken from; -1 if it was refused.
  int64_t OutcomeOf(const std::string& order) {
    int64_t value = -2;
    runtime_->Query(SlotOfOrder(order), 0, kNoDeadline,
                    [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                      value = buyer::kOrders.Get(**rows, {order}).value_or(counter::CounterRow()).value();
                    });
    Quiesce();
    return value;
  }
  void AwaitOutcome(const std::string& order, int64_t outcome) { EXPECT_EQ(OutcomeOf(order), outcome); }
  size_t RecordsOf(const std::string& order) { return Batches(0, SlotOfOrder(order)).size(); }

  Wire wire_;
};

class HeldFollowUpsTest : public FollowUpsTest {
 protected:
  HeldFollowUpsTest() : FollowUpsTest(Delivery::kByHand) {}
};

// On a disk that may fail to read.
class UnreadableTimers : public FollowUpsTest {
 protected:
  UnreadableTimers() { disk_ = std::make_unique<store::MemoryDisk>("disk"); }
};

using Calls = FollowUpsTest;
using CallsBeforeTheLogAnswers = HeldFollowUpsTest;
using Timers = FollowUpsTest;
using Watches = FollowUpsTest;

TEST_F(Calls, ReachTheirAggregateAndReturnTheOutcome) {
  Stock("a", 5);
  EXPECT_TRUE(Order("o:a")->status().ok());
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(StockOf("a"), 4);
  EXPECT_EQ(wire_.calls, 1);
  EXPECT_EQ(counters_.calls, 1u);
}

TEST_F(Calls, ReturnARefusal) {
  EXPECT_TRUE(Order("o:a")->status().ok());
  AwaitOutcome("o:a", -1);
}

TEST_F(CallsBeforeTheLogAnswers, AreNotSent) {
  const ReplyPtr reply = Order("o:a");
  Quiesce();
  EXPECT_EQ(wire_.calls, 0);
  log_->DeliverAll();
  Quiesce();
  EXPECT_TRUE(reply->status().ok());
  Quiesce();
  EXPECT_EQ(wire_.calls, 1);
  log_->DeliverAll();
}

TEST_F(Calls, AreRepeatedByTheTimerWhenLost) {
  Stock("a", 5);
  wire_.lose_calls = 2;
  Order("o:a");
  for (int sent = 1; sent <= 3; ++sent) {
    EXPECT_EQ(wire_.calls, sent);
    Quiesce();
    EXPECT_EQ(OutcomeOf("o:a"), sent < 3 ? 0 : 1);
    TimePasses(buyer::kRetryMicros);
  }
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, OfADecisionWithoutFactsAreSentWithoutARecord) {
  Stock("a", 5);
  wire_.lose_calls = 4;
  Order("patient:a");
  EXPECT_EQ(wire_.calls, 1);
  TimePasses(buyer::kRetryMicros);
  EXPECT_EQ(wire_.calls, 2);
  TimePasses(kTimerRetryMicros);
  EXPECT_EQ(wire_.calls, 3);
  EndProcess();
  Open();
  TimePasses(2'000);
  EXPECT_EQ(wire_.calls, 4) << "a restart asks at once";
  EXPECT_EQ(OutcomeOf("patient:a"), 0);
  EXPECT_EQ(RecordsOf("patient:a"), 1u);
  TimePasses(kTimerRetryMicros);
  EXPECT_EQ(wire_.calls, 5);
  EXPECT_EQ(OutcomeOf("patient:a"), 1);
  EXPECT_EQ(RecordsOf("patient:a"), 2u);
  EXPECT_EQ(counters_.calls_without_record.load(), 4u);
  TimePasses(10 * kTimerRetryMaxMicros);
  EXPECT_EQ(wire_.calls, 5) << "the fact has cleared the timer";
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(CallsBeforeTheLogAnswers, AreNotSentWithoutTheRecordThatTheyRepeat) {
  Order("patient:a");
  const UnixMicros due = node_.clock().Wall() + buyer::kRetryMicros;
  counter::AskAgainRequest again;
  again.set_order("patient:a");
  again.set_due_us(due);
  runtime_->Submit(*runtime_->Find(again.GetDescriptor()), "patient:a", std::move(again), {},
                   [](const absl::StatusOr<google::protobuf::Message*>&, AnswerPosition) {});
  Quiesce();
  EXPECT_EQ(wire_.calls, 0);
  log_->DeliverAll();
  Quiesce();
  EXPECT_EQ(wire_.calls, 2);
  log_->DeliverAll();
}

TEST_F(Calls, TakeEffectOnceWhenTheirAnswerIsLost) {
  Stock("a", 5);
  wire_.lose_answers = 1;
  Order("o:a");
  EXPECT_EQ(StockOf("a"), 4);
  EXPECT_EQ(OutcomeOf("o:a"), 0);
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(wire_.calls, 2);
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, TakeEffectOnceWhenDuplicated) {
  Stock("a", 5);
  wire_.doubles = true;
  Order("o:a");
  AwaitOutcome("o:a", 1);
  Quiesce();
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, SurviveACrashBeforeTheyAreSent) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  Order("o:a");
  EXPECT_EQ(wire_.calls, 1);
  EndProcess();
  Open();
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, SurviveTheLossOfTheState) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  Order("o:a");
  EXPECT_EQ(wire_.calls, 1);
  EndProcess();
  DeleteState();
  Open();
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
}

TEST_F(Calls, AreNotSentByAReplay) {
  Stock("a", 5);
  Order("o:a");
  AwaitOutcome("o:a", 1);
  EndProcess();
  DeleteState();
  Open();
  TimePasses(10 * buyer::kRetryMicros);
  EXPECT_EQ(OutcomeOf("o:a"), 1);
  EXPECT_EQ(wire_.calls, 1);
}

TEST_F(Calls, OfOneDecisionReturnAsOneRecord) {
  Stock("a", 5);
  Stock("b", 5);
  Stock("c", 5);
  Order("o:a,b,c");
  AwaitOutcome("o:a,b,c", 3);
  EXPECT_EQ(RecordsOf("o:a,b,c"), 2u) << "what was asked, and what came of it";
}

TEST_F(Calls, DoNotWaitForeverForAnUnansweredOne) {
  Stock("a", 5);
  Stock("b", 5);
  wire_.keep_of = "b";
  Order("o:a,b");
  EXPECT_EQ(StockOf("a"), 4);
  EXPECT_EQ(OutcomeOf("o:a,b"), 0) << "waits for b";
  // The repeated calls of the timer wait in the same way; the first group is due.
  TimePasses(kGatherMicros);
  AwaitOutcome("o:a,b", 1);
  ASSERT_FALSE(wire_.kept.empty());
  wire_.kept.front()();
  Quiesce();
  AwaitOutcome("o:a,b", 2);
}

TEST_F(Calls, WithoutAReceiverHaveNoOutcome) {
  wire_.Attach(nullptr);
  runtime_.reset();
  ServiceDefinition counters = counter::Service(ServiceId::kInventory);
  counters.commands.clear();
  Start({counters, buyer::Service()});
  wire_.Attach(runtime_.get());
  Order("o:a");
  EXPECT_EQ(wire_.calls, 1);
  Quiesce();
  EXPECT_EQ(OutcomeOf("o:a"), 0);
}

TEST_F(Calls, MayBeAnsweredAfterTheirRuntimeHasEnded) {
  Stock("a", 5);
  wire_.keeps_answers = true;
  Order("o:a");
  ASSERT_EQ(wire_.answers.size(), 1u);
  EndProcess();
  wire_.answers.front()(absl::UnavailableError("late"), {});
  wire_.keeps_answers = false;
  Open();
  TimePasses(buyer::kRetryMicros);
  AwaitOutcome("o:a", 1);
  EXPECT_EQ(StockOf("a"), 4);
}

TEST_F(Calls, AreNotSentWhileDraining) {
  wire_.lose_calls = 1'000;
  Order("o:a");
  EndIntake(0);
  TimePasses(10 * buyer::kRetryMicros);
  Quiesce();
  EXPECT_LE(wire_.calls, 1);
}

TEST_F(Calls, ThatRepeatARequestOfADoorGetItsAnswer) {
  const ReplyPtr through_the_door = Submit(Add("r", 5, "a"), SlotOfCounter("a"));
  OutgoingCall call;
  call.service = ServiceId::kInventory;
  call.aggregate_key = "a";
  call.method = counter::AddRequest::descriptor()->full_name();
  call.request = Add("r", 5, "a").SerializeAsString();
  CallOutcome outcome;
  runtime_->Call(call, {}, [&outcome](absl::StatusOr<std::string> response, AnswerPosition position) {
    outcome = partition::OutcomeOf(std::move(response), position);
  });
  Quiesce();
  counter::AddResponse response;
  EXPECT_TRUE(response.ParseFromString(outcome.response));
  EXPECT_EQ(response.value(), 5);
  EXPECT_EQ(outcome.recorded_at.slot, SlotOfCounter("a"));
  EXPECT_EQ(outcome.recorded_at.position, through_the_door->position().position);
  EXPECT_EQ(StockOf("a"), 5);
}

class CallOfALaterBuild : public FollowUpsTest {
 protected:
  // The outcome of a call with these bytes.
  CallOutcome Send(const std::string& bytes,
                   const std::string& method = counter::AddRequest::descriptor()->full_name()) {
    OutgoingCall call;
    call.service = ServiceId::kInventory;
    call.aggregate_key = "a";
    call.method = method;
    call.request = bytes;
    CallOutcome outcome;
    runtime_->Call(call, {}, [&outcome](absl::StatusOr<std::string> response, AnswerPosition position) {
      outcome = partition::OutcomeOf(std::move(response), position);
    });
    Quiesce();
    return outcome;
  }
};

TEST_F(CallOfALaterBuild, IsUnimplementedForAnUnknownField) {
  counter::AddRequest request = Add("r", 5, "a");
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(99, 1);
  const CallOutcome outcome = Send(request.SerializeAsString());
  EXPECT_EQ(outcome.kind, CallOutcome::Kind::kUnknown) << "never a refusal, which a saga would compensate for";
  EXPECT_EQ(outcome.refusal.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ReasonOf(outcome.refusal), "UNKNOWN_FIELD");
  EXPECT_EQ(StockOf("a"), 0);
}

TEST_F(CallOfALaterBuild, IsUnimplementedForAnUnknownRequest) {
  const CallOutcome outcome = Send("", "halles.inventory.v9.NewRequest");
  EXPECT_EQ(outcome.kind, CallOutcome::Kind::kUnknown);
  EXPECT_EQ(outcome.refusal.code(), absl::StatusCode::kUnimplemented);
}

TEST_F(CallOfALaterBuild, IsRefusedWhenItDoesNotParse) { EXPECT_EQ(Send("\xff").kind, CallOutcome::Kind::kRefused); }

TEST_F(Timers, AreDueAtTheirLogicalTime) {
  wire_.lose_calls = 1'000;
  Order("o:a");
  TimePasses(buyer::kRetryMicros - 1);
  EXPECT_EQ(counters_.timers, 0u);
  TimePasses(1);
  EXPECT_EQ(counters_.timers, 1);
}

TEST_F(Timers, AreNotDueWhenCleared) {
  Stock("a", 5);
  Order("o:a");
  AwaitOutcome("o:a", 1);
  TimePasses(10 * buyer::kRetryMicros);
  EXPECT_EQ(counters_.timers, 0u);
}

TEST_F(Timers, AreAllTakenWhateverTheirNumber) {
  wire_.lose_calls = 1'000'000;
  constexpr int kOrders = 5 * static_cast<int>(kTimersAtATime);
  for (int i = 0; i < kOrders; ++i) Order(absl::StrCat("o", i, ":a"));
  EXPECT_EQ(wire_.calls, kOrders);
  TimePasses(buyer::kRetryMicros);
  EXPECT_EQ(wire_.calls, 2 * kOrders);
  Quiesce();
  EXPECT_EQ(counters_.timers, static_cast<uint64_t>(kOrders));
}

// One watch on an order, with the results that it got.
struct Told {
  int asked = 0;
  bool done = false;
  absl::Status status;
  Position position = 0;
};

TEST_F(UnreadableTimers, AreLookedForAgain) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  Order("o:a");
  Flush();
  EndProcess();
  Open();                               // the timer lies on the disk alone
  TimePasses(buyer::kRetryMicros / 2);  // each slot has looked for its timers
  disk_->FailNextRead();
  TimePasses(buyer::kRetryMicros);
  EXPECT_EQ(counters_.failed_reads, 1u);
  EXPECT_EQ(wire_.calls, 1);
  TimePasses(2 * kTimerRetryMicros);
  EXPECT_EQ(OutcomeOf("o:a"), 1);
  EXPECT_EQ(counters_.failed_reads, 1u);
}

TEST_F(Watches, AreCalledForEachEventOfTheirAggregate) {
  Stock("a", 5);
  wire_.lose_calls = 1;
  const ReplyPtr reply = Order("o:a");
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", reply->position().position, kNoDeadline,
                  [told](const absl::StatusOr<const store::RowReader*>& rows, Position position) {
                    ++told->asked;
                    told->position = position;
                    told->done = buyer::kOrders.Get(**rows, {"o:a"})->value() == 1;
                    return told->done;
                  });
  Quiesce();
  EXPECT_EQ(told->asked, 1);
  Order("other:x");
  Quiesce();
  EXPECT_EQ(told->asked, 1) << "not its aggregate";
  TimePasses(buyer::kRetryMicros);
  EXPECT_TRUE(told->done);
  Quiesce();
  EXPECT_EQ(told->asked, 3) << "asked again, then taken";
  EXPECT_EQ(told->position, End(SlotOfOrder("o:a")));
}

TEST_F(Watches, EndAtTheirDeadline) {
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", 0, node_.Now() + 1000,
                  [told](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    ++told->asked;
                    if (rows.ok()) return false;
                    told->status = rows.status();
                    told->done = true;
                    return true;
                  });
  TimePasses(2000);
  EXPECT_TRUE(told->done);
  EXPECT_EQ(ReasonOf(told->status), "NOT_SETTLED");
  EXPECT_EQ(told->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(told->asked, 2);
}

TEST_F(Watches, EndWithTheSlot) {
  auto told = std::make_shared<Told>();
  runtime_->Watch(SlotOfOrder("o:a"), "o:a", 0, kNoDeadline,
                  [told](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    told->status = rows.status();
                    told->done = !rows.ok();
                    return false;
                  });
  Quiesce();
  EndIntake(0);
  EXPECT_TRUE(told->done);
  EXPECT_EQ(told->status.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace halles::partition
