// The types between the runtime and the rules of a service: context in, decision out, events to fold.
#ifndef HALLES_LIBS_PARTITION_DOMAIN_H_
#define HALLES_LIBS_PARTITION_DOMAIN_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/clock.h"
#include "libs/base/slot.h"

namespace halles::partition {

// One aggregate of a service: its kind, as registered (Aggregate::type), and its key. Request ids, timers and outcomes
// of calls belong to one aggregate.
struct AggregateRef {
  uint32_t type = 0;
  std::string key;

  friend bool operator==(const AggregateRef&, const AggregateRef&) = default;
  friend auto operator<=>(const AggregateRef&, const AggregateRef&) = default;
};

// The position of an answer: a reader that has reached `position` of `slot` sees what it is based on.
struct AnswerPosition {
  SlotId slot;
  Position position = 0;  // first position that need not be covered
};

// Everything that a decision may use besides state and command. Time comes from the log, never from a clock.
struct CommandContext {
  std::string tenant;
  std::string request_id;
  std::string actor;
  UnixMicros now = 0;  // logical time of the record of the decision
};

// One event that a decision asks to record.
template <typename Event>
struct Fact {
  std::string aggregate_id;
  Event event;
  std::optional<UnixMicros> effective_time;  // when it happened in the world; absent: at the record's logical time
};

// A call of a decision to another aggregate, of this service or another one. It is sent at most once, after the
// decision's record was confirmed, and never in a replay; it is lost if the process ends. So a decision that asks for a
// call also sets a timer, which repeats the call with the same request id: by a record or, once that has brought nothing, by
// a decision without facts, whose calls are sent when all records that it was decided on are confirmed.
struct OutgoingCall {
  ServiceId service = ServiceId::kCheckout;
  std::string aggregate_key;
  std::string method;   // full name of the request message, such as "halles.inventory.v1.ReserveStockRequest"
  std::string request;  // serialised, its request id set
  std::string request_id;
  // Aggregate of the calling service that gets the outcome. Type 0: the type of the aggregate that decided.
  AggregateRef reply_to;
  std::string reply_tag;  // identifies the call in the outcome
};

// The outcome of a call.
struct CallOutcome {
  enum class Kind {
    kSucceeded,  // executed, now or earlier
    kRefused,    // a rule refused it: this copy of the request had no effect; another copy may still have one
    kUnknown,    // no answer, or a failure: send it again with the same request id to find out
  };
  AggregateRef reply_to;
  std::string reply_tag;
  Kind kind = Kind::kUnknown;
  std::string response;        // serialised
  AnswerPosition recorded_at;  // for a success: a reader that has reached it sees the result
  absl::Status refusal;
};

// The answer to a command, the facts behind it, and the calls that follow from them. Without facts the record holds the
// answer alone, or there is none; calls then must be copies of calls that are recorded. `Event` is the event message of
// the aggregate, or a std::variant of those of several aggregates whose facts belong together; all of them live in the
// slot of the command.
template <typename Response, typename Event>
struct Decision {
  Response response;
  std::vector<Fact<Event>> facts;
  std::vector<OutgoingCall> calls;
  // Of an answer without facts: no later state changes it, so it needs no record. Any other is recorded under its request
  // id: a late copy of the request, decided on a later state, might change something after the first was answered.
  bool answer_is_final = false;
};

// The place of an event in the log, for Evolve, Project and React.
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
