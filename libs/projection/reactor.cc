// Submits the requests that follow from records of the sources to the slots owned here.
#include "libs/projection/reactor.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/backoff.h"
#include "libs/base/status.h"
#include "libs/partition/fold.h"
#include "libs/partition/runtime_tables.h"
#include "libs/projection/source_reader.h"
#include "libs/telemetry/log.h"

namespace halles::projection {
namespace {

// Position of a target slot that is not owned here: it does not count.
constexpr Position kElsewhere = std::numeric_limits<Position>::max();
constexpr absl::Duration kRetryMin = absl::Milliseconds(20);
constexpr absl::Duration kRetryMax = absl::Seconds(2);
// The same for a failure that only another build or an operator mends.
constexpr absl::Duration kFaultRetryMin = absl::Seconds(1);
constexpr absl::Duration kFaultRetryMax = absl::Minutes(1);
// Delay before rows that could not be read are read again.
constexpr absl::Duration kLoadPause = absl::Milliseconds(50);
// Number of records whose requests are kept for target slots that lag behind.
constexpr size_t kReactedRecordsMax = 2 * kFeedRecordsMax;

log::v1::Cause CauseOf(SlotId source, const SourceRecord& record, uint32_t number) {
  log::v1::Cause cause;
  cause.set_service(static_cast<log::v1::Service>(source.service));
  cause.set_slot(source.slot);
  cause.set_position(record.position);
  cause.set_reaction(number);
  cause.set_hash(record.before.chain.view().data(), record.before.chain.view().size());
  cause.set_cursor(eventlog::EncodeCursor(record.before));
  return cause;
}

// A record without events that states the slot's progress with its sources.
class ProgressCommand final : public partition::Command {
 public:
  using Done = std::function<void(bool recorded)>;

  ProgressCommand(std::vector<log::v1::SourceProgress> progress, Done done)
      : progress_(std::move(progress)), done_(std::move(done)) {
    envelope.internal = true;
    envelope.record_always = true;
  }
  absl::StatusOr<bool> Decide(const store::RowReader&, const partition::CommandContext&) override { return false; }
  absl::Status Evolve(store::Rows&, partition::FactContext) override { return absl::OkStatus(); }
  void Record(log::v1::Batch* batch) const override {
    for (const log::v1::SourceProgress& progress : progress_) *batch->add_progress() = progress;
  }
  void Answer(partition::AnswerPosition) override { done_(true); }
  void AnswerRecorded(const std::string&, partition::AnswerPosition) override { done_(true); }
  void AnswerError(const absl::Status&) override { done_(false); }

 private:
  const std::vector<log::v1::SourceProgress> progress_;
  const Done done_;
};

}  // namespace

// A slot that receives reactions.
struct Reactor::Target {
  // How far the reactions to a source slot are recorded here, and how far the last progress record in the log says so.
  struct Reached {
    eventlog::Cursor cursor;
    Position told = 0;
  };

  Target(SlotId number, Coverage* known) : slot(number), coverage(*known) {}

  const SlotId slot;
  // Counts the times that this instance gained or lost the slot: work from an earlier time has no effect. Changed on
  // the slot's queue. Acquire/release with the tasks that compare it.
  std::atomic<uint64_t> epoch{0};
  // By source slot; kElsewhere while the slot is not owned here. Acquire/release: whoever sees a position finds the
  // reactions below it confirmed. The map itself is immutable after Start.
  std::map<SlotId, std::atomic<Position>> covered;
  Coverage& coverage;  // of reactions that are recorded, whoever owns the slot

  Mutex mutex;
  std::map<SlotId, Reached> reached ABSL_GUARDED_BY(mutex);
  bool recording ABSL_GUARDED_BY(mutex) = false;                 // a progress record is in flight
  absl::flat_hash_set<Hash128> recorded ABSL_GUARDED_BY(mutex);  // requests whose repeats have no effect

  void Begin() ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    reached.clear();
    recording = false;
    recorded.clear();
  }
  bool WasRecorded(const Hash128& request) ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    return recorded.contains(request);
  }
  void NoteRecorded(const Hash128& request) ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    if (recorded.size() >= kRecordedRequestsMax) recorded.clear();
    recorded.insert(request);
  }
};

// One source slot: the requests of its records, made once for all target slots. Used on the queue of the source's
// shard.
class Reactor::Source {
 public:
  Source(Reactor* reactor, SourceFollower* follower) : reactor_(*reactor), follower_(*follower) {}

  SlotId slot() const { return follower_.slot(); }
  SourceFollower& follower() { return follower_; }

  void StartLine(Target& target, uint64_t epoch, const eventlog::Cursor& cursor);
  void EndLine(Target& target, uint64_t epoch);
  // The target has stopped, and has reacted so far.
  void StartRemnant(Target& target, const eventlog::Cursor& cursor, const partition::rows::ReactionCursorRow& reacted);

  // The requests of the record for the target slot, in order.
  absl::StatusOr<std::vector<Request>> RequestsFor(const SourceRecord& record, SlotId target) {
    if (!reactor_.rules_.Concerns(slot(), record)) return std::vector<Request>();
    auto known = made_.find(record.position);
    if (known == made_.end() || known->second.before != record.before || known->second.taken.contains(target)) {
      ASSIGN_OR_RETURN(RequestsByTarget requests, React(record));
      if (known == made_.end() && made_.size() >= kReactedRecordsMax) made_.erase(made_.begin());
      known = made_.insert_or_assign(record.position, Made{record.before, std::move(requests), {}}).first;
    }
    Made& made = known->second;
    std::vector<Request> own;
    if (const auto found = made.requests.find(target); found != made.requests.end()) own = std::move(found->second);
    made.taken.insert(target);
    if (made.taken.size() >= lines_.size() + remnants_.size()) made_.erase(known);
    return own;
  }

 private:
  struct Made {
    eventlog::Cursor before;
    RequestsByTarget requests;
    std::set<SlotId> taken;  // targets that have taken their requests
  };

  absl::StatusOr<RequestsByTarget> React(const SourceRecord& record) const {
    ASSIGN_OR_RETURN(std::vector<DueReaction> due, reactor_.rules_.React(slot(), record));
    RequestsByTarget by_target;
    for (DueReaction& reaction : due) {
      std::vector<Request>& in_target =
          by_target[reactor_.runtime_->SlotFor(reactor_.service_, record.tenant, reaction.key)];
      const auto number = static_cast<uint32_t>(in_target.size());
      in_target.push_back({number, std::move(reaction)});
    }
    return by_target;
  }

  Reactor& reactor_;
  SourceFollower& follower_;
  std::map<SlotId, std::shared_ptr<Line>> lines_;        // by target
  std::map<SlotId, std::unique_ptr<Remnant>> remnants_;  // the same
  std::map<Position, Made> made_;
};

// The reactions of one target slot to one source slot, while the target is owned here. Used on the queue of the
// source's shard. Shared with pending answers, which have no effect after the line has ended.
class Reactor::Line : public SourceConsumer, public std::enable_shared_from_this<Line> {
 public:
  Line(Reactor* reactor, Source* source, Target* target, uint64_t epoch, eventlog::Cursor cursor)
      : reactor_(*reactor),
        source_(*source),
        target_(*target),
        epoch_(epoch),
        cursor_(cursor),
        resume_(std::move(cursor)),
        backoff_(kRetryMin, kRetryMax),
        fault_backoff_(kFaultRetryMin, kFaultRetryMax) {}

  const eventlog::Cursor& cursor() const override { return cursor_; }
  bool ready() const override { return !failed_ && open_ < kReactionsInFlightMax && !sequence_->broken(); }

  Taken Take(absl::Span<const SourceRecordPtr> records) override {
    Taken taken;
    for (const SourceRecordPtr& record : records) {
      if (open_ >= kReactionsInFlightMax) break;
      taken.status = Submit(*record);
      if (!taken.status.ok()) break;
      cursor_ = record->after;
      ++taken.records;
    }
    Settle();
    return taken;
  }

  void OnStopped(const absl::Status& why) override {
    fails_ = false;  // a recorded reaction does not make it continue
    reactor_.NoteStopped(target_.slot, source_.slot(), why);
    target_.coverage.Miss(source_.slot(), cursor_.next).IgnoreError();  // `why` says more
  }

  // None of its queued reactions is decided any more.
  void End() { sequence_->Break(); }

  // Advances over records whose reactions are all recorded.
  void Settle() {
    const Position before = resume_.next;
    while (!steps_.empty() && steps_.front().open == 0) {
      resume_ = std::move(steps_.front().after);
      steps_.pop_front();
    }
    // With nothing in flight, its own cursor counts: it has passed records without requests.
    if (steps_.empty() && !failed_) resume_ = cursor_;
    if (resume_.next > before) {
      backoff_.Reset();
      fault_backoff_.Reset();
      if (std::exchange(fails_, false)) reactor_.ClearError(target_.slot, source_.slot());
    }
    reactor_.OnReached(target_, epoch_, source_.slot(), resume_);
  }

 private:
  // A record with reactions of which some are not recorded.
  struct Step {
    Position position = 0;
    eventlog::Cursor after;
    size_t open = 0;
  };

  absl::Status Submit(const SourceRecord& record) {
    ASSIGN_OR_RETURN(std::vector<Request> requests, source_.RequestsFor(record, target_.slot));
    std::vector<std::optional<Hash128>> hashes(requests.size());
    Step step{record.position, record.after, 0};
    for (size_t i = 0; i < requests.size(); ++i) {
      DueReaction& due = requests[i].due;
      if (reactor_.rules_.definitions()[due.definition].once_is_enough) {
        // Reactions may make requests of different types with the same bytes.
        hashes[i] = Hash128Of(absl::StrCat(due.definition, "/", due.key), due.request->SerializeAsString());
        if (target_.WasRecorded(*hashes[i])) {
          due.request = nullptr;
          continue;
        }
      }
      ++step.open;
    }
    if (step.open == 0) return absl::OkStatus();
    open_ += step.open;
    reactor_.NoteUnderWay(open_);
    steps_.push_back(std::move(step));
    for (size_t i = 0; i < requests.size(); ++i) {
      DueReaction& due = requests[i].due;
      if (due.request == nullptr) continue;
      partition::Command::Envelope envelope;
      envelope.tenant = std::string(record.tenant);
      envelope.internal = true;
      envelope.sequence = sequence_;
      envelope.cause = CauseOf(source_.slot(), record, requests[i].number);
      reactor_.runtime_->Submit(
          {reactor_.service_, due.command}, due.key, std::move(*due.request), std::move(envelope),
          [line = weak_from_this(), shard = &source_.follower().shard(), sequence = sequence_,
           position = record.position,
           hash = hashes[i]](const absl::StatusOr<google::protobuf::Message*>& response, partition::AnswerPosition) {
            if (!response.ok()) sequence->Break();  // before the target handles the next one
            shard->Add([line, position, hash, status = response.status()] {
              if (const std::shared_ptr<Line> waiting = line.lock()) waiting->OnAnswer(position, hash, status);
            });
          });
    }
    return absl::OkStatus();
  }

  // A refusal has been recorded and counts as success; an error means that nothing was recorded.
  void OnAnswer(Position position, const std::optional<Hash128>& hash, const absl::Status& status) {
    --open_;
    if (!status.ok()) {
      if (!failed_ && backoff_.fresh() && fault_backoff_.fresh()) {
        telemetry::Log(telemetry::LogLevel::kWarning, "projection", "a reaction failed; it is tried again",
                       {{"target", target_.slot.ToString()},
                        {"source", source_.slot().ToString()},
                        {"position", position},
                        {"why", status.message()},
                        {"reason", ReasonOf(status)}});
      }
      failed_ = true;
      if (!partition::MendsItself(status)) {
        fails_ = true;
        reactor_.NoteError(target_.slot, source_.slot(), status);
      }
    } else {
      if (hash.has_value()) target_.NoteRecorded(*hash);
      for (Step& step : steps_) {
        if (step.position == position) --step.open;
      }
    }
    Settle();
    if (!failed_) {
      source_.follower().Wake();
    } else if (open_ == 0) {
      Backoff& pause = fails_ ? fault_backoff_ : backoff_;
      source_.follower().shard().PostAfter(pause.Next(source_.follower().shard().random()), [line = weak_from_this()] {
        if (const auto waiting = line.lock()) waiting->TryAgain();
      });
    }
  }

  // Starts at the first record that is not known to be recorded; recorded reactions after it have no effect a second
  // time.
  void TryAgain() {
    failed_ = false;
    sequence_ = std::make_shared<partition::CommandSequence>();
    steps_.clear();
    cursor_ = resume_;
    source_.follower().Wake();
  }

  Reactor& reactor_;
  Source& source_;
  Target& target_;
  const uint64_t epoch_;
  eventlog::Cursor cursor_;  // after the records whose reactions were submitted
  eventlog::Cursor resume_;  // before the first record whose reactions are not known to be recorded
  std::deque<Step> steps_;
  size_t open_ = 0;
  bool failed_ = false;  // waits until all are answered, and then for the pause
  bool fails_ = false;   // fails with an error that no retry will fix; the error is shown
  // One per try. Shared with the commands.
  std::shared_ptr<partition::CommandSequence> sequence_ = std::make_shared<partition::CommandSequence>();
  Backoff backoff_;
  Backoff fault_backoff_;
};

// Reads on where the reactions of a target slot ended because it stopped, up to the first record that would have led to
// another one. On the queue of the source's shard.
class Reactor::Remnant : public SourceConsumer {
 public:
  Remnant(Reactor* reactor, Source* source, Target* target, eventlog::Cursor cursor,
          partition::rows::ReactionCursorRow reacted)
      : reactor_(*reactor),
        source_(*source),
        target_(*target),
        cursor_(std::move(cursor)),
        reacted_(std::move(reacted)) {}

  const eventlog::Cursor& cursor() const override { return cursor_; }
  bool ready() const override { return !missed_; }

  Taken Take(absl::Span<const SourceRecordPtr> records) override {
    Taken taken;
    for (const SourceRecordPtr& record : records) {
      const absl::StatusOr<std::vector<Request>> requests = source_.RequestsFor(*record, target_.slot);
      if (!requests.ok()) {
        taken.status = requests.status();
        break;
      }
      missed_ = std::any_of(requests->begin(), requests->end(), [&](const Request& request) {
        return !partition::IsRecorded(reacted_, record->position, request.number);
      });
      if (missed_) break;
      cursor_ = record->after;
      ++taken.records;
    }
    Tell();
    if (missed_)
      reactor_.NoteStopped(target_.slot, source_.slot(), target_.coverage.Miss(source_.slot(), cursor_.next));
    return taken;
  }

  void OnStopped(const absl::Status& why) override { reactor_.NoteStopped(target_.slot, source_.slot(), why); }

  void Tell() { target_.coverage.Raise({{source_.slot(), cursor_.next}}, reactor_.runtime_->confirmed(target_.slot)); }

 private:
  Reactor& reactor_;
  Source& source_;
  Target& target_;
  eventlog::Cursor cursor_;
  const partition::rows::ReactionCursorRow reacted_;
  bool missed_ = false;
};

void Reactor::Source::StartRemnant(Target& target, const eventlog::Cursor& cursor,
                                   const partition::rows::ReactionCursorRow& reacted) {
  auto remnant = std::make_unique<Remnant>(&reactor_, this, &target, cursor, reacted);
  remnant->Tell();
  follower_.Add(remnant.get());
  remnants_[target.slot] = std::move(remnant);
}

void Reactor::Source::StartLine(Target& target, uint64_t epoch, const eventlog::Cursor& cursor) {
  if (target.epoch.load(std::memory_order_acquire) != epoch) return;
  auto line = std::make_shared<Line>(&reactor_, this, &target, epoch, cursor);
  lines_[target.slot] = line;
  line->Settle();
  follower_.Add(line.get());
}

void Reactor::Source::EndLine(Target& target, uint64_t epoch) {
  const auto line = lines_.find(target.slot);
  if (line != lines_.end()) {
    line->second->End();
    follower_.Remove(line->second.get());
    lines_.erase(line);
  }
  reactor_.ClearError(target.slot, slot());                           // even an error of a cursor that was never read
  if (target.epoch.load(std::memory_order_acquire) != epoch) return;  // owned here again
  target.covered.at(slot()).store(kElsewhere, std::memory_order_release);
}

Reactor::Reactor(ServiceId service, std::vector<ReactionDefinition> definitions, eventlog::EventLog* log,
                 FollowerShard* shard, uint64_t progress_every)
    : service_(service),
      name_(absl::StrCat("reactions of ", ServiceName(service))),
      rules_(std::move(definitions)),
      log_(log),
      shard_(shard),
      progress_every_(progress_every) {
  for (const ReactionDefinition& definition : rules_.definitions()) source_services_.insert(definition.source);
}

Reactor::~Reactor() { Close(); }

void Reactor::Start(partition::Runtime* runtime, const std::function<SourceFollower*(SlotId)>& follower_of) {
  runtime_ = runtime;
  for (const partition::ServiceDefinition& service : runtime->options().services) {
    if (service.id == service_) rules_.SetCommands(service);
  }
  for (const ServiceId service : source_services_) {
    for (const SlotId slot : SlotsOf(*log_, service)) {
      sources_.emplace(slot, std::make_unique<Source>(this, follower_of(slot)));
    }
  }
  std::vector<SlotId> sources;
  for (const auto& [slot, unused] : sources_) sources.push_back(slot);
  for (const SlotId slot : SlotsOf(*log_, service_)) {
    coverages_.push_back(std::make_unique<Coverage>(slot, name_, shard_));
    coverages_.back()->Start(sources, &runtime->calls());
    auto target = std::make_unique<Target>(slot, coverages_.back().get());
    for (const auto& [source, unused] : sources_) target->covered[source].store(kElsewhere, std::memory_order_relaxed);
    targets_.push_back(std::move(target));
  }
}

void Reactor::OnServing(SlotId slot, bool serving) {
  Target& target = *targets_.at(slot.slot);
  const uint64_t epoch = target.epoch.fetch_add(1, std::memory_order_acq_rel) + 1;
  if (serving) {
    target.Begin();
    for (auto& [source, covered] : target.covered) covered.store(0, std::memory_order_release);
    target.coverage.MissNothing();
    target.coverage.SetAnsweredHere(true);
    LoadCursors(target, epoch);
    return;
  }
  target.coverage.MissNothing();  // whoever owns it next reacts
  target.coverage.SetAnsweredHere(false);
  for (const auto& [unused, source] : sources_) {
    source->follower().shard().Add([source = source.get(), &target, epoch] { source->EndLine(target, epoch); });
  }
}

void Reactor::OnStopped(SlotId slot, const partition::ReactedTo& reacted) {
  Target& target = *targets_.at(slot.slot);
  const uint64_t epoch = target.epoch.fetch_add(1, std::memory_order_acq_rel) + 1;
  target.coverage.SetAnsweredHere(true);
  for (const auto& [number, source] : sources_) {
    absl::StatusOr<eventlog::Cursor> cursor = eventlog::GenesisCursor(log_->identity(), number);
    partition::rows::ReactionCursorRow row;
    if (!reacted.ok()) {
      cursor = reacted.status();
    } else if (const auto found = reacted->find(number); found != reacted->end()) {
      row = found->second;
      cursor = eventlog::DecodeCursor(row.cursor());
    }
    source->follower().shard().Add([this, source = source.get(), &target, epoch, at = std::move(cursor), row] {
      source->EndLine(target, epoch);
      if (at.ok()) {
        source->StartRemnant(target, *at, row);
      } else {
        target.coverage.Miss(source->slot(), 0).IgnoreError();  // why it cannot be read says more
        NoteStopped(target.slot, source->slot(), at.status());
      }
    });
  }
}

void Reactor::LoadCursors(Target& target, uint64_t epoch) {
  runtime_->Query(target.slot, 0, kNoDeadline,
                  [this, &target, epoch](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                    if (target.epoch.load(std::memory_order_acquire) != epoch) return;
                    std::map<SlotId, std::string> cursors;
                    absl::Status read = rows.status();
                    if (read.ok()) {
                      for (const auto& [source, unused] : sources_) {
                        const auto row = partition::kReactionCursors.Get(**rows, {source});
                        cursors[source] = row.has_value() ? row->cursor() : std::string();
                      }
                      read = (*rows)->status();
                    }
                    if (!read.ok()) {
                      // Unless the slot stops, and is then no longer owned here, it answers in time.
                      shard_->PostAfter(kLoadPause, [this, &target, epoch] {
                        if (target.epoch.load(std::memory_order_acquire) == epoch) LoadCursors(target, epoch);
                      });
                      return;
                    }
                    for (const auto& [slot, source] : sources_) {
                      absl::StatusOr<eventlog::Cursor> cursor = eventlog::GenesisCursor(log_->identity(), slot);
                      if (const std::string& stored = cursors[slot]; !stored.empty()) {
                        cursor = eventlog::DecodeCursor(stored);
                      }
                      if (!cursor.ok()) {
                        NoteStopped(target.slot, slot, cursor.status());
                        continue;
                      }
                      source->follower().shard().Add([source = source.get(), &target, epoch, at = *std::move(cursor)] {
                        source->StartLine(target, epoch, at);
                      });
                    }
                  });
}

void Reactor::OnReached(Target& target, uint64_t epoch, SlotId source, const eventlog::Cursor& resume) {
  if (target.epoch.load(std::memory_order_acquire) != epoch) return;
  uint64_t untold = 0;
  {
    MutexLock lock(&target.mutex);
    const auto [reached, first] = target.reached.try_emplace(source, Target::Reached{resume, resume.next});
    if (!first) reached->second.cursor = resume;
    if (!target.recording) {
      for (const auto& [unused, each] : target.reached) untold += each.cursor.next - each.told;
    }
  }
  std::atomic<Position>& covered = target.covered.at(source);
  if (covered.load(std::memory_order_relaxed) != resume.next) {
    covered.store(resume.next, std::memory_order_release);
    target.coverage.Raise({{source, resume.next}}, runtime_->confirmed(target.slot));
  }
  if (untold >= progress_every_) RecordProgress(target, epoch);
}

void Reactor::RecordProgress(Target& target, uint64_t epoch) {
  std::vector<log::v1::SourceProgress> progress;
  std::map<SlotId, Position> told;
  {
    MutexLock lock(&target.mutex);
    if (std::exchange(target.recording, true)) return;
    for (const auto& [source, reached] : target.reached) {
      if (reached.cursor.next == reached.told) continue;
      log::v1::SourceProgress& each = progress.emplace_back();
      each.set_service(static_cast<log::v1::Service>(source.service));
      each.set_slot(source.slot);
      each.set_position(reached.cursor.next);
      each.set_cursor(eventlog::EncodeCursor(reached.cursor));
      told[source] = reached.cursor.next;
    }
  }
  runtime_->Submit(target.slot, std::make_unique<ProgressCommand>(
                                    std::move(progress), [&target, epoch, told = std::move(told)](bool recorded) {
                                      MutexLock lock(&target.mutex);
                                      if (target.epoch.load(std::memory_order_acquire) != epoch) return;
                                      target.recording = false;
                                      if (!recorded) return;  // the next progress leads to another try
                                      for (const auto& [source, position] : told) {
                                        target.reached.at(source).told = position;
                                      }
                                    }));
}

Position Reactor::reached(SlotId source) const {
  Position least = kElsewhere;
  if (!sources_.contains(source)) return least;
  for (const std::unique_ptr<Target>& target : targets_) {
    least = std::min(least, target->covered.at(source).load(std::memory_order_acquire));
  }
  return least;
}

TokenPositions Reactor::positions() const {
  TokenPositions positions;
  for (const auto& [slot, unused] : sources_) positions[slot] = reached(slot);
  return positions;
}

void Reactor::NoteUnderWay(size_t count) {
  size_t most = most_under_way_.load(std::memory_order_relaxed);
  while (most < count && !most_under_way_.compare_exchange_weak(most, count, std::memory_order_relaxed)) {
  }
}

}  // namespace halles::projection
