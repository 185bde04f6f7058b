// A server with a door for tests, and its client. Included by tests only.
#ifndef HALLES_LIBS_RPC_TEST_SERVER_H_
#define HALLES_LIBS_RPC_TEST_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/machine/system_clock.h"
#include "libs/rpc/door.h"
#include "libs/rpc/grpc_status.h"
#include "libs/rpc/rpc_test_service.grpc.pb.h"
#include "libs/rpc/rpc_test_service.limits.h"
#include "libs/rpc/server.h"
#include "libs/telemetry/metrics.h"

namespace halles::rpc {

// A service whose methods the test defines.
class TestService final : public test::TestService::CallbackService {
 public:
  explicit TestService(Door* door) : door_(*door) {}

  grpc::ServerUnaryReactor* Put(grpc::CallbackServerContext* context, const test::PutRequest* request,
                                test::PutResponse* response) override {
    return door_.Command(context, request, response,
                         [this](const test::PutRequest& put, const Call& call, Reply<test::PutResponse> reply) {
                           return on_put(put, call, std::move(reply));
                         });
  }
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const test::GetRequest* request,
                                test::GetResponse* response) override {
    return door_.Query(context, request, response,
                       [this](const test::GetRequest& get, const Call& call, Reply<test::GetResponse> reply) {
                         on_get(get, call, std::move(reply));
                       });
  }
  grpc::ServerWriteReactor<test::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                       const test::WatchRequest* request) override {
    return door_.Watch<test::WatchResponse>(
        context, request, [this](const test::WatchRequest&, const Call&, StreamWriter<test::WatchResponse> writer) {
          return on_watch(std::move(writer));
        });
  }

  // The real values unless a test sets others.
  std::function<absl::Status(const test::PutRequest&, const Call&, Reply<test::PutResponse>)> on_put =
      [](const test::PutRequest& put, const Call&, const Reply<test::PutResponse>& reply) {
        test::PutResponse response;
        response.set_text(put.text());
        reply(response);
        return absl::OkStatus();
      };
  std::function<void(const test::GetRequest&, const Call&, Reply<test::GetResponse>)> on_get =
      [](const test::GetRequest&, const Call&, const Reply<test::GetResponse>& reply) { reply(test::GetResponse()); };
  std::function<absl::Status(StreamWriter<test::WatchResponse>)> on_watch =
      [](const StreamWriter<test::WatchResponse>&) { return absl::UnimplementedError("not in this test"); };

 private:
  Door& door_;
};

class ServerTest : public ::testing::Test {
 protected:
  void Start(const DoorOptions& door_options = {}, const ServerOptions& server_options = {}) {
    door = std::make_unique<Door>(test::TestService::service_full_name(), *clock, &metrics, door_options);
    service = std::make_unique<TestService>(door.get());
    auto started =
        Server::Start(server_options, *clock, {{service.get(), test::TestService::service_full_name(), door.get()}});
    ASSERT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
    channel = grpc::CreateChannel(server->address().ToString(), grpc::InsecureChannelCredentials());
    stub = test::TestService::NewStub(channel);
  }

  absl::Status Put(const test::PutRequest& request, test::PutResponse* response = nullptr) {
    grpc::ClientContext context;
    test::PutResponse ignored;
    return FromGrpc(stub->Put(&context, request, response == nullptr ? &ignored : response));
  }
  absl::Status Get(const test::GetRequest& request = {}) {
    grpc::ClientContext context;
    test::GetResponse response;
    return FromGrpc(stub->Get(&context, request, &response));
  }
  // Waits until it holds; false when it does not within a minute.
  bool Await(const std::function<bool()>& condition) const {
    const int64_t until = system_clock.MonotonicMicros() + 60'000'000;
    while (!condition()) {
      if (system_clock.MonotonicMicros() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // A unary call by the name of its method, as bytes.
  absl::Status CallByName(const std::string& method, const std::string& request = "", std::string* answer = nullptr) {
    grpc::Slice slice(request);
    grpc::ByteBuffer to(&slice, 1), from;
    grpc::ClientContext context;
    grpc::GenericStub generic(channel);
    grpc::Status status;
    absl::Notification done;
    generic.UnaryCall(&context, method, {}, &to, &from, [&](grpc::Status result) {
      status = std::move(result);
      done.Notify();
    });
    done.WaitForNotification();
    grpc::Slice whole;
    if (status.ok() && answer != nullptr) {
      EXPECT_TRUE(from.DumpToSingleSlice(&whole).ok());
      answer->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
    }
    return FromGrpc(status);
  }
  static test::PutRequest PutOf(const std::string& text) {
    test::PutRequest request;
    request.set_request_id("request-1");
    request.set_text(text);
    return request;
  }

  // First, so that they outlive the server.
  SystemClock system_clock;
  ManualClock manual_clock;
  const Clock* clock = &system_clock;  // for Start
  telemetry::Metrics metrics;
  std::unique_ptr<Door> door;
  std::unique_ptr<TestService> service;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<test::TestService::Stub> stub;
};

}  // namespace halles::rpc

#endif  // HALLES_LIBS_RPC_TEST_SERVER_H_
