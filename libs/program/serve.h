// Listens for the doors of a program, opens what they serve from, reports readiness, and shuts down in order at a signal.
#ifndef HALLES_LIBS_PROGRAM_SERVE_H_
#define HALLES_LIBS_PROGRAM_SERVE_H_

#include <csignal>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/scheduler.h"
#include "libs/host/host.h"
#include "libs/machine/address.h"
#include "libs/program/doors.h"
#include "libs/program/start_progress.h"
#include "libs/telemetry/metrics.h"

namespace halles::program {

// Blocks SIGTERM and SIGINT for all later threads, and waits for one of them.
// Thread safety: one thread at a time.
class Signals {
 public:
  Signals();
  // The signal, or 0 after the timeout.
  int Wait(absl::Duration timeout) const;

 private:
  sigset_t set_;
};

// Settings of the process that every server needs: the limit of open files is raised as far as the system allows.
void TuneProcess();

// Prints on standard error the error, its cause and a remedy. Returns the exit code 1.
int Fail(absl::string_view what, const absl::Status& status);

// Why the process must end, once a part of it has found that.
// Thread safety: all methods may be called from any thread.
class Ending {
 public:
  // The first reason counts.
  void Set(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    why_.Update(why);
  }
  absl::Status why() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return why_;
  }

 private:
  mutable Mutex mutex_;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
};

struct ServeOptions {
  ListenAddress listen;
  absl::Duration drain = absl::Seconds(20);  // how long running calls may take after a signal
  // After a signal, how long the services report NOT_SERVING before the port closes, so that clients and load balancers
  // go elsewhere.
  absl::Duration lame_duck = absl::ZeroDuration();
  telemetry::Metrics* registry = nullptr;  // receives the metrics of the server and of the start
  // Opens the data and starts the host, on a thread of its own while the server listens already. Called again after
  // RESOURCE_EXHAUSTED, a full disk; any other error ends the process.
  std::function<absl::Status()> open;
  RandomSource* random = nullptr;
  // OK, or why the log refuses new records; OK while nothing is open. While it refuses them, services that take commands
  // are NOT_SERVING; queries are answered nevertheless.
  std::function<absl::Status()> log_health;
  const Ending* ending = nullptr;  // once it has a reason, the server drains and returns exit code 1; must not be null
  MonotonicMicros started = 0;     // start of the process
  // For the log lines: the address that Prometheus scrapes, and the data directory.
  std::string metrics;
  std::string data_dir;
};

// Listens at once. Until the slots of the host have settled, all services but those for operators answer STARTING. Then
// serves the doors until a signal comes, and drains them and the host. Returns the exit code. A signal that comes before
// ends the process at once, whatever is just being opened or read: callers are answered, and the rest is left as by a
// crash.
int Serve(const ServeOptions& options, const Signals& signals, const Doors& doors, host::Host* host,
          StartProgress* progress);

}  // namespace halles::program

#endif  // HALLES_LIBS_PROGRAM_SERVE_H_
