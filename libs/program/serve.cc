// Serves, waits for readiness and signals, and drains.
#include "libs/program/serve.h"

#include <pthread.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "libs/base/status.h"
#include "libs/machine/open_files.h"
#include "libs/program/options.h"
#include "libs/rpc/server.h"
#include "libs/telemetry/log.h"

namespace halles::program {
namespace {

using telemetry::Log;
using telemetry::LogLevel;

// How often readiness is checked, and then signals.
constexpr absl::Duration kReadyEvery = absl::Milliseconds(10);
constexpr absl::Duration kWatchEvery = absl::Seconds(1);
// A log that goes on refusing is told again after this.
constexpr int64_t kSayAgainMicros = 60'000'000;

// Tells operators when the log begins to refuse records, and when it accepts them again.
class LogWatch {
 public:
  bool accepts() const { return accepts_; }

  // Whether that has changed.
  bool Look(const absl::Status& health, MonotonicMicros now) {
    const bool changed = health.ok() != accepts_;
    accepts_ = health.ok();
    if (accepts_ && changed) Log(LogLevel::kInfo, "halles", "the log accepts records again");
    if (!accepts_ && (changed || now - said_ >= kSayAgainMicros)) {
      said_ = now;
      Log(LogLevel::kError, "halles", "the log refuses records: commands are refused, queries are answered",
          {{"why", std::string(health.message())}, {"reason", ReasonOf(health)}});
    }
    return changed;
  }

 private:
  bool accepts_ = true;
  MonotonicMicros said_ = 0;
};

std::vector<std::unique_ptr<telemetry::Metrics::Handle>> ObserveServer(telemetry::Metrics* registry,
                                                                       const rpc::Server* server) {
  using Kind = telemetry::Metrics::Kind;
  std::vector<std::unique_ptr<telemetry::Metrics::Handle>> handles;
  handles.push_back(registry->AddFunction(Kind::kCounter, "halles_connections_refused_total",
                                          "Connections closed at once because too many files are open", {},
                                          [server] { return static_cast<double>(server->refused_connections()); }));
  handles.push_back(registry->AddFunction(Kind::kGauge, "halles_connections_open", "Connections of gRPC clients", {},
                                          [server] { return static_cast<double>(server->connections().open()); }));
  for (size_t i = 0; i < rpc::kCloseCauses; ++i) {
    const auto cause = static_cast<rpc::CloseCause>(i);
    handles.push_back(registry->AddFunction(
        Kind::kCounter, "halles_connections_closed_total", "Connections closed for what their caller sent or left open",
        {{"cause", std::string(rpc::CloseCauseName(cause))}},
        [server, cause] { return static_cast<double>(server->connections().closed(cause)); }));
  }
  return handles;
}

}  // namespace

Signals::Signals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int Signals::Wait(absl::Duration timeout) const {
  const timespec time = absl::ToTimespec(timeout);
  const int signal = sigtimedwait(&set_, nullptr, &time);
  return signal > 0 ? signal : 0;
}

// Mutexes: the deadlock detection of the library is for its debug builds, but the build of the distribution always runs it.
// Files: most systems allow many more than they grant at first.
void TuneProcess() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  RaiseOpenFilesLimit();
}

int Fail(absl::string_view what, const absl::Status& status) {
  Log(LogLevel::kError, "halles", what, {{"why", std::string(status.message())}, {"reason", ReasonOf(status)}});
  return 1;
}

int Serve(const ServeOptions& options, const Signals& signals, const Doors& doors, host::Host* host) {
  std::vector<rpc::ServedService> services;
  for (const Doors::Entry& entry : doors.entries()) {
    services.push_back({entry.service, entry.door->service(), entry.door});
  }
  const auto millis_since_start = [&] { return (host->clock().MonotonicMicros() - options.started) / 1000; };
  rpc::ServerOptions server_options;
  server_options.listen = options.listen;
  absl::StatusOr<std::unique_ptr<rpc::Server>> server = rpc::Server::Start(server_options, host->clock(), services);
  if (!server.ok()) return Fail("cannot start: --listen", server.status());
  // A scrape may ask until the server is gone.
  std::vector<std::unique_ptr<telemetry::Metrics::Handle>> metrics = ObserveServer(options.registry, server->get());
  // Operators may call at once; the other services serve when their views have caught up.
  for (const Doors::Entry& door : doors.entries()) {
    if (door.at_once) (*server)->SetServing(door.door->service(), true);
  }
  Log(LogLevel::kInfo, "halles", "serving",
      {{"version", Version()},
       {"listen", (*server)->address().ToString()},
       {"metrics", options.metrics},
       {"data_dir", options.data_dir},
       {"install", host->install().Hex()},
       {"open_files_max", OpenFilesAllowed()},
       {"start_ms", millis_since_start()}});

  bool ready = false;
  LogWatch log_watch;
  int signal = 0;
  absl::Status ended;
  while ((signal = signals.Wait(ready ? kWatchEvery : kReadyEvery)) == 0) {
    ended = options.ending->why();
    if (!ended.ok()) break;
    const bool changed = log_watch.Look(options.log_health(), host->clock().MonotonicMicros());
    const bool now_ready = !ready && host->caught_up();
    if (now_ready) {
      ready = true;
      Log(LogLevel::kInfo, "halles", "ready", {{"start_ms", millis_since_start()}});
    }
    if (!now_ready && !changed) continue;
    for (const Doors::Entry& entry : doors.entries()) {
      (*server)->SetServing(entry.door->service(), entry.at_once || (ready && log_watch.accepts()));
    }
  }
  const int exit_code = ended.ok() ? 0 : Fail("ending", ended);
  Log(LogLevel::kInfo, "halles", "draining",
      {{"signal", signal},
       {"lame_duck_seconds", absl::ToInt64Seconds(options.lame_duck)},
       {"seconds_max", absl::ToInt64Seconds(options.drain)}});
  if (ended.ok() && options.lame_duck > absl::ZeroDuration()) {
    for (const rpc::ServedService& served : services) (*server)->SetServing(served.name, false);
    signals.Wait(options.lame_duck);  // a second signal ends the wait
  }
  (*server)->Drain(options.drain);
  host->Drain(options.drain);
  metrics.clear();
  server->reset();
  Log(LogLevel::kInfo, "halles", "ended");
  return exit_code;
}

}  // namespace halles::program
