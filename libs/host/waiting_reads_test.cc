// Tests of reads of a process that wait: for a token, for reactions, and until a state has settled.
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "libs/host/calls.h"
#include "libs/host/host.h"
#include "libs/host/host_fixture.h"

namespace halles::host {
namespace {

using ReadOfAView = HostTest;
using ReadOfAStateOnceItIsSettled = HostTest;

TEST_F(ReadOfAView, WithATokenSeesItsPosition) {
  for (int i = 0; i < 50; ++i) {
    const ReplyPtr reply = Submit(partition::Add(absl::StrCat("t", i), 1, "t"));
    reply->Await();
    ASSERT_EQ(*Sum("t", reply->token()), i + 1);
  }
}

TEST_F(ReadOfAView, WithATokenOfAnotherInstallIsRefused) {
  EXPECT_EQ(ReasonOf(Sum("t", TokenIssuer(store::Install(9), "key").Issue({{SlotId{kSource, 0}, 1}})).status()),
            "FOREIGN_TOKEN");
  EXPECT_EQ(ReasonOf(Sum("t", "nonsense").status()), "MALFORMED_TOKEN");
}

// Sums of the counted amounts, and of those that the reaction copied.
constexpr uint8_t kCopiesView = 2;

// The reaction waits at a gate that the test opens.
class ReadBehindAReaction : public HostTest {
 protected:
  void TearDown() override {
    if (!gate_->HasBeenNotified()) gate_->Notify();
    HostTest::TearDown();
  }
  Definitions Parts() override {
    Definitions definitions = Toy();
    projection::ViewDefinition copies{kTarget, kCopiesView, "copies", 1, {}};
    for (ServiceId source : {kSource, kTarget}) {
      copies.sources.push_back(
          projection::ProjectionOf<projection::CounterEvent>(source, 1, &projection::ProjectSum, nullptr));
    }
    definitions.views.push_back(std::move(copies));
    definitions.schemas.AddView(kTarget, kCopiesView, "copies", store::Schema().Add(kSums));
    const auto react = definitions.reactions.front().react;
    definitions.reactions.front().react = [gate = gate_, react](absl::string_view payload,
                                                                const partition::FactContext& context) {
      gate->WaitForNotification();
      return react(payload, context);
    };
    return definitions;
  }

  // Shared with the reaction, which may outlive a failing test.
  const std::shared_ptr<absl::Notification> gate_ = std::make_shared<absl::Notification>();
};

TEST_F(ReadBehindAReaction, SeesTheReactionsToTheToken) {
  const ReplyPtr added = Submit(partition::Add("r", 5, "t"));
  ASSERT_TRUE(added->status().ok()) << added->status();
  // The view has projected the source; only the reaction is missing.
  const absl::Time deadline = absl::Now() + kPatience;
  while (AskSum(kCopiesView, "t", "")->value() != 5) {
    ASSERT_LT(absl::Now(), deadline);
    std::this_thread::yield();
  }

  const ReplyPtr behind = AskSum(kCopiesView, "all", added->token());
  EXPECT_EQ(AskSum(kCopiesView, "all", "")->value(), 0) << "a read without a token passes it";
  EXPECT_FALSE(behind->done()) << "it waits for the reaction, not for the view alone";
  gate_->Notify();
  ASSERT_TRUE(behind->status().ok()) << behind->status();
  EXPECT_EQ(behind->value(), 5);
}

// Answers with the counter's value after it has reached `value`.
ReplyPtr WhenItStandsAt(Host& host, const std::string& counter, int64_t value, MonotonicMicros deadline) {
  auto reply = std::make_shared<Reply>();
  ReadStateWhen<AddResponse>(
      host, kSource, counter, "", deadline,
      [=](const store::RowReader& rows, SlotId,
          const std::string& token) -> absl::StatusOr<std::optional<AddResponse>> {
        AddResponse response = ValueOf(rows, counter, token);
        if (response.value() > value) return absl::FailedPreconditionError("it is past that");
        if (response.value() < value) return std::nullopt;
        return response;
      },
      [reply](absl::StatusOr<AddResponse> response) { reply->Set(std::move(response)); });
  return reply;
}

TEST_F(ReadOfAStateOnceItIsSettled, WaitsForTheEventsOfTheAggregate) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, kNoDeadline);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Submit(partition::Add(absl::StrCat("s", i), 1, "s"))->status().ok());
  EXPECT_FALSE(reply->done());
  ASSERT_TRUE(Submit(partition::Add("s2", 1, "s"))->status().ok());
  EXPECT_EQ(reply->value(), 3);
}

TEST_F(ReadOfAStateOnceItIsSettled, AnswersAtOnceIfItIsSettled) {
  ASSERT_TRUE(Submit(partition::Add("s", 3, "s"))->status().ok());
  EXPECT_EQ(WhenItStandsAt(*host_, "s", 3, kNoDeadline)->value(), 3);
}

TEST_F(ReadOfAStateOnceItIsSettled, AnswersWithTheErrorOfTheRead) {
  ASSERT_TRUE(Submit(partition::Add("s", 4, "s"))->status().ok());
  EXPECT_EQ(WhenItStandsAt(*host_, "s", 3, kNoDeadline)->status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReadOfAStateOnceItIsSettled, EndsAtItsDeadline) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, scheduler_.Now() + 30'000);
  EXPECT_EQ(reply->reason(), "NOT_SETTLED");
}

TEST_F(ReadOfAStateOnceItIsSettled, EndsWithTheProcess) {
  const ReplyPtr reply = WhenItStandsAt(*host_, "s", 3, kNoDeadline);
  Close();
  EXPECT_EQ(reply->status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace halles::host
