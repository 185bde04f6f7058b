// The endpoint that Prometheus scrapes.
#ifndef HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_
#define HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/base/clock.h"
#include "libs/machine/address.h"
#include "libs/telemetry/metrics.h"

namespace halles::telemetry {

struct MetricsServerOptions {
  // From the connection to the end of its request, and from there to the last byte of the answer.
  absl::Duration request_timeout = absl::Seconds(5);
  absl::Duration answer_timeout = absl::Seconds(10);
  size_t connections_max = 64;          // one more closes the oldest
  size_t request_bytes_max = 8 * 1024;  // of the request line and the headers
};

// Serves the metrics at http://address/metrics, in the text format of Prometheus, until it is destroyed. One connection
// carries one request. Clients that never finish their request, or never read their answer, do not block others.
// Thread safety: any thread; its own thread serves.
// Lifetime: `metrics` and `clock` outlive the server.
class MetricsServer {
 public:
  // Errors as CheckCanListen returns.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Open(const ListenAddress& address, const Metrics& metrics,
                                                             const Clock& clock,
                                                             const MetricsServerOptions& options = {});
  // Ends the connections at once.
  ~MetricsServer();

  // With the bound port if the given one was 0.
  const ListenAddress& address() const { return socket_.address(); }

 private:
  struct Connection {
    OwnedFd fd;
    int64_t deadline;  // on the monotonic clock, in microseconds, as all points in time here
    std::string request;
    std::string answer;  // empty while the request is read
    size_t sent = 0;
  };

  MetricsServer(const Metrics& metrics, const Clock& clock, const MetricsServerOptions& options, ListeningSocket socket,
                OwnedFd wake);

  void Run();
  // Accepts the connections in the backlog. False if the system refuses for now.
  bool TakeAll(int64_t now);
  // False if the connection is done.
  bool Advance(Connection* connection, int64_t now) const;
  bool Read(Connection* connection, int64_t now) const;
  std::string Answer(const std::string& request) const;

  const Metrics& metrics_;
  const Clock& clock_;
  const MetricsServerOptions options_;
  ListeningSocket socket_;
  OwnedFd wake_;                       // an eventfd: written to stop
  std::list<Connection> connections_;  // used by the thread only; oldest first
  std::thread thread_;
};

}  // namespace halles::telemetry

#endif  // HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_
