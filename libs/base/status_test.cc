// Tests of errors and their reasons.
#include "libs/base/status.h"

#include <memory>
#include <tuple>
#include <vector>

#include "absl/strings/cord.h"
#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace halles {
namespace {

absl::StatusOr<std::unique_ptr<int>> Make(bool good) {
  if (!good) return absl::NotFoundError("none");
  return std::make_unique<int>(7);
}

absl::Status Use(bool good, int* out) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> made, Make(good));
  RETURN_IF_ERROR(absl::OkStatus());
  *out = *made;
  ASSIGN_OR_RETURN(std::tie(*out, std::ignore), absl::StatusOr<std::pair<int, int>>({8, 9}));
  return absl::OkStatus();
}

TEST(AssignOrReturn, AssignsOrReturns) {
  int out = 0;
  EXPECT_TRUE(Use(true, &out).ok());
  EXPECT_EQ(out, 8);
  EXPECT_EQ(Use(false, &out), absl::NotFoundError("none"));
}

TEST(Failure, CarriesItsReasonAndMetadata) {
  const absl::Status status =
      Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", "elsewhere", {{"slot", "checkout/1"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), "NOT_OWNER");
  EXPECT_EQ(MetadataOf(status, "slot"), "checkout/1");
  EXPECT_EQ(MetadataOf(status, "other"), "");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(std::string(*status.GetPayload(kErrorInfoUrl))));
  EXPECT_EQ(info.domain(), "halles.dev");
}

TEST(Failure, HasTheSameBytesForTheSameMetadata) {
  const auto failure = [] {
    return Failure(absl::StatusCode::kFailedPrecondition, "R", "why", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  };
  std::vector<absl::Status> kept = {failure()};  // copies, each with its own address
  for (int i = 0; i < 64; ++i) {
    kept.push_back(failure());
    kept.front().ForEachPayload(
        [&](absl::string_view url, const absl::Cord& value) { EXPECT_EQ(kept.back().GetPayload(url), value); });
  }
}

TEST(InvalidField, NamesTheFieldInBothPayloads) {
  const absl::Status status = InvalidField("lines[3].unit_price", "is negative");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(status, "field"), "lines[3].unit_price");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(bad.ParseFromString(std::string(*status.GetPayload(kBadRequestUrl))));
  EXPECT_EQ(bad.field_violations(0).field(), "lines[3].unit_price");
  EXPECT_EQ(bad.field_violations(0).description(), "is negative");
}

TEST(UnknownValue, HasAReasonOfItsOwn) {
  const absl::Status status = UnknownValue("purpose", "has the value 7, which is unknown here");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_VALUE");
  EXPECT_EQ(MetadataOf(status, "field"), "purpose");
  EXPECT_TRUE(status.GetPayload(kBadRequestUrl).has_value());
}

TEST(Overloaded, SaysWhenToTryAgain) {
  const absl::Status status = Overloaded("QUEUE_FULL", "the queue is full", absl::Milliseconds(1250));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(1250));
  EXPECT_EQ(RetryAfterOf(absl::OkStatus()), std::nullopt);
}

TEST(Reject, NamesTheReasonAsInTheProto) {
  const absl::Status status = Reject(google::rpc::ALREADY_EXISTS, "said before", {{"order", "7"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "ALREADY_EXISTS");
  EXPECT_EQ(MetadataOf(status, "order"), "7");
  EXPECT_EQ(ReasonOf(RejectByName("REJECT_REASON_TOO_MUCH", "too much", {})), "TOO_MUCH");
}

TEST(ReasonOf, IsEmptyWithoutAReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
  absl::Status damaged = absl::InternalError("x");
  damaged.SetPayload(kErrorInfoUrl, absl::Cord("\xff\xff"));
  EXPECT_EQ(ReasonOf(damaged), "");
}

TEST(WithContext, KeepsCodeAndPayloads) {
  const absl::Status status = WithContext(Overloaded("FULL", "full", absl::Seconds(1)), "importing line 7");
  EXPECT_EQ(status.message(), "importing line 7: full");
  EXPECT_EQ(ReasonOf(status), "FULL");
  EXPECT_EQ(RetryAfterOf(status), absl::Seconds(1));
  EXPECT_TRUE(WithContext(absl::OkStatus(), "x").ok());
}

}  // namespace
}  // namespace halles
