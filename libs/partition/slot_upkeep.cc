// What a slot does as time passes: it wakes when something is due, and completes the filter of its rows.
#include <algorithm>

#include "libs/base/status.h"
#include "libs/partition/slot_runner.h"

namespace halles::partition {
namespace {

// Minimum time between ticks.
constexpr int64_t kTickMinMicros = 1000;
// The filter is completed with so many keys at a time, and pauses in between, so that the slot serves meanwhile.
constexpr size_t kFilterKeysPerTask = 2000;
constexpr absl::Duration kFilterPause = absl::Milliseconds(10);

}  // namespace

void SlotRunner::FillFilter() {
  if (!stopped_.ok() || abandoned_) return;
  // Damage is told by whoever finds it; any other failed read is tried again.
  const absl::StatusOr<bool> filled = rows_->FillFilter(kFilterKeysPerTask);
  if (filled.ok() && *filled) return;
  deps_.queue->PostAfter(filled.ok() ? kFilterPause : kFilterPause * 100, [this] { FillFilter(); });
}

void SlotRunner::ArmTick() {
  if (!stopped_.ok() || abandoned_) return;
  const MonotonicMicros now = deps_.scheduler->Now();
  MonotonicMicros next = std::min(reads_.next_deadline(), follow_ups_.next_tick());
  if (serving()) next = std::min(next, next_forget_);
  next = std::min(next, report_due());
  if (queue_deadline_ != kNoDeadline) next = std::min(next, queue_deadline_ + 1);
  if (next == kNoDeadline) return;
  next = std::max(next, now + kTickMinMicros);
  if (!armed_.empty() && *armed_.begin() <= next) return;
  armed_.insert(next);
  deps_.queue->PostAfter(absl::Microseconds(next - now), [this, next] {
    armed_.erase(armed_.find(next));
    Tick();
  });
}

MonotonicMicros SlotRunner::report_due() const {
  // In doubt, no report is expected: the log is read.
  if (in_flight_.empty() || owner_->phase() != eventlog::Phase::kServing) return kNoDeadline;
  return in_flight_.front().appended + absl::ToInt64Microseconds(kAppendPatience);
}

void SlotRunner::Tick() {
  if (!stopped_.ok() || abandoned_) return;
  const MonotonicMicros now = deps_.scheduler->Now();
  reads_.Expire(now, folded().next);
  follow_ups_.Tick();
  if (now >= next_forget_) {
    next_forget_ = now + absl::ToInt64Microseconds(kForgetKeysEvery);
    rows_->ForgetFiltered(owner_->cursor().logical_time);
  }
  ExpireQueued(now);
  if (now >= report_due()) {
    OnReport({.slot = slot_,
              .tag = in_flight_.front().tag,
              .status = absl::DeadlineExceededError("the log has not reported a record for too long"),
              .position = std::nullopt});
  }
  ArmTick();
}

}  // namespace halles::partition
