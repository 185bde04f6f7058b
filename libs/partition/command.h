// A request of any type on its way through a slot: decided, evolved, recorded, answered.
#ifndef HALLES_LIBS_PARTITION_COMMAND_H_
#define HALLES_LIBS_PARTITION_COMMAND_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/hash.h"
#include "libs/base/scheduler.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::partition {

// The commands of a sequence are decided in the order of their submission. If one of them fails, all later ones fail
// too; otherwise a later one would be recorded before one that is tried again.
// Thread safety: may be shared. Release/acquire: a failing command breaks the sequence before the next one is checked.
class CommandSequence {
 public:
  void Break() { broken_.store(true, std::memory_order_release); }
  bool broken() const { return broken_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> broken_{false};
};

// Type-erased command.
// Lifetime: the slot keeps it until it is answered, because it is decided again if a record that it depends on is lost.
// Thread safety: built on any thread, then used on the slot's queue only.
class Command {
 public:
  virtual ~Command() = default;

  // Decides against `state`; true when there are events to record. An error is a refusal or a failure to answer with.
  virtual absl::StatusOr<bool> Decide(const store::RowReader& state, const CommandContext& context) = 0;
  // Evolves the rows by the events of the last decision.
  virtual absl::Status Evolve(store::Rows& rows, FactContext context) = 0;
  // Adds the events and the response of the last decision.
  virtual void Record(log::v1::Batch* batch) const = 0;
  // Answers with the response of the last decision, with a recorded one, or with an error. Called once.
  virtual void Answer(AnswerPosition position) = 0;
  virtual void AnswerRecorded(const std::string& response, AnswerPosition position) = 0;
  virtual void AnswerError(const absl::Status& status) = 0;
  // Moves the calls out of the last decision.
  virtual std::vector<OutgoingCall> TakeCalls() { return {}; }
  // Of a last decision without facts: it is not recorded, because every later decision gives the same answer.
  virtual bool AnswerIsFinal() const { return false; }
  // Appends the keys of the aggregates of the last decision's events.
  virtual void AppendAggregates(std::vector<absl::string_view>*) const {}

  // The data of a request that the runtime needs.
  struct Envelope {
    std::string tenant;
    AggregateRef aggregate;  // the one that decides; empty for commands of the runtime
    std::string request_id;  // scoped to the aggregate; empty for reactions and timers
    Hash256 body_hash;       // keyed
    std::string actor;
    std::string traceparent;
    MonotonicMicros deadline = kNoDeadline;  // after it, no caller waits for the answer
    std::optional<log::v1::Cause> cause;     // set for a reaction
    // set for a reaction; the submitter breaks it when it learns of a failure
    std::shared_ptr<CommandSequence> sequence;
    size_t bytes = 0;            // of the request on the wire; its memory is a multiple
    bool internal = false;       // may use the reserved quarter of the queue
    bool record_always = false;  // recorded even without events, because it moves the cursors of reactions
  };
  Envelope envelope;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_COMMAND_H_
