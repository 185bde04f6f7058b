// Tests of a graceful end: who is waited for, who is ended, and with which words.
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "libs/machine/address.h"
#include "libs/rpc/server.h"
#include "libs/rpc/test_frames.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

// Far less than a drain may take in these tests, far more than it does when nothing holds it up.
constexpr absl::Duration kLong = absl::Minutes(10);
constexpr int64_t kSoonMicros = 60'000'000;

class DrainTest : public ServerTest {
 protected:
  // How long a drain took that could have taken kLong.
  int64_t DrainMicros() {
    const int64_t begun = system_clock.MonotonicMicros();
    server->Drain(kLong);
    return system_clock.MonotonicMicros() - begun;
  }

  // A watch by which a test hears that the server drains.
  struct Herald {
    absl::Notification open, draining;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<test::WatchResponse>> reader;
  };
  std::unique_ptr<Herald> OpenHerald() {
    auto herald = std::make_unique<Herald>();
    service->on_watch = [herald = herald.get()](const StreamWriter<test::WatchResponse>& writer) {
      writer.OnCancel([herald, writer] { herald->draining.Notify(); });
      herald->open.Notify();
      return absl::OkStatus();
    };
    herald->reader = stub->Watch(&herald->context, {});
    herald->open.WaitForNotification();
    return herald;
  }

  // A bidirectional stream that is opened and left; `request` is sent on it.
  struct Stream {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
    bool Next() {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    }
    // What comes until it ends.
    absl::Status Rest() {
      grpc::ByteBuffer message;
      do {
        call->Read(&message, nullptr);
      } while (Next());
      grpc::Status status;
      call->Finish(&status, nullptr);
      Next();
      return FromGrpc(status);
    }
  };
  std::unique_ptr<Stream> OpenStream(const std::string& method, const std::string& request) {
    auto stream = std::make_unique<Stream>();
    grpc::GenericStub generic(channel);
    stream->call = generic.PrepareCall(&stream->context, method, &stream->queue);
    stream->call->StartCall(nullptr);
    EXPECT_TRUE(stream->Next());
    grpc::Slice slice(request);
    stream->call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(stream->Next());
    grpc::ByteBuffer first;
    stream->call->Read(&first, nullptr);
    EXPECT_TRUE(stream->Next());
    return stream;
  }
};

TEST_F(DrainTest, WaitsForTheAnswerToACommand) {
  Start();
  absl::Notification arrived;
  std::optional<Reply<test::PutResponse>> kept;
  service->on_put = [&](const auto&, const auto&, Reply<test::PutResponse> reply) {
    kept = reply;
    arrived.Notify();
    return absl::OkStatus();
  };
  const auto herald = OpenHerald();
  absl::Status status = absl::UnknownError("unanswered");
  std::thread client([&] { status = Put(PutOf("x")); });
  arrived.WaitForNotification();
  std::thread drainer([&] { server->Drain(kLong); });
  herald->draining.WaitForNotification();
  (*kept)(test::PutResponse());
  kept.reset();
  drainer.join();
  client.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ReasonOf(FromGrpc(herald->reader->Finish())), "DRAINING");
  EXPECT_EQ(Get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(DrainTest, EndsWhoeverOnlyWaits) {
  Start();
  absl::Notification reads, waits;
  std::optional<Reply<test::GetResponse>> read;
  std::optional<Reply<test::PutResponse>> put;
  service->on_get = [&](const auto&, const auto&, const Reply<test::GetResponse>& reply) {
    read = reply;
    reads.Notify();
  };
  service->on_put = [&](const auto&, const auto&, const Reply<test::PutResponse>& reply) {
    reply.OnlyWaits();
    put = reply;
    waits.Notify();
    return absl::OkStatus();
  };
  absl::Status get_status, put_status;
  std::thread reader([&] { get_status = Get(); });
  std::thread waiter([&] { put_status = Put(PutOf("x")); });
  reads.WaitForNotification();
  waits.WaitForNotification();
  EXPECT_LT(DrainMicros(), kSoonMicros);
  reader.join();
  waiter.join();
  for (const absl::Status& status : {get_status, put_status}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), "DRAINING");
  }
  (*read)(test::GetResponse());  // too late, and harmless
  (*put)(test::PutResponse());
}

TEST_F(DrainTest, EndsWhatIsLeftAtTheDeadline) {
  Start();
  absl::Notification arrived;
  std::optional<Reply<test::PutResponse>> kept;
  service->on_put = [&](const auto&, const auto&, const Reply<test::PutResponse>& reply) {
    kept = reply;
    arrived.Notify();
    return absl::OkStatus();
  };
  absl::Status status;
  std::thread client([&] { status = Put(PutOf("x")); });
  arrived.WaitForNotification();
  server->Drain(absl::Milliseconds(1));
  client.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status), "DRAINING");
  server.reset();
  (*kept)(test::PutResponse());
}

TEST_F(DrainTest, KeepsCallsThatComeMeanwhileAndEndsThem) {
  Start();
  absl::Notification arrived;
  std::atomic<int> handled{0};
  std::optional<Reply<test::PutResponse>> kept;
  service->on_put = [&](const auto&, const auto&, const Reply<test::PutResponse>& reply) {
    if (++handled == 1) {
      kept = reply;
      arrived.Notify();
    } else {
      reply(test::PutResponse());
    }
    return absl::OkStatus();
  };
  const auto herald = OpenHerald();
  absl::Status first, second;
  std::thread client([&] { first = Put(PutOf("x")); });
  arrived.WaitForNotification();
  std::thread drainer([&] { server->Drain(kLong); });
  herald->draining.WaitForNotification();
  absl::Notification sent;
  std::thread late([&] {
    grpc::ClientContext context;
    test::PutResponse response;
    sent.Notify();
    second = FromGrpc(stub->Put(&context, PutOf("y"), &response));
  });
  sent.WaitForNotification();
  (*kept)(test::PutResponse());
  kept.reset();
  drainer.join();
  late.join();
  client.join();
  EXPECT_TRUE(first.ok()) << first;
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable) << second;
  EXPECT_EQ(handled, 1);
}

TEST_F(DrainTest, IsHeldUpByNoWatchOfTheHealthAndNoReflection) {
  Start();
  // HealthCheckRequest has the one field `service`, number 1; "" is the process.
  const auto health = OpenStream("/grpc.health.v1.Health/Watch", "");
  // ServerReflectionRequest with the field `list_services`, number 7.
  const auto reflection =
      OpenStream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", std::string("\x3a\x01*", 3));
  EXPECT_LT(DrainMicros(), kSoonMicros);
  EXPECT_EQ(health->Rest().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(reflection->Rest().code(), absl::StatusCode::kUnavailable);
}

TEST_F(DrainTest, IsHeldUpByNoIdleConnection) {
  Start();
  const OwnedFd silent = ConnectTo(server->address().port);
  const OwnedFd settled =
      ConnectTo(server->address().port);  // says what HTTP/2 asks for, and does not answer what it is asked
  ASSERT_TRUE(Send(settled, Preface()));
  char byte = 0;
  ASSERT_EQ(recv(settled.get(), &byte, 1, 0), 1);
  EXPECT_TRUE(Get().ok());
  EXPECT_LT(DrainMicros(), kSoonMicros);
}

TEST_F(DrainTest, EndsNoCallWithAnythingButUnavailable) {
  for (int round = 0; round < 10; ++round) {
    Start();
    // Answers come from another thread than their calls.
    service->on_put = [](const auto&, const auto&, const Reply<test::PutResponse>& reply) {
      std::thread([reply] { reply(test::PutResponse()); }).detach();
      return absl::OkStatus();
    };
    std::atomic<int> answered{0};
    absl::Notification enough;
    std::vector<absl::Status> ends(8);
    std::vector<std::thread> clients;
    for (absl::Status& end : ends) {
      clients.emplace_back([&] {
        while (end.ok()) {
          end = Put(PutOf("x"));
          if (end.ok() && ++answered == 50) enough.Notify();
        }
      });
    }
    enough.WaitForNotification();
    EXPECT_LT(DrainMicros(), kSoonMicros);
    for (std::thread& client : clients) client.join();
    for (const absl::Status& end : ends) EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable) << end;
    server.reset();
  }
}

}  // namespace
}  // namespace halles::rpc
