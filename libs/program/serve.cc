// Serves, waits for readiness and signals, and drains.
#include "libs/program/serve.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "libs/base/status.h"
#include "libs/machine/open_files.h"
#include "libs/program/opener.h"
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
// How often the progress of a start is looked at, and logged.
constexpr int64_t kProgressEveryMicros = 200'000;
constexpr int64_t kSayProgressEveryMicros = 5'000'000;

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

// Takes the doors and their health from the start to readiness.
class Readiness {
 public:
  Readiness(const ServeOptions& options, const Doors& doors, host::Host* host, StartProgress* progress)
      : options_(options), doors_(doors), host_(*host), progress_(*progress) {
    CloseDoors(Now());
  }

  // The slots have settled, and the doors are open.
  bool serving() const { return serving_; }
  // The views have caught up.
  bool ready() const { return ready_; }

  void Look(const Opener& opener, rpc::Server* server) {
    const MonotonicMicros now = Now();
    const bool opened = opener.state() == Opener::State::kOpened;
    if (!ready_ && now >= next_look_) {
      next_look_ = now + kProgressEveryMicros;
      if (opened) {
        const host::CatchUp catch_up = host_.catch_up();
        progress_.Observe(catch_up.records_done, catch_up.records_total, now);
      }
      if (!serving_) CloseDoors(now);
      TellProgress(now);
    }
    if (!opened) {
      // Operators are answered from the first moment on.
      if (!std::exchange(told_, true)) TellHealth(server);
      return;
    }
    progress_.Enter(StartPhase::kReplaying);
    const bool log_changed = log_watch_.Look(options_.log_health(), now);
    if (!serving_ && host_.settled()) {
      serving_ = true;
      progress_.Enter(StartPhase::kCatchingUp);
      for (const Doors::Entry& entry : doors_.entries()) entry.door->Open();
      Log(LogLevel::kInfo, "halles", "serving",
          {{"version", Version()},
           {"listen", server->address().ToString()},
           {"metrics", options_.metrics},
           {"data_dir", options_.data_dir},
           {"install", host_.install().Hex()},
           {"open_files_max", OpenFilesAllowed()},
           {"start_ms", (now - options_.started) / 1000}});
    }
    const bool now_ready = !ready_ && serving_ && host_.caught_up();
    if (now_ready) {
      ready_ = true;
      progress_.Enter(StartPhase::kReady);
      Log(LogLevel::kInfo, "halles", "ready", {{"start_ms", (now - options_.started) / 1000}});
    }
    if (now_ready || log_changed) TellHealth(server);
  }

 private:
  MonotonicMicros Now() const { return host_.clock().MonotonicMicros(); }

  // Those that need the slots say how far the start is.
  void CloseDoors(MonotonicMicros now) {
    const absl::Status early = TooEarly(progress_.Report(now));
    for (const Doors::Entry& entry : doors_.entries()) {
      if (!entry.at_once) entry.door->Close(early);
    }
  }

  // Operators may call at once; the other services serve when their views have caught up.
  void TellHealth(rpc::Server* server) {
    for (const Doors::Entry& entry : doors_.entries()) {
      server->SetServing(entry.door->service(), entry.at_once || (ready_ && log_watch_.accepts()));
    }
  }

  void TellProgress(MonotonicMicros now) {
    if (now - options_.started < kSayProgressEveryMicros || now < next_line_) return;
    next_line_ = now + kSayProgressEveryMicros;
    const StartReport report = progress_.Report(now);
    Log(LogLevel::kInfo, "halles", "start under way",
        {{"phase", StartPhaseName(report.phase)},
         {"percent", static_cast<int64_t>(report.ratio() * 100)},
         {"records_done", report.records_done},
         {"records_total", report.records_total},
         {"seconds_left", report.left.has_value() ? absl::ToInt64Seconds(*report.left) : int64_t{-1}},
         {"start_ms", (now - options_.started) / 1000}});
  }

  const ServeOptions& options_;
  const Doors& doors_;
  host::Host& host_;
  StartProgress& progress_;
  LogWatch log_watch_;
  bool told_ = false;
  bool serving_ = false;
  bool ready_ = false;
  MonotonicMicros next_look_ = 0;
  MonotonicMicros next_line_ = 0;
};

std::vector<std::unique_ptr<telemetry::Metrics::Handle>> ObserveServer(telemetry::Metrics* registry,
                                                                       const rpc::Server* server, const Clock& clock,
                                                                       const StartProgress* progress) {
  using Kind = telemetry::Metrics::Kind;
  std::vector<std::unique_ptr<telemetry::Metrics::Handle>> handles;
  const auto of_start = [&](const std::string& name, const std::string& help,
                            std::function<double(const StartReport&)> value) {
    handles.push_back(registry->AddFunction(Kind::kGauge, name, help, {}, [progress, &clock, value = std::move(value)] {
      return value(progress->Report(clock.MonotonicMicros()));
    }));
  };
  of_start("halles_ready", "1 once all views have caught up in the start, 0 before",
           [](const StartReport& start) { return start.phase == StartPhase::kReady ? 1.0 : 0.0; });
  of_start("halles_start_progress_ratio", "Share of the log's records that the start has folded, from 0 to 1",
           [](const StartReport& start) { return start.ratio(); });
  of_start("halles_start_records", "Records of the log that the start has to fold",
           [](const StartReport& start) { return static_cast<double>(start.records_total); });
  of_start("halles_start_seconds_left", "Estimated seconds until they are folded; NaN while unknown, 0 when ready",
           [](const StartReport& start) {
             if (start.phase == StartPhase::kReady) return 0.0;
             return start.left.has_value() ? absl::ToDoubleSeconds(*start.left)
                                           : std::numeric_limits<double>::quiet_NaN();
           });
  handles.push_back(registry->AddFunction(Kind::kCounter, "halles_connections_refused_total",
                                          "Connections closed at once because too many files are open", {},
                                          [server] { return static_cast<double>(server->refused_connections()); }));
  handles.push_back(registry->AddFunction(Kind::kGauge, "halles_connections_open", "Connections of gRPC clients", {},
                                          [server] { return static_cast<double>(server->connections().open()); }));
  handles.push_back(registry->AddFunction(Kind::kCounter, "halles_unknown_methods_total",
                                          "Calls of methods that no service has", {},
                                          [server] { return static_cast<double>(server->unknown_methods()); }));
  handles.push_back(registry->AddFunction(Kind::kGauge, "halles_unread_answer_bytes",
                                          "Bytes of answers that callers have not read yet", {},
                                          [server] { return static_cast<double>(server->unread_bytes()); }));
  handles.push_back(registry->AddFunction(Kind::kCounter, "halles_unread_answers_ended_total",
                                          "Calls ended because their callers do not read the answers", {},
                                          [server] { return static_cast<double>(server->unread_ended()); }));
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

int Serve(const ServeOptions& options, const Signals& signals, const Doors& doors, host::Host* host,
          StartProgress* progress) {
  std::vector<rpc::ServedService> services;
  for (const Doors::Entry& entry : doors.entries()) {
    services.push_back({entry.service, entry.door->service(), entry.door});
  }
  Readiness readiness(options, doors, host, progress);
  rpc::ServerOptions server_options;
  server_options.listen = options.listen;
  absl::StatusOr<std::unique_ptr<rpc::Server>> server = rpc::Server::Start(server_options, host->clock(), services);
  if (!server.ok()) return Fail("cannot start: --listen", server.status());
  // A scrape may ask until the server is gone.
  std::vector<std::unique_ptr<telemetry::Metrics::Handle>> metrics =
      ObserveServer(options.registry, server->get(), host->clock(), progress);
  Log(LogLevel::kInfo, "halles", "starting",
      {{"version", Version()},
       {"listen", (*server)->address().ToString()},
       {"metrics", options.metrics},
       {"data_dir", options.data_dir}});
  auto opener = std::make_unique<Opener>(&host->scheduler(), options.random, progress,
                                         Opener::Steps{options.open, [host] { return host->MendState(); }});

  int signal = 0;
  absl::Status ended;
  while (true) {
    readiness.Look(*opener, server->get());
    if (opener->state() == Opener::State::kFailed) break;
    ended = options.ending->why();
    if (!ended.ok()) break;
    signal = signals.Wait(readiness.ready() ? kWatchEvery : kReadyEvery);
    if (signal != 0) break;
  }
  if (opener->state() == Opener::State::kFailed) {
    (*server)->Drain(absl::ZeroDuration());
    return Fail("cannot start", opener->error());
  }
  const int exit_code = ended.ok() ? 0 : Fail("ending", ended);
  Log(LogLevel::kInfo, "halles", "draining",
      {{"signal", signal},
       {"lame_duck_seconds", absl::ToInt64Seconds(options.lame_duck)},
       {"seconds_max", absl::ToInt64Seconds(options.drain)}});
  // While it starts, nobody is served who had to be told.
  if (ended.ok() && options.lame_duck > absl::ZeroDuration() && readiness.serving()) {
    for (const rpc::ServedService& served : services) (*server)->SetServing(served.name, false);
    signals.Wait(options.lame_duck);  // a second signal ends the wait
  }
  opener->Stop();
  (*server)->Drain(options.drain);
  if (!readiness.serving()) {
    // Nothing was promised to anybody, and what is on disk is what a crash leaves, which every start reads. So nothing that
    // is being opened, read or folded is waited for.
    Log(LogLevel::kInfo, "halles", "ended");
    std::_Exit(exit_code);
  }
  host->Drain(options.drain);
  opener.reset();
  metrics.clear();
  server->reset();
  Log(LogLevel::kInfo, "halles", "ended");
  return exit_code;
}

}  // namespace halles::program
