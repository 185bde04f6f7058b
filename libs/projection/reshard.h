// Copies a log into one with other numbers of slots: the events of every aggregate, in order, go to the slot that is
// now theirs.
#ifndef HALLES_LIBS_PROJECTION_RESHARD_H_
#define HALLES_LIBS_PROJECTION_RESHARD_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "libs/base/random.h"
#include "libs/eventlog/log.h"
#include "libs/partition/service_definition.h"
#include "libs/projection/definitions.h"
#include "libs/projection/figures.h"

namespace halles::projection {

// Copies the records of `from` into `to`, which is empty and of another install. Nobody else writes to either.
//
// The records of a service are merged by logical time (merged_records.h). Each goes to the slot of its aggregate and
// keeps its logical time, request id, answer, events and calls, so states, timers and sagas stay the same. Each slot of
// `to` begins with a CLAIM of term 1; whoever opens the log claims term 2. Everything that names positions is replaced:
//   - a cause names the new position of its record. Hash and cursor are left out; such a cause moves no cursor.
//   - instead, the last record of each reacting slot states its progress with each slot of its sources: the position of
//     the first record with an unrecorded reaction, and which reactions from there on are recorded
//     (SourceProgress::ahead), because merged slots may have had different progress.
//   - progress records, CLAIMs and records that do not count are left out.
// Tokens are not replaced: those of the old install are refused as foreign.
//
// `cursors` are those of `from` (FiguresOf). Errors: those of readers and of Append; DATA_LOSS (MISPLACED_RECORD) when
// a record is not in the slot of its aggregate; FAILED_PRECONDITION with UNKNOWN_SERVICE_RECORDS when a service has
// records but no rules are given, or REACTIONS_FAR_BEHIND when the outstanding reactions do not fit into a record.
// Durability: on return everything is durable. After an error, `to` is unusable.
// Limits: eight bytes of memory for each record of a service that others react to.
absl::Status Reshard(eventlog::EventLog* from, eventlog::EventLog* to,
                     const std::vector<partition::ServiceDefinition>& services,
                     const std::vector<ReactionDefinition>& reactions, const ReactionCursors& cursors,
                     RandomSource& random, const LogObserver& observer);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_RESHARD_H_
