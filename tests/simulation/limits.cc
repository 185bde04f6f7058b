// Compares depths with the constants that limit them.
#include "tests/simulation/limits.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/eventlog/log.h"
#include "libs/eventlog/owner.h"
#include "libs/partition/slot_reads.h"
#include "libs/partition/slot_runner.h"
#include "libs/projection/reactor.h"
#include "libs/projection/source_follower.h"
#include "tests/simulation/process.h"
#include "tests/simulation/world.h"

namespace halles::simulation {
namespace {

class Limits {
 public:
  Limits(Findings* findings, std::string who) : findings_(*findings), who_(std::move(who)) {}
  void Hold(absl::string_view where, absl::string_view what, size_t depth, size_t limit) const {
    if (depth <= limit) return;
    findings_.Add("I19", absl::StrCat(who_, ", ", where, ": ", depth, " ", what, ", the limit is ", limit));
  }

 private:
  Findings& findings_;
  const std::string who_;
};

void CheckSlots(const std::vector<partition::SlotState>& states, const Limits& limits) {
  for (const partition::SlotState& state : states) {
    const std::string slot = state.slot.ToString();
    limits.Hold(slot, "commands", state.commands, partition::kSlotCommandsMax);
    limits.Hold(slot, "records in flight", state.in_flight, eventlog::OwnerOptions().in_flight_records_max);
    limits.Hold(slot, "waiting queries", state.waiting_queries, partition::kSlotWaitingReadsMax);
    limits.Hold(slot, "watches", state.watches, partition::kSlotWaitingReadsMax);
  }
}

// Besides the offers of the owner, the ring may hold a batch that was just read.
void CheckSource(const projection::SourceFollower& source, const Limits& limits) {
  const std::string slot = source.slot().ToString();
  limits.Hold(slot, "records in the ring", source.kept(), projection::kOfferedRecordsMax + projection::kFeedRecordsMax);
  limits.Hold(slot, "bytes in the ring", source.kept_bytes(),
              projection::kOfferedBytesMax + projection::kReadBytesMax + eventlog::kMaxRecordBytes);
  limits.Hold(slot, "offers", source.offers_waiting(), projection::kOfferedRecordsMax);
  limits.Hold(slot, "bytes of offers", source.offers_waiting_bytes(),
              projection::kOfferedBytesMax + eventlog::kMaxRecordBytes);
}

}  // namespace

void CheckLimits(Process* process) {
  World& world = process->world();
  const Limits limits(&world.findings, process->name());
  const absl::Status open = process->host().With([&](host::Serving& serving) {
    for (const SlotId slot : world.auditor.slots()) {
      const projection::SourceFollower* const source = serving.pool->FollowerOf(slot);
      if (source != nullptr) CheckSource(*source, limits);
      const projection::Reactor* const reactor = serving.pool->ReactorOf(slot.service);
      // A record with several reactions begins if there is room for one of them.
      if (reactor != nullptr) {
        limits.Hold(ServiceName(slot.service), "reactions in flight", reactor->most_under_way(),
                    projection::kReactionsInFlightMax - 1 + world.auditor.reactions_of_a_record_max());
      }
    }
    serving.runtime->States([limits](const std::vector<partition::SlotState>& states) { CheckSlots(states, limits); });
  });
  if (!open.ok()) world.findings.Add("I3", absl::StrCat(process->name(), " does not serve: ", open.message()));
}

}  // namespace halles::simulation
