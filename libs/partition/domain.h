// What the runtime and a service's rules say to each other: context in, decision out, facts to fold.
#ifndef HALLES_LIBS_PARTITION_DOMAIN_H_
#define HALLES_LIBS_PARTITION_DOMAIN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"

namespace halles::partition {

// All that a decision may know beyond state and command. Time comes from the log, never from a clock of the domain.
struct CommandContext {
  std::string tenant;
  std::string request_id;
  std::string actor;
  UnixMicros now = 0;  // logical time of the record that the decision becomes
};

// One event that a decision asks to record.
template <typename Event>
struct Fact {
  std::string aggregate_id;
  Event event;
  UnixMicros effective_time = 0;  // when it happened in the world; 0: at the logical time of the record
};

// The answer to a command and the facts behind it. Without facts nothing is recorded.
template <typename Response, typename Event>
struct Decision {
  Response response;
  std::vector<Fact<Event>> facts;
};

// Where a fact stands, for Evolve, Project and React.
struct FactContext {
  SlotId slot;
  Position position = 0;
  uint32_t index = 0;
  UnixMicros logical_time = 0;
  UnixMicros effective_time = 0;
  absl::string_view aggregate_id;
  absl::string_view tenant;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_DOMAIN_H_
