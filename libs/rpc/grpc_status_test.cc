// Tests of errors on the wire.
#include "libs/rpc/grpc_status.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles::rpc {
namespace {

TEST(ToGrpc, KeepsCodeMessageAndEveryPayload) {
  absl::Status status = Overloaded("QUEUE_FULL", "the queue is full", absl::Milliseconds(20));
  const absl::Status there_and_back = FromGrpc(ToGrpc(status));
  EXPECT_EQ(there_and_back.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(there_and_back.message(), "the queue is full");
  EXPECT_EQ(ReasonOf(there_and_back), "QUEUE_FULL");
  EXPECT_EQ(RetryAfterOf(there_and_back), absl::Milliseconds(20));
  EXPECT_TRUE(FromGrpc(ToGrpc(InvalidField("a.b", "is bad"))).GetPayload(kBadRequestUrl).has_value());
}

TEST(ToGrpc, KeepsMessagesOfThePublicProtos) {
  constexpr absl::string_view kUrl = "type.googleapis.com/halles.checkout.v1.OrderProblems";
  absl::Status status = InvalidField("a.b", "is bad");
  status.SetPayload(kUrl, absl::Cord("problems"));
  const absl::Status there_and_back = FromGrpc(ToGrpc(status));
  ASSERT_TRUE(there_and_back.GetPayload(kUrl).has_value());
  EXPECT_EQ(std::string(*there_and_back.GetPayload(kUrl)), "problems");
}

TEST(ToGrpc, IsReadableAsGoogleRpcStatus) {
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(ToGrpc(InvalidField("a.b", "is bad")).error_details()));
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), "a.b: is bad");
  EXPECT_EQ(details.details_size(), 2);
}

TEST(ToGrpc, IsOkForOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(ToGrpc, DropsPayloadsOfInternalErrorsAndUnknownPayloads) {
  const grpc::Status internal = ToGrpc(Failure(absl::StatusCode::kInternal, "SECRET", "failed", {{"file", "/x"}}));
  EXPECT_EQ(internal.error_message(), "failed");
  EXPECT_EQ(internal.error_details(), "");
  absl::Status other = absl::NotFoundError("none");
  other.SetPayload("type.googleapis.com/own.Thing", absl::Cord("x"));
  EXPECT_EQ(ToGrpc(other).error_details(), "");
}

TEST(ToGrpc, StaysWithinItsLimits) {
  const std::string long_text(100'000, 'x');
  const grpc::Status status =
      ToGrpc(Failure(absl::StatusCode::kInvalidArgument, "LONG", long_text, {{"k", long_text}}));
  EXPECT_EQ(status.error_message().size(), kStatusMessageBytesMax);
  EXPECT_LE(status.error_details().size(), kStatusDetailsBytesMax);
  EXPECT_EQ(ReasonOf(FromGrpc(status)), "LONG");
}

TEST(ToGrpc, CutsAtCharacterBoundaries) {
  std::string text(kStatusMessageBytesMax - 1, 'x');
  text += "\xc3\xa9";
  EXPECT_EQ(ToGrpc(absl::NotFoundError(text)).error_message().size(), kStatusMessageBytesMax - 1);
}

TEST(FromGrpc, AcceptsAStatusWithMissingOrBrokenDetails) {
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "down")), absl::UnavailableError("down"));
  EXPECT_EQ(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "down", "\xff\xff")), absl::UnavailableError("down"));
}

}  // namespace
}  // namespace halles::rpc
