// Tells what became of a slot or its claim, and answers all who wait when it stops, steps down or is abandoned.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_tables.h"
#include "libs/partition/slot_runner.h"
#include "libs/telemetry/log.h"

namespace halles::partition {

using eventlog::Phase;

absl::string_view SlotPhaseName(SlotPhase phase) {
  switch (phase) {
    case SlotPhase::kRecovering:
      return "recovering";
    case SlotPhase::kServing:
      return "serving";
    case SlotPhase::kFollowing:
      return "following";
    case SlotPhase::kStopped:
      return "stopped";
  }
  return "unknown";
}

SlotState SlotRunner::State() const {
  SlotState state{.slot = slot_, .error = stopped_};
  if (!stopped_.ok()) {
    state.phase = SlotPhase::kStopped;
  } else if (serving() && owner_->phase() == Phase::kServing) {
    state.phase = SlotPhase::kServing;
  } else if (!wants_slot_ && settled_) {
    state.phase = SlotPhase::kFollowing;
  }
  state.position = folded().next;
  state.term = owner_->cursor().term;
  state.in_flight = owner_->in_flight();
  state.commands = static_cast<size_t>(load());
  state.waiting_queries = reads_.waiting_queries();
  state.watches = reads_.watches();
  return state;
}

SlotRunner::~SlotRunner() {
  if (!refused_.ok()) deps_.counters->refused_slots.fetch_sub(1, std::memory_order_relaxed);
}

void SlotRunner::SetRefused(const absl::Status& refused) {
  std::atomic<uint64_t>& slots = deps_.counters->refused_slots;
  if (refused_.ok() && !refused.ok() && slots.fetch_add(1, std::memory_order_relaxed) == 0) {
    telemetry::Log(telemetry::LogLevel::kWarning, "partition",
                   "the log refuses the claims of slots; they are claimed again, reads are served meanwhile",
                   {{"first_slot", slot_.ToString()}, {"why", refused.message()}, {"reason", ReasonOf(refused)}});
  }
  if (!refused_.ok() && refused.ok() && slots.fetch_sub(1, std::memory_order_relaxed) == 1) {
    telemetry::Log(telemetry::LogLevel::kInfo, "partition", "the log refuses no claim of a slot any more");
  }
  refused_ = refused;
}

void SlotRunner::Settled() {
  if (std::exchange(settled_, true)) return;
  if (deps_.on_settled) deps_.on_settled();
}

void SlotRunner::Stop(const absl::Status& status) {
  if (!stopped_.ok()) return;
  stopped_ = WithContext(status, slot_.ToString());
  {
    MutexLock lock(&why_stopped_mutex_);
    why_stopped_ = stopped_;
  }
  if (!std::exchange(seen_end_, true)) deps_.clock_check->OnEndOfSlot(owner_->cursor().logical_time);
  telemetry::Log(telemetry::LogLevel::kError, "partition", "a slot stopped; the others serve on",
                 {{"slot", slot_.ToString()}, {"why", status.message()}, {"reason", ReasonOf(status)}});
  SetServing(false);
  SetRefused(absl::OkStatus());
  deps_.counters->stopped_slots.fetch_add(1, std::memory_order_relaxed);
  catch_up_.End();
  FailEverything(Unavailable());
  // What the rows have reacted to is covered by the records up to here.
  confirmed_.store(folded().next, std::memory_order_release);
  if (deps_.on_stopped) deps_.on_stopped(ReadReactedTo());
  Settled();
}

ReactedTo SlotRunner::ReadReactedTo() {
  std::map<SlotId, rows::ReactionCursorRow> cursors;
  rows_->ResetStatus();
  kReactionCursors.ForEach(rows_->confirmed(),
                           [&cursors](const ReactionCursorKey& key, const rows::ReactionCursorRow& row, Position) {
                             cursors[key.source] = row;
                             return true;
                           });
  const absl::Status read = rows_->confirmed().status();
  rows_->ResetStatus();
  RETURN_IF_ERROR(read);
  return cursors;
}

void SlotRunner::StepDown() {
  wants_slot_ = false;
  SetRefused(absl::OkStatus());
  SetServing(false);
  telemetry::Log(telemetry::LogLevel::kInfo, "partition", "a slot has another owner; it is followed from here on",
                 {{"slot", slot_.ToString()}, {"term", owner_->cursor().term}});
  Settled();
}

void SlotRunner::AbandonAll() {
  draining_ = true;
  abandoned_ = true;
  catch_up_.End();
  FailEverything(Unavailable());
}

void SlotRunner::FailCommands(const absl::Status& status) {
  // The fate of what is in flight is unknown: UNAVAILABLE says so, and the repeat finds out.
  FailDecided(status);
  FailQueued(status);
}

void SlotRunner::FailDecided(const absl::Status& status) {
  std::deque<Pending> pending;
  pending.swap(in_flight_);
  for (auto& [ticket, answer] : answers_) {
    pending.push_back({.command = std::move(answer.command), .submitted = answer.submitted});
  }
  answers_.clear();
  for (Pending& each : pending) {
    Finish(each);
    each.command->AnswerError(status);
  }
}

void SlotRunner::FailEverything(const absl::Status& status) {
  FailCommands(status);
  reads_.FailAll(status);
  follow_ups_.Clear();
}

}  // namespace halles::partition
