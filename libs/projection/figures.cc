// Folds a log as if each service had one slot, and summarises the rows.
#include "libs/projection/figures.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/partition/fold.h"
#include "libs/partition/runtime_tables.h"
#include "libs/projection/merged_records.h"
#include "libs/projection/reactions.h"
#include "libs/store/memory_rows.h"

namespace halles::projection {
namespace {

constexpr uint64_t kReportEvery = 1'000;

void AddTo(Figure* figure, absl::string_view key, absl::string_view value) {
  ++figure->count;
  figure->digest.AddRow(key, value);
}

// Names the records of aggregates equally in every log: 31 bits of the aggregate's hash, then a count from 0.
class Ordinals {
 public:
  Position PositionOf(const MergedRecord& record) {
    return (record.aggregate_hash >> 33 << 32) + counts_[record.aggregate_hash]++;
  }
  size_t aggregates() const { return counts_.size(); }

 private:
  absl::flat_hash_map<uint64_t, uint32_t> counts_;
};

class ServiceFold {
 public:
  ServiceFold(const partition::ServiceDefinition& service, const std::vector<ViewDefinition>& views)
      : service_(service), slot_{service.id, 0} {
    for (const ViewDefinition& view : views) {
      const std::vector<ServiceId> sources = view.SourceServices();
      if (std::find(sources.begin(), sources.end(), service.id) != sources.end()) {
        views_.emplace_back(&view, std::make_unique<store::MemoryRows>());
      }
    }
  }

  absl::Status Fold(MergedRecord merged) {
    log::v1::Batch& batch = merged.batch;
    if (merged.aggregate.type == 0) return absl::OkStatus();  // of the runtime
    batch.clear_cause();                                      // cursors have figures of their own
    batch.clear_progress();
    const Position position = ordinals_.PositionOf(merged);
    state_.set_position(position);
    RETURN_IF_ERROR(
        partition::FoldBatch(service_, slot_, position, merged.record->logical_time, batch, state_, &expired_));
    for (const auto& [view, rows] : views_) {
      rows->set_position(position);
      RETURN_IF_ERROR(Project(*view, position, merged, rows.get()));
    }
    AddTo(&commands_, merged.aggregate.key, batch.request_id());
    for (const log::v1::Event& event : batch.events()) AddTo(&events_, event.aggregate_id(), event.payload());
    return absl::OkStatus();
  }

  void AddFigures(const store::SchemaBook& schemas, std::map<std::string, Figure>* figures) const {
    const absl::string_view name = ServiceName(service_.id);
    (*figures)[absl::StrCat(name, " commands")] = commands_;
    (*figures)[absl::StrCat(name, " events")] = events_;
    (*figures)[absl::StrCat(name, " aggregates")].count = ordinals_.aggregates();
    const auto add = [&](const store::RowSpace& space, const store::MemoryRows& rows) {
      for (const auto& [key, row] : rows.rows()) AddTo(&(*figures)[schemas.TableName(space, key)], key, row.value);
    };
    add(store::RowSpace::State(slot_), state_);
    for (const auto& [view, rows] : views_) add(store::RowSpace::View(view->service, view->view), *rows);
  }

 private:
  absl::Status Project(const ViewDefinition& view, Position position, const MergedRecord& merged,
                       store::MemoryRows* rows) const {
    for (int i = 0; i < merged.batch.events_size(); ++i) {
      const log::v1::Event& event = merged.batch.events(i);
      const SourceProjection* projection = view.Find(slot_.service, event.type(), event.payload());
      if (projection == nullptr) continue;
      absl::Status projected = projection->project(
          *rows, event.payload(), partition::ContextOf(slot_, position, merged.record->logical_time, merged.batch, i),
          nullptr);
      projected.Update(rows->status());
      if (!projected.ok()) {
        return WithContext(projected,
                           EventRef{merged.slot, merged.record->position, static_cast<uint32_t>(i)}.ToString());
      }
    }
    return absl::OkStatus();
  }

  const partition::ServiceDefinition& service_;
  const SlotId slot_;
  Ordinals ordinals_;
  store::MemoryRows state_;
  partition::ExpiredAnswers expired_;  // of the state
  std::vector<std::pair<const ViewDefinition*, std::unique_ptr<store::MemoryRows>>> views_;
  Figure commands_;
  Figure events_;
};

// The unrecorded reactions of a service to one source slot.
absl::Status AddReactionsToCome(eventlog::EventLog* log, const ReactionRules& rules, ServiceId service, SlotId source,
                                const ReactionCursors& cursors, Figure* figure) {
  // Starts at the least advanced target.
  const std::vector<SlotId> targets = SlotsOf(*log, service);
  std::string from;
  Position least = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto cursor = cursors.find({targets[i], source});
    const Position position = cursor == cursors.end() ? 0 : cursor->second.position();
    if (i > 0 && position >= least) continue;
    least = position;
    from = cursor == cursors.end() ? std::string() : cursor->second.cursor();
  }
  eventlog::Cursor start = eventlog::GenesisCursor(log->identity(), source);
  if (!from.empty()) {
    ASSIGN_OR_RETURN(start, eventlog::DecodeCursor(from));
  }
  ASSIGN_OR_RETURN(const Position end, log->End(source));
  SourceReader reader(log, source, start);
  while (reader.cursor().next < end) {
    SourceRecords records;
    ASSIGN_OR_RETURN(const eventlog::ReadResult read, reader.Read(kReportEvery, end, &records));
    if (read.count == 0) return absl::UnavailableError(absl::StrCat(source.ToString(), " cannot be read just now"));
    for (const SourceRecordPtr& record : records) {
      if (!rules.Concerns(source, *record)) continue;
      ASSIGN_OR_RETURN(const std::vector<DueReaction> due, rules.React(source, *record));
      std::map<SlotId, uint32_t> numbers;
      for (const DueReaction& reaction : due) {
        const SlotId target = SlotOf(service, record->tenant, reaction.key, log->identity().slots.of(service));
        const uint32_t number = numbers[target]++;
        const auto cursor = cursors.find({target, source});
        if (cursor != cursors.end() && partition::IsRecorded(cursor->second, record->position, number)) continue;
        AddTo(figure, reaction.key,
              absl::StrCat(reaction.request->GetDescriptor()->full_name(), "/", reaction.request->SerializeAsString()));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LogFigures> FiguresOf(eventlog::EventLog* log, const std::vector<partition::ServiceDefinition>& services,
                                     const std::vector<ViewDefinition>& views,
                                     const std::vector<ReactionDefinition>& reactions, const store::SchemaBook& schemas,
                                     const LogObserver& observer) {
  LogFigures all;
  uint64_t total = 0;
  for (const partition::ServiceDefinition& service : services) {
    for (const SlotId slot : SlotsOf(*log, service.id)) {
      ASSIGN_OR_RETURN(const Position end, log->End(slot));
      total += end;
    }
  }
  std::map<SlotId, store::MemoryRows> targets;  // the cursors of each target
  for (const partition::ServiceDefinition& service : services) {
    ServiceFold fold(service, views);
    MergedRecords records(log, service.id);
    RETURN_IF_ERROR(records.Open());
    for (uint64_t i = 0;; ++i) {
      ASSIGN_OR_RETURN(std::optional<MergedRecord> next, records.Next());
      if (!next.has_value()) break;
      if (next->batch.has_cause() || !next->batch.progress().empty()) {
        partition::FoldReactionCursors(next->batch, targets[next->slot]);
      }
      const EventRef ref{next->slot, next->record->position, 0};
      RETURN_IF_ERROR(WithContext(fold.Fold(*std::move(next)), ref.ToString()));
      if (i % kReportEvery == 0) RETURN_IF_ERROR(observer(all.records + records.read(), total));
    }
    all.records += records.read();
    fold.AddFigures(schemas, &all.figures);
  }
  for (const auto& [target, rows] : targets) {
    const SlotId slot = target;
    partition::kReactionCursors.ForEach(rows, [&all, slot](const partition::ReactionCursorKey& key,
                                                           const partition::rows::ReactionCursorRow& row, Position) {
      all.cursors[{slot, key.source}] = row;
      return true;
    });
  }
  for (const partition::ServiceDefinition& service : services) {
    std::vector<ReactionDefinition> own;
    std::set<ServiceId> sources;
    for (const ReactionDefinition& reaction : reactions) {
      if (reaction.service != service.id) continue;
      own.push_back(reaction);
      sources.insert(reaction.source);
    }
    if (own.empty()) continue;
    ReactionRules rules(std::move(own));
    rules.SetCommands(service);
    Figure& to_come = all.figures[absl::StrCat(ServiceName(service.id), " reactions to come")];
    for (const ServiceId source : sources) {
      for (const SlotId slot : SlotsOf(*log, source)) {
        RETURN_IF_ERROR(AddReactionsToCome(log, rules, service.id, slot, all.cursors, &to_come));
      }
    }
  }
  return all;
}

}  // namespace halles::projection
