// Collects outcomes until a group is complete or late.
#include "libs/partition/outcome_gatherer.h"

#include <algorithm>
#include <utility>

namespace halles::partition {

uint64_t OutcomeGatherer::Begin(std::string tenant, size_t calls, MonotonicMicros now) {
  const uint64_t id = next_group_++;
  Group& group = groups_[id];
  group.tenant = std::move(tenant);
  group.open = calls;
  group.due = now + kGatherMicros;
  next_due_ = std::min(next_due_, group.due);
  return id;
}

void OutcomeGatherer::Add(uint64_t group, CallOutcome outcome) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;  // cleared meanwhile
  Group& to = found->second;
  --to.open;
  if (outcome.kind != CallOutcome::Kind::kUnknown) to.outcomes.push_back(std::move(outcome));
  if (to.open > 0 && !to.late) return;
  Group taken = std::move(to);
  if (taken.open == 0) {
    groups_.erase(found);
  } else {
    to = {.tenant = taken.tenant, .open = taken.open, .due = taken.due, .late = true};
  }
  Flush(taken);
}

void OutcomeGatherer::DeliverDue(MonotonicMicros now) {
  next_due_ = kNoDeadline;
  std::vector<Group> due;
  for (auto& [id, group] : groups_) {
    if (group.late) continue;
    if (group.due > now) {
      next_due_ = std::min(next_due_, group.due);
      continue;
    }
    group.late = true;
    due.push_back({.tenant = group.tenant, .outcomes = std::exchange(group.outcomes, {})});
  }
  for (Group& group : due) Flush(group);
}

void OutcomeGatherer::Flush(Group& group) {
  if (!group.outcomes.empty()) deliver_(group.tenant, std::move(group.outcomes));
}

}  // namespace halles::partition
