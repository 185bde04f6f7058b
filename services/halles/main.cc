// Halles: all services in one process on the embedded log.
#include <malloc.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/host/host.h"
#include "libs/machine/address.h"
#include "libs/machine/os_random.h"
#include "libs/machine/system_clock.h"
#include "libs/program/options.h"
#include "libs/rpc/server.h"
#include "libs/telemetry/log.h"
#include "libs/telemetry/metrics.h"
#include "libs/telemetry/metrics_server.h"
#include "services/checkout/cart_service.h"
#include "services/checkout/definition.h"
#include "services/checkout/order_service.h"
#include "services/checkout/service.h"
#include "services/customer_identity/definition.h"
#include "services/customer_identity/service.h"
#include "services/customer_identity/watches.h"
#include "services/halles/admin_service.h"
#include "services/halles/gauges.h"
#include "services/inventory/definition.h"
#include "services/inventory/service.h"
#include "services/inventory/watches.h"

namespace halles {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

struct Setup {
  std::string data_dir = "halles-data";
  std::string listen = "127.0.0.1:7400";
  std::string metrics = "127.0.0.1:7401";
  std::string log_level = "info";
  int64_t executors = static_cast<int64_t>(std::thread::hardware_concurrency());
  int64_t slots = kDefaultSlotCount;
  int64_t drain_seconds = 20;
};

// How often readiness is looked at, and signals once it is there.
constexpr absl::Duration kReadyEvery = absl::Milliseconds(10);
constexpr absl::Duration kWatchEvery = absl::Seconds(60);

// 1 with the reason on standard error: what went wrong, why, and what to do.
int Fail(absl::string_view what, const absl::Status& status) {
  Log(LogLevel::kError, "halles", what, {{"why", std::string(status.message())}, {"reason", ReasonOf(status)}});
  return 1;
}

// Blocks the signals for all threads to come, and waits for one of them.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  // The signal, or 0 when none came in time.
  int Wait(absl::Duration timeout) const {
    const timespec time = absl::ToTimespec(timeout);
    const int signal = sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_;
};

// Allocation: what is freed is kept for the next request instead of being merged and given back at once. Mutexes: the
// library's search for deadlocks is for its debug builds, the distribution's build does it always.
void TuneProcess() {
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

int Run(const Setup& settings) {
  TuneProcess();
  const Signals signals;
  const auto level = telemetry::ParseLogLevel(settings.log_level);
  if (!level.ok()) return Fail("cannot start", level.status());
  telemetry::SetLogLevel(*level);
  const absl::StatusOr<ListenAddress> listen = ListenAddress::Parse(settings.listen);
  if (!listen.ok()) return Fail("cannot start: --listen", listen.status());
  const absl::StatusOr<ListenAddress> metrics_at = ListenAddress::Parse(settings.metrics);
  if (!metrics_at.ok()) return Fail("cannot start: --metrics", metrics_at.status());
  // Before the data is touched, which opening does: every start claims the slots.
  if (const absl::Status can = CheckCanListen(*listen, "the gRPC server"); !can.ok()) {
    return Fail("cannot start: --listen", can);
  }

  const absl::Time started = absl::Now();
  const SystemClock clock;
  OsRandom random;
  telemetry::Metrics metrics;
  const absl::StatusOr<std::unique_ptr<telemetry::MetricsServer>> metrics_server =
      telemetry::MetricsServer::Open(*metrics_at, metrics);
  if (!metrics_server.ok()) return Fail("cannot start: --metrics", metrics_server.status());

  host::HostOptions options;
  options.data_dir = settings.data_dir;
  options.address = settings.listen;
  options.executors = static_cast<int>(settings.executors);
  options.slots_per_service = static_cast<uint32_t>(settings.slots);
  options.clock = &clock;
  options.random = &random;
  program::ObserveHost(&metrics, &options);
  checkout::Define(&options.definitions);
  customer_identity::Define(&options.definitions);
  inventory::Define(&options.definitions);
  const auto watches = std::make_shared<customer_identity::Watches>();
  const auto stock_watches = std::make_shared<inventory::StockWatches>();
  options.touched = [watches, stock_watches](const std::string&, const std::vector<std::string>& topics) {
    watches->Touched(topics);
    stock_watches->Touched(topics);
  };
  absl::StatusOr<std::unique_ptr<host::Host>> host = host::Host::Open(std::move(options));
  if (!host.ok()) return Fail("cannot start", host.status());
  const program::Gauges gauges(&metrics, host->get());

  checkout::CheckoutDoor checkout_door(host->get(), &metrics);
  checkout::CartDoor cart_door(host->get(), &metrics);
  checkout::OrderDoor order_door(host->get(), &metrics);
  customer_identity::CustomerIdentityDoor identity_door(host->get(), watches, &metrics);
  inventory::InventoryDoor inventory_door(host->get(), stock_watches, &metrics);
  program::AdminDoor admin_door(host->get(), &metrics);
  const std::vector<std::string> names = {
      std::string(checkout::v1::CheckoutService::service_full_name()),
      std::string(checkout::v1::CartService::service_full_name()),
      std::string(checkout::v1::OrderService::service_full_name()),
      std::string(customer_identity::v1::CustomerIdentityService::service_full_name()),
      std::string(inventory::v1::InventoryService::service_full_name()),
      std::string(admin::v1::AdminService::service_full_name())};
  rpc::ServerOptions server_options;
  server_options.listen = *listen;
  absl::StatusOr<std::unique_ptr<rpc::Server>> server = rpc::Server::Start(
      server_options, {&checkout_door, &cart_door, &order_door, &identity_door, &inventory_door, &admin_door}, names);
  if (!server.ok()) return Fail("cannot start: --listen", server.status());
  (*server)->OnDrain([&] {
    checkout_door.door().EndStreams();
    cart_door.door().EndStreams();
    order_door.door().EndStreams();
    identity_door.door().EndStreams();
    inventory_door.door().EndStreams();
    admin_door.door().EndStreams();
  });
  // Operators may look from the first moment on; the others serve once their views have caught up.
  (*server)->SetServing(std::string(admin::v1::AdminService::service_full_name()), true);
  Log(LogLevel::kInfo, "halles", "serving",
      {{"version", Version()},
       {"listen", (*server)->address().ToString()},
       {"metrics", (*metrics_server)->address().ToString()},
       {"data_dir", settings.data_dir},
       {"install", (*host)->install().Hex()},
       {"start_ms", absl::ToInt64Milliseconds(absl::Now() - started)}});

  bool ready = false;
  int signal = 0;
  while ((signal = signals.Wait(ready ? kWatchEvery : kReadyEvery)) == 0) {
    if (ready || !(*host)->caught_up()) continue;
    ready = true;
    for (const std::string& name : names) (*server)->SetServing(name, true);
    Log(LogLevel::kInfo, "halles", "ready", {{"start_ms", absl::ToInt64Milliseconds(absl::Now() - started)}});
  }
  Log(LogLevel::kInfo, "halles", "draining", {{"signal", signal}, {"seconds_max", settings.drain_seconds}});
  (*server)->Drain(absl::Seconds(settings.drain_seconds));
  (*host)->Drain(absl::Seconds(settings.drain_seconds));
  server->reset();
  Log(LogLevel::kInfo, "halles", "ended");
  return 0;
}

}  // namespace
}  // namespace halles

int main(int argc, char** argv) {
  halles::Setup settings;
  halles::Options options("halles", "Unified commerce on one event log: all services in one process.");
  options.Text("data-dir", "Holds log/, keys/ and state/; created when missing", &settings.data_dir);
  options.Text("listen", "Where gRPC is served, host:port; port 0 takes a free one", &settings.listen);
  options.Text("metrics", "Where Prometheus reads /metrics, host:port", &settings.metrics);
  options.Choice("log-level", "Least level of the log lines on standard error", &settings.log_level,
                 {"debug", "info", "warning", "error"});
  options.Number("executors", "Threads that decide; one per core", &settings.executors, 1, 256);
  options.Number("slots", "Slots per service, fixed when the log is made", &settings.slots, 1, halles::kSlotCountMax);
  options.Number("drain-seconds", "How long calls under way may take once the process is told to end",
                 &settings.drain_seconds, 0, 3600);
  if (const auto exit = options.Parse(argc, argv, std::cout, std::cerr); exit.has_value()) return *exit;
  return halles::Run(settings);
}
