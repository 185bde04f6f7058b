// Judges the clock by the newest record.
#include "libs/partition/owner_clock.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

std::string InWords(UnixMicros time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(time), absl::UTCTimeZone());
}

absl::Status Refused(absl::string_view reason, absl::string_view how, UnixMicros now, UnixMicros newest) {
  return Failure(
      absl::StatusCode::kFailedPrecondition, reason,
      absl::StrCat("this machine's clock says ", InWords(now), ", ", how, " the newest record of the log, ",
                   InWords(newest), "; set the clock, or start once with --accept-clock-jump if it is right"),
      {{"clock", InWords(now)}, {"newest_record", InWords(newest)}});
}

}  // namespace

void OwnerClock::Leap(int64_t seen, int64_t micros) const {
  if (!offset_.compare_exchange_strong(seen, seen + micros, std::memory_order_relaxed)) return;
  telemetry::Log(telemetry::LogLevel::kWarning, "partition", "the wall clock was set forward; records follow it",
                 {{"microseconds", micros}});
}

ClockCheck::ClockCheck(const OwnerClock* clock, Options options)
    : clock_(*clock), options_(std::move(options)), believed_(options_.accept_jump) {}

void ClockCheck::Judge(UnixMicros time, bool end) {
  if (options_.accept_jump) return;
  const UnixMicros now = clock_.Now();
  absl::Status refused;
  bool believed = false;
  {
    MutexLock lock(&mutex_);
    newest_ = std::max(newest_, time);
    ends_ += end ? 1 : 0;
    if (refused_) return;
    if (newest_ > now + absl::ToInt64Microseconds(kClockBehindMax)) {
      refused = Refused("CLOCK_BEHIND", "more than an hour behind", now, newest_);
    } else if (newest_ >= now - absl::ToInt64Microseconds(kClockAheadMax)) {
      believed = true;
    } else if (ends_ == options_.slots) {
      believed = newest_ == 0;
      if (!believed) refused = Refused("CLOCK_AHEAD", "more than 90 days ahead of", now, newest_);
    }
    refused_ = !refused.ok();
    believed = believed && !believed_.exchange(true, std::memory_order_acq_rel);
  }
  if (believed && options_.on_believed) options_.on_believed();
  if (!refused.ok() && options_.on_refused) options_.on_refused(refused);
}

}  // namespace halles::partition
