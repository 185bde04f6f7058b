// What the runtime and a service's rules say to each other: context in, decision out, facts to fold.
#ifndef HALLES_LIBS_PARTITION_DOMAIN_H_
#define HALLES_LIBS_PARTITION_DOMAIN_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"

namespace halles::partition {

// One aggregate of a service: its kind, as registered (Aggregate::type), and its key. Request ids, timers and the outcomes
// of calls belong to one aggregate.
struct AggregateRef {
  uint32_t type = 0;
  std::string key;

  friend bool operator==(const AggregateRef&, const AggregateRef&) = default;
  friend auto operator<=>(const AggregateRef&, const AggregateRef&) = default;
};

// Where an answer stands: readers that have reached `position` of `slot` see what it says.
struct AnswerPosition {
  SlotId slot;
  Position position = 0;  // first position that need not be covered
};

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

// A request to another aggregate, of this service or of another, that follows from a decision. It is sent at most once,
// after the decision's record was confirmed, and never when a record is replayed; it is lost with the process. Whoever
// asks for a call therefore also sets a timer that asks for it again with the same request id.
struct OutgoingCall {
  ServiceId service = ServiceId::kCheckout;
  std::string aggregate_key;
  std::string method;   // full name of the request message, such as "halles.inventory.v1.ReserveStockRequest"
  std::string request;  // serialised, its request id set
  std::string request_id;
  // Aggregate of the calling service that gets the outcome. Type 0: of the kind that decided to call.
  AggregateRef reply_to;
  std::string reply_tag;  // says to it what the outcome is of
};

// What became of a call.
struct CallOutcome {
  enum class Kind {
    kSucceeded,  // recorded, now or earlier
    kRefused,    // a rule said no: this copy of the request did nothing; another copy of it still may
    kUnknown,    // no answer, or a failure: sending it again with the same request id finds out
  };
  AggregateRef reply_to;
  std::string reply_tag;
  Kind kind = Kind::kUnknown;
  std::string response;        // serialised
  AnswerPosition recorded_at;  // of a success: whoever reads there sees it
  absl::Status refusal;
};

// The answer to a command, the facts behind it, and the calls that follow from them. Without facts nothing is recorded
// and no call is sent. `Event` is the event message of the aggregate, or a std::variant of those of several aggregates
// whose facts belong together; all of them live in the slot of the command.
template <typename Response, typename Event>
struct Decision {
  Response response;
  std::vector<Fact<Event>> facts;
  std::vector<OutgoingCall> calls;
};

// Where a fact stands, for Evolve, Project and React.
struct FactContext {
  SlotId slot;
  Position position = 0;
  uint32_t index = 0;
  UnixMicros logical_time = 0;
  UnixMicros effective_time = 0;
  uint32_t aggregate_type = 0;
  absl::string_view aggregate_id;
  absl::string_view tenant;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_DOMAIN_H_
