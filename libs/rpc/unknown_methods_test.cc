// Tests of calls of methods that nobody has: they are answered, and end nobody but themselves.
#include "libs/rpc/unknown_methods.h"

#include <string>

#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/server_context.h"
#include "gtest/gtest.h"
#include "libs/rpc/calls_under_way.h"
#include "libs/rpc/test_server.h"

namespace halles::rpc {
namespace {

using MethodsThatNobodyHas = ServerTest;

TEST_F(MethodsThatNobodyHas, AreAnsweredAndTheServerGoesOn) {
  Start();
  uint64_t calls = 0;
  for (int i = 0; i < 200; ++i) {
    for (const char* const method :
         {"/nobody.Has/This", "/halles.rpc.test.TestService/This", "/grpc.health.v1.Health/This",
          "/grpc.reflection.v1alpha.ServerReflection/This", "/", "no slash", "/\xff\xfe/\x80"}) {
      const absl::Status status = CallByName(method, std::string(i % 2 == 0 ? 0 : 1'000, 'x'));
      ASSERT_EQ(status.code(), absl::StatusCode::kUnimplemented) << method << ": " << status;
      ASSERT_EQ(ReasonOf(status), "UNKNOWN_METHOD") << method << ": " << status;
      ++calls;
    }
  }
  EXPECT_EQ(server->unknown_methods(), calls);
  EXPECT_TRUE(Get().ok());
  EXPECT_TRUE(CallByName("/grpc.health.v1.Health/Check").ok());
}

TEST_F(MethodsThatNobodyHas, HoldUpNoDrain) {
  Start();
  EXPECT_EQ(CallByName("/nobody.Has/This").code(), absl::StatusCode::kUnimplemented);
  server->Drain(absl::Minutes(10));
  EXPECT_EQ(CallByName("/nobody.Has/This").code(), absl::StatusCode::kUnavailable);
}

// gRPC hands back the contexts that it made itself too: those of such methods, and all when its allocator makes none.
TEST(CallContexts, FreeNoContextOfAnother) {
  CallContexts contexts;
  grpc::CallbackServerContext plain;
  grpc::GenericCallbackServerContext generic;
  contexts.Release(static_cast<grpc::CallbackServerContext*>(&plain));
  contexts.Release(static_cast<grpc::CallbackServerContext*>(&generic));
  contexts.Release(&generic);
  contexts.Release(contexts.NewCallbackServerContext());
}

}  // namespace
}  // namespace halles::rpc
