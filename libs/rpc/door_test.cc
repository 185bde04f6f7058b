// Tests of unary methods through a real server.
#include "libs/rpc/door.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/clock.h"
#include "libs/machine/system_clock.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

class DoorTest : public ServerTest {
 protected:
  // Waits for the gRPC thread, which counts after it has answered.
  bool Counts(const std::string& line) const { return metrics.Text().find(line) != std::string::npos; }
  static constexpr char kPut[] = R"(grpc_method="Put",grpc_service="halles.rpc.test.TestService",grpc_type="unary"})";
};

TEST_F(DoorTest, AnswersACommand) {
  Start();
  test::PutResponse response;
  EXPECT_TRUE(Put(PutOf("text"), &response).ok());
  EXPECT_EQ(response.text(), "text");
  EXPECT_TRUE(Counts(std::string(R"(grpc_server_handled_total{grpc_code="OK",)") + kPut + " 1\n"));
  EXPECT_TRUE(Counts(std::string("grpc_server_started_total{") + kPut + " 1\n"));
}

TEST_F(DoorTest, RefusesACommandWithoutRequestId) {
  Start();
  std::atomic<int> handled{0};
  service->on_put = [&](const auto&, const auto&, const auto&) {
    ++handled;
    return absl::OkStatus();
  };
  const absl::Status status = Put(test::PutRequest());
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(status, "field"), "request_id");
  EXPECT_EQ(handled, 0);
  EXPECT_TRUE(Counts(std::string(R"(grpc_server_handled_total{grpc_code="InvalidArgument",)") + kPut + " 1\n"));
}

TEST_F(DoorTest, RefusesUnknownFieldsInACommandAndIgnoresThemInAQuery) {
  Start();
  test::PutRequest put = PutOf("x");
  put.GetReflection()->MutableUnknownFields(&put)->AddVarint(77, 1);
  EXPECT_EQ(ReasonOf(Put(put)), "UNKNOWN_FIELD");
  EXPECT_EQ(MetadataOf(Put(put), "field_number"), "77");
  test::GetRequest get;
  get.GetReflection()->MutableUnknownFields(&get)->AddVarint(77, 1);
  EXPECT_TRUE(Get(get).ok());
}

TEST_F(DoorTest, RefusesAQueryBeyondItsLimits) {
  Start();
  std::atomic<int> handled{0};
  service->on_get = [&](const auto&, const auto&, const Reply<test::GetResponse>& reply) {
    ++handled;
    reply(test::GetResponse());
  };
  test::GetRequest get;
  get.set_text(std::string(16, 'x'));
  EXPECT_TRUE(Get(get).ok());
  get.set_text(std::string(17, 'x'));
  EXPECT_EQ(ReasonOf(Get(get)), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(Get(get), "field"), "text");
  EXPECT_EQ(handled, 1);
}

TEST_F(DoorTest, AnswersWithTheErrorThatTheHandlerReturns) {
  Start();
  service->on_put = [](const auto&, const auto&, const auto&) { return InvalidField("text", "is wrong"); };
  EXPECT_EQ(MetadataOf(Put(PutOf("x")), "field"), "text");
}

TEST_F(DoorTest, AnswersOnceIfManyThreadsReply) {
  Start();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    service->on_put = [&threads](const auto& put, const auto&, const Reply<test::PutResponse>& reply) {
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([reply, i, text = put.text()] {
          test::PutResponse response;
          response.set_text(text);
          reply(i % 2 == 0 ? absl::StatusOr<test::PutResponse>(response) : absl::AbortedError("second"));
        });
      }
      return absl::OkStatus();
    };
    test::PutResponse response;
    const absl::Status status = Put(PutOf("x"), &response);
    EXPECT_TRUE(status.ok() ? response.text() == "x" : status.message() == "second") << status;
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(DoorTest, AnswersInternalWhenTheReplyIsDropped) {
  Start();
  service->on_put = [](const auto&, const auto&, const auto&) { return absl::OkStatus(); };
  EXPECT_EQ(Put(PutOf("x")).code(), absl::StatusCode::kInternal);
}

TEST_F(DoorTest, IgnoresAReplyAfterTheCallerLeft) {
  Start();
  absl::Notification arrived;
  std::optional<Reply<test::GetResponse>> kept;
  service->on_get = [&](const auto&, const auto&, const Reply<test::GetResponse>& reply) {
    kept = reply;
    arrived.Notify();
  };
  grpc::ClientContext context;
  std::thread canceller([&] {
    arrived.WaitForNotification();
    context.TryCancel();
  });
  test::GetResponse response;
  EXPECT_EQ(stub->Get(&context, {}, &response).error_code(), grpc::StatusCode::CANCELLED);
  canceller.join();
  (*kept)(test::GetResponse());
  kept.reset();
}

TEST_F(DoorTest, GivesEachCallADeadlineAndItsTrace) {
  DoorOptions options;
  options.default_deadline = absl::Seconds(100);
  options.deadline_max = absl::Seconds(200);
  Start(options);
  std::vector<Call> calls;
  std::vector<absl::Duration> left;
  service->on_get = [&](const auto&, const Call& call, const auto& reply) {
    calls.push_back(call);
    left.push_back(absl::Microseconds(call.deadline - SystemClock().MonotonicMicros()));
    reply(test::GetResponse());
  };
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const absl::Duration asked[] = {absl::InfiniteDuration(), absl::Seconds(50), absl::Hours(1)};
  for (const absl::Duration wait : asked) {
    grpc::ClientContext context;
    context.AddMetadata("traceparent", trace);
    if (wait != absl::InfiniteDuration()) context.set_deadline(absl::ToChronoTime(absl::Now() + wait));
    test::GetResponse response;
    EXPECT_TRUE(stub->Get(&context, {}, &response).ok());
  }
  const absl::Duration most[] = {absl::Seconds(100), absl::Seconds(50), absl::Seconds(200)};
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(left[i], most[i] + absl::Seconds(1));
    EXPECT_GT(left[i], most[i] - absl::Seconds(40));
    EXPECT_EQ(calls[i].traceparent, trace);
    EXPECT_EQ(calls[i].actor, "loopback");
  }
}

TEST_F(DoorTest, TellsTheTimeByTheClockItIsGiven) {
  // Years behind the clock of the caller: what the caller asks for is then later than the longest deadline.
  clock = &manual_clock;
  DoorOptions options;
  options.default_deadline = absl::Seconds(100);
  options.deadline_max = absl::Seconds(200);
  Start(options);
  service->on_get = [this](const auto&, const Call& call, const Reply<test::GetResponse>& reply) {
    EXPECT_EQ(call.deadline - manual_clock.MonotonicMicros(), 200'000'000);
    manual_clock.Advance(7'000'000);
    reply(test::GetResponse());
  };
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Minutes(1)));
  test::GetResponse response;
  EXPECT_TRUE(stub->Get(&context, {}, &response).ok());
  EXPECT_TRUE(Counts(R"(grpc_server_handling_seconds_sum{grpc_method="Get",grpc_service="halles.rpc.test.TestService",)"
                     R"(grpc_type="unary"} 7)"));
}

TEST_F(DoorTest, AnswersEachOfManyConcurrentCalls) {
  Start();
  // Each answer comes from a different thread than its call.
  service->on_put = [](const auto& put, const auto&, const Reply<test::PutResponse>& reply) {
    std::thread([reply, text = put.text()] {
      test::PutResponse response;
      response.set_text(text);
      reply(response);
    }).detach();
    return absl::OkStatus();
  };
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = std::to_string(client) + "/" + std::to_string(i);
        test::PutResponse response;
        if (Put(PutOf(text), &response).ok() && response.text() == text) ++good;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 200);
  server->Drain(absl::Seconds(10));
  EXPECT_TRUE(Counts(std::string(R"(grpc_server_handled_total{grpc_code="OK",)") + kPut + " 200\n"));
}

TEST(DoorDeathTest, RequiresAKnownService) {
  telemetry::Metrics metrics;
  const ManualClock clock;
  EXPECT_DEATH(Door("no.such.Service", clock, &metrics), "full name of a service");
}

}  // namespace
}  // namespace halles::rpc
