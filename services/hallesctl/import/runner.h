// Imports a journal into checkout: many requests in flight, retries after failures, and a wait until every view has
// seen the import.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_RUNNER_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "services/hallesctl/import/source.h"
#include "services/hallesctl/import/summary.h"

namespace halles::hallesctl {

struct ImportOptions {
  int in_flight_max = 256;                              // requests, over all streams
  absl::Duration call_timeout = absl::Seconds(30);      // of one attempt
  absl::Duration retry_for = absl::Seconds(60);         // without any answer, before giving up
  absl::Duration catch_up_for = absl::Minutes(5);       // for the views to see everything, after the last answer
  absl::Duration backoff_min = absl::Milliseconds(20);  // before the second attempt; doubles, with jitter
  absl::Duration backoff_max = absl::Seconds(2);
};

// Notifications of a running import.
struct ImportObserver {
  // Progress; about ten times per second.
  std::function<void(const ImportSummary& so_far)> progress = [](const ImportSummary&) {};
  // A line that was refused, as "file:line: REASON: what".
  std::function<void(absl::string_view line)> refused = [](absl::string_view) {};
  // Other messages, such as the start of retries or of the wait for views.
  std::function<void(absl::string_view line)> note = [](absl::string_view) {};
};

struct ImportResult {
  ImportSummary summary;
  std::string consistency_token;  // reads that carry it see all that was imported
  int64_t retries = 0;
  absl::Duration catch_up;  // from the last answer until every view had seen everything
};

// Imports the journal over a stream of commands on each of the channels (at least one), in turn. A request without an
// answer, or with a transient error, is sent again with the same request id, so an import survives a restart of the
// server. A refused line is reported with file and line and counted; it does not end the import. Fails if the journal
// cannot be read, if there is no answer for retry_for, if the views do not catch up, or if the server is not halles
// (UNIMPLEMENTED) or denies access. Records up to then stay; a second run adds the rest.
absl::StatusOr<ImportResult> RunImport(Source& source, std::vector<std::shared_ptr<grpc::Channel>> channels,
                                       const ImportOptions& options, const ImportObserver& observer);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_RUNNER_H_
