// The endpoint that Prometheus scrapes.
#ifndef HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_
#define HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "libs/machine/address.h"
#include "libs/telemetry/metrics.h"

namespace prometheus {
class Exposer;
}

namespace halles::telemetry {

// Serves the metrics at http://address/metrics until it is destroyed.
// Lifetime: `metrics` outlives the server.
class MetricsServer {
 public:
  // Errors of CheckCanListen.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Open(const ListenAddress& address, const Metrics& metrics);
  ~MetricsServer();

  // With the port that was bound when the given one was 0.
  const ListenAddress& address() const { return address_; }

 private:
  MetricsServer(std::unique_ptr<prometheus::Exposer> exposer, ListenAddress address);

  const std::unique_ptr<prometheus::Exposer> exposer_;
  const ListenAddress address_;
};

}  // namespace halles::telemetry

#endif  // HALLES_LIBS_TELEMETRY_METRICS_SERVER_H_
