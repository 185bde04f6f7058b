// What the runtime must know of a service to fold its log: its aggregates and how each of their events evolves state.
#ifndef HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
#define HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
#include "libs/partition/timers.h"
#include "libs/store/rows.h"

namespace halles::partition {

// One kind of aggregate: the number of its event message in the envelope and the fold over it.
template <typename Event>
struct Aggregate {
  uint32_t type;  // from 1; 0 is the runtime's own
  absl::Status (*evolve)(store::Rows&, const Event&, const FactContext&);
};

// The same with the event as bytes.
struct AggregateFold {
  uint32_t type = 0;
  std::function<absl::Status(store::Rows&, absl::string_view payload, const FactContext&)> evolve;
  // An empty event of this kind, for tools that print.
  std::function<std::unique_ptr<google::protobuf::Message>()> new_event;
};

template <typename Event>
AggregateFold FoldOf(Aggregate<Event> aggregate) {
  return {aggregate.type,
          [aggregate](store::Rows& rows, absl::string_view payload, const FactContext& context) {
            google::protobuf::Arena arena;
            auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
            if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
              return absl::DataLossError(absl::StrCat("event of type ", aggregate.type, " does not parse"));
            }
            return aggregate.evolve(rows, *event, context);
          },
          [] { return std::make_unique<Event>(); }};
}

class Command;

// Told what a command made by one of the functions below was answered with, on the slot's executor.
using CommandDone = std::function<void(const absl::Status&)>;
// The same with the serialised response.
using CallDone = std::function<void(absl::StatusOr<std::string> response)>;

// Makes the command of a serialised request, its request id and body hash (keyed with `request_key`) in the envelope:
// INVALID_ARGUMENT when the bytes are no such request. See CallableOf.
using Callable = std::function<absl::StatusOr<std::unique_ptr<Command>>(absl::string_view request,
                                                                        absl::string_view request_key, CallDone done)>;

struct ServiceDefinition {
  ServiceId id = ServiceId::kCheckout;
  // Raised whenever the same events give other rows than before: stores of another version are rebuilt.
  uint32_t fold_version = 1;
  std::vector<AggregateFold> aggregates;
  // Tables that are asked mostly for keys which are not there: a filter in memory answers for them.
  std::vector<uint16_t> mostly_absent_tables;

  // What calls of sagas may ask for, by full name of the request message.
  std::map<std::string, Callable> callables;
  // Makes the command that records what became of calls, all for one aggregate (`reply_key`), to whose slot it is
  // submitted. Never empty, and never with an unknown outcome. See OutcomesTo.
  std::function<std::unique_ptr<Command>(std::vector<CallOutcome> outcomes, CommandDone done)> on_outcome;
  // Makes the command for a timer that is due; what it decides clears the timer or moves it. It may come more than once.
  // See TimerTo.
  std::function<std::unique_ptr<Command>(const TimerKey& timer, CommandDone done)> on_timer;

  const AggregateFold* Find(uint32_t type) const {
    for (const AggregateFold& aggregate : aggregates) {
      if (aggregate.type == type) return &aggregate;
    }
    return nullptr;
  }
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
