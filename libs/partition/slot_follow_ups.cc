// What follows from the confirmed records of a slot: calls and their outcomes, timers, watches.
#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "libs/partition/slot_runner.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

// What a later try mends by itself; anything else says that a service's rules and what it asked for do not fit.
bool IsPassing(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kResourceExhausted ||
         status.code() == absl::StatusCode::kAborted;
}

}  // namespace

CallOutcome OutcomeOf(absl::StatusOr<std::string> response) {
  CallOutcome outcome;
  if (response.ok()) {
    outcome.kind = CallOutcome::Kind::kSucceeded;
    outcome.response = *std::move(response);
    return outcome;
  }
  outcome.refusal = std::move(response).status();
  switch (outcome.refusal.code()) {
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      outcome.kind = CallOutcome::Kind::kRefused;
      break;
    default:
      outcome.kind = CallOutcome::Kind::kUnknown;
  }
  return outcome;
}

// Calls and outcomes --------------------------------------------------------------------------------------------------

void SlotRunner::SendCalls(Command& command) {
  std::vector<OutgoingCall> calls = command.TakeCalls();
  if (calls.empty() || draining_ || deps_.calls == nullptr) return;
  std::map<std::string, size_t> sizes;
  for (const OutgoingCall& call : calls) ++sizes[call.reply_key];
  std::map<std::string, uint64_t> groups;
  for (const auto& [reply_key, size] : sizes) {
    groups[reply_key] = gatherer_.Begin(command.envelope.tenant, size, deps_.clock->Now());
  }
  deps_.counters->calls.fetch_add(calls.size(), std::memory_order_relaxed);
  for (OutgoingCall& call : calls) {
    CallOutcome to;
    to.reply_key = call.reply_key;
    to.reply_tag = call.reply_tag;
    const uint64_t group = groups.at(call.reply_key);
    // The executor of this slot may have ended when the answer comes: it drops the task then.
    auto done = [this, group, to = std::move(to)](absl::StatusOr<std::string> response) {
      CallOutcome outcome = OutcomeOf(std::move(response));
      outcome.reply_key = to.reply_key;
      outcome.reply_tag = to.reply_tag;
      deps_.executor->Post(
          [this, group, outcome = std::move(outcome)]() mutable { gatherer_.Add(group, std::move(outcome)); });
    };
    deps_.calls->Call(std::move(call), command.envelope, std::move(done));
  }
}

void SlotRunner::DeliverOutcomes(const std::string& tenant, std::vector<CallOutcome> outcomes) {
  if (!stopped_.ok() || draining_ || !deps_.service->on_outcome) return;
  const std::string reply_key = outcomes.front().reply_key;
  std::unique_ptr<Command> command =
      deps_.service->on_outcome(std::move(outcomes), [this, reply_key](const absl::Status& status) {
        if (status.ok() || IsPassing(status)) return;  // the caller's timer asks again
        telemetry::Log(telemetry::LogLevel::kWarning, "partition", "the outcome of a call was not taken",
                       {{"slot", slot_.ToString()}, {"aggregate", reply_key}, {"why", status.message()}});
      });
  command->envelope.tenant = tenant;
  command->envelope.internal = true;
  deps_.calls->Submit(deps_.service->id, reply_key, std::move(command));
}

// Timers --------------------------------------------------------------------------------------------------------------

void SlotRunner::FireTimers() {
  if (!deps_.service->on_timer || draining_ || !stopped_.ok() || !serving()) return;
  const UnixMicros now = owner_->LogicalTime(deps_.clock->Now());
  if (!timers_.MayBeDue(now)) return;
  const std::vector<TimerKey> due = timers_.Take(rows_->confirmed(), now);
  deps_.counters->timers.fetch_add(due.size(), std::memory_order_relaxed);
  for (const TimerKey& timer : due) {
    std::unique_ptr<Command> command = deps_.service->on_timer(timer, [this, timer](const absl::Status& status) {
      if (!status.ok() && !IsPassing(status)) {
        telemetry::Log(telemetry::LogLevel::kWarning, "partition", "a timer was not taken; it is tried again",
                       {{"slot", slot_.ToString()}, {"timer", timer.key}, {"why", status.message()}});
      }
      if (!timers_.Answered()) return;
      timers_.Settle(rows_->confirmed());
      deps_.executor->Post([this] { FireTimers(); });
    });
    command->envelope.internal = true;
    Submit(std::move(command));
  }
}

// Watches -------------------------------------------------------------------------------------------------------------

void SlotRunner::Watch(std::string aggregate_id, Position min_position, absl::Time deadline, SlotWatch watch) {
  Query(min_position, deadline,
        [this, aggregate_id = std::move(aggregate_id), deadline, watch = std::move(watch)](
            const absl::StatusOr<const store::RowReader*>& rows, Position position) mutable {
          if (watch(rows, position) || !rows.ok()) return;
          if (watches_.size() >= kSlotWaitingQueriesMax) {
            watch(Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(slot_.ToString(), " has too many waiting reads"),
                             absl::Milliseconds(50)),
                  0);
            return;
          }
          watches_.emplace(std::move(aggregate_id), WaitingWatch{deadline, std::move(watch)});
        });
}

void SlotRunner::AskWatches(const Command& command, Position position) {
  touched_.clear();
  command.AppendAggregates(&touched_);
  // Several facts of one aggregate are the rule.
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const absl::string_view aggregate : touched_) {
    const auto [begin, end] = watches_.equal_range(std::string(aggregate));
    for (auto it = begin; it != end;) {
      it = it->second.watch(&rows_->confirmed(), position) ? watches_.erase(it) : std::next(it);
    }
  }
}

void SlotRunner::AskAllWatches(const absl::StatusOr<const store::RowReader*>& rows, Position position) {
  for (auto it = watches_.begin(); it != watches_.end();) {
    it = it->second.watch(rows, position) ? watches_.erase(it) : std::next(it);
  }
}

void SlotRunner::ExpireWatches() {
  const absl::Time now = absl::Now();
  for (auto it = watches_.begin(); it != watches_.end();) {
    if (now < it->second.deadline) {
      ++it;
      continue;
    }
    it->second.watch(Failure(absl::StatusCode::kDeadlineExceeded, "NOT_SETTLED",
                             absl::StrCat("what ", it->first, " has begun is not settled; it goes on: ask again")),
                     0);
    it = watches_.erase(it);
  }
}

}  // namespace halles::partition
