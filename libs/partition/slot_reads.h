// Waiting reads of a slot: queries for a position, watches for an event.
#ifndef HALLES_LIBS_PARTITION_SLOT_READS_H_
#define HALLES_LIBS_PARTITION_SLOT_READS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/scheduler.h"
#include "libs/base/slot.h"
#include "libs/store/overlay.h"
#include "libs/store/rows.h"

namespace halles::partition {

// Maximum of queries that wait for a position, and of watches that wait for an event.
inline constexpr size_t kSlotWaitingReadsMax = 4096;
// Queries and watches of a slot that its queue has not come to.
inline constexpr int64_t kSlotReadsOnTheirWayMax = 4096;

// Reads the confirmed rows of a slot. Called on its queue; `position` is that of the rows.
using SlotQuery = std::function<void(absl::StatusOr<const store::RowReader*> rows, Position position)>;

// The same, called repeatedly until it returns true. After an error it is not called again, whatever it returns.
using SlotWatch = std::function<bool(absl::StatusOr<const store::RowReader*> rows, Position position)>;

// Thread safety: none; used on the slot's queue.
// Limits: kSlotWaitingReadsMax of each kind, then RESOURCE_EXHAUSTED (TOO_MANY_WAITING_READS).
// Lifetime: the rows given to Open outlive it.
class SlotReads {
 public:
  explicit SlotReads(SlotId slot) : slot_(slot) {}

  // Must be called before the others.
  void Open(store::SlotRows* rows) { rows_ = rows; }

  // The rows include all records that the log had when the slot was opened. Until then every query waits; otherwise a
  // starting process would show less than was visible before.
  void Begin(Position at);
  // The rows are folded again from the first record: every query waits until the next Begin.
  void Rest() { begun_ = false; }

  // Runs `query` when the slot has reached `min_position`: DEADLINE_EXCEEDED (TOKEN_NOT_REACHED) when it does not in
  // time. `at` is the position of the slot.
  void Query(Position min_position, MonotonicMicros deadline, SlotQuery query, Position at);

  // Runs `watch` when the slot has reached `min_position`, and again for each record with an event of the aggregate
  // until it returns true: DEADLINE_EXCEEDED (NOT_SETTLED) when it does not in time.
  void Watch(std::string aggregate_id, Position min_position, MonotonicMicros deadline, SlotWatch watch, Position at);

  // The slot has reached `at`: answers the queries that waited for it.
  void OnPosition(Position at);

  // A record with events of these aggregates was confirmed, and the slot has reached `at`.
  void OnFacts(absl::Span<const absl::string_view> aggregates, Position at);
  bool watched() const { return !watches_.empty(); }

  // How many wait, each at most kSlotWaitingReadsMax.
  size_t waiting_queries() const { return queries_.size(); }
  size_t watches() const { return watches_.size(); }

  // Events of any aggregate may have been confirmed.
  void OnManyFacts(Position at);

  // Answers reads whose deadline has passed.
  void Expire(MonotonicMicros now, Position at);
  // The earliest deadline.
  MonotonicMicros next_deadline() const { return next_deadline_; }

  // Answers all with the error.
  void FailAll(const absl::Status& status);

 private:
  struct WaitingQuery {
    Position position;
    MonotonicMicros deadline;
    SlotQuery query;
  };
  struct WaitingWatch {
    MonotonicMicros deadline;
    SlotWatch watch;
  };

  // Clears the error of the rows before each read, so that a failed read does not affect the others.
  void Run(const SlotQuery& query, Position at);
  bool Run(const SlotWatch& watch, Position at);
  absl::Status TooMany() const;

  const SlotId slot_;
  store::SlotRows* rows_ = nullptr;
  bool begun_ = false;
  std::vector<WaitingQuery> queries_;
  std::unordered_multimap<std::string, WaitingWatch> watches_;  // by aggregate
  MonotonicMicros next_deadline_ = kNoDeadline;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SLOT_READS_H_
