// Follows the log of a slot, claims it, and carries out the effects of its owner.
#include "libs/partition/slot_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/partition/fold.h"
#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

using eventlog::Effect;
using eventlog::Effects;
using eventlog::Phase;

constexpr absl::Duration kClaimPauseMin = absl::Milliseconds(20);
constexpr absl::Duration kClaimPauseMax = absl::Seconds(5);
constexpr absl::Duration kReadPauseMin = absl::Milliseconds(5);
constexpr absl::Duration kReadPauseMax = absl::Seconds(1);

bool HasTimers(const ServiceDefinition& service) {
  return std::any_of(service.aggregates.begin(), service.aggregates.end(),
                     [](const AggregateDefinition& aggregate) { return aggregate.on_timer != nullptr; });
}

}  // namespace

SlotRunner::SlotRunner(SlotId slot, SlotDependencies deps)
    : slot_(slot),
      deps_(std::move(deps)),
      has_timers_(HasTimers(*deps_.service)),
      catch_up_(slot, deps_.log, deps_.queue, deps_.random,
                {.on_record = [this](const eventlog::StoredRecord& record) { return OnRecord(record); },
                 .has_room = [this] { return !Follows() || deps_.store->HasRoomToCatchUp(); },
                 .on_progress = [this] { PublishPosition(); },
                 .on_end = [this] { OnEnd(); },
                 .on_broken = [this](const absl::Status& status) { Stop(status); }}),
      reads_(slot),
      follow_ups_({.slot = slot,
                   .service = deps_.service,
                   .calls = deps_.calls,
                   .submit = deps_.submit,
                   .queue = deps_.queue,
                   .inbox = deps_.inbox,
                   .scheduler = deps_.scheduler,
                   .counters = deps_.counters,
                   .open = [this] { return OpenForFollowUps(); },
                   .logical_time = [this] { return LogicalTime(); },
                   .rows = [this]() -> const store::RowReader& { return rows_->confirmed(); },
                   .read_failed =
                       [this] {
                         if (rows_->confirmed().status().ok()) return false;
                         deps_.counters->failed_reads.fetch_add(1, std::memory_order_relaxed);
                         rows_->ResetStatus();
                         return true;
                       },
                   .changed = [this] { ArmTick(); }}),
      wants_slot_(deps_.role == SlotRole::kOwner),
      claim_backoff_(kClaimPauseMin, kClaimPauseMax),
      read_backoff_(kReadPauseMin, kReadPauseMax),
      next_forget_(deps_.scheduler->Now() + absl::ToInt64Microseconds(kForgetKeysEvery)) {}

absl::Status SlotRunner::Open() {
  store::SlotOptions options;
  options.fold_version = deps_.service->fold_version;
  // The store may ask while the queue goes away.
  options.post = [inbox = deps_.inbox](std::function<void()> task) { inbox->Post(std::move(task)); };
  options.cursor = [this] { return store::FoldCursor{eventlog::EncodeCursor(folded()), folded().next}; };
  options.on_damaged = [this] { deps_.inbox->Post([this] { Refold(); }); };
  options.filtered_tables = FilteredTables(*deps_.service);
  absl::StatusOr<eventlog::Cursor> cursor = OpenRows(options);
  if (!cursor.ok() && (ReasonOf(cursor.status()) == "FOLD_VERSION" || rows_ != nullptr)) {
    // Rows of another fold, or a cursor that cannot be read: the log has all of it.
    rows_.reset();
    RETURN_IF_ERROR(deps_.store->Drop(store::RowSpace::State(slot_)));
    cursor = OpenRows(options);
  }
  RETURN_IF_ERROR(cursor.status());
  reads_.Open(rows_.get());
  eventlog::OwnerOptions owner_options;
  owner_options.self = deps_.instance;
  owner_.emplace(*cursor, owner_options);
  deps_.clock_check->OnRecord(cursor->logical_time);
  PublishPosition();
  return absl::OkStatus();
}

absl::StatusOr<eventlog::Cursor> SlotRunner::OpenRows(const store::SlotOptions& options) {
  ASSIGN_OR_RETURN(rows_, deps_.store->OpenSlot(slot_, options));
  if (!rows_->opened_at().has_value()) return eventlog::GenesisCursor(deps_.log->identity(), slot_);
  return eventlog::DecodeCursor(rows_->opened_at()->bytes);
}

void SlotRunner::Start() {
  deps_.queue->Post([this] {
    started_ = true;
    if (damaged_early_) {
      Refold();
    } else {
      catch_up_.Begin(owner_->next_read());
    }
    FillFilter();
  });
}

bool SlotRunner::Admit(const Command& command) {
  const bool internal = command.envelope.internal;
  const auto bytes = static_cast<int64_t>(command.envelope.bytes);
  const int64_t before = load_.fetch_add(1, std::memory_order_relaxed);
  const int64_t bytes_before = load_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return before < (internal ? kSlotCommandsMax : kSlotCommandsFromDoorsMax) &&
         bytes_before < (internal ? kSlotCommandBytesMax : kSlotCommandBytesFromDoorsMax);
}

void SlotRunner::Release(const Command& command) {
  load_.fetch_sub(1, std::memory_order_relaxed);
  load_bytes_.fetch_sub(static_cast<int64_t>(command.envelope.bytes), std::memory_order_relaxed);
}

void SlotRunner::Submit(std::unique_ptr<Command> command) {
  absl::Status refused;
  if (!Admit(*command)) {
    refused = Overloaded("SLOT_QUEUE_FULL", absl::StrCat(slot_.ToString(), " has too many commands to do; try again"),
                         absl::Milliseconds(50));
  } else if (!command->envelope.internal) {
    refused = deps_.store->Admit();
  }
  if (!refused.ok()) {
    Release(*command);
    deps_.counters->shed.fetch_add(1, std::memory_order_relaxed);
    command->AnswerError(refused);
    return;
  }
  deps_.queue->Post([this, command = std::move(command), now = deps_.scheduler->Now()]() mutable {
    const bool merely_follows = !wants_slot_ && !owner_->open();
    if (!stopped_.ok() || draining_ || merely_follows) {
      Release(*command);
      command->AnswerError(Unavailable());
      return;
    }
    if (const absl::Status& refused = clock_refused_.ok() ? refused_ : clock_refused_; !refused.ok()) {
      Release(*command);
      command->AnswerError(refused);
      return;
    }
    const MonotonicMicros deadline = command->envelope.deadline;
    queue_.push_back({.command = std::move(command), .submitted = now});
    Pump();
    if (queue_.empty() || deadline >= queue_deadline_) return;
    queue_deadline_ = deadline;
    ArmTick();
  });
}

absl::Status SlotRunner::AdmitRead() {
  if (reads_on_their_way_.fetch_add(1, std::memory_order_relaxed) < kSlotReadsOnTheirWayMax) return absl::OkStatus();
  reads_on_their_way_.fetch_sub(1, std::memory_order_relaxed);
  return Overloaded("TOO_MANY_WAITING_READS", absl::StrCat(slot_.ToString(), " has too many reads to do; try again"),
                    absl::Milliseconds(50));
}

absl::Status SlotRunner::BeginRead(MonotonicMicros deadline) {
  reads_on_their_way_.fetch_sub(1, std::memory_order_relaxed);
  if (!stopped_.ok() || abandoned_) return Unavailable();
  if (deadline >= deps_.scheduler->Now()) return absl::OkStatus();
  return Failure(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                 "the deadline passed before the read could begin");
}

void SlotRunner::Query(Position min_position, MonotonicMicros deadline, SlotQuery query) {
  if (const absl::Status admitted = AdmitRead(); !admitted.ok()) {
    query(admitted, 0);
    return;
  }
  deps_.queue->Post([this, min_position, deadline, query = std::move(query)]() mutable {
    if (const absl::Status begun = BeginRead(deadline); !begun.ok()) {
      query(begun, 0);
      return;
    }
    reads_.Query(min_position, deadline, std::move(query), folded().next);
    ArmTick();
  });
}

void SlotRunner::Watch(std::string aggregate_id, Position min_position, MonotonicMicros deadline, SlotWatch watch) {
  if (const absl::Status admitted = AdmitRead(); !admitted.ok()) {
    watch(admitted, 0);
    return;
  }
  deps_.queue->Post(
      [this, aggregate_id = std::move(aggregate_id), min_position, deadline, watch = std::move(watch)]() mutable {
        if (const absl::Status begun = BeginRead(deadline); !begun.ok()) {
          watch(begun, 0);
          return;
        }
        reads_.Watch(std::move(aggregate_id), min_position, deadline, std::move(watch), folded().next);
        ArmTick();
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

// Following -----------------------------------------------------------------------------------------------------------

SlotCatchUp::Taken SlotRunner::OnRecord(const eventlog::StoredRecord& record) {
  using Taken = SlotCatchUp::Taken;
  if (!stopped_.ok() || abandoned_) return Taken::kEnd;
  Effects effects;
  bool folded = false;
  if (stuck_effects_.has_value()) {
    // The owner has judged it; its rows are not folded yet.
    eventlog::Cursor again = *stuck_at_;
    const absl::StatusOr<eventlog::Judgement> judgement = eventlog::Adjudicate(record.bytes, record.position, &again);
    if (!judgement.ok()) {
      Stop(judgement.status());
      return Taken::kEnd;
    }
    if (!Apply(record.position, *judgement)) return stopped_.ok() ? Taken::kAgain : Taken::kEnd;
    folded = true;
    cursor_before_ = *std::exchange(stuck_at_, std::nullopt);
    effects = *std::exchange(stuck_effects_, std::nullopt);
    // If it must be compared with the record read before, now is the time.
    owner_->OnRecord(record.position, record.bytes, &effects);
  } else {
    const eventlog::Cursor before = owner_->cursor();
    const std::optional<eventlog::Judgement> judgement = owner_->OnRecord(record.position, record.bytes, &effects);
    for (const Effect& effect : effects) {
      const bool fold = effect.kind == Effect::Kind::kApply ||
                        (effect.kind == Effect::Kind::kConfirmed && IsElsewhere(effect.position));
      if (!fold) continue;
      stuck_at_ = before;  // if it stops the slot, the rows end there
      if (Apply(effect.position, *judgement)) {
        stuck_at_.reset();
        folded = true;
        continue;
      }
      if (!stopped_.ok()) return Taken::kEnd;
      stuck_effects_ = std::move(effects);
      return Taken::kAgain;
    }
    cursor_before_ = before;
  }
  rows_->NoteAdvance();
  Handle(effects, folded);
  return stopped_.ok() ? Taken::kNext : Taken::kEnd;
}

// Records that do not count may have landed in between. Then the oldest record in flight is not at the position that
// its events were evolved for, and neither are the later ones. Their rows are folded again from the log, as every other
// reader does.
bool SlotRunner::IsElsewhere(Position position) const {
  return in_flight_.front().expected != position || rows_->records_in_flight() < in_flight_.size();
}

bool SlotRunner::Apply(Position position, const eventlog::Judgement& judgement) {
  if (judgement.header.kind != eventlog::RecordKind::kBatch) return true;
  log::v1::RecordBody body;
  absl::Status applied = absl::DataLossError("the body does not parse");
  if (body.ParseFromArray(judgement.body.data(), static_cast<int>(judgement.body.size())) && body.has_batch()) {
    if (rows_->records_in_flight() > 0) DropInFlight(0);
    store::Rows& rows = rows_->BeginApply(position);
    applied = FoldBatch(*deps_.service, slot_, position, judgement.header.logical_time, body.batch(), rows, &expired_);
    const absl::Status read = rows.status();
    if (!applied.ok() || !read.ok()) AbandonRecord();
    if (!read.ok()) {
      deps_.counters->failed_reads.fetch_add(1, std::memory_order_relaxed);
      rows_->ResetStatus();
      if (eventlog::IsPassing(read)) return false;
      applied = read;
    }
  }
  if (!applied.ok()) {
    Stop(WithContext(applied, absl::StrCat("record ", slot_.ToString(), "@", position)));
    return false;
  }
  deps_.counters->replayed.fetch_add(1, std::memory_order_relaxed);
  deps_.store->NoteLogBytes(judgement.body.size());
  return true;
}

void SlotRunner::AbandonRecord() {
  rows_->AbandonRecord();
  expired_.UndoRecord();
}

void SlotRunner::DropInFlight(size_t keep) {
  rows_->DropInFlight(keep);
  expired_.Reset();
}

void SlotRunner::OnEnd() {
  reads_.Begin(folded().next);
  switch (owner_->phase()) {
    case Phase::kServing:
      catch_up_.End();
      SetServing(true);
      Settled();
      Pump();
      ArmTick();
      break;
    case Phase::kFollowing:
    case Phase::kFenced:
    case Phase::kSealed:
      reads_.OnManyFacts(folded().next);
      if (!std::exchange(seen_end_, true)) deps_.clock_check->OnEndOfSlot(owner_->cursor().logical_time);
      if (wants_slot_) {
        if (!claim_waits_ && deps_.clock_check->believed()) Claim();
      } else {
        Settled();
      }
      break;
    case Phase::kClaiming:  // the claim is not read yet
    case Phase::kUnsure:
    case Phase::kQuarantined:
      break;
  }
}

void SlotRunner::OnGrown(Position end) {
  if (serving() && end <= expected_end_.load(std::memory_order_acquire)) return;
  if (look_posted_.exchange(true, std::memory_order_acq_rel)) return;
  deps_.queue->Post([this] { Look(); });
}

void SlotRunner::Look() {
  look_posted_.exchange(false, std::memory_order_acq_rel);
  if (!stopped_.ok() || abandoned_) return;
  if (catch_up_.active()) {
    catch_up_.Wake();
  } else if (owner_->phase() == Phase::kServing) {
    // Another instance has written. Its records show whether that ends the term; until then all growth is read.
    expected_end_.store(0, std::memory_order_release);
    catch_up_.Begin(owner_->next_read());
  }
}

void SlotRunner::OnReset() {
  deps_.queue->Post([this] {
    if (!stopped_.ok() || abandoned_ || refolding_) return;
    Effects effects;
    owner_->OnReconnect(&effects);
    Handle(effects);
  });
}

// Effects of the owner ------------------------------------------------------------------------------------------------

void SlotRunner::OnReport(const eventlog::AppendReport& report) {
  if (!stopped_.ok() || abandoned_) return;
  Effects effects;
  cursor_before_ = owner_->cursor();
  owner_->OnReport(report, &effects);
  Handle(effects);
  if (!stopped_.ok()) return;
  PublishPosition();
  if (catch_up_.active()) {
    catch_up_.Wake();
  } else {
    Pump();
  }
}

void SlotRunner::OnConfirmed(const Effect& effect, bool folded) {
  HALLES_CHECK(!in_flight_.empty() && in_flight_.front().tag == effect.tag, "the owner settled another record");
  if (!folded) {
    HALLES_CHECK(!IsElsewhere(effect.position), "a record is confirmed with the rows of another place");
    rows_->ConfirmOldest(effect.position);
  }
  // Before the answer, because the caller may ask for the position of the slot at once.
  confirmed_.store(effect.position + 1, std::memory_order_release);
  Pending pending = std::move(in_flight_.front());
  in_flight_.pop_front();
  deps_.counters->records.fetch_add(1, std::memory_order_relaxed);
  deps_.store->NoteLogBytes(pending.record_bytes);
  if (deps_.on_confirmed) {
    deps_.on_confirmed({slot_, effect.position, std::move(pending.bytes), cursor_before_, *effect.cursor});
    cursor_before_ = *effect.cursor;
  }
  for (const uint64_t ticket : pending.repeats) {
    const auto answer = answers_.find(ticket);
    if (answer != answers_.end()) answer->second.recorded_position = effect.position + 1;
  }
  if (pending.earliest_timer != DueTimers::kNever) {
    follow_ups_.OnTimerSet(pending.earliest_timer);
    ArmTick();
  }
  follow_ups_.SendCalls(*pending.command, /*recorded=*/true);
  if (reads_.watched()) {
    touched_.clear();
    pending.command->AppendAggregates(&touched_);
    reads_.OnFacts(touched_, effect.position + 1);
  }
  Finish(pending);
  pending.command->Answer({slot_, effect.position + 1});
}

void SlotRunner::OnLost(const Effect& effect) {
  // Together with all later ones; earlier ones may still be confirmed.
  const auto lost = std::find_if(in_flight_.begin(), in_flight_.end(),
                                 [&effect](const Pending& each) { return each.tag == effect.tag; });
  HALLES_CHECK(lost != in_flight_.end(), "the owner settled another record");
  const auto before = static_cast<size_t>(lost - in_flight_.begin());
  if (rows_->records_in_flight() > before) DropInFlight(before);
  Pending pending = std::move(*lost);
  in_flight_.erase(lost);
  // What the log refused, for want of space say, was never written and is not lost.
  const bool refused = absl::IsResourceExhausted(effect.status);
  (refused ? deps_.counters->shed : deps_.counters->lost).fetch_add(1, std::memory_order_relaxed);
  Finish(pending);
  pending.command->AnswerError(effect.status);
}

void SlotRunner::Handle(const Effects& effects, bool folded) {
  std::vector<Pending> again;  // in the order in which they were decided before
  for (const Effect& effect : effects) {
    switch (effect.kind) {
      case Effect::Kind::kConfirmed:
        OnConfirmed(effect, folded);
        break;
      case Effect::Kind::kLost:
        OnLost(effect);
        break;
      case Effect::Kind::kAnswerReady: {
        auto node = answers_.extract(effect.tag);
        if (!node.empty()) Send(std::move(node.mapped()));
        break;
      }
      case Effect::Kind::kAnswerAgain: {
        auto node = answers_.extract(effect.tag);
        if (node.empty()) break;
        again.push_back({.command = std::move(node.mapped().command), .submitted = node.mapped().submitted});
        break;
      }
      case Effect::Kind::kApply:
        break;  // OnRecord has applied it, since it has the record
      case Effect::Kind::kNeedClaim:
        SetServing(false);
        deps_.counters->unknown_outcomes.fetch_add(1, std::memory_order_relaxed);
        deps_.log->Abandon(slot_, deps_.sink);
        catch_up_.End();  // the claim determines where to read on
        ClaimAfter(effect.status);
        break;
      case Effect::Kind::kReadFrom:
        catch_up_.Begin(stuck_effects_.has_value() ? stuck_at_->next : effect.position);
        break;
      case Effect::Kind::kServing:
        break;  // after the log was read to its end
      case Effect::Kind::kSteppedDown:
      case Effect::Kind::kSealed:
        StepDown();
        break;
      case Effect::Kind::kClaimRefused:  // an operator must act; the fate of the records in flight stays unknown
      case Effect::Kind::kQuarantine:
        Stop(effect.status);
        return;
    }
  }
  for (const Pending& each : again) queue_deadline_ = std::min(queue_deadline_, each.command->envelope.deadline);
  queue_.insert(queue_.begin(), std::make_move_iterator(again.begin()), std::make_move_iterator(again.end()));
  if (!again.empty()) ArmTick();
  // After another owner's claim, nothing is decided here any more.
  if (!wants_slot_ && !owner_->open()) FailCommands(Unavailable());
}

void SlotRunner::PublishPosition() {
  const Position at = folded().next;
  confirmed_.store(at, std::memory_order_release);
  reads_.OnPosition(at);
}

}  // namespace halles::partition
