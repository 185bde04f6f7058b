// Takes commands through a slot: decide, evolve in flight, append, answer.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/request_id.h"
#include "libs/base/status.h"
#include "libs/eventlog/record.h"
#include "libs/partition/fold.h"
#include "libs/partition/noting_rows.h"
#include "libs/partition/request_id.h"
#include "libs/partition/runtime_tables.h"
#include "libs/partition/slot_runner.h"
#include "libs/telemetry/log.h"

namespace halles::partition {

void SlotRunner::Pump() {
  while (!queue_.empty() && stopped_.ok() && !postponed_ && serving() && owner_->open() && !catch_up_.active()) {
    Pending next = std::move(queue_.front());
    queue_.pop_front();
    if (!Execute(std::move(next))) return;
  }
}

bool SlotRunner::Postpone(Pending pending, const absl::Status& why) {
  deps_.counters->failed_reads.fetch_add(1, std::memory_order_relaxed);
  rows_->ResetStatus();
  queue_.push_front(std::move(pending));
  if (!eventlog::IsPassing(why)) {
    Stop(why);
    return false;
  }
  if (read_backoff_.fresh()) {
    telemetry::Log(telemetry::LogLevel::kWarning, "partition", "rows cannot be read just now; decisions wait",
                   {{"slot", slot_.ToString()}, {"why", why.message()}, {"reason", ReasonOf(why)}});
  }
  postponed_ = true;
  deps_.queue->PostAfter(read_backoff_.Next(*deps_.random), [this] {
    postponed_ = false;
    if (!abandoned_) Pump();
  });
  return false;
}

void SlotRunner::AnswerLate(Pending pending) {
  // No caller waits any more and nothing was decided, so a repeat can still be executed.
  Finish(pending);
  pending.command->AnswerError(Failure(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                                       "the deadline passed before the command was decided; nothing was recorded"));
}

void SlotRunner::ExpireQueued(MonotonicMicros now) {
  if (now <= queue_deadline_) return;
  queue_deadline_ = kNoDeadline;
  std::deque<Pending> late;
  for (auto it = queue_.begin(); it != queue_.end();) {
    const MonotonicMicros deadline = it->command->envelope.deadline;
    if (deadline >= now) {
      queue_deadline_ = std::min(queue_deadline_, deadline);
      ++it;
      continue;
    }
    late.push_back(std::move(*it));
    it = queue_.erase(it);
  }
  for (Pending& each : late) AnswerLate(std::move(each));
}

void SlotRunner::FailQueued(const absl::Status& status) {
  std::deque<Pending> queued;
  queued.swap(queue_);
  for (Pending& each : queued) {
    Finish(each);
    each.command->AnswerError(status);
  }
}

std::optional<SlotRunner::WaitingAnswer> SlotRunner::AnswerOfRepeat(const Command::Envelope& envelope, UnixMicros now) {
  const store::RowReader& state = rows_->in_flight();
  if (!envelope.request_id.empty()) {
    // What is over is not looked up: its row may be there or dropped.
    const RequestIdTime time = TimeOfRequestId(envelope.request_id);
    WaitingAnswer answer;
    answer.error = CheckRequestTime(envelope.request_id, time, now);
    if (!answer.error.ok()) {
      deps_.counters->refusals.fetch_add(1, std::memory_order_relaxed);
      return answer;
    }
    auto found = kDedupe.Find(
        state, {time.expires, envelope.tenant, envelope.aggregate.type, envelope.aggregate.key, envelope.request_id});
    if (!found.has_value()) return std::nullopt;
    deps_.counters->dedupe_hits.fetch_add(1, std::memory_order_relaxed);
    if (found->row.body_hash() == envelope.body_hash.view()) {
      answer.recorded = std::move(*found->row.mutable_response());
      answer.recorded_position = found->position + 1;
    } else {
      answer.error = RequestIdReused(envelope.request_id);
    }
    return answer;
  }
  if (envelope.cause.has_value()) {
    const log::v1::Cause& cause = *envelope.cause;
    const SlotId source{static_cast<ServiceId>(cause.service()), static_cast<uint16_t>(cause.slot())};
    const std::optional<rows::ReactionCursorRow> cursor = kReactionCursors.Get(state, {source});
    if (cursor.has_value() && IsRecorded(*cursor, cause.position(), cause.reaction())) {
      return WaitingAnswer{.recorded = std::string()};
    }
  }
  return std::nullopt;
}

bool SlotRunner::Execute(Pending pending) {
  if (!owner_->HasRoomFor(eventlog::kMaxRecordBytes)) {
    queue_.push_front(std::move(pending));
    return false;
  }
  const Command::Envelope& envelope = pending.command->envelope;
  if (envelope.deadline < deps_.scheduler->Now()) {
    AnswerLate(std::move(pending));
    return true;
  }
  if (envelope.sequence != nullptr && envelope.sequence->broken()) {
    Finish(pending);
    pending.command->AnswerError(
        Failure(absl::StatusCode::kUnavailable, "SEQUENCE_BROKEN", "a command before it failed; nothing was recorded"));
    return true;
  }
  const UnixMicros now = LogicalTime();
  const store::RowReader& state = rows_->in_flight();
  std::optional<WaitingAnswer> repeat = AnswerOfRepeat(envelope, now);
  absl::StatusOr<bool> has_facts = false;
  if (!repeat.has_value() && state.status().ok()) {
    has_facts = pending.command->Decide(
        state, {.tenant = envelope.tenant, .request_id = envelope.request_id, .actor = envelope.actor, .now = now});
  }
  // A decision on rows that could not be read is none.
  if (!state.status().ok()) return Postpone(std::move(pending), state.status());
  read_backoff_.Reset();
  deps_.counters->commands.fetch_add(1, std::memory_order_relaxed);
  if (repeat.has_value()) {
    repeat->submitted = pending.submitted;
    repeat->command = std::move(pending.command);
    AnswerLater(*std::move(repeat));
    return true;
  }
  // A refused reaction is a record without events, so that it is not tried for ever. One that a fault of the program kept
  // from being decided is not recorded, or it would be lost.
  // So is the answer of a request that changes nothing now: a late copy of it could otherwise change something.
  const bool keeps_answer = !envelope.request_id.empty() && !pending.command->AnswerIsFinal();
  const bool record = has_facts.ok() ? *has_facts || envelope.record_always || keeps_answer
                                     : envelope.cause.has_value() && IsRefusal(has_facts.status());
  if (!record) {
    if (!has_facts.ok()) deps_.counters->refusals.fetch_add(1, std::memory_order_relaxed);
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = has_facts.ok() ? absl::OkStatus() : has_facts.status();
    AnswerLater(std::move(answer));
    return true;
  }
  return Propose(std::move(pending), has_facts.ok() && *has_facts, now,
                 has_facts.ok() ? absl::OkStatus() : has_facts.status());
}

bool SlotRunner::Propose(Pending pending, bool has_facts, UnixMicros now, const absl::Status& refusal) {
  Command& command = *pending.command;
  const Command::Envelope& envelope = command.envelope;
  log::v1::RecordBody body;
  log::v1::Batch* batch = body.mutable_batch();
  batch->set_tenant(envelope.tenant);
  batch->set_request_id(envelope.request_id);
  if (!envelope.request_id.empty())
    batch->set_body_hash(envelope.body_hash.view().data(), envelope.body_hash.view().size());
  batch->set_actor(envelope.actor);
  batch->set_traceparent(envelope.traceparent);
  if (envelope.cause.has_value()) *batch->mutable_cause() = *envelope.cause;
  if (refusal.ok()) command.Record(batch);
  SetAggregate(envelope.aggregate, batch);

  const Position expected = owner_->cursor().next + owner_->in_flight();
  store::Rows& rows = rows_->BeginRecord(expected);
  absl::Status evolved;
  if (has_facts) {
    NotingRows noting(&rows);
    evolved = command.Evolve(has_timers_ ? noting : rows, {.slot = slot_,
                                                           .position = expected,
                                                           .index = 0,
                                                           .logical_time = now,
                                                           .effective_time = now,
                                                           .aggregate_type = 0,
                                                           .aggregate_id = {},
                                                           .tenant = envelope.tenant});
    pending.earliest_timer = noting.earliest();
  }
  if (evolved.ok()) evolved = FoldRuntimeRows(*batch, now, rows, &expired_);
  if (!rows.status().ok()) {
    const absl::Status failed = rows.status();
    AbandonRecord();
    return Postpone(std::move(pending), failed);
  }
  if (!evolved.ok()) {
    AbandonRecord();
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = Failure(absl::StatusCode::kInternal, "NOT_EVOLVABLE",
                           absl::StrCat("the decision cannot be evolved and was not recorded: ", evolved.message()));
    AnswerLater(std::move(answer));
    return true;
  }
  std::string buffer(eventlog::kHeaderBytes, '\0');
  body.AppendToString(&buffer);
  absl::StatusOr<eventlog::Append> append = owner_->Propose(eventlog::RecordKind::kBatch, std::move(buffer), now);
  if (!append.ok()) {
    AbandonRecord();
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = append.status();
    AnswerLater(std::move(answer));
    return true;
  }
  pending.tag = append->tag;
  pending.expected = expected;
  pending.appended = deps_.scheduler->Now();
  pending.record_bytes = append->bytes.size();
  if (deps_.on_confirmed) pending.bytes = append->bytes;
  in_flight_.push_back(std::move(pending));
  if (in_flight_.size() == 1) ArmTick();
  expected_end_.store(owner_->cursor().next + owner_->in_flight(), std::memory_order_release);
  deps_.log->Append(slot_, std::move(append->bytes), append->tag, deps_.sink);
  return true;
}

void SlotRunner::AnswerLater(WaitingAnswer answer) {
  // Later commands are decided before the answer leaves.
  if (!answer.error.ok() && answer.command->envelope.sequence != nullptr) answer.command->envelope.sequence->Break();
  eventlog::Effects effects;
  const absl::StatusOr<uint64_t> ticket = owner_->AnswerWithoutRecord(&effects);
  if (!ticket.ok()) {
    answer.error = Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", ticket.status().message());
    answer.recorded.reset();
    Send(std::move(answer));
    return;
  }
  if (answer.recorded.has_value()) {
    // While the first copy is in flight, its rows name its expected position; the answer names its real one.
    const Command::Envelope& asked = answer.command->envelope;
    const auto first = std::find_if(in_flight_.begin(), in_flight_.end(), [&asked](const Pending& each) {
      const Command::Envelope& other = each.command->envelope;
      return !asked.request_id.empty() && other.request_id == asked.request_id && other.tenant == asked.tenant &&
             other.aggregate == asked.aggregate;
    });
    if (first != in_flight_.end()) {
      answer.recorded_position = 0;
      first->repeats.push_back(*ticket);
    }
  }
  answers_.emplace(*ticket, std::move(answer));
  Handle(effects);
}

void SlotRunner::Send(WaitingAnswer answer) {
  Release(*answer.command);
  if (deps_.counters->observe_command) {
    deps_.counters->observe_command(absl::Microseconds(deps_.scheduler->Now() - answer.submitted));
  }
  const AnswerPosition position{slot_, owner_->cursor().next};
  if (!answer.error.ok()) {
    answer.command->AnswerError(answer.error);
  } else if (answer.recorded.has_value()) {
    answer.command->AnswerRecorded(
        *answer.recorded, {slot_, answer.recorded_position == 0 ? position.position : answer.recorded_position});
  } else {
    follow_ups_.SendCalls(*answer.command, /*recorded=*/false);
    answer.command->Answer(position);
  }
}

void SlotRunner::Finish(const Pending& pending) {
  Release(*pending.command);
  if (deps_.counters->observe_command) {
    deps_.counters->observe_command(absl::Microseconds(deps_.scheduler->Now() - pending.submitted));
  }
}

}  // namespace halles::partition
