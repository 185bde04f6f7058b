// Calls of a slot to aggregates that another process may own; they are sent as bytes.
#ifndef HALLES_LIBS_PARTITION_CALLS_H_
#define HALLES_LIBS_PARTITION_CALLS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"

namespace halles::partition {

// After this time a call that was not decided is dropped; its caller sends it again.
inline constexpr absl::Duration kCallDeadline = absl::Seconds(10);

// Sends calls to the owners of their aggregates. Implemented by the runtime, and by tests and simulations that lose,
// duplicate and delay calls.
// Thread safety: may be called from any thread.
class Calls {
 public:
  virtual ~Calls() = default;

  // Sends the call; `from` is the envelope of the command that asked for it. `done` gets the answer on any thread, at
  // once or later, or never if a process ends.
  virtual void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) = 0;
};

// Whether a later try of the same request mends the failure by itself. Anything else says that a service's rules and what
// was asked of it do not fit: it is shown to operators.
bool MendsItself(const absl::Status& status);

// What the answer to a call is to its caller.
CallOutcome OutcomeOf(absl::StatusOr<std::string> response, AnswerPosition position);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_CALLS_H_
