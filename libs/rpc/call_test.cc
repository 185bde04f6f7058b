// Tests of deadlines, request ids and metrics of calls.
#include "libs/rpc/call.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"

namespace halles::rpc {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

TEST(DeadlineOf, IsTheCallersUpToTheMaximum) {
  EXPECT_EQ(DeadlineOf(kNow + absl::Seconds(3), kNow, {}).value(), kNow + absl::Seconds(3));
  EXPECT_EQ(DeadlineOf(kNow + absl::Hours(3), kNow, {}).value(), kNow + absl::Seconds(60));
}

TEST(DeadlineOf, IsTheDefaultWithoutOneFromTheCaller) {
  EXPECT_EQ(DeadlineOf(absl::InfiniteFuture(), kNow, {}).value(), kNow + absl::Seconds(10));
}

TEST(DeadlineOf, IsRefusedIfItHasPassed) {
  const absl::Status status = DeadlineOf(kNow, kNow, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(status), "DEADLINE_PASSED");
}

TEST(CheckRequestId, AcceptsPrintableCharactersUpToTheLimit) {
  EXPECT_TRUE(CheckRequestId("a").ok());
  EXPECT_TRUE(CheckRequestId(std::string(128, 'x')).ok());
  EXPECT_TRUE(CheckRequestId("c-1/1/s0").ok());
  for (const std::string& id : {std::string(), std::string(129, 'x'), std::string("a\nb"), std::string("\0", 1),
                                StepRequestId(1'700'000'000'000'000, "c-1/1", "s0")}) {
    const absl::Status status = CheckRequestId(id);
    EXPECT_EQ(ReasonOf(status), "INVALID_FIELD") << id.size();
    EXPECT_EQ(MetadataOf(status, "field"), "request_id");
  }
}

TEST(MethodMetrics, HaveTheNamesOfPublicDashboards) {
  telemetry::Metrics metrics;
  const MethodMetrics method(&metrics, "a.Service", "Do", "unary");
  method.Started();
  method.Handled(absl::StatusCode::kFailedPrecondition, absl::Milliseconds(2));
  method.Handled(static_cast<absl::StatusCode>(99), absl::Milliseconds(2));
  const std::string text = metrics.Text();
  const std::string labels = R"(grpc_method="Do",grpc_service="a.Service",grpc_type="unary")";
  EXPECT_THAT(text, HasSubstr("grpc_server_started_total{" + labels + "} 1\n"));
  EXPECT_THAT(text, HasSubstr(R"(grpc_server_handled_total{grpc_code="FailedPrecondition",)" + labels + "} 1\n"));
  EXPECT_THAT(text, HasSubstr(R"(grpc_server_handled_total{grpc_code="Unknown",)" + labels + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handling_seconds_bucket{" + labels + R"(,le="0.0025"} 2)"));
}

}  // namespace
}  // namespace halles::rpc
