// Tests of the server: its address, health, limits and shutdown.
#include "libs/rpc/server.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

using ::testing::HasSubstr;

constexpr char kName[] = "halles.rpc.test.TestService";

class Serving : public ServerTest {
 protected:
  // The answer of the health service as bytes: the field `status`, 1 for serving, 2 for not serving.
  std::string Health(const std::string& name) {
    // HealthCheckRequest has one field, `service`, number 1, as GetRequest has `text`.
    test::GetRequest request;
    request.set_text(name);
    std::string text;
    const absl::Status status = CallByName("/grpc.health.v1.Health/Check", request.SerializeAsString(), &text);
    if (!status.ok()) return status.ToString();
    return text == "\x08\x01" ? "SERVING" : text == "\x08\x02" ? "NOT_SERVING" : text;
  }
};

TEST_F(Serving, RefusesAPortInUseAndNamesIt) {
  Start();
  ServerOptions options;
  options.listen = server->address();
  const absl::Status status = Server::Start(options, *clock, {}).status();
  EXPECT_EQ(ReasonOf(status), "ADDRESS_IN_USE");
  EXPECT_THAT(std::string(status.message()), HasSubstr(server->address().ToString()));
}

TEST_F(Serving, RefusesToListenOutsideLoopbackWithoutTls) {
  ServerOptions options;
  options.listen = {"0.0.0.0", 0};
  const absl::Status status = Server::Start(options, *clock, {}).status();
  EXPECT_EQ(ReasonOf(status), "TLS_REQUIRED");
  EXPECT_THAT(std::string(status.message()), HasSubstr("TLS is required outside loopback"));
}

TEST_F(Serving, ReportsReadinessOfEachServiceAndOfAll) {
  Start();
  EXPECT_EQ(Health(kName), "NOT_SERVING");
  EXPECT_EQ(Health(""), "NOT_SERVING");
  server->SetServing(kName, true);
  EXPECT_EQ(Health(kName), "SERVING");
  EXPECT_EQ(Health(""), "SERVING");
  server->SetServing(kName, false);
  EXPECT_EQ(Health(""), "NOT_SERVING");
  EXPECT_THAT(Health("no.such.Service"), HasSubstr("NOT_FOUND"));
}

TEST_F(Serving, RefusesMessagesBeyondTheLimit) {
  Start();
  EXPECT_TRUE(Put(PutOf(std::string(1'000'000, 'x'))).ok());
  EXPECT_EQ(Put(PutOf(std::string(1'100'000, 'x'))).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Put(PutOf("x")).ok());
}

TEST_F(Serving, RefusesMetadataBeyondTheLimitAndServesOthers) {
  Start();
  std::atomic<int> reached{0};
  service->on_get = [&reached](const auto&, const auto&, const auto& reply) {
    ++reached;
    reply(test::GetResponse());
  };
  // A separate connection: gRPC may close the one on which the offending call came.
  grpc::ChannelArguments own_connection;
  own_connection.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto offender = test::TestService::NewStub(
      grpc::CreateCustomChannel(server->address().ToString(), grpc::InsecureChannelCredentials(), own_connection));
  EXPECT_TRUE(Get().ok());
  grpc::ClientContext context;
  context.AddMetadata("padding", std::string(40'000, 'x'));
  test::GetResponse response;
  EXPECT_FALSE(offender->Get(&context, {}, &response).ok());
  EXPECT_EQ(reached, 1);
  const absl::Status others = Get();
  EXPECT_TRUE(others.ok()) << others;
  EXPECT_EQ(reached, 2);
}

TEST_F(Serving, RefusesCompressedMessagesBeforeTheyAreInflated) {
  Start();
  std::atomic<int> reached{0};
  service->on_put = [&reached](const auto&, const auto&, const auto& reply) {
    ++reached;
    reply(test::PutResponse());
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  test::PutResponse response;
  const absl::Status status = FromGrpc(stub->Put(&context, PutOf(std::string(100'000, 'x')), &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(Put(PutOf("x")).ok());
}

TEST_F(Serving, CancelsCallsThatAreRunningAtTheDeadline) {
  Start();
  absl::Notification arrived;
  std::optional<StreamWriter<test::WatchResponse>> kept;
  service->on_watch = [&](StreamWriter<test::WatchResponse> writer) {
    kept = writer;
    arrived.Notify();
    return absl::OkStatus();
  };
  grpc::ClientContext context;
  auto reader = stub->Watch(&context, {});
  arrived.WaitForNotification();
  server.reset();
  test::WatchResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_FALSE(reader->Finish().ok());
  EXPECT_FALSE(kept->Write(response));
}

using ServingDeathTest = Serving;

TEST_F(ServingDeathTest, RefusesToDrainOnAGrpcThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // gRPC has threads, which a fork would lose
  const auto drain_in_handler = [this] {
    Start();
    service->on_get = [this](const auto&, const auto&, const auto&) { server->Drain(absl::ZeroDuration()); };
    const absl::Status status = Get();
    GTEST_FAIL() << status;
  };
  EXPECT_DEATH(drain_in_handler(), "would wait for itself");
}

TEST_F(Serving, DrainsOnceForConcurrentCallers) {
  Start();
  std::thread first([&] { server->Drain(absl::Seconds(10)); });
  std::thread second([&] { server->Drain(absl::Seconds(10)); });
  first.join();
  second.join();
  server->SetServing(kName, true);
  EXPECT_FALSE(Get().ok());
}

TEST_F(Serving, SupportsReflection) {
  Start();
  grpc::ClientContext context;
  grpc::GenericStub generic(channel);
  // ServerReflectionRequest with the field `list_services`, number 7.
  const std::string bytes("\x3a\x01*", 3);
  grpc::Slice slice(bytes);
  grpc::ByteBuffer to(&slice, 1), from;
  grpc::CompletionQueue queue;
  auto call = generic.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto wait = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(wait());
  call->Write(to, nullptr);
  ASSERT_TRUE(wait());
  call->Read(&from, nullptr);
  ASSERT_TRUE(wait());
  grpc::Slice answer;
  ASSERT_TRUE(from.DumpToSingleSlice(&answer).ok());
  EXPECT_THAT(std::string(reinterpret_cast<const char*>(answer.begin()), answer.size()), HasSubstr(kName));
  grpc::Status status;
  call->WritesDone(nullptr);
  wait();
  call->Finish(&status, nullptr);
  wait();
  EXPECT_TRUE(status.ok());
}

}  // namespace
}  // namespace halles::rpc
