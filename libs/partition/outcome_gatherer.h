// Collects the outcomes of the calls of one decision, so that the caller records them together.
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

// Outcomes wait at most this long for the other outcomes of their group.
inline constexpr int64_t kGatherMicros = 1'000'000;

// Delivers the outcomes of a group of calls, all for one aggregate, together: when every call is answered, or after
// kGatherMicros those that have arrived, and later ones as they arrive. Unknown outcomes are counted but not delivered.
// Thread safety: none.
class OutcomeGatherer {
 public:
  using Deliver = std::function<void(const std::string& tenant, std::vector<CallOutcome> outcomes)>;

  explicit OutcomeGatherer(Deliver deliver) : deliver_(std::move(deliver)) {}

  // Starts a group of `calls` calls, at least one, that are sent at `now`.
  uint64_t Begin(std::string tenant, size_t calls, MonotonicMicros now);
  // Adds the outcome of one call of the group.
  void Add(uint64_t group, CallOutcome outcome);

  // False if no group has waited long enough.
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
    bool late = false;  // later outcomes are delivered at once
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
