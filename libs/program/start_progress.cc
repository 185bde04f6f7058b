// Estimates the rest of a start from its rate so far.
#include "libs/program/start_progress.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "libs/base/status.h"

namespace halles::program {

absl::string_view StartPhaseName(StartPhase phase) {
  switch (phase) {
    case StartPhase::kOpening:
      return "opening";
    case StartPhase::kReplaying:
      return "replaying";
    case StartPhase::kCatchingUp:
      return "catching up";
    case StartPhase::kReady:
      return "ready";
  }
  return "unknown";
}

double StartReport::ratio() const {
  if (phase == StartPhase::kReady) return 1;
  if (records_total == 0) return phase == StartPhase::kOpening ? 0 : 1;
  return static_cast<double>(records_done) / static_cast<double>(records_total);
}

void StartProgress::Enter(StartPhase phase) {
  MutexLock lock(&mutex_);
  report_.phase = std::max(report_.phase, phase);
  if (report_.phase != StartPhase::kOpening) report_.waits_for = absl::OkStatus();
}

void StartProgress::WaitFor(const absl::Status& why) {
  MutexLock lock(&mutex_);
  report_.waits_for = why;
}

void StartProgress::Observe(uint64_t records_done, uint64_t records_total, MonotonicMicros now) {
  MutexLock lock(&mutex_);
  report_.records_done = std::min(records_done, records_total);
  report_.records_total = records_total;
  if (!first_.has_value()) first_ = Observation{report_.records_done, now};
  report_.left = std::nullopt;
  const uint64_t rest = records_total - report_.records_done;
  if (rest == 0) {
    report_.left = absl::ZeroDuration();
  } else if (report_.records_done > first_->records && now > first_->at) {
    const double each =
        static_cast<double>(now - first_->at) / static_cast<double>(report_.records_done - first_->records);
    report_.left = absl::Microseconds(static_cast<int64_t>(each * static_cast<double>(rest)));
  }
}

StartReport StartProgress::Report(MonotonicMicros now) const {
  MutexLock lock(&mutex_);
  StartReport report = report_;
  report.elapsed = absl::Microseconds(std::max<int64_t>(now - started_, 0));
  return report;
}

absl::Status TooEarly(const StartReport& report) {
  std::string message = absl::StrCat("the process is starting (", StartPhaseName(report.phase));
  if (report.records_total > 0) {
    absl::StrAppend(&message, ", ", report.records_done, " of ", report.records_total, " records of the log");
    if (report.left.has_value()) {
      absl::StrAppend(&message, ", about ", absl::ToInt64Seconds(absl::Ceil(*report.left, absl::Seconds(1))),
                      " s left");
    }
  }
  if (!report.waits_for.ok()) absl::StrAppend(&message, "; it waits: ", report.waits_for.message());
  absl::StrAppend(&message, "); try again");
  absl::Status early = Failure(absl::StatusCode::kUnavailable, "STARTING", message);
  const absl::Duration pause = std::clamp(report.left.value_or(2 * report.elapsed), kTryAgainMin, kTryAgainMax);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(pause));
  retry.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(pause - absl::Seconds(absl::ToInt64Seconds(pause)))));
  early.SetPayload(kRetryInfoUrl, absl::Cord(retry.SerializeAsString()));
  return early;
}

}  // namespace halles::program
