// Tests of the times in request ids.
#include "libs/base/request_id.h"

#include <string>

#include "gtest/gtest.h"

namespace halles {
namespace {

constexpr UnixMicros kStart = 1'764'230'400'123'000;

TEST(TimeOfRequestId, IsReadFromVersionSevenOfUuids) {
  const RequestIdTime time = TimeOfRequestId("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  EXPECT_EQ(time.kind, RequestIdKind::kUuid7);
  EXPECT_EQ(time.time, 1'645'557'742'000'000);
  EXPECT_EQ(time.expires, time.time + kRequestIdLifeMicros);
}

TEST(TimeOfRequestId, IsReadFromStepsOfSagas) {
  const RequestIdTime time = TimeOfRequestId(StepRequestId(kStart + 999, "c-1/2", "s0/cancel"));
  EXPECT_EQ(time.kind, RequestIdKind::kStep);
  EXPECT_EQ(time.time, kStart);
  EXPECT_EQ(time.expires, kStart + kSagaLifeMicros);
}

TEST(TimeOfRequestId, IsNoneInAnyOtherId) {
  for (const std::string id :
       {"order-17", "", "017F22E2-79B0-4CC3-98C4-DC0C0C07398F", "017F22E2-79B0-7CC3-78C4-DC0C0C07398F",
        "017F22E2079B0-7CC3-98C4-DC0C0C07398F", "017G22E2-79B0-7CC3-98C4-DC0C0C07398F", "saga@", "saga@1764230400123",
        "saga@176423040012/c-1/s0", "saga@17642304001234/c-1/s0", "saga@176423040012x/c-1/s0", "c-1/2/s0"}) {
    EXPECT_EQ(TimeOfRequestId(id).kind, RequestIdKind::kTimeless) << id;
    EXPECT_EQ(TimeOfRequestId(id).expires, kNeverExpires) << id;
  }
}

TEST(StepRequestId, StatesTheStartOfItsSagaAndIsReserved) {
  EXPECT_EQ(StepRequestId(kStart, "c-1/2", "s0"), "saga@1764230400123/c-1/2/s0");
  EXPECT_EQ(StepRequestId(5'000, "c-1/2", "s0"), "saga@0000000000005/c-1/2/s0");
  EXPECT_TRUE(IsReservedRequestId(StepRequestId(kStart, "c-1/2", "s0")));
  EXPECT_FALSE(IsReservedRequestId("c-1/2/s0"));
}

}  // namespace
}  // namespace halles
