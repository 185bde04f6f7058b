// Tests of points in time on their way through the protos.
#include "libs/base/timestamp.h"

#include "gtest/gtest.h"

namespace halles {
namespace {

google::protobuf::Timestamp Stamp(int64_t seconds, int32_t nanos) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

TEST(Timestamp, KeepsMicrosecondsBothWays) {
  for (const UnixMicros micros :
       {int64_t{0}, int64_t{1}, int64_t{999'999}, int64_t{1'000'000}, int64_t{1'700'000'000'123'456},
        int64_t{7'258'118'399'999'999}, int64_t{-1}, int64_t{-1'000'000}, int64_t{-1'000'001}}) {
    const google::protobuf::Timestamp time = TimestampOf(micros);
    EXPECT_EQ(MicrosOf(time), micros);
    EXPECT_EQ(TimeOf(time), absl::FromUnixMicros(micros));
    EXPECT_GE(time.nanos(), 0) << micros;
    EXPECT_LT(time.nanos(), 1'000'000'000) << micros;
  }
}

TEST(Timestamp, DropsWhatIsBeyondTheMicrosecond) {
  EXPECT_EQ(MicrosOf(Stamp(2, 1'999)), 2'000'001);
  EXPECT_EQ(MicrosOf(Stamp(-1, 999'999'999)), -1);
}

TEST(Timestamp, KeepsNanosecondsOfATime) {
  const absl::Time time = absl::FromUnixSeconds(5) + absl::Nanoseconds(6);
  EXPECT_EQ(TimestampOf(time).seconds(), 5);
  EXPECT_EQ(TimestampOf(time).nanos(), 6);
  EXPECT_EQ(TimeOf(TimestampOf(time)), time);
  EXPECT_EQ(TimestampOf(time + absl::Nanoseconds(1) / 4).nanos(), 6);
}

}  // namespace
}  // namespace halles
