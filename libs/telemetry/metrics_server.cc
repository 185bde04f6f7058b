// The scrape endpoint on prometheus-cpp's exposer.
#include "libs/telemetry/metrics_server.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "prometheus/exposer.h"

namespace halles::telemetry {
namespace {

constexpr size_t kThreads = 1;  // a scrape every few seconds

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Open(const ListenAddress& address,
                                                                   const Metrics& metrics) {
  RETURN_IF_ERROR(CheckCanListen(address, "the metrics endpoint"));
  ListenAddress bound = address;
  if (bound.host == "localhost") bound.host = "127.0.0.1";  // the exposer takes numbers only
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(bound.ToString(), kThreads);
  } catch (const std::exception& error) {
    return Failure(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("the metrics endpoint cannot listen on ", address.ToString(), ": ", error.what()));
  }
  const std::vector<int> ports = exposer->GetListeningPorts();
  if (!ports.empty()) bound.port = static_cast<uint16_t>(ports.front());
  exposer->RegisterCollectable(metrics.cold());
  exposer->RegisterCollectable(metrics.hot());
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(exposer), std::move(bound)));
}

MetricsServer::MetricsServer(std::unique_ptr<prometheus::Exposer> exposer, ListenAddress address)
    : exposer_(std::move(exposer)), address_(std::move(address)) {}
MetricsServer::~MetricsServer() = default;

}  // namespace halles::telemetry
