// Reads the old log twice: first to find the new place of each record, then to write it there.
#include "libs/projection/reshard.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/record.h"
#include "libs/partition/fold.h"
#include "libs/projection/merged_records.h"
#include "libs/projection/reactions.h"

namespace halles::projection {
namespace {

constexpr uint64_t kReportEvery = 1'000;
// Maximum number of appends that are not durable yet.
constexpr size_t kBytesUnderWayMax = size_t{16} << 20;
// Sources per progress record, apart from the reactions ahead of their cursors.
constexpr int kSourcesPerRecord = 500;

// Appends to the new log and waits for it.
class Writer : public eventlog::ReportSink {
 public:
  Writer(eventlog::EventLog* log, InstanceId instance) : log_(*log), instance_(instance) {}
  ~Writer() override {
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return bytes_under_way_ == 0; });
  }

  // The end of the slot after all appends.
  const eventlog::Cursor& cursor(SlotId slot) { return Get(slot); }

  absl::Status Claim(SlotId slot, UnixMicros time) {
    log::v1::RecordBody body;
    body.mutable_claim();
    eventlog::RecordHeader header;
    header.kind = eventlog::RecordKind::kClaim;
    header.term = 1;
    header.logical_time = time;
    return Append(slot, header, body);
  }

  // Appends a BATCH. `level` is the applier level that the old record, or an earlier one, requires.
  absl::Status Batch(SlotId slot, UnixMicros time, uint32_t level, log::v1::Batch batch) {
    log::v1::RecordBody body;
    *body.mutable_batch() = std::move(batch);
    eventlog::RecordHeader header;
    header.kind = eventlog::RecordKind::kBatch;
    header.term = Get(slot).term;
    header.sequence = Get(slot).next_sequence;
    header.logical_time = time;
    header.minimum_level = std::max(level, eventlog::kApplierLevel);
    return Append(slot, header, body);
  }

  // Waits until all appends are durable.
  absl::Status AwaitDurable() {
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return bytes_under_way_ == 0; });
    return failure_;
  }

  void OnReports(absl::Span<const eventlog::AppendReport> reports) override {
    MutexLock lock(&mutex_);
    for (const eventlog::AppendReport& report : reports) {
      const auto [position, bytes] = under_way_.at({report.slot, report.tag});
      under_way_.erase({report.slot, report.tag});
      bytes_under_way_ -= bytes;
      failure_.Update(report.status);
      if (report.status.ok() && report.position != position) {
        failure_.Update(absl::InternalError(absl::StrCat("somebody else appends to ", report.slot.ToString())));
      }
    }
  }

 private:
  eventlog::Cursor& Get(SlotId slot) {
    const auto [cursor, first] = cursors_.try_emplace(slot);
    if (first) cursor->second = eventlog::GenesisCursor(log_.identity(), slot);
    return cursor->second;
  }

  absl::Status Append(SlotId slot, eventlog::RecordHeader header, const log::v1::RecordBody& body) {
    eventlog::Cursor& cursor = Get(slot);
    header.instance = instance_;
    header.previous = cursor.chain;
    std::string bytes = eventlog::EncodeRecord(header, body.SerializeAsString());
    if (bytes.size() > eventlog::kMaxRecordBytes) {
      return Failure(
          absl::StatusCode::kFailedPrecondition, "REACTIONS_FAR_BEHIND",
          absl::StrCat("what ", slot.ToString(),
                       " is still to react to does not fit into a record: start halles on the old folder until "
                       "its views have caught up, stop it, and try again"));
    }
    const Position position = cursor.next;
    ASSIGN_OR_RETURN(const eventlog::Judgement judged, eventlog::Adjudicate(bytes, position, &cursor));
    if (judged.verdict == eventlog::Verdict::kIgnored) {
      return absl::InternalError(absl::StrCat("a copied record of ", slot.ToString(), " would not count"));
    }
    {
      MutexLock lock(&mutex_);
      mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return bytes_under_way_ < kBytesUnderWayMax; });
      RETURN_IF_ERROR(failure_);
      under_way_[{slot, position}] = {position, bytes.size()};
      bytes_under_way_ += bytes.size();
    }
    log_.Append(slot, std::move(bytes), position, this);
    return absl::OkStatus();
  }

  eventlog::EventLog& log_;
  const InstanceId instance_;
  std::map<SlotId, eventlog::Cursor> cursors_;

  Mutex mutex_;
  std::map<std::pair<SlotId, uint64_t>, std::pair<Position, size_t>> under_way_ ABSL_GUARDED_BY(mutex_);  // by tag
  size_t bytes_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

// The reactions of a slot of the new log to a slot of a source.
struct Line {
  // The first record with an unrecorded reaction, and the cursor before it; nothing if all are recorded.
  std::optional<std::pair<Position, std::string>> first;
  std::vector<log::v1::RecordedReaction> ahead;  // recorded reactions from there on
};

// The reactions of one service, before and after.
struct Reacting {
  ServiceId service = ServiceId::kCheckout;
  ReactionRules rules;
  std::set<ServiceId> sources;
  std::map<std::pair<SlotId, SlotId>, Line> lines;  // by new target and new source
  std::set<SlotId> waiting;                         // new sources with an unrecorded reaction
};

class Resharding {
 public:
  Resharding(eventlog::EventLog* from, eventlog::EventLog* to,
             const std::vector<partition::ServiceDefinition>& services, const ReactionCursors& cursors,
             RandomSource& random, const LogObserver& observer)
      : from_(*from),
        to_(*to),
        services_(services),
        cursors_(cursors),
        observer_(observer),
        writer_(to, InstanceId::Random(random)) {}

  absl::Status Run(const std::vector<ReactionDefinition>& reactions) {
    RETURN_IF_ERROR(CheckServices());
    Sort(reactions);
    for (const ServiceId source : sources_) total_ += records_[source];
    for (const auto& [service, records] : records_) total_ += records;
    for (const ServiceId source : sources_) RETURN_IF_ERROR(Plan(source));
    for (const auto& [service, records] : records_) RETURN_IF_ERROR(Copy(service));
    return TellProgress();
  }

 private:
  using Visit = absl::FunctionRef<absl::Status(SlotId to, MergedRecord* record)>;

  // Counts the records of each service that has any.
  absl::Status CheckServices() {
    for (int number = 1; ServiceName(static_cast<ServiceId>(number)) != "unknown"; ++number) {
      const auto service = static_cast<ServiceId>(number);
      uint64_t records = 0;
      for (const SlotId slot : SlotsOf(from_, service)) {
        ASSIGN_OR_RETURN(const Position end, from_.End(slot));
        records += end;
      }
      if (records == 0) continue;
      records_[service] = records;
      if (std::none_of(services_.begin(), services_.end(),
                       [service](const auto& each) { return each.id == service; })) {
        return Failure(absl::StatusCode::kFailedPrecondition, "UNKNOWN_SERVICE_RECORDS",
                       absl::StrCat("the log holds records of ", ServiceName(service),
                                    ", which this build does not know: use the build that wrote them"));
      }
    }
    return absl::OkStatus();
  }

  void Sort(const std::vector<ReactionDefinition>& reactions) {
    for (const partition::ServiceDefinition& service : services_) {
      std::vector<ReactionDefinition> own;
      std::set<ServiceId> sources;
      for (const ReactionDefinition& reaction : reactions) {
        if (reaction.service != service.id || !records_.contains(reaction.source)) continue;
        sources.insert(reaction.source);
      }
      for (const ReactionDefinition& reaction : reactions) {
        if (reaction.service == service.id) own.push_back(reaction);
      }
      if (sources.empty()) continue;
      sources_.insert(sources.begin(), sources.end());
      records_.try_emplace(service.id, 0);
      Reacting& reacting = reacting_.emplace_back(Reacting{service.id, ReactionRules(std::move(own)), sources, {}, {}});
      reacting.rules.SetCommands(service);
    }
  }

  // Reads a service and determines the new place of each record, in the order of writing.
  absl::Status Walk(ServiceId service, Visit visit) {
    MergedRecords records(&from_, service);
    RETURN_IF_ERROR(records.Open());
    const uint32_t old_count = from_.identity().slots.of(service);
    const uint32_t new_count = to_.identity().slots.of(service);
    for (uint64_t i = 0;; ++i) {
      ASSIGN_OR_RETURN(std::optional<MergedRecord> next, records.Next());
      if (i % kReportEvery == 0 || !next.has_value()) RETURN_IF_ERROR(observer_(done_ + records.read(), total_));
      if (!next.has_value()) break;
      if (next->aggregate.type == 0) continue;  // of the runtime
      const std::string& tenant = next->batch.tenant();
      if (SlotOf(service, tenant, next->aggregate.key, old_count) != next->slot) {
        return Failure(absl::StatusCode::kDataLoss, "MISPLACED_RECORD",
                       absl::StrCat(next->slot.ToString(), "@", next->record->position, " is of the aggregate ",
                                    next->aggregate.key, ", which belongs into another slot"));
      }
      RETURN_IF_ERROR(visit(SlotOf(service, tenant, next->aggregate.key, new_count), &*next));
    }
    done_ += records.read();
    return absl::OkStatus();
  }

  // Learns the new place of each record of a source.
  absl::Status Plan(ServiceId source) {
    std::map<SlotId, Position> ends;
    for (const SlotId slot : SlotsOf(from_, source)) {
      ASSIGN_OR_RETURN(const Position end, from_.End(slot));
      places_[slot].resize(end);
    }
    for (const SlotId slot : SlotsOf(to_, source)) ends[slot] = 1;  // after the CLAIM
    return Walk(source, [&](SlotId to, MergedRecord* record) {
      places_[record->slot][record->record->position] = PlaceOf(to, ends[to]++);
      return absl::OkStatus();
    });
  }

  // 48 bits of position hold more records than a disk.
  static uint64_t PlaceOf(SlotId slot, Position position) { return (uint64_t{slot.slot} << 48) + position; }

  absl::Status Copy(ServiceId service) {
    for (const SlotId slot : SlotsOf(to_, service)) RETURN_IF_ERROR(writer_.Claim(slot, 0));
    return Walk(service, [&](SlotId to, MergedRecord* record) -> absl::Status {
      const auto places = places_.find(record->slot);
      if (places != places_.end() && places->second[record->record->position] != PlaceOf(to, writer_.cursor(to).next)) {
        return absl::InternalError("the old log was read otherwise than before");
      }
      for (Reacting& reacting : reacting_) {
        if (reacting.sources.contains(service)) RETURN_IF_ERROR(NoteReactions(&reacting, to, *record));
      }
      log::v1::Batch& batch = record->batch;
      batch.clear_progress();
      if (batch.has_cause()) RETURN_IF_ERROR(MoveCause(batch.mutable_cause()));
      return writer_.Batch(to, record->record->logical_time, record->record->after.level, std::move(batch));
    });
  }

  absl::Status MoveCause(log::v1::Cause* cause) const {
    const SlotId slot{static_cast<ServiceId>(cause->service()), static_cast<uint16_t>(cause->slot())};
    const auto places = places_.find(slot);
    const uint64_t place =
        places == places_.end() || cause->position() >= places->second.size() ? 0 : places->second[cause->position()];
    if (place == 0) {
      return Failure(absl::StatusCode::kDataLoss, "UNKNOWN_CAUSE",
                     absl::StrCat("a record names ", slot.ToString(), "@", cause->position(),
                                  " as its cause, where nothing is that could be one"));
    }
    cause->Clear();
    cause->set_service(static_cast<log::v1::Service>(slot.service));
    cause->set_slot(static_cast<uint32_t>(place >> 48));
    cause->set_position(place & ((uint64_t{1} << 48) - 1));
    return absl::OkStatus();
  }

  // Sorts the requests of a source's record, about to be written to `to`, by the targets that have recorded them.
  absl::Status NoteReactions(Reacting* reacting, SlotId to, const MergedRecord& merged) {
    const SourceRecord& record = *merged.record;
    // A request that all targets have recorded matters only after a record that some target has not.
    if (record.position < LeastCursor(*reacting, merged.slot) && !reacting->waiting.contains(to))
      return absl::OkStatus();
    if (!reacting->rules.Concerns(merged.slot, record)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::vector<DueReaction> due, reacting->rules.React(merged.slot, record));
    std::map<SlotId, uint32_t> old_numbers;
    std::map<SlotId, std::vector<bool>> recorded;  // by new target and number
    for (const DueReaction& reaction : due) {
      const ServiceId service = reacting->service;
      const SlotId old_target = SlotOf(service, record.tenant, reaction.key, from_.identity().slots.of(service));
      const SlotId new_target = SlotOf(service, record.tenant, reaction.key, to_.identity().slots.of(service));
      const auto cursor = cursors_.find({old_target, merged.slot});
      const uint32_t number = old_numbers[old_target]++;
      recorded[new_target].push_back(cursor != cursors_.end() &&
                                     partition::IsRecorded(cursor->second, record.position, number));
    }
    const eventlog::Cursor& before = writer_.cursor(to);
    for (const auto& [target, numbers] : recorded) {
      Line& line = reacting->lines[{target, to}];
      if (!line.first.has_value()) {
        if (std::find(numbers.begin(), numbers.end(), false) == numbers.end()) continue;
        line.first.emplace(before.next, eventlog::EncodeCursor(before));
        reacting->waiting.insert(to);
      }
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (!numbers[i]) continue;
        log::v1::RecordedReaction& ahead = line.ahead.emplace_back();
        ahead.set_position(before.next);
        ahead.set_reaction(static_cast<uint32_t>(i));
      }
    }
    return absl::OkStatus();
  }

  // Below it, every slot of the service has recorded all reactions to the source.
  Position LeastCursor(const Reacting& reacting, SlotId source) {
    const auto [known, first] = least_.try_emplace({reacting.service, source}, 0);
    if (!first) return known->second;
    std::optional<Position> least;
    for (const SlotId target : SlotsOf(from_, reacting.service)) {
      const auto cursor = cursors_.find({target, source});
      const Position position = cursor == cursors_.end() ? 0 : cursor->second.position();
      least = std::min(least.value_or(position), position);
    }
    return known->second = least.value_or(0);
  }

  // The last records: the progress of each slot with its sources.
  absl::Status TellProgress() {
    // Collected before any of these records is written, because a service may react to itself.
    std::map<SlotId, eventlog::Cursor> ends;
    for (const ServiceId source : sources_) {
      for (const SlotId slot : SlotsOf(to_, source)) ends[slot] = writer_.cursor(slot);
    }
    for (const Reacting& reacting : reacting_) {
      for (const SlotId target : SlotsOf(to_, reacting.service)) {
        log::v1::Batch batch;
        const auto write = [&] {
          return writer_.Batch(target, writer_.cursor(target).logical_time, 0, std::exchange(batch, {}));
        };
        for (const auto& [source, end] : ends) {
          if (!reacting.sources.contains(source.service)) continue;
          log::v1::SourceProgress progress;
          progress.set_service(static_cast<log::v1::Service>(source.service));
          progress.set_slot(source.slot);
          progress.set_position(end.next);
          const auto line = reacting.lines.find({target, source});
          if (line != reacting.lines.end() && line->second.first.has_value()) {
            progress.set_position(line->second.first->first);
            progress.set_cursor(line->second.first->second);
            progress.mutable_ahead()->Assign(line->second.ahead.begin(), line->second.ahead.end());
          } else {
            progress.set_cursor(eventlog::EncodeCursor(end));
          }
          if (batch.progress_size() >= kSourcesPerRecord ||
              (batch.progress_size() > 0 &&
               batch.ByteSizeLong() + progress.ByteSizeLong() > eventlog::kMaxBodyBytes / 2)) {
            RETURN_IF_ERROR(write());
          }
          *batch.add_progress() = std::move(progress);
        }
        if (batch.progress_size() > 0) RETURN_IF_ERROR(write());
      }
    }
    return writer_.AwaitDurable();
  }

  eventlog::EventLog& from_;
  eventlog::EventLog& to_;
  const std::vector<partition::ServiceDefinition>& services_;
  const ReactionCursors& cursors_;
  const LogObserver& observer_;
  std::map<ServiceId, uint64_t> records_;  // for services that are copied; 0 for one that only reacts
  std::set<ServiceId> sources_;
  std::vector<Reacting> reacting_;
  std::map<SlotId, std::vector<uint64_t>> places_;  // for records of sources, by old slot and position; 0: none
  std::map<std::pair<ServiceId, SlotId>, Position> least_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  Writer writer_;
};

}  // namespace

absl::Status Reshard(eventlog::EventLog* from, eventlog::EventLog* to,
                     const std::vector<partition::ServiceDefinition>& services,
                     const std::vector<ReactionDefinition>& reactions, const ReactionCursors& cursors,
                     RandomSource& random, const LogObserver& observer) {
  return Resharding(from, to, services, cursors, random, observer).Run(reactions);
}

}  // namespace halles::projection
