// Folds a BATCH record into the rows of its slot. Owners, replays and verify all use this code.
#ifndef HALLES_LIBS_PARTITION_FOLD_H_
#define HALLES_LIBS_PARTITION_FOLD_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/slot.h"
#include "libs/base/unix_time.h"
#include "libs/partition/domain.h"
#include "libs/partition/expired_answers.h"
#include "libs/partition/runtime_rows.pb.h"
#include "libs/partition/service_definition.h"
#include "libs/store/key_filter.h"
#include "libs/store/rows.h"

namespace halles::partition {

// The context of the index-th event of a batch. Refers into `batch`.
FactContext ContextOf(SlotId slot, Position position, UnixMicros logical_time, const log::v1::Batch& batch, int index);

// Evolves the rows by all events of the batch, then the rows of the runtime. Fails when an event cannot be evolved or a
// row could not be read. `expired` saves reads and changes no row; null: there is none.
absl::Status FoldBatch(const ServiceDefinition& service, SlotId slot, Position position, UnixMicros logical_time,
                       const log::v1::Batch& batch, store::Rows& rows, ExpiredAnswers* expired = nullptr);

// Tables of a slot of the service whose absent keys a filter in memory knows, those of the runtime included.
std::vector<store::FilteredTable> FilteredTables(const ServiceDefinition& service);

// Reads and sets the aggregate that decided on the batch. Set it after the events, because it is omitted if it is the
// aggregate of the first event.
AggregateRef AggregateOf(const log::v1::Batch& batch);
void SetAggregate(const AggregateRef& aggregate, log::v1::Batch* batch);

// Folds the rows of the runtime: the recorded answer, those that are over at the logical time of the record, and the cursors
// of reactions.
absl::Status FoldRuntimeRows(const log::v1::Batch& batch, UnixMicros logical_time, store::Rows& rows,
                             ExpiredAnswers* expired);

// Folds only the cursors of reactions.
void FoldReactionCursors(const log::v1::Batch& batch, store::Rows& rows);

// Whether a reaction (Cause::reaction of the record at `position`) is recorded in the slot with this cursor.
bool IsRecorded(const rows::ReactionCursorRow& cursor, Position position, uint32_t reaction);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_FOLD_H_
