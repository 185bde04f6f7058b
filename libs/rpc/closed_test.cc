// Tests of doors that are closed while a process starts: who is answered how, until they are opened.
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "libs/rpc/server.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

using ::testing::HasSubstr;

absl::Status Early(int64_t try_again_millis) {
  absl::Status status = Failure(absl::StatusCode::kUnavailable, "STARTING", "half of it is read");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(try_again_millis * 1'000'000));
  status.SetPayload(kRetryInfoUrl, absl::Cord(retry.SerializeAsString()));
  return status;
}

class ClosedDoor : public ServerTest {
 protected:
  // Whether so many calls of the method have ended UNAVAILABLE.
  bool Refused(const std::string& method, int times) const {
    const std::string text = metrics.Text();
    for (size_t at = 0; (at = text.find("grpc_server_handled_total{", at)) != std::string::npos; ++at) {
      const std::string line = text.substr(at, text.find('\n', at) - at);
      if (absl::StrContains(line, "grpc_code=\"Unavailable\"") &&
          absl::StrContains(line, "grpc_method=\"" + method + "\"")) {
        return absl::EndsWith(line, " " + std::to_string(times));
      }
    }
    return false;
  }
};

TEST_F(ClosedDoor, AnswersEveryCallAtOnceWithoutHandlingIt) {
  Start();
  service->on_put = [](const test::PutRequest&, const Call&, const Reply<test::PutResponse>&) {
    ADD_FAILURE() << "handled";
    return absl::OkStatus();
  };
  door->Close(Early(100));
  for (const absl::Status& status : {Put(PutOf("a")), Get()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), "STARTING");
    EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(100));
    EXPECT_THAT(std::string(status.message()), HasSubstr("half of it"));
  }
  EXPECT_TRUE(Refused("Put", 1));
  EXPECT_TRUE(Refused("Get", 1));
}

TEST_F(ClosedDoor, EndsStreamsThatCome) {
  Start();
  door->Close(Early(100));
  grpc::ClientContext context;
  const auto reader = stub->Watch(&context, {});
  test::WatchResponse message;
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(ReasonOf(FromGrpc(reader->Finish())), "STARTING");
}

TEST_F(ClosedDoor, AnswersWithTheLatestReason) {
  Start();
  door->Close(Early(100));
  door->Close(Failure(absl::StatusCode::kUnavailable, "STARTING", "nearly all of it is read"));
  EXPECT_THAT(std::string(Get().message()), HasSubstr("nearly all"));
}

TEST_F(ClosedDoor, HandlesCallsOnceItIsOpened) {
  Start();
  door->Close(Early(100));
  EXPECT_FALSE(Get().ok());
  door->Open();
  EXPECT_TRUE(Get().ok());
  EXPECT_TRUE(Put(PutOf("a")).ok());
  EXPECT_EQ(ReasonOf([&] {
              grpc::ClientContext context;
              const auto reader = stub->Watch(&context, {});
              test::WatchResponse message;
              reader->Read(&message);
              return FromGrpc(reader->Finish());
            }()),
            "")
      << "the handler's own error";
}

TEST_F(ClosedDoor, TellsRetriesHowLongToWait) {
  Start();
  door->Close(Early(20));
  // Nobody would wait for the pause of this policy.
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(R"({"methodConfig": [{"name": [{"service": "halles.rpc.test.TestService"}],
      "retryPolicy": {"maxAttempts": 5, "initialBackoff": "3000s", "maxBackoff": "3000s", "backoffMultiplier": 1,
                      "retryableStatusCodes": ["UNAVAILABLE"]}}]})");
  const auto patient = test::TestService::NewStub(
      grpc::CreateCustomChannel(server->address().ToString(), grpc::InsecureChannelCredentials(), arguments));
  grpc::Status ended;
  std::thread caller([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    test::GetResponse response;
    ended = patient->Get(&context, {}, &response);
  });
  const int64_t until = system_clock.MonotonicMicros() + 30'000'000;
  while (Refused("Get", 0) && system_clock.MonotonicMicros() < until) std::this_thread::yield();
  door->Open();
  caller.join();
  EXPECT_TRUE(ended.ok()) << ended.error_message();
}

TEST_F(ClosedDoor, CanBeDrainedAndThenNotOpened) {
  Start();
  door->Close(Early(100));
  const int64_t begun = system_clock.MonotonicMicros();
  server->Drain(absl::Minutes(10));
  EXPECT_LT(system_clock.MonotonicMicros() - begun, 60'000'000);
  door->Open();
  EXPECT_EQ(Get().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace halles::rpc
