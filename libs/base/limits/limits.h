// The parts of the generated checks of requests ("*.limits.cc"). The limits stand beside the fields in the protos
// (halles/options/v1/limits.proto); the plugin in proto/limits writes a check for each request:
//
//   absl::Status CheckLimits(const ReserveStockRequest& request);
//
// Checking a valid request allocates nothing and looks nothing up.
#ifndef HALLES_LIBS_BASE_LIMITS_LIMITS_H_
#define HALLES_LIBS_BASE_LIMITS_LIMITS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace halles::limits {

// The path of the field being checked. Lives on the stack; it becomes text only for an error.
// Lifetime: `parent` and the text behind `name` outlive it.
struct Place {
  const Place* parent = nullptr;
  absl::string_view name;
  int index = -1;

  // "lines[3].sku".
  std::string ToString() const;
};

// Tests of values -----------------------------------------------------------------------------------------------------

inline bool IsLength(size_t length, size_t min, size_t max) { return length >= min && length <= max; }

// Whether the text is printable and has `min` to `max` characters.
bool IsText(absl::string_view text, size_t min, size_t max);

// Whether the text has `min` to `max` characters, all of a-z, 0-9, '-' and '_'; an Id may also have A-Z.
bool IsId(absl::string_view text, size_t min, size_t max);
bool IsLowerCaseId(absl::string_view text, size_t min, size_t max);

// An ISO 4217 code.
bool IsCurrency(absl::string_view text);

// Whether the time is in the years 1970 to 2199.
inline bool IsTime(const google::protobuf::Timestamp& time) {
  constexpr int64_t kSecondsMax = 7'258'118'399;
  return time.seconds() >= 0 && time.seconds() <= kSecondsMax && time.nanos() >= 0 && time.nanos() <= 999'999'999;
}

// Numbers above the range of int64 become its maximum, which is beyond every limit.
inline int64_t Capped(uint64_t number) {
  return static_cast<int64_t>(std::min<uint64_t>(number, std::numeric_limits<int64_t>::max()));
}

// The index of the first entry whose key occurred before; -1 if all keys are distinct.
template <class Entries, class KeyOf>
int FirstRepeat(const Entries& entries, const KeyOf& key_of) {
  constexpr int kFew = 16;
  if (entries.size() <= kFew) {
    std::array<absl::string_view, kFew> seen;
    for (int i = 0; i < entries.size(); ++i) {
      seen[i] = key_of(entries[i]);
      if (std::find(seen.begin(), seen.begin() + i, seen[i]) != seen.begin() + i) return i;
    }
    return -1;
  }
  absl::InlinedVector<std::pair<absl::string_view, int>, 64> keys;
  keys.reserve(entries.size());
  for (int i = 0; i < entries.size(); ++i) keys.emplace_back(key_of(entries[i]), i);
  std::sort(keys.begin(), keys.end());
  int first = entries.size();
  for (size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].first == keys[i - 1].first) first = std::min(first, keys[i].second);
  }
  return first == entries.size() ? -1 : first;
}

// Errors --------------------------------------------------------------------------------------------------------------

// `range` is a text such as "1 to 64".
absl::Status Invalid(const Place& place, absl::string_view description);
absl::Status BadText(const Place& place, absl::string_view range, absl::string_view text);
absl::Status BadLength(const Place& place, absl::string_view range, absl::string_view unit, size_t length);
absl::Status BadCount(const Place& place, absl::string_view range, int count);
absl::Status BadTime(const Place& place);
// The error for an enum value that this build does not know; a newer build may.
absl::Status Unknown(const Place& place, int number);

}  // namespace halles::limits

#endif  // HALLES_LIBS_BASE_LIMITS_LIMITS_H_
