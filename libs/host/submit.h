// Submits requests for doors: the registry defines their preparation, the aggregate that decides, and the rule.
#ifndef HALLES_LIBS_HOST_SUBMIT_H_
#define HALLES_LIBS_HOST_SUBMIT_H_

#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/check.h"
#include "libs/base/status.h"
#include "libs/base/token.h"
#include "libs/host/host.h"
#include "libs/partition/command_definition.h"

namespace halles::host {

// Prepares a copy of the request, or the request itself if it may be moved from, as its command requires (hashes
// identifiers, checks limits), and sends it to the slot of its aggregate. Returns an error if the request is not accepted:
// INVALID_ARGUMENT with the field, or UNAVAILABLE.
// Otherwise `reply` gets an absl::StatusOr<Response> with its consistency token, on the slot's queue or at once. `Call`
// has actor, traceparent and deadline, as rpc::Call has. `Request` is registered with the response `Response`.
template <typename Response, typename Asked, typename Call, typename Reply>
absl::Status Submit(Host& host, Asked&& asked, const Call& call, Reply reply) {
  using Request = std::decay_t<Asked>;
  const partition::RegisteredCommand* registered = host.FindCommand(Request::descriptor());
  HALLES_CHECK(registered != nullptr && registered->command->response_type() == Response::descriptor(),
               "a door's request is not registered, or with another response");
  Request request = std::forward<Asked>(asked);
  RETURN_IF_ERROR(registered->command->Prepare({.identifier_keys = &host.identifier_keys()}, &request));
  partition::Command::Envelope envelope;
  envelope.actor = call.actor;
  envelope.traceparent = call.traceparent;
  envelope.deadline = call.deadline;
  return host.With([&](Serving& serving) {
    serving.runtime->Submit(*registered, registered->command->KeyOf(request), std::move(request), std::move(envelope),
                            [&tokens = host.tokens(), reply](absl::StatusOr<google::protobuf::Message*> answer,
                                                             partition::AnswerPosition at) mutable {
                              if (!answer.ok()) {
                                reply(absl::StatusOr<Response>(answer.status()));
                                return;
                              }
                              auto& response = static_cast<Response&>(**answer);
                              response.set_consistency_token(tokens.Issue({{at.slot, at.position}}));
                              reply(absl::StatusOr<Response>(std::move(response)));
                            });
  });
}

// For a method of a door that only submits.
template <typename Response>
auto SubmitTo(Host& host) {
  return [&host](auto&& asked, const auto& call, auto reply) {
    return Submit<Response>(host, std::forward<decltype(asked)>(asked), call, std::move(reply));
  };
}

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_SUBMIT_H_
