// Reads with a token, on hosts that share a log: each sees what the token stands for, reactions included, whoever owns what.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/calls.h"
#include "libs/host/host.h"
#include "libs/host/host_fixture.h"
#include "libs/host/submit.h"
#include "libs/projection/projection_fixture.h"
#include "libs/testing/virtual_scheduler.h"

namespace halles::host {
namespace {

struct Answer {
  absl::StatusOr<AddResponse> response = absl::UnknownError("no answer");

  bool done() const { return !absl::IsUnknown(response.status()); }
  std::string reason() const { return ReasonOf(response.status()); }
  // -1 when it is an error.
  int64_t value() const {
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->value() : -1;
  }
  std::string token() const { return response.ok() ? response->consistency_token() : ""; }
};
using AnswerPtr = std::shared_ptr<Answer>;

class Member;

// Between the hosts. Loses questions as it is told.
class Wire : public partition::Calls {
 public:
  void Call(partition::OutgoingCall, const partition::Command::Envelope&, partition::CallDone) override {
    ADD_FAILURE() << "nobody calls";
  }
  void ExtendToken(SlotId target, TokenPositions sources, partition::ExtendDone done) override;

  std::vector<Member*> members;
  int questions = 0;
  int lose_questions = 0;
  int lose_answers = 0;
};

// One host.
class Member {
 public:
  Member(testing::VirtualScheduler* world, eventlog::MemoryLog* log, Wire* wire, uint64_t seed,
         partition::SlotRole role)
      : node_(world), random_(seed) {
    HostOptions options;
    options.log = log;
    options.open_store = [this, log] {
      store::StoreOptions store_options = store::Quiet();
      store_options.scheduler = &node_;
      return store::Store::Open(dir_.State(), log->identity().install, store_options);
    };
    options.scheduler = &node_;
    options.random = &random_;
    options.request_key = "key";
    options.role = role;
    options.calls = wire;
    options.definitions.services = {partition::counter::Service(kSource), partition::counter::Service(kTarget)};
    options.definitions.reactions = {projection::Reacts(&projection::ReactThrice)};
    // A view of the facts that the reactions make.
    projection::ViewDefinition view{kTarget, kSumsView, "copies", 1, {}};
    view.sources = {projection::ProjectionOf<projection::CounterEvent>(kTarget, 1, &projection::ProjectSum, nullptr)};
    options.definitions.views = {view};
    auto host = Host::Open(std::move(options));
    EXPECT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
    wire->members.push_back(this);
  }

  Host& host() { return *host_; }
  MonotonicMicros Now() const { return node_.Now(); }
  partition::Runtime& runtime() {
    partition::Runtime* runtime = nullptr;
    EXPECT_TRUE(host_->With([&](Serving& serving) { runtime = serving.runtime.get(); }).ok());
    return *runtime;
  }

  AnswerPtr Submit(const AddRequest& request) {
    auto answer = std::make_shared<Answer>();
    EXPECT_TRUE(host::Submit<AddResponse>(*host_, request, Call(), Into(answer)).ok());
    return answer;
  }
  // The sum of the counter in the view.
  AnswerPtr Sum(const std::string& counter, const std::string& token, MonotonicMicros deadline = kNoDeadline) {
    auto answer = std::make_shared<Answer>();
    AnswerFromView<AddResponse>(
        *host_, kTarget, kSumsView, token, deadline,
        [counter](const store::RowReader& rows) -> absl::StatusOr<AddResponse> { return SumOf(rows, counter); },
        Into(answer));
    return answer;
  }
  // The value in the state of the target.
  AnswerPtr Value(const std::string& counter, const std::string& token, MonotonicMicros deadline = kNoDeadline) {
    auto answer = std::make_shared<Answer>();
    ReadState<AddResponse>(
        *host_, kTarget, counter, token, deadline,
        [counter](const store::RowReader& rows, SlotId, const std::string& at) -> absl::StatusOr<AddResponse> {
          return ValueOf(rows, counter, at);
        },
        Into(answer));
    return answer;
  }
  // The same, asked again with each of its facts until it stands at `value`.
  AnswerPtr WhenItStandsAt(const std::string& counter, int64_t value, const std::string& token) {
    auto answer = std::make_shared<Answer>();
    ReadStateWhen<AddResponse>(
        *host_, kTarget, counter, token, kNoDeadline,
        [this, counter, value](const store::RowReader& rows, SlotId,
                               const std::string&) -> absl::StatusOr<std::optional<AddResponse>> {
          ++looks;
          AddResponse response = ValueOf(rows, counter);
          if (response.value() < value) return std::nullopt;
          return response;
        },
        Into(answer));
    return answer;
  }
  int looks = 0;

 private:
  static std::function<void(absl::StatusOr<AddResponse>)> Into(const AnswerPtr& answer) {
    return [answer](absl::StatusOr<AddResponse> response) {
      EXPECT_FALSE(answer->done()) << "answered twice";
      answer->response = std::move(response);
    };
  }

  testing::VirtualScheduler::Node node_;
  SeededRandom random_;
  store::TempDir dir_;
  std::unique_ptr<Host> host_;
};

void Wire::ExtendToken(SlotId target, TokenPositions sources, partition::ExtendDone done) {
  ++questions;
  if (lose_questions > 0) {
    --lose_questions;
    return;
  }
  for (Member* member : members) {
    if (!member->runtime().serving(target)) continue;
    member->runtime().ExtendToken(target, std::move(sources),
                                  [this, done = std::move(done)](const absl::StatusOr<Position>& at) {
                                    if (lose_answers > 0) {
                                      --lose_answers;
                                    } else {
                                      done(at);
                                    }
                                  });
    return;
  }
  done(absl::UnavailableError("nobody owns it"));
}

// Both hosts follow everything; each owns half of the targets, and the first owns the sources. The test lets appends of the
// target service land.
class TwoHosts : public ::testing::Test {
 protected:
  static constexpr int64_t kWhileMicros = 100'000;

  void SetUp() override {
    // "left" and "right" live in different slots.
    ASSERT_NE(a_.host().SlotFor(kTarget, "left"), a_.host().SlotFor(kTarget, "right"));
    LandAll();
    b_.runtime().TakeOver(b_.host().SlotFor(kTarget, "right"));
    LandAll();
    ASSERT_TRUE(b_.runtime().serving(b_.host().SlotFor(kTarget, "right")));
    ASSERT_TRUE(a_.runtime().serving(a_.host().SlotFor(kTarget, "left")));
  }

  void Quiesce() { world_.RunReady(); }
  void TimePasses(int64_t micros) { world_.Advance(micros); }
  void Land(ServiceId service) {
    Quiesce();
    for (const auto& append : log_.pending()) {
      if (append.slot.service != service) continue;
      EXPECT_TRUE(log_.Deliver(append.id).ok());
    }
    Quiesce();
  }
  void LandAll() {
    for (int i = 0; i < 20; ++i) {
      Land(kSource);
      Land(kTarget);
    }
  }
  // Counts it; what follows from that is under way.
  std::string Count(int64_t amount) {
    const AnswerPtr added = a_.Submit(partition::Add(absl::StrCat("r", next_++), amount));
    Land(kSource);
    EXPECT_TRUE(added->response.ok()) << added->response.status();
    return added->token();
  }

  eventlog::MemoryLog log_{eventlog::LogIdentity{.install = store::Install(7), .slots = SlotCounts(2)},
                           eventlog::MemoryLog::Delivery::kByHand};
  testing::VirtualScheduler world_{1, /*step_micros_max=*/0};
  Wire wire_;
  Member a_{&world_, &log_, &wire_, 1, partition::SlotRole::kOwner};
  Member b_{&world_, &log_, &wire_, 2, partition::SlotRole::kStandby};
  int next_ = 0;
};

// Nothing follows in the source that would move a cursor on.
TEST_F(TwoHosts, ReadAViewBehindTheReactionsOfTheOther) {
  const std::string token = Count(5);
  const AnswerPtr at_a = a_.Sum("right", token);
  const AnswerPtr at_b = b_.Sum("left", token);
  TimePasses(kWhileMicros);
  EXPECT_FALSE(at_a->done());
  EXPECT_FALSE(at_b->done());
  LandAll();
  TimePasses(kWhileMicros);
  EXPECT_EQ(at_a->value(), 5);
  EXPECT_EQ(at_b->value(), 10);
  // Whoever has learnt it does not ask again.
  const int asked = wire_.questions;
  const AnswerPtr again = a_.Sum("right", token);
  Quiesce();
  EXPECT_EQ(again->value(), 5);
  EXPECT_EQ(wire_.questions, asked);
}

TEST_F(TwoHosts, ReadAStateBehindItsReactionsWhoeverOwnsIt) {
  const std::string token = Count(5);
  std::vector<AnswerPtr> answers;
  for (Member* member : {&a_, &b_}) {
    for (const char* counter : {"left", "right"}) answers.push_back(member->Value(counter, token));
  }
  const AnswerPtr before = a_.Value("left", "");
  TimePasses(kWhileMicros);
  for (const AnswerPtr& answer : answers) EXPECT_FALSE(answer->done());
  EXPECT_EQ(before->value(), 0) << "a read without a token passes them";
  LandAll();
  TimePasses(kWhileMicros);
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i]->value(), i % 2 == 0 ? 10 : 5);
}

TEST_F(TwoHosts, LookAtAStateThatIsToSettleOnlyBehindItsReactions) {
  const std::string token = Count(5);
  const AnswerPtr settled = a_.WhenItStandsAt("left", 10, token);
  TimePasses(kWhileMicros);
  EXPECT_EQ(a_.looks, 0);
  LandAll();
  EXPECT_EQ(settled->value(), 10);
}

TEST_F(TwoHosts, AskAgainWhenAQuestionOrItsAnswerIsLost) {
  const std::string token = Count(5);
  LandAll();
  wire_.lose_questions = 1;
  wire_.lose_answers = 1;
  const AnswerPtr answer = a_.Sum("right", token);
  for (int i = 0; i < 2; ++i) {
    Quiesce();
    EXPECT_FALSE(answer->done());
    TimePasses(absl::ToInt64Microseconds(projection::kAskAgain));
  }
  EXPECT_EQ(answer->value(), 5);
  EXPECT_EQ(wire_.questions, 3);
}

TEST_F(TwoHosts, AskOnWhileTheOwnerWaitsForLongerThanItsPatience) {
  const std::string token = Count(5);
  const AnswerPtr answer = a_.Sum("right", token);
  for (int i = 0; i < 5; ++i) TimePasses(absl::ToInt64Microseconds(partition::kExtendPatience));
  EXPECT_FALSE(answer->done());
  EXPECT_GE(wire_.questions, 3);
  EXPECT_LE(wire_.questions, 10);
  LandAll();
  TimePasses(absl::ToInt64Microseconds(partition::kExtendPatience));
  EXPECT_EQ(answer->value(), 5);
}

TEST_F(TwoHosts, SayAtTheDeadlineThatTheTokenIsNotReached) {
  const std::string token = Count(5);
  const MonotonicMicros deadline = a_.Now() + 10 * kWhileMicros;
  const AnswerPtr view = a_.Sum("right", token, deadline);
  const AnswerPtr state = a_.Value("right", token, deadline);
  TimePasses(10 * kWhileMicros - 1);
  EXPECT_FALSE(view->done());
  EXPECT_FALSE(state->done());
  TimePasses(2);
  EXPECT_EQ(view->reason(), "TOKEN_NOT_REACHED");
  EXPECT_EQ(state->reason(), "TOKEN_NOT_REACHED");
  const int asked = wire_.questions;
  TimePasses(100 * kWhileMicros);
  EXPECT_EQ(wire_.questions, asked) << "nobody waits any more";
}

// One who waits for the reactions of a slot of its own has to ask once the other has taken that over.
TEST_F(TwoHosts, AskTheNewOwnerWhenASlotChangesHandsMeanwhile) {
  const std::string token = Count(5);
  const AnswerPtr view = a_.Sum("left", token);
  const AnswerPtr state = a_.Value("left", token);
  Quiesce();
  b_.runtime().TakeOver(b_.host().SlotFor(kTarget, "left"));
  Quiesce();
  const std::vector<eventlog::MemoryLog::Pending> pending = log_.pending();
  ASSERT_FALSE(pending.empty());
  // The claim lands, and with that all that was under way is in vain.
  ASSERT_TRUE(log_.Deliver(pending.back().id).ok());
  LandAll();
  for (int i = 0; i < 10; ++i) {
    TimePasses(kWhileMicros);
    LandAll();
  }
  EXPECT_FALSE(a_.runtime().serving(a_.host().SlotFor(kTarget, "left")));
  EXPECT_EQ(view->value(), 10);
  EXPECT_EQ(state->value(), 10);
}

TEST_F(TwoHosts, EndTheirWaitingReadsWhenTheyDrain) {
  const std::string token = Count(5);
  const AnswerPtr view = a_.Sum("right", token);
  const AnswerPtr state = a_.Value("left", token);
  Quiesce();
  ASSERT_TRUE(a_.host().With([](Serving& serving) { serving.pool->Stop(); }).ok());
  EXPECT_EQ(view->reason(), "DRAINING");
  EXPECT_EQ(state->reason(), "DRAINING");
  EXPECT_EQ(a_.Sum("right", token)->reason(), "DRAINING") << "and those that come later";
}

}  // namespace
}  // namespace halles::host
