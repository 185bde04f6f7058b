// Commands of an operator: each has a request id and can safely be repeated with it.
#ifndef HALLES_SERVICES_HALLESCTL_WRITES_H_
#define HALLES_SERVICES_HALLESCTL_WRITES_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/hallesctl/client.h"
#include "services/hallesctl/session.h"

namespace halles::hallesctl {

// Sends `request` under `request_id`, or under a new one if it is empty. If the outcome is unknown, prints how to
// repeat the command safely.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Write(const Session& session, const std::string& request_id,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                               Stub& stub, Request request) {
  request.set_request_id(request_id.empty() ? NewRequestId() : request_id);
  absl::StatusOr<Response> response = session.client.Call(method, stub, request);
  if (!response.ok() && IsWorthAnotherTry(response.status())) {
    session.err << "it is unknown whether this was executed; to repeat it safely, add --request "
                << request.request_id() << "\n";
  }
  return response;
}

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_WRITES_H_
