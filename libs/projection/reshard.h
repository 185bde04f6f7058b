// Copies a log into one with other numbers of slots: every aggregate's facts in their order, in the slot that is now theirs.
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

// Copies what `from` holds into `to`, which is empty and of another install. Nobody else writes either.
//
// The records of a service are merged by logical time (merged_records.h); each goes to the slot of its aggregate, with the
// logical time, request id, answer, facts and calls that it has, so that states, timers and sagas come out the same. Each
// slot of `to` begins with a CLAIM of term 1; whoever opens the log claims term 2. What names positions is made anew:
//   - a cause names the new position of its record. Hash and cursor are left out: such a cause moves no cursor.
//   - instead, the last record of each slot that reacts says how far it has come with each slot of its sources: the position
//     of the first record with a reaction to it that is not recorded, and which of those from there on are
//     (SourceProgress::ahead), since slots are merged that had not come equally far.
//   - records that only said how far a slot had reacted are left out, and CLAIMs, and what does not count.
//   - recorded answers that some old slots had forgotten, since they are past their life, are forgotten in all.
// Tokens are not: those of the old install are refused as foreign.
//
// `cursors` are those of `from` (FiguresOf). Errors: as of readers and of Append; DATA_LOSS (MISPLACED_RECORD) when a record
// is in a slot that is not its aggregate's; FAILED_PRECONDITION with UNKNOWN_SERVICE_RECORDS when a service has records
// whose rules are not given, or REACTIONS_FAR_BEHIND when what is to come does not fit into a record.
// Durability: on return everything is durable. After an error `to` is of no use.
// Limits: eight bytes of memory for each record of a service that others react to.
absl::Status Reshard(eventlog::EventLog* from, eventlog::EventLog* to,
                     const std::vector<partition::ServiceDefinition>& services,
                     const std::vector<ReactionDefinition>& reactions, const ReactionCursors& cursors,
                     RandomSource& random, const LogObserver& observer);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_RESHARD_H_
