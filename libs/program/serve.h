// Serves the doors of a program, reports readiness, and shuts down in order at a signal.
#ifndef HALLES_LIBS_PROGRAM_SERVE_H_
#define HALLES_LIBS_PROGRAM_SERVE_H_

#include <csignal>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/base/scheduler.h"
#include "libs/host/host.h"
#include "libs/machine/address.h"
#include "libs/program/doors.h"
#include "libs/telemetry/metrics.h"

namespace halles::program {

// Blocks SIGTERM and SIGINT for all threads to come, and waits for one of them.
// Thread safety: one thread at a time.
class Signals {
 public:
  Signals();
  // The signal, or 0 when none came in time.
  int Wait(absl::Duration timeout) const;

 private:
  sigset_t set_;
};

// Settings of the process that every server wants: memory that was freed is kept for the next request, and as many files
// may be open as the system allows.
void TuneProcess();

// Prints on standard error what went wrong, why, and what to do. Returns the exit code 1.
int Fail(absl::string_view what, const absl::Status& status);

struct ServeOptions {
  ListenAddress listen;
  absl::Duration drain = absl::Seconds(20);  // how long calls in progress may take after a signal
  // After a signal, and before the port is closed: told to be NOT_SERVING, clients and load balancers go elsewhere.
  absl::Duration lame_duck = absl::ZeroDuration();
  telemetry::Metrics* registry = nullptr;  // takes the metrics of the server
  // OK, or why the log refuses new records. While it does, services that take commands are NOT_SERVING; queries are
  // answered nevertheless.
  std::function<absl::Status()> log_health;
  MonotonicMicros started = 0;  // of the process; this and what follows is for the log lines
  std::string metrics;          // where Prometheus reads
  std::string data_dir;
};

// Serves the doors until a signal comes, then drains them and the host. Returns the exit code.
int Serve(const ServeOptions& options, const Signals& signals, const Doors& doors, host::Host* host);

}  // namespace halles::program

#endif  // HALLES_LIBS_PROGRAM_SERVE_H_
