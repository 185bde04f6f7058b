// Makes what a service's definition says of calls, outcomes and timers out of the rules that answer them.
#ifndef HALLES_LIBS_PARTITION_CALLABLE_H_
#define HALLES_LIBS_PARTITION_CALLABLE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/hash.h"
#include "libs/base/status.h"
#include "libs/partition/command.h"
#include "libs/partition/domain.h"
#include "libs/partition/service_definition.h"
#include "libs/partition/timers.h"

namespace halles::partition {

// Keyed hash of a request without its id: tells a repeat from a reuse of the id. Deterministic, since requests hold no
// maps. The request is as before afterwards.
template <typename Request>
Hash256 BodyHashOf(absl::string_view request_key, Request* request) {
  std::string id;
  request->mutable_request_id()->swap(id);
  std::string canonical = Request::descriptor()->full_name();
  canonical.push_back('\0');
  request->AppendToString(&canonical);
  request->mutable_request_id()->swap(id);
  return HmacSha256(request_key, canonical);
}

// For ServiceDefinition::callables:
//   service.callables.insert(CallableOf<v1::ReserveStockRequest>(&Decide, kStock));
// The same request through a door and through a call has the same body hash.
template <typename Request, typename Response, typename Event>
std::pair<std::string, Callable> CallableOf(absl::StatusOr<Decision<Response, Event>> (*decide)(const store::RowReader&,
                                                                                                const Request&,
                                                                                                const CommandContext&),
                                            Aggregate<Event> aggregate) {
  return {Request::descriptor()->full_name(),
          [=](absl::string_view bytes, absl::string_view request_key,
              CallDone done) -> absl::StatusOr<std::unique_ptr<Command>> {
            Request request;
            if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
              return absl::InvalidArgumentError(absl::StrCat("no ", Request::descriptor()->full_name()));
            }
            Command::Envelope envelope;
            envelope.request_id = request.request_id();
            envelope.body_hash = BodyHashOf(request_key, &request);
            auto command = std::make_unique<TypedCommand<Request, Response, Event>>(
                std::move(request), decide, aggregate,
                [done = std::move(done)](absl::StatusOr<Response> response, AnswerPosition) {
                  if (response.ok()) {
                    done(response->SerializeAsString());
                  } else {
                    done(response.status());
                  }
                });
            command->envelope = std::move(envelope);
            return command;
          }};
}

// For ServiceDefinition::on_outcome: `request` makes the service's request out of the outcomes.
template <typename Request, typename Response, typename Event>
std::function<std::unique_ptr<Command>(std::vector<CallOutcome>, CommandDone)> OutcomesTo(
    Request (*request)(std::vector<CallOutcome> outcomes),
    absl::StatusOr<Decision<Response, Event>> (*decide)(const store::RowReader&, const Request&, const CommandContext&),
    Aggregate<Event> aggregate) {
  return [=](std::vector<CallOutcome> outcomes, CommandDone done) -> std::unique_ptr<Command> {
    return std::make_unique<TypedCommand<Request, Response, Event>>(
        request(std::move(outcomes)), decide, aggregate,
        [done = std::move(done)](const absl::StatusOr<Response>& response, AnswerPosition) {
          done(response.status());
        });
  };
}

// For ServiceDefinition::on_timer: `request` makes the service's request out of the timer.
template <typename Request, typename Response, typename Event>
std::function<std::unique_ptr<Command>(const TimerKey&, CommandDone)> TimerTo(
    Request (*request)(const TimerKey& timer),
    absl::StatusOr<Decision<Response, Event>> (*decide)(const store::RowReader&, const Request&, const CommandContext&),
    Aggregate<Event> aggregate) {
  return [=](const TimerKey& timer, CommandDone done) -> std::unique_ptr<Command> {
    return std::make_unique<TypedCommand<Request, Response, Event>>(
        request(timer), decide, aggregate,
        [done = std::move(done)](const absl::StatusOr<Response>& response, AnswerPosition) {
          done(response.status());
        });
  };
}

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_CALLABLE_H_
