// Reads and writes the times in request ids.
#include "libs/base/request_id.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace halles {
namespace {

constexpr absl::string_view kStepPrefix = "saga@";
constexpr size_t kMillisDigits = 13;

std::optional<UnixMicros> TimeOfUuid7(absl::string_view id) {
  // xxxxxxxx-xxxx-7xxx-[89ab]xxx-xxxxxxxxxxxx
  if (id.size() != 36 || id[14] != '7') return std::nullopt;
  int64_t millis = 0;
  for (size_t i = 0; i < id.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(id[i]);
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    if (!absl::ascii_isxdigit(c)) return std::nullopt;
    if (i > 13) continue;
    const int digit = absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
    millis = (millis << 4) | digit;
  }
  const char variant = absl::ascii_tolower(static_cast<unsigned char>(id[19]));
  if (variant != '8' && variant != '9' && variant != 'a' && variant != 'b') return std::nullopt;
  return millis * 1000;
}

std::optional<UnixMicros> TimeOfStep(absl::string_view id) {
  if (!absl::StartsWith(id, kStepPrefix) || id.size() <= kStepPrefix.size() + kMillisDigits) return std::nullopt;
  int64_t millis = 0;
  for (const char c : id.substr(kStepPrefix.size(), kMillisDigits)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
    millis = millis * 10 + (c - '0');
  }
  if (id[kStepPrefix.size() + kMillisDigits] != '/') return std::nullopt;
  return millis * 1000;
}

}  // namespace

RequestIdTime TimeOfRequestId(absl::string_view request_id) {
  if (const std::optional<UnixMicros> time = TimeOfUuid7(request_id); time.has_value()) {
    return {RequestIdKind::kUuid7, *time, *time + kRequestIdLifeMicros};
  }
  if (const std::optional<UnixMicros> start = TimeOfStep(request_id); start.has_value()) {
    return {RequestIdKind::kStep, *start, *start + kSagaLifeMicros};
  }
  return {};
}

std::string StepRequestId(UnixMicros start, absl::string_view saga_id, absl::string_view step) {
  return absl::StrCat(kStepPrefix, absl::Dec(start / 1000, absl::kZeroPad13), "/", saga_id, "/", step);
}

bool IsReservedRequestId(absl::string_view request_id) { return absl::StartsWith(request_id, kStepPrefix); }

}  // namespace halles
