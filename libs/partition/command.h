// A request on its way through a slot, whatever its type: decided, evolved, recorded, answered.
#ifndef HALLES_LIBS_PARTITION_COMMAND_H_
#define HALLES_LIBS_PARTITION_COMMAND_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "halles/log/v1/envelope.pb.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"
#include "libs/store/rows.h"

namespace halles::partition {

// Where an answer stands: readers that have reached `position` of `slot` see what it says.
struct AnswerPosition {
  SlotId slot;
  Position position = 0;  // first position that need not be covered
};

// Commands of one line are taken in the order of their submission: once one of them has failed, those behind it fail too.
// Else a later one would be recorded in the place of one that is still to be tried again.
// Thread safety: may be shared. Release/acquire: who fails a command breaks the line before the next is looked at.
class CommandLine {
 public:
  void Break() { broken_.store(true, std::memory_order_release); }
  bool broken() const { return broken_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> broken_{false};
};

// Type-erased command.
// Lifetime: kept by the slot until it was answered, since it is decided again when the prefix that it saw was lost.
// Thread safety: used on the slot's executor only, after it was built.
class Command {
 public:
  virtual ~Command() = default;

  // Decides against `state`; true when there are facts to record. An error is a refusal or a failure to answer with.
  virtual absl::StatusOr<bool> Decide(const store::RowReader& state, const CommandContext& context) = 0;
  // Evolves the rows by the facts decided last.
  virtual absl::Status Evolve(store::Rows& rows, FactContext context) = 0;
  // Adds the facts and the response decided last.
  virtual void Record(log::v1::Batch* batch) const = 0;
  // Answers with the response decided last, or with one recorded earlier, or with an error. Called once.
  virtual void Answer(AnswerPosition position) = 0;
  virtual void AnswerRecorded(const std::string& response, AnswerPosition position) = 0;
  virtual void AnswerError(const absl::Status& status) = 0;
  // The calls of the decision made last, moved out of it.
  virtual std::vector<OutgoingCall> TakeCalls() { return {}; }
  // Adds the aggregates of the facts decided last.
  virtual void AppendAggregates(std::vector<absl::string_view>*) const {}

  // What the runtime itself needs of a request.
  struct Envelope {
    std::string tenant;
    std::string request_id;  // empty for reactions and timers
    Hash256 body_hash;       // keyed
    std::string actor;
    std::string traceparent;
    absl::Time deadline = absl::InfiniteFuture();  // nobody waits for the answer after it
    std::optional<log::v1::Cause> cause;           // of a reaction
    std::shared_ptr<CommandLine> line;  // of a reaction; broken by the submitter when it is told of a failure
    bool internal = false;              // may use the reserved part of the queue
    bool record_always = false;         // recorded even without facts: moves the reaction's cursor
  };
  Envelope envelope;
};

// A command whose request, response and event have types.
template <typename Request, typename Response, typename Event>
class TypedCommand final : public Command {
 public:
  using DecideFunction = absl::StatusOr<Decision<Response, Event>> (*)(const store::RowReader&, const Request&,
                                                                       const CommandContext&);
  using Reply = std::function<void(absl::StatusOr<Response>, AnswerPosition)>;

  TypedCommand(Request request, DecideFunction decide, Aggregate<Event> aggregate, Reply reply)
      : request_(std::move(request)), decide_(decide), aggregate_(aggregate), reply_(std::move(reply)) {}

  absl::StatusOr<bool> Decide(const store::RowReader& state, const CommandContext& context) override {
    ASSIGN_OR_RETURN(decision_, decide_(state, request_, context));
    return !decision_.facts.empty();
  }

  absl::Status Evolve(store::Rows& rows, FactContext context) override {
    const UnixMicros logical_time = context.logical_time;
    for (const Fact<Event>& fact : decision_.facts) {
      context.aggregate_id = fact.aggregate_id;
      context.effective_time = fact.effective_time == 0 ? logical_time : fact.effective_time;
      RETURN_IF_ERROR(aggregate_.evolve(rows, fact.event, context));
      ++context.index;
    }
    return rows.status();
  }

  void Record(log::v1::Batch* batch) const override {
    decision_.response.SerializeToString(batch->mutable_response());
    for (const Fact<Event>& fact : decision_.facts) {
      log::v1::Event* event = batch->add_events();
      event->set_aggregate_id(fact.aggregate_id);
      event->set_type(aggregate_.type);
      event->set_effective_time_us(fact.effective_time);
      event->set_schema_version(1);
      fact.event.SerializeToString(event->mutable_payload());
    }
  }

  void Answer(AnswerPosition position) override { reply_(std::move(decision_.response), position); }

  void AnswerRecorded(const std::string& recorded, AnswerPosition position) override {
    Response response;
    if (!response.ParseFromString(recorded)) {
      reply_(absl::DataLossError("the recorded answer does not parse"), position);
      return;
    }
    reply_(std::move(response), position);
  }

  void AnswerError(const absl::Status& status) override { reply_(status, {}); }

  std::vector<OutgoingCall> TakeCalls() override { return std::move(decision_.calls); }

  void AppendAggregates(std::vector<absl::string_view>* aggregates) const override {
    for (const Fact<Event>& fact : decision_.facts) aggregates->push_back(fact.aggregate_id);
  }

 private:
  Request request_;
  DecideFunction decide_;
  Aggregate<Event> aggregate_;
  Reply reply_;
  Decision<Response, Event> decision_;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_COMMAND_H_
