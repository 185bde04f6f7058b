// Points in time of the protos, as those of the rules and of Abseil, and back.
#include "libs/base/timestamp.h"

#include <cstdint>

namespace halles {

UnixMicros MicrosOf(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

google::protobuf::Timestamp TimestampOf(UnixMicros micros) {
  UnixMicros rest = micros % 1'000'000;
  if (rest < 0) rest += 1'000'000;  // nanos are never negative
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds((micros - rest) / 1'000'000);
  timestamp.set_nanos(static_cast<int32_t>(rest) * 1'000);
  return timestamp;
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

google::protobuf::Timestamp TimestampOf(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(absl::ToUnixSeconds(time));  // the floor, so that nanos are never negative
  timestamp.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp.seconds()))));
  return timestamp;
}

}  // namespace halles
