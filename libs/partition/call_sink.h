// Where a slot sends what follows from its records: requests to other aggregates of the process.
#ifndef HALLES_LIBS_PARTITION_CALL_SINK_H_
#define HALLES_LIBS_PARTITION_CALL_SINK_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/base/slot.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"

namespace halles::partition {

// A call that was not decided after this long is not decided any more; its caller sends it again.
inline constexpr absl::Duration kCallDeadline = absl::Seconds(10);

// Implemented by the runtime, and by tests that lose, double and delay.
// Thread safety: may be called from any thread.
class CallSink {
 public:
  virtual ~CallSink() = default;

  // Sends the call; `from` is the envelope of the command that asked for it. `done` is told the answer on any thread, at
  // once or later, or never when the process ends.
  virtual void Call(OutgoingCall call, const Command::Envelope& from, CallDone done) = 0;

  // Submits a command of the service itself to the slot of an aggregate.
  virtual void Submit(ServiceId service, absl::string_view aggregate_key, std::unique_ptr<Command> command) = 0;
};

// What the answer to a call is to its caller.
CallOutcome OutcomeOf(absl::StatusOr<std::string> response);

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_CALL_SINK_H_
