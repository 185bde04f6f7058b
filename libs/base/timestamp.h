// Points in time of the protos, as those of the rules and of Abseil, and back.
#ifndef HALLES_LIBS_BASE_TIMESTAMP_H_
#define HALLES_LIBS_BASE_TIMESTAMP_H_

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "libs/base/unix_time.h"

namespace halles {

// Without what is beyond the microsecond. Of `time`, the seconds are within 292,000 years of 1970.
UnixMicros MicrosOf(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp TimestampOf(UnixMicros micros);

// To the nanosecond. TimestampOf rounds down, and takes finite times only.
absl::Time TimeOf(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp TimestampOf(absl::Time time);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_TIMESTAMP_H_
