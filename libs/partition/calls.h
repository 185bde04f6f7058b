// Calls of a slot to aggregates that another process may own; they are sent as bytes.
#ifndef HALLES_LIBS_PARTITION_CALLS_H_
#define HALLES_LIBS_PARTITION_CALLS_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/slot.h"
#include "libs/base/token.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"

namespace halles::partition {

// A call that was not decided within this time is dropped; its caller sends it again.
inline constexpr absl::Duration kCallDeadline = absl::Seconds(10);

// The answer of the owner of a slot that reacts to others: a position at which its reactions are recorded.
using ExtendDone = std::function<void(absl::StatusOr<Position>)>;
// The owner waits so long for the reactions that it is asked about; whoever waits longer asks again.
inline constexpr absl::Duration kExtendPatience = absl::Seconds(1);

// Sends calls and questions to the owners of aggregates and slots. Implemented by the runtime, and by tests and simulations
// that lose, duplicate and delay them.
// Thread safety: may be called from any thread.
class Calls {
 public:
  virtual ~Calls() = default;

  // Sends the call; `from` is the envelope of the command that asked for it. `done` gets the answer on any thread, at
  // once or later, or never if a process ends.
  virtual void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) = 0;

  // Asks the owner of `target` for a position of that slot at which all its direct reactions to what `sources` covers are
  // recorded. `done` as for Call: DEADLINE_EXCEEDED (TOKEN_NOT_REACHED) after kExtendPatience; UNAVAILABLE with NOT_OWNER,
  // or with REACTIONS_STOPPED when none will be recorded because the slot has stopped.
  virtual void ExtendToken(SlotId target, TokenPositions sources, ExtendDone done) = 0;
};

// Whether the same request may succeed later without any change. Any other error means that the rules of a service and
// the request do not fit; it is shown to operators.
bool MendsItself(const absl::Status& status);

// Whether the error of a decision is a rule's answer, which is the same at every try; otherwise it is a fault of the
// program, and a mended one may decide otherwise.
bool IsRefusal(const absl::Status& status);

// The outcome that the answer to a call means for its caller.
CallOutcome OutcomeOf(absl::StatusOr<std::string> response, AnswerPosition position);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_CALLS_H_
