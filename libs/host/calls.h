// Reads for doors: the state of an aggregate, or a view. For commands see submit.h.
#ifndef HALLES_LIBS_HOST_CALLS_H_
#define HALLES_LIBS_HOST_CALLS_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "libs/base/scheduler.h"
#include "libs/base/token.h"
#include "libs/host/host.h"
#include "libs/store/rows.h"

namespace halles::host {

// Runs the query, or the watch, of the aggregate's slot once the slot has reached `positions` of it and has reacted to what
// they cover of its sources.
void QueryBehind(Host& host, ServiceId service, absl::string_view aggregate_key, const TokenPositions& positions,
                 MonotonicMicros deadline, partition::SlotQuery query);
void WatchBehind(Host& host, ServiceId service, absl::string_view aggregate_key, const TokenPositions& positions,
                 MonotonicMicros deadline, partition::SlotWatch watch);

// Reads confirmed rows of an aggregate's slot once they have reached the token, the slot's reactions to what the token
// stands for included. `read` runs on the slot's executor and gets
// the slot and the token of what it reads; its answer goes to `reply`.
template <typename Response, typename Reply>
void ReadState(Host& host, ServiceId service, absl::string_view aggregate_key, const std::string& token,
               MonotonicMicros deadline,
               std::function<absl::StatusOr<Response>(const store::RowReader&, SlotId, std::string token)> read,
               Reply reply) {
  const absl::StatusOr<TokenPositions> asked = host.tokens().Read(token);
  if (!asked.ok()) {
    reply(asked.status());
    return;
  }
  QueryBehind(host, service, aggregate_key, *asked, deadline,
              [&tokens = host.tokens(), slot = host.SlotFor(service, aggregate_key), read = std::move(read), reply](
                  absl::StatusOr<const store::RowReader*> rows, Position at) {
                if (!rows.ok()) {
                  reply(rows.status());
                  return;
                }
                absl::StatusOr<Response> response = read(**rows, slot, tokens.Issue({{slot, at}}));
                if (!(*rows)->status().ok()) response = (*rows)->status();
                reply(std::move(response));
              });
}

// As ReadState, but `read` may return nullopt if there is no answer yet. It is then called again after each confirmed
// record of the slot that has an event with aggregate id `aggregate_key`, until the deadline: DEADLINE_EXCEEDED
// (NOT_SETTLED). For methods that start a process such as a saga and answer with its outcome.
template <typename Response, typename Reply>
void ReadStateWhen(
    Host& host, ServiceId service, absl::string_view aggregate_key, const std::string& token, MonotonicMicros deadline,
    std::function<absl::StatusOr<std::optional<Response>>(const store::RowReader&, SlotId, std::string token)> read,
    Reply reply) {
  const absl::StatusOr<TokenPositions> asked = host.tokens().Read(token);
  if (!asked.ok()) {
    reply(asked.status());
    return;
  }
  // What it waits for is recorded, and goes on without it.
  if constexpr (requires { reply.OnlyWaits(); }) reply.OnlyWaits();
  WatchBehind(host, service, aggregate_key, *asked, deadline,
              [&tokens = host.tokens(), slot = host.SlotFor(service, aggregate_key), read = std::move(read), reply](
                  absl::StatusOr<const store::RowReader*> rows, Position at) {
                if (!rows.ok()) {
                  reply(rows.status());
                  return true;
                }
                absl::StatusOr<std::optional<Response>> response = read(**rows, slot, tokens.Issue({{slot, at}}));
                if (!(*rows)->status().ok()) response = (*rows)->status();
                if (!response.ok()) {
                  reply(response.status());
                  return true;
                }
                if (!response->has_value()) return false;
                reply(*std::move(*response));
                return true;
              });
}

// Called on a query queue with the rows of a view and their positions. All rows of a source are from one position. The
// returned function runs after the rows are released; it sends the reply.
using ViewQuery =
    std::function<std::function<void()>(absl::StatusOr<const store::RowReader*> rows, const TokenPositions& at)>;

// Reads a view after it has reached the positions: those of its sources and, if its service reacts to them, the records
// of those reactions.
void ReadView(Host& host, ServiceId service, uint8_t view, const TokenPositions& positions, MonotonicMicros deadline,
              ViewQuery query);

// The same for a method with one response.
template <typename Response, typename Reply>
void AnswerFromView(Host& host, ServiceId service, uint8_t view, const std::string& token, MonotonicMicros deadline,
                    std::function<absl::StatusOr<Response>(const store::RowReader&)> read, Reply reply) {
  const absl::StatusOr<TokenPositions> asked = host.tokens().Read(token);
  if (!asked.ok()) {
    reply(asked.status());
    return;
  }
  ReadView(host, service, view, *asked, deadline,
           [&tokens = host.tokens(), read = std::move(read), reply](absl::StatusOr<const store::RowReader*> rows,
                                                                    const TokenPositions& at) -> std::function<void()> {
             if (!rows.ok()) return [reply, status = rows.status()] { reply(status); };
             auto response = std::make_shared<absl::StatusOr<Response>>(read(**rows));
             if (!(*rows)->status().ok()) *response = (*rows)->status();
             if (response->ok()) (*response)->set_consistency_token(tokens.Issue(at));
             return [reply, response] { reply(std::move(*response)); };
           });
}

}  // namespace halles::host

#endif  // HALLES_LIBS_HOST_CALLS_H_
