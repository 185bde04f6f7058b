// Tests of the classification of errors, which all drivers share.
#include "libs/eventlog/log.h"

#include "gtest/gtest.h"

namespace halles::eventlog {
namespace {

TEST(IsPassing, IsFalseForLossACutANewerRecordAndAnUnknownSlot) {
  EXPECT_FALSE(IsPassing(absl::DataLossError("")));
  EXPECT_FALSE(IsPassing(absl::OutOfRangeError("")));
  EXPECT_FALSE(IsPassing(absl::FailedPreconditionError("")));
  EXPECT_FALSE(IsPassing(absl::InvalidArgumentError("")));
}

TEST(IsPassing, IsTrueForAnyOtherError) {
  EXPECT_TRUE(IsPassing(absl::UnavailableError("")));
  EXPECT_TRUE(IsPassing(absl::ResourceExhaustedError("")));
  EXPECT_TRUE(IsPassing(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsPassing(absl::PermissionDeniedError("")));
}

}  // namespace
}  // namespace halles::eventlog
