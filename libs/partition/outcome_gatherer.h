// Gathers the outcomes of the calls of one decision, so that they become one record of the caller.
#ifndef HALLES_LIBS_PARTITION_OUTCOME_GATHERER_H_
#define HALLES_LIBS_PARTITION_OUTCOME_GATHERER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/scheduler.h"
#include "libs/partition/domain.h"

namespace halles::partition {

// Outcomes that have come are not kept back longer than this for those that have not.
inline constexpr int64_t kGatherMicros = 1'000'000;

// Hands out the outcomes of a group of calls, all for one aggregate, together: when each call was answered, or after
// kGatherMicros those that have come, and the later ones as they come. What is unknown is left out; it only counts.
// Thread safety: none.
class OutcomeGatherer {
 public:
  using Deliver = std::function<void(const std::string& tenant, std::vector<CallOutcome> outcomes)>;

  explicit OutcomeGatherer(Deliver deliver) : deliver_(std::move(deliver)) {}

  // A group of `calls` calls, at least one, that are sent at `now`.
  uint64_t Begin(std::string tenant, size_t calls, MonotonicMicros now);
  // One of the group's calls was answered.
  void Add(uint64_t group, CallOutcome outcome);

  // False when no group has waited for long enough.
  bool MayBeDue(MonotonicMicros now) const { return now >= next_due_; }
  MonotonicMicros next_due() const { return next_due_; }
  void DeliverDue(MonotonicMicros now);

  void Clear() {
    groups_.clear();
    next_due_ = kNoDeadline;
  }
  bool empty() const { return groups_.empty(); }

 private:
  struct Group {
    std::string tenant;
    size_t open = 0;  // calls that are not answered yet
    MonotonicMicros due = 0;
    bool late = false;  // what comes now is delivered at once
    std::vector<CallOutcome> outcomes;
  };

  void Flush(Group& group);

  const Deliver deliver_;
  uint64_t next_group_ = 1;
  MonotonicMicros next_due_ = kNoDeadline;  // no group is due before it
  std::unordered_map<uint64_t, Group> groups_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_OUTCOME_GATHERER_H_
