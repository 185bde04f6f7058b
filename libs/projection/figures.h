// Summarises a log in figures that do not depend on its number of slots.
#ifndef HALLES_LIBS_PROJECTION_FIGURES_H_
#define HALLES_LIBS_PROJECTION_FIGURES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/partition/runtime_rows.pb.h"
#include "libs/partition/service_definition.h"
#include "libs/projection/definitions.h"
#include "libs/store/fold.h"

namespace halles::projection {

// The number of rows, or of other things, and the sum of their hashes.
struct Figure {
  uint64_t count = 0;
  store::Digest digest;

  friend bool operator==(const Figure&, const Figure&) = default;
};

// The progress of each slot with each slot of its sources; a missing pair means the beginning.
using ReactionCursors = std::map<std::pair<SlotId, SlotId>, partition::rows::ReactionCursorRow>;  // target, source

struct LogFigures {
  // By name: "checkout commands", "checkout events", "checkout aggregates"; the rows of each table of a state or a
  // view; "inventory reactions to come". Equal for two logs with the same events and the same outstanding reactions.
  std::map<std::string, Figure> figures;
  ReactionCursors cursors;
  uint64_t records = 0;  // of any kind; may differ
};

// Called regularly during work on a whole log, with the number of records done and the total. An error ends the work.
using LogObserver = std::function<absl::Status(uint64_t done, uint64_t total)>;

// Folds the whole log cold, with the serving functions, into states and views that do not depend on slots: each service
// is read as if it had one slot, and a record is named after its aggregate and its number within it.
// Limits: the rows of one service and of the views over it are in memory.
absl::StatusOr<LogFigures> FiguresOf(eventlog::EventLog* log, const std::vector<partition::ServiceDefinition>& services,
                                     const std::vector<ViewDefinition>& views,
                                     const std::vector<ReactionDefinition>& reactions, const store::SchemaBook& schemas,
                                     const LogObserver& observer);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_FIGURES_H_
