// The registration of a service with the runtime: its aggregates with their folds, and its commands.
#ifndef HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
#define HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "libs/base/slot.h"
#include "libs/partition/aggregate.h"
#include "libs/partition/command_definition.h"
#include "libs/partition/domain.h"
#include "libs/partition/timers.h"
#include "libs/store/rows.h"

namespace halles::partition {

// One kind of aggregate, with the functions that the runtime needs.
struct AggregateDefinition {
  uint32_t type = 0;
  // Evolves the rows by one serialised event.
  std::function<absl::Status(store::Rows&, absl::string_view payload, const FactContext&)> evolve;
  // Creates an empty event of it.
  std::function<std::unique_ptr<google::protobuf::Message>()> new_event;
  // Makes the request for a due timer of this kind; its decision clears or moves the timer. It may be submitted more
  // than once. Empty if this kind sets no timers.
  std::function<std::unique_ptr<google::protobuf::Message>(const TimerKey& timer)> on_timer;
  // Makes the request that records outcomes of calls, all for one aggregate. Never called without outcomes or with an
  // unknown one. Empty if this kind sends no calls.
  std::function<std::unique_ptr<google::protobuf::Message>(std::vector<CallOutcome> outcomes)> on_outcomes;
};

template <typename Event>
AggregateDefinition AggregateDefinitionOf(Aggregate<Event> aggregate) {
  AggregateDefinition definition;
  definition.type = aggregate.type;
  definition.evolve = [aggregate](store::Rows& rows, absl::string_view payload, const FactContext& context) {
    google::protobuf::Arena arena;
    auto* event = google::protobuf::Arena::CreateMessage<Event>(&arena);
    if (!event->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return absl::DataLossError(absl::StrCat("event of type ", aggregate.type, " does not parse"));
    }
    return aggregate.evolve(rows, *event, context);
  };
  definition.new_event = [] { return std::make_unique<Event>(); };
  return definition;
}

// Submits a registered command of the own service, as Runtime::Submit does.
using SubmitOwn =
    std::function<void(const CommandDefinition& command, absl::string_view aggregate_key,
                       google::protobuf::Message&& request, Command::Envelope envelope, CommandReply reply)>;

// Called with the answer of a call: the serialised response and its position.
using CallDone = std::function<void(absl::StatusOr<std::string> response, AnswerPosition position)>;

struct ServiceDefinition {
  ServiceId id = ServiceId::kCheckout;
  // Raised whenever the same events give different rows than before; rows of another version are rebuilt.
  uint32_t fold_version = 1;
  std::vector<AggregateDefinition> aggregates;
  // Every command, by the full name of its request.
  CommandDefinitions commands;
  // Tables whose lookups mostly find nothing; a filter in memory answers for them.
  std::vector<uint16_t> mostly_absent_tables;
  // The same, of tables whose keys begin with the logical time from which on their rows are not looked up any more.
  std::vector<uint16_t> mostly_absent_tables_by_time;

  // Ends the process if a command with this name is already registered.
  void Add(std::shared_ptr<const CommandDefinition> command);

  // Null when there is none.
  const AggregateDefinition* Find(uint32_t type) const;
  const CommandDefinition* FindCommand(absl::string_view request_name) const;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
