// The write path of a slot and its recovery.
#include "libs/partition/slot_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/eventlog/record.h"
#include "libs/partition/expiry.h"
#include "libs/partition/fold.h"
#include "libs/partition/noting_rows.h"
#include "libs/partition/request_id.h"
#include "libs/partition/runtime_tables.h"
#include "libs/telemetry/log.h"

namespace halles::partition {
namespace {

using eventlog::Effect;
using eventlog::Effects;

}  // namespace

absl::string_view SlotPhaseName(SlotPhase phase) {
  switch (phase) {
    case SlotPhase::kRecovering:
      return "recovering";
    case SlotPhase::kServing:
      return "serving";
    case SlotPhase::kFenced:
      return "fenced";
    case SlotPhase::kStopped:
      return "stopped";
  }
  return "unknown";
}

SlotRunner::SlotRunner(SlotId slot, SlotDependencies deps)
    : slot_(slot),
      deps_(std::move(deps)),
      next_expiry_scan_(deps_.clock->Now() + absl::ToInt64Microseconds(kExpiryScan)),
      gatherer_([this](const std::string& tenant, std::vector<CallOutcome> outcomes) {
        DeliverOutcomes(tenant, std::move(outcomes));
      }) {}

absl::Status SlotRunner::Open() {
  store::SlotOptions options;
  options.fold_version = deps_.service->fold_version;
  options.post = [this](std::function<void()> task) { deps_.executor->Post(std::move(task)); };
  options.cursor = [this] { return store::FoldCursor{eventlog::EncodeCursor(folded()), folded().next}; };
  options.filtered_tables = deps_.service->mostly_absent_tables;
  options.filtered_tables.push_back(kDedupe.id());
  ASSIGN_OR_RETURN(const std::optional<store::FoldMeta> meta, deps_.store->LoadMeta(store::FoldId::State(slot_)));
  if (meta.has_value() && meta->version != deps_.service->fold_version) {
    RETURN_IF_ERROR(deps_.store->Drop(store::RowSpace::State(slot_)));
  }
  eventlog::OwnerOptions owner_options;
  owner_options.self = deps_.instance;
  if (meta.has_value() && meta->version == deps_.service->fold_version) {
    ASSIGN_OR_RETURN(const eventlog::Cursor cursor, eventlog::DecodeCursor(meta->cursor.bytes));
    owner_.emplace(cursor, owner_options);
  } else {
    owner_.emplace(deps_.log->identity(), slot_, owner_options);
  }
  ASSIGN_OR_RETURN(rows_, deps_.store->OpenSlot(slot_, options));
  PublishPosition();
  deps_.executor->Post([this] { Recover(); });
  return absl::OkStatus();
}

void SlotRunner::Submit(std::unique_ptr<Command> command) {
  const bool internal = command->envelope.internal;
  const int64_t limit = internal ? kSlotCommandsMax : kSlotCommandsFromDoorsMax;
  absl::Status refused;
  if (load_.fetch_add(1, std::memory_order_relaxed) >= limit) {
    refused =
        Overloaded("SLOT_QUEUE_FULL", absl::StrCat(slot_.ToString(), " has ", limit, " commands to do; try again"),
                   absl::Milliseconds(50));
  } else if (!internal) {
    refused = deps_.store->Admit();
  }
  if (!refused.ok()) {
    load_.fetch_sub(1, std::memory_order_relaxed);
    deps_.counters->shed.fetch_add(1, std::memory_order_relaxed);
    command->AnswerError(refused);
    return;
  }
  deps_.executor->Post([this, command = std::move(command), now = absl::Now()]() mutable {
    if (!stopped_.ok() || draining_) {
      load_.fetch_sub(1, std::memory_order_relaxed);
      command->AnswerError(Unavailable());
      return;
    }
    queue_.push_back({std::move(command), now, 0});
    Pump();
  });
}

void SlotRunner::Query(Position min_position, absl::Time deadline, SlotQuery query) {
  deps_.executor->Post([this, min_position, deadline, query = std::move(query)]() mutable {
    if (!stopped_.ok()) {
      query(Unavailable(), 0);
    } else if (owner_->cursor().next >= min_position) {
      query(&rows_->confirmed(), owner_->cursor().next);
    } else if (queries_.size() >= kSlotWaitingQueriesMax) {
      query(Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(slot_.ToString(), " has too many waiting reads"),
                       absl::Milliseconds(50)),
            0);
    } else {
      queries_.push_back({min_position, deadline, std::move(query)});
    }
  });
}

absl::Status SlotRunner::Unavailable() const {
  if (!stopped_.ok()) {
    return Failure(absl::StatusCode::kUnavailable, "SLOT_STOPPED",
                   absl::StrCat(slot_.ToString(), " has stopped: ", stopped_.message()), {{"slot", slot_.ToString()}});
  }
  return Failure(absl::StatusCode::kUnavailable, draining_ ? "DRAINING" : "NOT_OWNER",
                 absl::StrCat(slot_.ToString(), draining_ ? " is shutting down" : " is not owned by this instance"),
                 {{"slot", slot_.ToString()}});
}

// Recovery ------------------------------------------------------------------------------------------------------------

void SlotRunner::Recover() {
  caught_up_ = false;
  absl::StatusOr<std::unique_ptr<eventlog::LogReader>> reader = deps_.log->NewReader(slot_, owner_->next_read());
  if (!reader.ok()) {
    Stop(reader.status());
    return;
  }
  reader_ = *std::move(reader);
  ReadSome();
}

void SlotRunner::ReadSome() {
  reading_ = false;
  if (!stopped_.ok() || abandoned_ || reader_ == nullptr) return;
  std::vector<eventlog::StoredRecord> records;
  const absl::StatusOr<eventlog::ReadResult> read =
      reader_->Poll({.records_max = kRecoveryRecordsPerTask, .bytes_max = 1024 * 1024}, &records);
  if (!read.ok()) {
    Stop(read.status());
    return;
  }
  for (const eventlog::StoredRecord& record : records) {
    Effects effects;
    const eventlog::Cursor before = owner_->cursor();
    const std::optional<eventlog::Judgement> judgement = owner_->OnRecord(record.position, record.bytes, &effects);
    for (const Effect& effect : effects) {
      if (effect.kind != Effect::Kind::kApply) continue;
      Apply(effect.position, *judgement);
      if (!stopped_.ok()) {
        stuck_at_ = before;
        return;
      }
    }
    rows_->NoteAdvance();
    Handle(std::move(effects));
    if (!stopped_.ok() || reader_ == nullptr) return;
  }
  PublishPosition();
  if (read->count > 0 || !read->at_end) {
    ReadSoon();
    return;
  }
  if (owner_->phase() == eventlog::Phase::kFollowing && !caught_up_) {
    caught_up_ = true;
    Claim();
  } else if (owner_->phase() == eventlog::Phase::kServing) {
    reader_.reset();
    Pump();
  }
}

void SlotRunner::ReadSoon() {
  if (reading_) return;
  reading_ = true;
  deps_.executor->Post([this] { ReadSome(); });
}

void SlotRunner::Claim() {
  Effects effects;
  absl::StatusOr<eventlog::Append> claim = owner_->StartClaim(deps_.address, false, deps_.clock->Now(), &effects);
  if (!claim.ok()) {
    Stop(claim.status());
    return;
  }
  deps_.log->Append(slot_, std::move(claim->bytes), claim->tag, deps_.sink);
  Handle(std::move(effects));
}

void SlotRunner::Apply(Position position, const eventlog::Judgement& judgement) {
  if (judgement.header.kind != eventlog::RecordKind::kBatch) return;
  log::v1::RecordBody body;
  absl::Status applied = absl::DataLossError("the body does not parse");
  if (body.ParseFromArray(judgement.body.data(), static_cast<int>(judgement.body.size())) && body.has_batch()) {
    if (rows_->records_in_flight() > 0) rows_->DropInFlight();
    store::Rows& rows = rows_->BeginApply(position);
    applied = FoldBatch(*deps_.service, slot_, position, judgement.header.logical_time, body.batch(), rows);
    if (!applied.ok()) rows_->AbandonRecord();
  }
  if (!applied.ok()) {
    Stop(WithContext(applied, absl::StrCat("record ", slot_.ToString(), "@", position)));
    return;
  }
  deps_.counters->replayed.fetch_add(1, std::memory_order_relaxed);
}

// The write path ------------------------------------------------------------------------------------------------------

void SlotRunner::Pump() {
  while (!queue_.empty() && stopped_.ok() && owner_->open() && reader_ == nullptr) {
    Pending next = std::move(queue_.front());
    queue_.pop_front();
    if (!Execute(std::move(next))) return;
  }
}

bool SlotRunner::Execute(Pending pending) {
  if (!owner_->HasRoomFor(eventlog::kMaxRecordBytes)) {
    queue_.push_front(std::move(pending));
    return false;
  }
  deps_.counters->commands.fetch_add(1, std::memory_order_relaxed);
  if (pending.command->envelope.deadline < absl::Now()) {
    // Nobody waits any more; nothing was decided, so the repeat is free to do it.
    Finish(pending);
    pending.command->AnswerError(Failure(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                                         "the deadline passed before the command was decided; nothing was recorded"));
    return true;
  }
  if (pending.command->envelope.line != nullptr && pending.command->envelope.line->broken()) {
    Finish(pending);
    pending.command->AnswerError(
        Failure(absl::StatusCode::kAborted, "LINE_BROKEN", "a command before it failed; nothing was recorded"));
    return true;
  }
  const Command::Envelope& envelope = pending.command->envelope;
  const UnixMicros now = owner_->LogicalTime(deps_.clock->Now());
  const store::RowReader& state = rows_->in_flight();
  absl::StatusOr<bool> has_facts = false;
  if (!envelope.request_id.empty()) {
    if (auto found = kDedupe.Find(state, {envelope.tenant, envelope.request_id}); found.has_value()) {
      deps_.counters->dedupe_hits.fetch_add(1, std::memory_order_relaxed);
      WaitingAnswer answer{.submitted = pending.submitted};
      if (found->row.body_hash() == envelope.body_hash.view()) {
        answer.recorded = std::move(*found->row.mutable_response());
        answer.recorded_position = found->position + 1;
      } else {
        answer.error = RequestIdReused(envelope.request_id);
      }
      answer.command = std::move(pending.command);
      AnswerLater(std::move(answer));
      return true;
    }
    if (absl::Status fresh = CheckRequestTime(envelope.request_id, now); !fresh.ok()) has_facts = std::move(fresh);
  }
  if (envelope.cause.has_value() && !envelope.cause->progress()) {
    const SlotId source{static_cast<ServiceId>(envelope.cause->service()),
                        static_cast<uint16_t>(envelope.cause->slot())};
    const std::optional<rows::ReactionCursorRow> cursor = kReactionCursors.Get(state, {source});
    if (cursor.has_value() && std::pair(cursor->position(), cursor->event_index()) >=
                                  std::pair(envelope.cause->position(), envelope.cause->event_index())) {
      AnswerLater({.command = std::move(pending.command), .submitted = pending.submitted, .recorded = std::string()});
      return true;
    }
  }
  if (has_facts.ok()) {
    has_facts = pending.command->Decide(
        state, {.tenant = envelope.tenant, .request_id = envelope.request_id, .actor = envelope.actor, .now = now});
  }
  if (!state.status().ok()) {
    // A decision on rows that could not be read is none.
    queue_.push_front(std::move(pending));
    Stop(state.status());
    return false;
  }
  // A refused reaction is a record without events, so that it is not tried for ever.
  const bool record = has_facts.ok() ? *has_facts || envelope.record_always : envelope.cause.has_value();
  if (!record) {
    if (!has_facts.ok()) deps_.counters->refusals.fetch_add(1, std::memory_order_relaxed);
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = has_facts.ok() ? absl::OkStatus() : has_facts.status();
    AnswerLater(std::move(answer));
    return true;
  }
  Propose(std::move(pending), has_facts.ok() && *has_facts, now,
          has_facts.ok() ? absl::OkStatus() : has_facts.status());
  return stopped_.ok();
}

void SlotRunner::Propose(Pending pending, bool has_facts, UnixMicros now, const absl::Status& refusal) {
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

  const Position expected = owner_->cursor().next + owner_->in_flight();
  store::Rows& rows = rows_->BeginRecord(expected);
  absl::Status evolved;
  if (has_facts) {
    NotingRows noting(&rows);
    evolved = command.Evolve(deps_.service->on_timer ? noting : rows, {.slot = slot_,
                                                                       .position = expected,
                                                                       .index = 0,
                                                                       .logical_time = now,
                                                                       .effective_time = now,
                                                                       .aggregate_id = {},
                                                                       .tenant = envelope.tenant});
    pending.earliest_timer = noting.earliest();
  }
  if (evolved.ok()) evolved = FoldRuntimeRows(*batch, rows);
  if (!evolved.ok()) {
    rows_->AbandonRecord();
    if (!rows.status().ok()) {
      queue_.push_front(std::move(pending));
      Stop(rows.status());
      return;
    }
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = Failure(absl::StatusCode::kInternal, "NOT_EVOLVABLE",
                           absl::StrCat("the decision cannot be evolved and was not recorded: ", evolved.message()));
    AnswerLater(std::move(answer));
    return;
  }
  std::string buffer(eventlog::kHeaderBytes, '\0');
  body.AppendToString(&buffer);
  absl::StatusOr<eventlog::Append> append = owner_->Propose(eventlog::RecordKind::kBatch, std::move(buffer), now);
  if (!append.ok()) {
    rows_->AbandonRecord();
    WaitingAnswer answer{.command = std::move(pending.command), .submitted = pending.submitted};
    answer.error = append.status();
    AnswerLater(std::move(answer));
    return;
  }
  pending.tag = append->tag;
  in_flight_.push_back(std::move(pending));
  deps_.log->Append(slot_, std::move(append->bytes), append->tag, deps_.sink);
}

void SlotRunner::AnswerLater(WaitingAnswer answer) {
  // Those behind it are decided before the answer leaves.
  if (!answer.error.ok() && answer.command->envelope.line != nullptr) answer.command->envelope.line->Break();
  Effects effects;
  const absl::StatusOr<uint64_t> ticket = owner_->AnswerWithoutRecord(&effects);
  if (!ticket.ok()) {
    answer.error = Failure(absl::StatusCode::kUnavailable, "NOT_OWNER", ticket.status().message());
    answer.recorded.reset();
    Send(std::move(answer));
    return;
  }
  answers_.emplace(*ticket, std::move(answer));
  Handle(std::move(effects));
}

void SlotRunner::Send(WaitingAnswer answer) {
  load_.fetch_sub(1, std::memory_order_relaxed);
  if (deps_.counters->observe_command) deps_.counters->observe_command(absl::Now() - answer.submitted);
  const AnswerPosition position{slot_, owner_->cursor().next};
  if (!answer.error.ok()) {
    answer.command->AnswerError(answer.error);
  } else if (answer.recorded.has_value()) {
    answer.command->AnswerRecorded(
        *answer.recorded, {slot_, answer.recorded_position == 0 ? position.position : answer.recorded_position});
  } else {
    answer.command->Answer(position);
  }
}

void SlotRunner::OnReport(const eventlog::AppendReport& report) {
  if (!stopped_.ok() || abandoned_) return;
  Effects effects;
  owner_->OnReport(report, &effects);
  Handle(std::move(effects));
  if (!stopped_.ok()) return;
  PublishPosition();
  if (reader_ != nullptr) {
    ReadSoon();
  } else {
    Pump();
  }
}

void SlotRunner::Handle(Effects effects) {
  for (Effect& effect : effects) {
    switch (effect.kind) {
      case Effect::Kind::kConfirmed: {
        HALLES_CHECK(!in_flight_.empty() && in_flight_.front().tag == effect.tag, "the owner settled another record");
        rows_->ConfirmOldest(effect.position);
        // Before the answer: whoever is told may ask at once how far the slot is.
        confirmed_.store(effect.position + 1, std::memory_order_release);
        Pending pending = std::move(in_flight_.front());
        in_flight_.pop_front();
        deps_.counters->records.fetch_add(1, std::memory_order_relaxed);
        if (pending.earliest_timer != DueTimers::kNever) timers_.OnSet(pending.earliest_timer);
        SendCalls(*pending.command);
        if (!watches_.empty()) AskWatches(*pending.command, effect.position + 1);
        Finish(pending);
        pending.command->Answer({slot_, effect.position + 1});
        break;
      }
      case Effect::Kind::kLost: {
        // With all behind it; those before it may be confirmed yet.
        const auto lost = std::find_if(in_flight_.begin(), in_flight_.end(),
                                       [&effect](const Pending& each) { return each.tag == effect.tag; });
        HALLES_CHECK(lost != in_flight_.end(), "the owner settled another record");
        const auto before = static_cast<size_t>(lost - in_flight_.begin());
        if (rows_->records_in_flight() > before) rows_->DropInFlight(before);
        Pending pending = std::move(*lost);
        in_flight_.erase(lost);
        deps_.counters->lost.fetch_add(1, std::memory_order_relaxed);
        Finish(pending);
        pending.command->AnswerError(effect.status);
        break;
      }
      case Effect::Kind::kAnswerReady: {
        auto node = answers_.extract(effect.tag);
        if (!node.empty()) Send(std::move(node.mapped()));
        break;
      }
      case Effect::Kind::kAnswerAgain: {
        auto node = answers_.extract(effect.tag);
        if (!node.empty()) queue_.push_front({std::move(node.mapped().command), node.mapped().submitted, 0});
        break;
      }
      case Effect::Kind::kApply:
        break;  // ReadSome has applied it, with the record at hand
      case Effect::Kind::kNeedClaim:
        serving_.store(false, std::memory_order_release);
        deps_.counters->unknown_outcomes.fetch_add(1, std::memory_order_relaxed);
        Claim();
        break;
      case Effect::Kind::kReadFrom: {
        absl::StatusOr<std::unique_ptr<eventlog::LogReader>> reader = deps_.log->NewReader(slot_, effect.position);
        if (!reader.ok()) {
          Stop(reader.status());
          return;
        }
        reader_ = *std::move(reader);
        ReadSoon();
        break;
      }
      case Effect::Kind::kServing:
        serving_.store(true, std::memory_order_release);
        // Records may have been folded that nobody here decided.
        timers_.Reset();
        AskAllWatches(&rows_->confirmed(), owner_->cursor().next);
        if (!settled_) {
          settled_ = true;
          if (deps_.on_settled) deps_.on_settled();
        }
        break;
      case Effect::Kind::kSteppedDown:
      case Effect::Kind::kSealed:
        serving_.store(false, std::memory_order_release);
        FailEverything(Unavailable());
        break;
      case Effect::Kind::kClaimRefused:  // an operator must look; the fate of what is in flight stays unknown
      case Effect::Kind::kQuarantine:
        Stop(effect.status);
        return;
    }
  }
}

void SlotRunner::Finish(const Pending& pending) {
  load_.fetch_sub(1, std::memory_order_relaxed);
  if (deps_.counters->observe_command) deps_.counters->observe_command(absl::Now() - pending.submitted);
}

void SlotRunner::PublishPosition() {
  confirmed_.store(owner_->cursor().next, std::memory_order_release);
  if (!queries_.empty()) AnswerQueries();
}

void SlotRunner::AnswerQueries() {
  const absl::Time now = absl::Now();
  const Position position = owner_->cursor().next;
  std::vector<WaitingQuery> waiting = std::move(queries_);
  queries_.clear();
  for (WaitingQuery& query : waiting) {
    if (position >= query.position) {
      query.query(&rows_->confirmed(), position);
    } else if (now >= query.deadline) {
      query.query(
          Failure(absl::StatusCode::kDeadlineExceeded, "TOKEN_NOT_REACHED",
                  absl::StrCat(slot_.ToString(), " stands at ", position, ", the token asks for ", query.position)),
          position);
    } else {
      queries_.push_back(std::move(query));
    }
  }
}

void SlotRunner::Tick() {
  if (!stopped_.ok() || abandoned_) return;
  if (reader_ != nullptr) ReadSoon();
  if (!queries_.empty()) AnswerQueries();
  if (!watches_.empty()) ExpireWatches();
  const UnixMicros now = deps_.clock->Now();
  if (gatherer_.MayBeDue(now)) gatherer_.DeliverDue(now);
  if (timers_.MayBeDue(owner_->LogicalTime(now))) FireTimers();
  if (now >= next_expiry_scan_) {
    next_expiry_scan_ = now + absl::ToInt64Microseconds(kExpiryScan);
    ForgetAnswers();
  }
}

void SlotRunner::ForgetAnswers() {
  if (expiring_ || draining_ || !serving()) return;
  if (!HasExpiredRequestIds(rows_->confirmed(), owner_->LogicalTime(deps_.clock->Now()))) return;
  expiring_ = true;
  Submit(ExpireRequestIds([this] { expiring_ = false; }));
}

// Ends ----------------------------------------------------------------------------------------------------------------

SlotState SlotRunner::State() const {
  SlotState state{.slot = slot_, .error = stopped_};
  if (!stopped_.ok()) {
    state.phase = SlotPhase::kStopped;
  } else if (owner_->phase() == eventlog::Phase::kServing) {
    state.phase = SlotPhase::kServing;
  } else if (owner_->phase() == eventlog::Phase::kFenced || owner_->phase() == eventlog::Phase::kSealed) {
    state.phase = SlotPhase::kFenced;
  }
  state.position = folded().next;
  state.term = owner_->cursor().term;
  state.in_flight = owner_->in_flight();
  return state;
}

void SlotRunner::Stop(const absl::Status& status) {
  if (!stopped_.ok()) return;
  stopped_ = WithContext(status, slot_.ToString());
  telemetry::Log(telemetry::LogLevel::kError, "partition", "a slot stopped; the others serve on",
                 {{"slot", slot_.ToString()}, {"why", status.message()}, {"reason", ReasonOf(status)}});
  serving_.store(false, std::memory_order_release);
  deps_.counters->stopped_slots.fetch_add(1, std::memory_order_relaxed);
  reader_.reset();
  FailEverything(Unavailable());
  if (!settled_) {
    settled_ = true;
    if (deps_.on_settled) deps_.on_settled();
  }
}

void SlotRunner::AbandonAll() {
  draining_ = true;
  abandoned_ = true;
  FailEverything(Unavailable());
}

void SlotRunner::FailEverything(const absl::Status& status) {
  // The fate of what is in flight is unknown: UNAVAILABLE says so, and the repeat finds out.
  std::deque<Pending> pending;
  pending.swap(in_flight_);
  for (Pending& queued : queue_) pending.push_back(std::move(queued));
  queue_.clear();
  for (auto& [ticket, answer] : answers_) pending.push_back({std::move(answer.command), answer.submitted, 0});
  answers_.clear();
  for (Pending& each : pending) {
    Finish(each);
    each.command->AnswerError(status);
  }
  std::vector<WaitingQuery> queries = std::move(queries_);
  queries_.clear();
  for (WaitingQuery& query : queries) query.query(status, 0);
  AskAllWatches(status, 0);
  watches_.clear();
  gatherer_.Clear();
}

}  // namespace halles::partition
