// Reads a log and submits what follows from it.
#include "libs/projection/reactor.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status.h"
#include "libs/partition/runtime_tables.h"

namespace halles::projection {
namespace {

constexpr absl::Duration kIdleRound = absl::Milliseconds(50);
constexpr size_t kReadRecords = 256;
constexpr absl::Duration kLoadTimeout = absl::Seconds(60);

// A record without events that says how far the reactions to a source have all been recorded.
class ProgressCommand final : public partition::Command {
 public:
  ProgressCommand() {
    envelope.internal = true;
    envelope.record_always = true;
  }
  absl::StatusOr<bool> Decide(const store::RowReader&, const partition::CommandContext&) override { return false; }
  absl::Status Evolve(store::Rows&, partition::FactContext) override { return absl::OkStatus(); }
  void Record(log::v1::Batch*) const override {}
  void Answer(partition::AnswerPosition) override {}
  void AnswerRecorded(const std::string&, partition::AnswerPosition) override {}
  void AnswerError(const absl::Status&) override {}
};

log::v1::Cause CauseOf(SlotId source, Position position, uint32_t index, const eventlog::Cursor& before) {
  log::v1::Cause cause;
  cause.set_service(static_cast<log::v1::Service>(source.service));
  cause.set_slot(source.slot);
  cause.set_position(position);
  cause.set_event_index(index);
  cause.set_hash(before.chain.view().data(), before.chain.view().size());
  cause.set_cursor(eventlog::EncodeCursor(before));
  return cause;
}

// A refusal is an answer; anything that a later try could mend is not.
bool ShouldRetry(const absl::Status& status) {
  return !status.ok() && status.code() != absl::StatusCode::kFailedPrecondition &&
         status.code() != absl::StatusCode::kInvalidArgument;
}

}  // namespace

Reactor::Reactor(ReactionDefinition definition, eventlog::EventLog* log, partition::Runtime* runtime,
                 uint64_t progress_every, RecordShare* share)
    : definition_(std::move(definition)),
      log_(log),
      runtime_(runtime),
      progress_every_(progress_every),
      share_(share),
      progress_(definition_.name),
      mailbox_(std::make_shared<Mailbox>(std::vector<ServiceId>{definition_.source})) {}

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Start(ReactionDefinition definition, eventlog::EventLog* log,
                                                        partition::Runtime* runtime, uint64_t progress_every,
                                                        RecordShare* share) {
  std::unique_ptr<Reactor> reactor(new Reactor(std::move(definition), log, runtime, progress_every, share));
  for (uint32_t slot = 0; slot < log->identity().slots_per_service; ++slot) {
    const SlotId id{reactor->definition_.source, static_cast<uint16_t>(slot)};
    absl::StatusOr<eventlog::Cursor> loaded = reactor->LoadCursor(id);
    // A slot that has stopped takes its own reactions with it; the others go on.
    const bool stopped = !loaded.ok();
    const eventlog::Cursor cursor = stopped ? eventlog::GenesisCursor(log->identity(), id) : *loaded;
    auto source = std::make_unique<Source>();
    source->slot = id;
    source->resume = cursor;
    source->recorded = cursor.next;
    reactor->progress_.Add(id, cursor.next);
    source->reader = std::make_unique<SourceReader>(log, id, cursor, share);
    reactor->flights_[id];
    if (stopped) reactor->StopSource(*source, loaded.status());
    reactor->sources_.emplace(id, std::move(source));
  }
  reactor->subscription_ = log->Subscribe(
      [mailbox = reactor->mailbox_](absl::Span<const eventlog::SlotEnd> grown) { mailbox->dirty.Add(grown); });
  reactor->thread_ = std::thread([reactor = reactor.get()] { reactor->Run(); });
  return reactor;
}

Reactor::~Reactor() { Stop(); }

void Reactor::Stop() {
  subscription_.reset();
  stopping_.store(true, std::memory_order_relaxed);
  mailbox_->dirty.Poke();
  if (thread_.joinable()) thread_.join();
  progress_.Close();
}

// The slot that keeps the progress of a source: where all reactions go, or the slot of the same number.
SlotId Reactor::HomeOf(SlotId source) const {
  if (!definition_.single_target.empty()) return runtime_->SlotFor(definition_.service, "", definition_.single_target);
  return {definition_.service, source.slot};
}

absl::StatusOr<eventlog::Cursor> Reactor::LoadCursor(SlotId source) {
  struct Loaded {
    Mutex mutex;
    bool done = false;
    absl::Status status;
    std::string cursor;
  };
  // Shared: the answer may come after the time-out.
  auto loaded = std::make_shared<Loaded>();
  const bool single = !definition_.single_target.empty();
  runtime_->Query(HomeOf(source), 0, absl::Now() + kLoadTimeout,
                  [loaded, source, single](absl::StatusOr<const store::RowReader*> rows, Position) {
                    MutexLock lock(&loaded->mutex);
                    loaded->done = true;
                    if (!rows.ok()) {
                      loaded->status = rows.status();
                      return;
                    }
                    Position position = 0;
                    if (auto progress = partition::kReactionProgress.Get(**rows, {source}); progress.has_value()) {
                      position = progress->position();
                      loaded->cursor = progress->cursor();
                    }
                    if (auto last = partition::kReactionCursors.Get(**rows, {source});
                        single && last.has_value() && last->position() > position) {
                      loaded->cursor = last->cursor();
                    }
                    loaded->status = (*rows)->status();
                  });
  MutexLock lock(&loaded->mutex);
  if (!loaded->mutex.AwaitWithTimeout([&loaded]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return loaded->done; },
                                      kLoadTimeout)) {
    return absl::DeadlineExceededError(absl::StrCat(definition_.name, ": the slot of its cursor does not answer"));
  }
  RETURN_IF_ERROR(loaded->status);
  if (loaded->cursor.empty()) return eventlog::GenesisCursor(log_->identity(), source);
  return eventlog::DecodeCursor(loaded->cursor);
}

void Reactor::Run() {
  pthread_setname_np(pthread_self(), absl::StrCat("react-", definition_.name).substr(0, 15).c_str());
  std::set<SlotId> busy;
  for (const auto& [slot, source] : sources_) busy.insert(slot);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::set<SlotId> changed = mailbox_->dirty.Take(busy.empty() ? kIdleRound : absl::ZeroDuration());
    busy.insert(changed.begin(), changed.end());
    TakeOutcomes();
    for (const auto& [slot, flight] : flights_) {
      if (flight.failed && flight.open == 0 && !flight.stopped && absl::Now() >= flight.retry_at) busy.insert(slot);
    }
    for (auto it = busy.begin(); it != busy.end();) {
      const auto source = sources_.find(*it);
      const bool more = source != sources_.end() && Advance(*source->second);
      it = more ? std::next(it) : busy.erase(it);
    }
    if (!progress_.Settle() && changed.size() >= DirtySlots::kGatherFrom) {
      mailbox_->dirty.Gather();
    }
  }
}

void Reactor::TakeOutcomes() {
  std::vector<Outcome> outcomes;
  {
    MutexLock lock(&mailbox_->mutex);
    outcomes.swap(mailbox_->outcomes);
  }
  std::set<SlotId> touched;
  for (const Outcome& outcome : outcomes) {
    Flight& flight = flights_.at(outcome.source);
    --flight.open;
    touched.insert(outcome.source);
    if (outcome.generation != flight.generation) continue;
    if (ShouldRetry(outcome.status)) {
      flight.failed = true;
      flight.retry_at = absl::Now() + kReactionRetry;
      continue;
    }
    if (outcome.status.ok() && outcome.request.has_value()) {
      if (recorded_.size() >= kRecordedRequestsMax) recorded_.clear();
      recorded_.insert(*outcome.request);
    }
    for (Step& step : flight.steps) {
      if (step.position == outcome.position) --step.open;
    }
  }
  for (SlotId slot : touched) SettleSteps(*sources_.at(slot));
}

// Moves over the records whose commands are all recorded.
void Reactor::SettleSteps(Source& source) {
  Flight& flight = flights_.at(source.slot);
  while (!flight.steps.empty() && flight.steps.front().open == 0) {
    source.resume = flight.cursors.front();
    flight.steps.pop_front();
    flight.cursors.pop_front();
  }
  // Without anything under way the reader's own cursor counts: it has passed records that led to nothing.
  if (flight.steps.empty() && !flight.failed) {
    source.resume = source.read_ahead.empty() ? source.reader->cursor() : source.read_ahead.front()->before;
  }
  progress_.Set(source.slot, source.resume.next);
  RecordProgress(source);
}

// True when there may be more to do at once.
bool Reactor::Advance(Source& source) {
  Flight& flight = flights_.at(source.slot);
  if (flight.stopped) return false;
  if (flight.failed) {
    if (flight.open > 0 || absl::Now() < flight.retry_at) return false;  // the last answer or the time brings us back
    // From the first record that is not known to be recorded; what was recorded behind it does nothing a second time.
    flight.failed = false;
    ++flight.generation;
    flight.line = std::make_shared<partition::CommandLine>();
    flight.steps.clear();
    flight.cursors.clear();
    source.read_ahead.clear();
    source.reader = std::make_unique<SourceReader>(log_, source.slot, source.resume, share_);
  }
  if (source.read_ahead.empty()) {
    SourceBatches batches;
    const absl::StatusOr<size_t> count =
        source.reader->Read(kReadRecords, std::numeric_limits<Position>::max(), &batches);
    if (!count.ok()) {
      StopSource(source, count.status());
      return false;
    }
    if (*count == 0) {
      SettleSteps(source);
      return false;
    }
    for (std::shared_ptr<const SourceBatch>& batch : batches) source.read_ahead.push_back(std::move(batch));
  }
  while (!source.read_ahead.empty()) {
    if (flight.open >= kReactionsInFlightMax) return false;  // an answer brings us back
    size_t submitted = 0;
    const SourceBatch& record = *source.read_ahead.front();
    flight.steps.push_back({record.position, 0});
    flight.cursors.push_back(record.after);
    if (const absl::Status status = Submit(source, record, &submitted); !status.ok()) {
      StopSource(source, status);
      return false;
    }
    if (submitted == 0) {
      flight.steps.pop_back();
      flight.cursors.pop_back();
    }
    source.read_ahead.pop_front();
  }
  SettleSteps(source);
  return true;
}

absl::Status Reactor::Submit(Source& source, const SourceBatch& record, size_t* submitted) {
  Flight& flight = flights_.at(source.slot);
  struct Due {
    uint32_t number;
    Reaction reaction;
    std::optional<Hash128> request;  // when its repeats need not be submitted
  };
  std::vector<Due> reactions;
  uint32_t index = 0;
  const absl::Span<const ReactionDefinition> parts = definition_.Parts();
  for (size_t i = 0; i < record.events.size(); ++i) {
    const SourceEvent& event = record.events[i];
    for (size_t p = 0; p < parts.size(); ++p) {
      const ReactionDefinition& part = parts[p];
      if (event.type != part.type) continue;
      if (!part.fields.empty() &&
          std::find(part.fields.begin(), part.fields.end(), FirstFieldOf(event.payload)) == part.fields.end()) {
        continue;
      }
      std::vector<Reaction> made;
      const absl::Status reacted = part.react(event.payload, record.ContextOf(source.slot, i), &made);
      if (!reacted.ok()) {
        return WithContext(reacted, EventRef{source.slot, record.position, static_cast<uint32_t>(i)}.ToString());
      }
      // Several reactions to one record are told apart by consecutive indexes, those that are left out included.
      for (Reaction& reaction : made) {
        const uint32_t number = index++;
        std::optional<Hash128> request;
        if (part.once_is_enough) {
          // Parts may make requests of different types with the same bytes.
          request = Hash128Of(absl::StrCat(p, "/", reaction.aggregate_key), reaction.request);
          if (recorded_.contains(*request)) continue;
        }
        reactions.push_back({number, std::move(reaction), request});
      }
    }
  }
  *submitted = reactions.size();
  flight.steps.back().open = reactions.size();
  flight.open += reactions.size();
  for (auto& [number, reaction, request] : reactions) {
    std::unique_ptr<partition::Command> command =
        reaction.make([mailbox = mailbox_, line = flight.line, slot = source.slot, generation = flight.generation,
                       position = record.position, request = request](absl::Status status) {
          if (ShouldRetry(status)) line->Break();
          {
            MutexLock lock(&mailbox->mutex);
            mailbox->outcomes.push_back({slot, generation, position, std::move(status), request});
          }
          mailbox->dirty.Add(slot);
        });
    command->envelope.tenant = std::string(record.tenant);
    command->envelope.internal = true;
    command->envelope.line = flight.line;
    command->envelope.cause = CauseOf(source.slot, record.position, number, record.before);
    runtime_->Submit(runtime_->SlotFor(definition_.service, record.tenant, reaction.aggregate_key), std::move(command));
  }
  return absl::OkStatus();
}

void Reactor::RecordProgress(Source& source) {
  if (source.resume.next < source.recorded + progress_every_) return;
  source.recorded = source.resume.next;
  auto command = std::make_unique<ProgressCommand>();
  command->envelope.cause = CauseOf(source.slot, source.resume.next, 0, source.resume);
  command->envelope.cause->set_progress(true);
  runtime_->Submit(HomeOf(source.slot), std::move(command));
}

void Reactor::StopSource(Source& source, const absl::Status& status) {
  flights_.at(source.slot).stopped = true;
  progress_.Stop(source.slot, status);
}

}  // namespace halles::projection
