// The registry of a service's commands: the preparation, aggregate and rule of each request.
#ifndef HALLES_LIBS_PARTITION_COMMAND_DEFINITION_H_
#define HALLES_LIBS_PARTITION_COMMAND_DEFINITION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/partition/aggregate.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"

namespace halles {
class IdentifierKeys;
}  // namespace halles

namespace halles::partition {

// Called with the answer of a command. The response belongs to the command and may be moved from; its type is the one
// that the command was registered with.
using CommandReply =
    absl::AnyInvocable<void(absl::StatusOr<google::protobuf::Message*> response, AnswerPosition position) &&>;

// The values that the preparation of a request may use.
struct Preparation {
  const IdentifierKeys* identifier_keys = nullptr;
};

// One command, as its service registered it. It is the only way to make a Command from a request: doors, calls,
// reactions, timers and outcomes all use it.
// Thread safety: immutable.
class CommandDefinition {
 public:
  CommandDefinition(const google::protobuf::Message& request, const google::protobuf::Message& response,
                    uint32_t aggregate_type)
      : request_(request), response_(response), aggregate_type_(aggregate_type) {}
  virtual ~CommandDefinition() = default;
  CommandDefinition(const CommandDefinition&) = delete;
  CommandDefinition& operator=(const CommandDefinition&) = delete;

  // The full name of the request message; the command is registered under it.
  const std::string& name() const { return request_.GetDescriptor()->full_name(); }
  const google::protobuf::Descriptor* request_type() const { return request_.GetDescriptor(); }
  const google::protobuf::Descriptor* response_type() const { return response_.GetDescriptor(); }
  // The kind of aggregate that decides.
  uint32_t aggregate_type() const { return aggregate_type_; }

  std::unique_ptr<google::protobuf::Message> NewRequest() const {
    return std::unique_ptr<google::protobuf::Message>(request_.New());
  }

  // Runs at the door before it submits: checks limits, replaces identifiers by their hashes. INVALID_ARGUMENT with the
  // field. Internal requests skip it, so the rule itself must refuse invalid requests.
  virtual absl::Status Prepare(const Preparation& with, google::protobuf::Message* request) const = 0;

  // The key of the aggregate that the request is for.
  virtual std::string KeyOf(const google::protobuf::Message& request) const = 0;

  // A command that decides `request`, which is moved from, for the aggregate of that key. Its envelope has request id,
  // aggregate and body hash (keyed with `request_key`). `request` is of the registered type.
  virtual std::unique_ptr<Command> Make(google::protobuf::Message&& request, absl::string_view aggregate_key,
                                        absl::string_view request_key, CommandReply reply) const = 0;

 private:
  const google::protobuf::Message& request_;   // the default instance
  const google::protobuf::Message& response_;  // the default instance
  const uint32_t aggregate_type_;
};

// The commands of one service by the name of the request.
using CommandDefinitions = std::map<std::string, std::shared_ptr<const CommandDefinition>, std::less<>>;

namespace internal {

template <typename T>
struct DecisionTypes;
template <typename ResponseType, typename EventType>
struct DecisionTypes<absl::StatusOr<Decision<ResponseType, EventType>>> {
  using Response = ResponseType;
  using Event = EventType;
};

// Calls `use` with the event itself, even if it is held in a variant.
template <typename Event, typename Use>
auto WithEvent(const Event& event, const Use& use) {
  return use(event);
}
template <typename... Events, typename Use>
auto WithEvent(const std::variant<Events...>& event, const Use& use) {
  return std::visit(use, event);
}

// Keyed hash of a request without its id: it distinguishes a repeat from a reuse of the id. Deterministic, because
// requests hold no maps. The request is unchanged afterwards. `bytes` becomes the size of what was hashed.
template <typename Request>
Hash256 BodyHashOf(absl::string_view request_key, Request* request, size_t* bytes) {
  std::string id;
  request->mutable_request_id()->swap(id);
  std::string canonical = Request::descriptor()->full_name();
  canonical.push_back('\0');
  request->AppendToString(&canonical);
  request->mutable_request_id()->swap(id);
  *bytes = canonical.size();
  return HmacSha256(request_key, canonical);
}

template <typename Request, typename Rule, typename Aggregates>
class TypedCommand final : public Command {
  using Types =
      DecisionTypes<std::invoke_result_t<Rule, const store::RowReader&, const Request&, const CommandContext&>>;
  using Response = typename Types::Response;
  using Event = typename Types::Event;

 public:
  TypedCommand(Request request, Rule rule, const Aggregates& aggregates, CommandReply reply)
      : request_(std::move(request)), rule_(rule), aggregates_(aggregates), reply_(std::move(reply)) {}

  absl::StatusOr<bool> Decide(const store::RowReader& state, const CommandContext& context) override {
    ASSIGN_OR_RETURN(decision_, rule_(state, request_, context));
    return !decision_.facts.empty();
  }

  absl::Status Evolve(store::Rows& rows, FactContext context) override {
    const UnixMicros logical_time = context.logical_time;
    for (const Fact<Event>& fact : decision_.facts) {
      context.aggregate_id = fact.aggregate_id;
      context.effective_time = fact.effective_time.value_or(logical_time);
      RETURN_IF_ERROR(WithEvent(fact.event, [&](const auto& event) {
        const auto& aggregate = AggregateOf(event);
        context.aggregate_type = aggregate.type;
        return aggregate.evolve(rows, event, context);
      }));
      ++context.index;
    }
    return rows.status();
  }

  void Record(log::v1::Batch* batch) const override {
    decision_.response.SerializeToString(batch->mutable_response());
    for (const Fact<Event>& fact : decision_.facts) {
      log::v1::Event* recorded = batch->add_events();
      recorded->set_aggregate_id(fact.aggregate_id);
      if (fact.effective_time.has_value()) recorded->set_effective_time_us(*fact.effective_time);
      recorded->set_schema_version(1);
      WithEvent(fact.event, [&](const auto& event) {
        recorded->set_type(AggregateOf(event).type);
        event.SerializeToString(recorded->mutable_payload());
      });
    }
  }

  void Answer(AnswerPosition position) override { std::move(reply_)(&decision_.response, position); }

  void AnswerRecorded(const std::string& recorded, AnswerPosition position) override {
    Response response;
    if (response.ParseFromString(recorded)) {
      std::move(reply_)(&response, position);
    } else {
      std::move(reply_)(absl::DataLossError("the recorded answer does not parse"), position);
    }
  }

  void AnswerError(const absl::Status& status) override { std::move(reply_)(status, {}); }

  std::vector<OutgoingCall> TakeCalls() override { return std::move(decision_.calls); }

  bool AnswerIsFinal() const override { return decision_.answer_is_final; }

  void AppendAggregates(std::vector<absl::string_view>* aggregates) const override {
    for (const Fact<Event>& fact : decision_.facts) aggregates->push_back(fact.aggregate_id);
  }

 private:
  template <typename E>
  const Aggregate<E>& AggregateOf(const E&) const {
    return std::get<Aggregate<E>>(aggregates_);
  }

  const Request request_;
  const Rule rule_;
  const Aggregates& aggregates_;
  CommandReply reply_;
  Decision<Response, Event> decision_;
};

template <typename Request, typename KeyFunction, typename PrepareFunction, typename Rule, typename Aggregates>
class TypedCommandDefinition final : public CommandDefinition {
  using Response = typename DecisionTypes<
      std::invoke_result_t<Rule, const store::RowReader&, const Request&, const CommandContext&>>::Response;

 public:
  TypedCommandDefinition(KeyFunction key, PrepareFunction prepare, Rule rule, Aggregates aggregates)
      : CommandDefinition(Request::default_instance(), Response::default_instance(), std::get<0>(aggregates).type),
        key_(key),
        prepare_(prepare),
        rule_(rule),
        aggregates_(aggregates) {}

  absl::Status Prepare(const Preparation& with, google::protobuf::Message* request) const override {
    return prepare_(with, static_cast<Request*>(request));
  }

  std::string KeyOf(const google::protobuf::Message& request) const override {
    return std::string(key_(static_cast<const Request&>(request)));
  }

  std::unique_ptr<Command> Make(google::protobuf::Message&& erased, absl::string_view aggregate_key,
                                absl::string_view request_key, CommandReply reply) const override {
    Request& request = static_cast<Request&>(erased);
    Command::Envelope envelope;
    envelope.aggregate = {aggregate_type(), std::string(aggregate_key)};
    if constexpr (requires { request.mutable_request_id(); }) {
      envelope.request_id = request.request_id();
      if (!envelope.request_id.empty()) envelope.body_hash = BodyHashOf(request_key, &request, &envelope.bytes);
    }
    if (envelope.bytes == 0) envelope.bytes = request.ByteSizeLong();
    auto command = std::make_unique<TypedCommand<Request, Rule, Aggregates>>(std::move(request), rule_, aggregates_,
                                                                             std::move(reply));
    command->envelope = std::move(envelope);
    return command;
  }

 private:
  const KeyFunction key_;
  const PrepareFunction prepare_;
  const Rule rule_;
  const Aggregates aggregates_;
};

}  // namespace internal

// The preparation of commands that no door accepts.
inline constexpr auto kNoDoor = [](const Preparation&, const google::protobuf::Message*) { return absl::OkStatus(); };

// Registers one command:
//   service.Add(partition::CommandOf<v1::ReserveStockRequest>(
//       [](const v1::ReserveStockRequest& request) { return request.sku(); },            // the key of its aggregate
//       [](const partition::Preparation& with, v1::ReserveStockRequest* request) {...},  // its preparation at the door
//       [](const auto&... state) { return Decide(state...); },                           // the rule
//       kStockItem));                                                                    // the aggregate that decides
// If a decision holds events of several aggregates, list them after the one that decides.
template <typename Request, typename Key, typename Prepare, typename Rule, typename... Events>
std::shared_ptr<const CommandDefinition> CommandOf(Key key, Prepare prepare, Rule rule,
                                                   Aggregate<Events>... aggregates) {
  using Aggregates = std::tuple<Aggregate<Events>...>;
  return std::make_shared<internal::TypedCommandDefinition<Request, Key, Prepare, Rule, Aggregates>>(
      key, prepare, rule, Aggregates(aggregates...));
}

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_COMMAND_DEFINITION_H_
