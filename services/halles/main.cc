// Halles: all services in one process on the embedded log.
#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "halles/admin/v1/grpc_services.h"
#include "halles/bulk/v1/grpc_services.h"
#include "libs/base/status.h"
#include "libs/host/host.h"
#include "libs/host/installation.h"
#include "libs/host/watches.h"
#include "libs/machine/address.h"
#include "libs/machine/memory_limit.h"
#include "libs/machine/os_random.h"
#include "libs/machine/system_clock.h"
#include "libs/machine/thread_scheduler.h"
#include "libs/program/options.h"
#include "libs/program/serve.h"
#include "libs/program/start_progress.h"
#include "libs/telemetry/log.h"
#include "libs/telemetry/metrics.h"
#include "libs/telemetry/metrics_server.h"
#include "services/halles/admin_service.h"
#include "services/halles/all_services.h"
#include "services/halles/bulk_service.h"
#include "services/halles/gauges.h"

namespace halles::program {
namespace {

struct Setup {
  std::string data_dir = "halles-data";
  std::string listen = "127.0.0.1:7400";
  std::string metrics = "127.0.0.1:7401";
  std::string log_level = "info";
  int64_t executors = static_cast<int64_t>(std::thread::hardware_concurrency());
  std::string slots;
  int64_t memory_mib = 0;
  int64_t drain_seconds = 20;
  int64_t lame_duck_seconds = 0;
  bool accept_clock_jump = false;
};

constexpr uint64_t kMemoryBytesIfUnknown = uint64_t{1} << 30;

int Run(const Setup& settings) {
  TuneProcess();
  uint64_t memory_bytes = static_cast<uint64_t>(settings.memory_mib) << 20;
  if (memory_bytes == 0) memory_bytes = MemoryLimitBytes();
  if (memory_bytes == 0) memory_bytes = kMemoryBytesIfUnknown;
  const Signals signals;
  const auto level = telemetry::ParseLogLevel(settings.log_level);
  if (!level.ok()) return Fail("cannot start", level.status());
  telemetry::SetLogLevel(*level);
  const absl::StatusOr<ListenAddress> listen = ListenAddress::Parse(settings.listen);
  if (!listen.ok()) return Fail("cannot start: --listen", listen.status());
  const absl::StatusOr<ListenAddress> metrics_at = ListenAddress::Parse(settings.metrics);
  if (!metrics_at.ok()) return Fail("cannot start: --metrics", metrics_at.status());
  const SystemClock clock;
  const MonotonicMicros started = clock.MonotonicMicros();
  ThreadScheduler scheduler(clock);
  OsRandom random;
  telemetry::Metrics metrics;
  const absl::StatusOr<std::unique_ptr<telemetry::MetricsServer>> metrics_server =
      telemetry::MetricsServer::Open(*metrics_at, metrics, clock);
  if (!metrics_server.ok()) return Fail("cannot start: --metrics", metrics_server.status());

  host::InstallationOptions on_disk;
  on_disk.data_dir = settings.data_dir;
  if (!settings.slots.empty()) {
    const absl::StatusOr<SlotCounts> slots = SlotCounts::Parse(settings.slots);
    if (!slots.ok()) return Fail("cannot start: --slots", slots.status());
    on_disk.slots = *slots;
  }
  on_disk.memory_bytes = memory_bytes;
  on_disk.scheduler = &scheduler;
  on_disk.random = &random;
  host::HostOptions options;
  ObserveHost(&metrics, &on_disk, &options);
  options.scheduler = &scheduler;
  options.random = &random;
  options.address = settings.listen;
  options.executors = static_cast<int>(settings.executors);
  options.definitions = AllServices();
  Ending ending;
  options.accept_clock_jump = settings.accept_clock_jump;
  options.on_clock_refused = [&ending](const absl::Status& why) { ending.Set(why); };
  const auto watches = std::make_shared<host::Watches>();
  options.touched = [watches](const std::string&, const std::vector<std::string>& topics) { watches->Touched(topics); };

  // Opened by Serve, while the doors, which refer to it, are shut.
  std::unique_ptr<host::Installation> installation;
  std::atomic<host::Installation*> opened{nullptr};  // release and acquire: who sees it sees it opened
  const std::unique_ptr<host::Host> host = host::Host::Make(std::move(options));
  const auto log_health = [&opened] {
    const host::Installation* const log = opened.load(std::memory_order_acquire);
    return log == nullptr ? absl::OkStatus() : log->log_health();
  };
  const Gauges gauges(&metrics, host.get(), log_health);
  StartProgress progress(started);
  const DoorParts parts{host.get(), watches, &metrics, log_health,
                        [&progress, &clock] { return progress.Report(clock.MonotonicMicros()); }};
  Doors doors;
  AllParts::OpenDoors(parts, &doors);
  doors.Open<bulk::v1::GrpcServices, BulkDoor>(parts);
  doors.OpenForOperators<admin::v1::GrpcServices, AdminDoor>(parts);

  ServeOptions serve;
  serve.listen = *listen;
  serve.drain = absl::Seconds(settings.drain_seconds);
  serve.lame_duck = absl::Seconds(settings.lame_duck_seconds);
  serve.registry = &metrics;
  serve.random = &random;
  serve.open = [&]() -> absl::Status {
    if (installation == nullptr) {
      ASSIGN_OR_RETURN(installation, host::Installation::Open(on_disk));
      opened.store(installation.get(), std::memory_order_release);
    }
    return host->Start({.log = &installation->log(),
                        .open_store = [&installation] { return installation->OpenStore(); },
                        .identifier_keys = installation->identifier_keys(),
                        .request_key = installation->request_key()});
  };
  serve.log_health = log_health;
  serve.ending = &ending;
  serve.started = started;
  serve.metrics = (*metrics_server)->address().ToString();
  serve.data_dir = settings.data_dir;
  return Serve(serve, signals, doors, host.get(), &progress);
}

}  // namespace
}  // namespace halles::program

int main(int argc, char** argv) {
  halles::program::Setup settings;
  halles::Options options("halles", "Unified commerce on one event log: all services in one process.");
  options.Text("data-dir", "Directory of log/, keys/ and state/; created if missing", &settings.data_dir);
  options.Text("listen", "Address of the gRPC server, host:port; port 0 selects a free port", &settings.listen);
  options.Text("metrics", "Address of the Prometheus endpoint /metrics, host:port", &settings.metrics);
  options.Choice("log-level", "Lowest level of the log lines on standard error", &settings.log_level,
                 {"debug", "info", "warning", "error"});
  options.Number("executors", "Threads that execute commands; by default one per core", &settings.executors, 1, 256);
  options.Number("memory-mib",
                 "Memory that the process may use, in MiB; by default what the machine and the control groups allow",
                 &settings.memory_mib, 0, 1 << 20);
  options.Text(
      "slots",
      absl::StrCat(
          "Slots per service, fixed when the log is created: a number, or checkout=16,inventory=4; by default ",
          halles::kDefaultSlotCount, ", or those of an existing log"),
      &settings.slots, [](const std::string& text) {
        if (text.empty()) return std::string();
        return std::string(halles::SlotCounts::Parse(text).status().message());
      });
  options.Number("drain-seconds", "Seconds that calls in progress may take after SIGTERM or SIGINT",
                 &settings.drain_seconds, 0, 3600);
  options.Number("lame-duck-seconds",
                 "Seconds for which it still serves, but reports NOT_SERVING, after SIGTERM or SIGINT",
                 &settings.lame_duck_seconds, 0, 3600);
  options.Switch(
      "accept-clock-jump",
      "Starts although the clock is more than 90 days ahead of the newest record of the log, or more than an "
      "hour behind it",
      &settings.accept_clock_jump);
  if (const auto exit = options.Parse(argc, argv, std::cout, std::cerr); exit.has_value()) return *exit;
  return halles::program::Run(settings);
}
