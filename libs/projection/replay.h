// Folds the log again from its first record into a second store, for verify and rebuild.
#ifndef HALLES_LIBS_PROJECTION_REPLAY_H_
#define HALLES_LIBS_PROJECTION_REPLAY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/slot.h"
#include "libs/eventlog/log.h"
#include "libs/partition/service_definition.h"
#include "libs/projection/definitions.h"
#include "libs/store/fold.h"
#include "libs/store/store.h"

namespace halles::projection {

// The folds that a replay makes, each with its end position.
using ReplayTargets = std::map<store::FoldId, Position>;

struct ReplayProgress {
  uint64_t records_done = 0;
  uint64_t records_total = 0;
};

struct ReplayResult {
  uint64_t records = 0;
  uint64_t events = 0;  // number folded by states and by views
};

// Called regularly with the progress; an error ends the replay with that error.
using ReplayObserver = std::function<absl::Status(const ReplayProgress&)>;

// Folds every target of `store`, which is empty and has a scheduler, from the first record of its source, with the same
// functions that serve. Folds on the caller's thread, waits for the store while too much is dirty, and returns when all is
// flushed. A failed flush ends it with the error of the flush.
absl::StatusOr<ReplayResult> Replay(eventlog::EventLog* log, const std::vector<partition::ServiceDefinition>& services,
                                    const std::vector<ViewDefinition>& views, const ReplayTargets& targets,
                                    store::Store* store, const ReplayObserver& observer);

// The current end of every source.
absl::StatusOr<ReplayTargets> EverythingIn(eventlog::EventLog* log,
                                           const std::vector<partition::ServiceDefinition>& services,
                                           const std::vector<ViewDefinition>& views);

}  // namespace halles::projection

#endif  // HALLES_LIBS_PROJECTION_REPLAY_H_
