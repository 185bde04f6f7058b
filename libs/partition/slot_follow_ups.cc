// Sends calls, collects their outcomes, takes due timers.
#include "libs/partition/slot_follow_ups.h"

#include <algorithm>
#include <map>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/telemetry/log.h"

namespace halles::partition {

bool MendsItself(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kResourceExhausted ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

bool IsRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

CallOutcome OutcomeOf(absl::StatusOr<std::string> response, AnswerPosition position) {
  CallOutcome outcome;
  if (response.ok()) {
    outcome.kind = CallOutcome::Kind::kSucceeded;
    outcome.response = *std::move(response);
    outcome.recorded_at = position;
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

SlotFollowUps::SlotFollowUps(Dependencies deps)
    : deps_(std::move(deps)), gatherer_([this](const std::string& tenant, std::vector<CallOutcome> outcomes) {
        DeliverOutcomes(tenant, std::move(outcomes));
      }) {}

void SlotFollowUps::SendCalls(Command& command, bool recorded) {
  std::vector<OutgoingCall> calls = command.TakeCalls();
  if (calls.empty() || !deps_.open()) return;
  std::map<AggregateRef, size_t> sizes;
  for (OutgoingCall& call : calls) {
    if (call.reply_to.type == 0) call.reply_to.type = command.envelope.aggregate.type;
    ++sizes[call.reply_to];
  }
  std::map<AggregateRef, uint64_t> groups;
  for (const auto& [reply_to, size] : sizes) {
    groups[reply_to] = gatherer_.Begin(command.envelope.tenant, size, deps_.scheduler->Now());
  }
  deps_.counters->calls.fetch_add(calls.size(), std::memory_order_relaxed);
  if (!recorded) deps_.counters->calls_without_record.fetch_add(calls.size(), std::memory_order_relaxed);
  for (OutgoingCall& call : calls) {
    const uint64_t group = groups.at(call.reply_to);
    // The slot may have ended when the answer arrives; the inbox is closed then.
    auto done = [this, inbox = deps_.inbox, group, reply_to = call.reply_to, reply_tag = call.reply_tag](
                    absl::StatusOr<std::string> response, AnswerPosition position) {
      CallOutcome outcome = OutcomeOf(std::move(response), position);
      outcome.reply_to = reply_to;
      outcome.reply_tag = reply_tag;
      inbox->Post([this, group, outcome = std::move(outcome)]() mutable { gatherer_.Add(group, std::move(outcome)); });
    };
    deps_.calls->Call(std::move(call), command.envelope, std::move(done));
  }
  deps_.changed();
}

void SlotFollowUps::Ask(const std::string& tenant, const std::string& aggregate_key,
                        std::unique_ptr<google::protobuf::Message> request,
                        std::function<void(const absl::Status&)> done) {
  const CommandDefinition* command = deps_.service->FindCommand(request->GetDescriptor()->full_name());
  HALLES_CHECK(command != nullptr, "an aggregate asks itself for a command that is not registered");
  Command::Envelope envelope;
  envelope.tenant = tenant;
  envelope.internal = true;
  deps_.submit(*command, aggregate_key, std::move(*request), std::move(envelope),
               [done = std::move(done)](const absl::StatusOr<google::protobuf::Message*>& response, AnswerPosition) {
                 done(response.status());
               });
}

void SlotFollowUps::DeliverOutcomes(const std::string& tenant, std::vector<CallOutcome> outcomes) {
  if (!deps_.open()) return;
  const AggregateRef reply_to = outcomes.front().reply_to;
  const AggregateDefinition* aggregate = deps_.service->Find(reply_to.type);
  HALLES_CHECK(aggregate != nullptr && aggregate->on_outcomes, "an aggregate calls that takes no outcomes");
  Ask(tenant, reply_to.key, aggregate->on_outcomes(std::move(outcomes)),
      [slot = deps_.slot, key = reply_to.key](const absl::Status& status) {
        if (status.ok() || MendsItself(status)) return;  // the caller's timer repeats the call
        telemetry::Log(telemetry::LogLevel::kWarning, "partition", "the outcome of a call was not taken",
                       {{"slot", slot.ToString()}, {"aggregate", key}, {"why", status.message()}});
      });
}

void SlotFollowUps::FireTimers() {
  if (!deps_.open()) return;
  const UnixMicros now = deps_.logical_time();
  if (!timers_.MayBeDue(now)) return;
  const std::vector<TimerKey> due = timers_.Take(deps_.rows(), now);
  if (deps_.read_failed()) {
    timers_.TryAgain(now);
    return;
  }
  deps_.counters->timers.fetch_add(due.size(), std::memory_order_relaxed);
  for (const TimerKey& timer : due) {
    const AggregateDefinition* aggregate = deps_.service->Find(timer.aggregate_type);
    HALLES_CHECK(aggregate != nullptr && aggregate->on_timer, "an aggregate sets timers that takes none");
    Ask(timer.tenant, timer.aggregate_key, aggregate->on_timer(timer), [this, timer](const absl::Status& status) {
      if (!status.ok() && !MendsItself(status)) {
        telemetry::Log(telemetry::LogLevel::kWarning, "partition", "a timer was not taken; it is tried again",
                       {{"slot", deps_.slot.ToString()},
                        {"aggregate", timer.aggregate_key},
                        {"timer", timer.name},
                        {"why", status.message()}});
      }
      if (!timers_.Answered()) return;
      timers_.Settle(deps_.rows(), deps_.logical_time());
      if (deps_.read_failed()) timers_.TryAgain(deps_.logical_time());
      deps_.queue->Post([this] { Tick(); });
    });
  }
}

void SlotFollowUps::Tick() {
  const MonotonicMicros now = deps_.scheduler->Now();
  if (gatherer_.MayBeDue(now)) gatherer_.DeliverDue(now);
  FireTimers();
  deps_.changed();
}

MonotonicMicros SlotFollowUps::next_tick() const {
  MonotonicMicros next = gatherer_.next_due();
  if (!deps_.open()) return next;
  if (const UnixMicros due = timers_.MayBeDueFrom(); due != DueTimers::kNever) {
    // Logical time advances with the monotonic clock, or jumps ahead with a record.
    const UnixMicros logical = deps_.logical_time();
    const UnixMicros wait = due > logical ? due - logical : 0;
    next = std::min(next, deps_.scheduler->Now() + wait);
  }
  return next;
}

}  // namespace halles::partition
