// The halles_* metrics of a process: log, slots, views and store.
#ifndef HALLES_SERVICES_HALLES_GAUGES_H_
#define HALLES_SERVICES_HALLES_GAUGES_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "libs/host/host.h"
#include "libs/host/installation.h"
#include "libs/telemetry/metrics.h"

namespace halles::program {

// Makes the host record its hot paths in histograms. Called before the host is opened; metrics outlive it.
void ObserveHost(telemetry::Metrics* metrics, host::InstallationOptions* installation, host::HostOptions* options);

// Before or after the host is started; until then the store and the views count as empty.
// Lifetime: metrics and host outlive it.
class Gauges {
 public:
  // `log_health` is OK, or says why the log refuses new records.
  Gauges(telemetry::Metrics* metrics, host::Host* host, std::function<absl::Status()> log_health);

 private:
  std::vector<std::unique_ptr<telemetry::Metrics::Handle>> handles_;
};

}  // namespace halles::program

#endif  // HALLES_SERVICES_HALLES_GAUGES_H_
