// What the runtime must know of a service to fold its log: its aggregates and how each of their events evolves state.
#ifndef HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
#define HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "libs/base/slot.h"
#include "libs/partition/domain.h"
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

struct ServiceDefinition {
  ServiceId id = ServiceId::kCheckout;
  // Raised whenever the same events give other rows than before: stores of another version are rebuilt.
  uint32_t fold_version = 1;
  std::vector<AggregateFold> aggregates;
  // Tables that are asked mostly for keys which are not there: a filter in memory answers for them.
  std::vector<uint16_t> mostly_absent_tables;

  const AggregateFold* Find(uint32_t type) const {
    for (const AggregateFold& aggregate : aggregates) {
      if (aggregate.type == type) return &aggregate;
    }
    return nullptr;
  }
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_SERVICE_DEFINITION_H_
