// Serialises the reports of a driver, and lets Abandon wait for the report in progress.
#ifndef HALLES_LIBS_EVENTLOG_REPORT_GATE_H_
#define HALLES_LIBS_EVENTLOG_REPORT_GATE_H_

#include <atomic>
#include <thread>

#include "absl/functional/function_ref.h"
#include "libs/base/mutex.h"

namespace halles::eventlog {

// A report chosen within Report, from appends that are not abandoned, never reaches a sink after AwaitReport.
// Thread safety: all methods may be called from any thread.
class ReportGate {
 public:
  // Runs `report`, which chooses the reports and calls their sink. Not reentrant.
  void Report(absl::FunctionRef<void()> report) {
    MutexLock lock(&mutex_);
    reporting_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    report();
    reporting_.store(std::thread::id(), std::memory_order_relaxed);
  }

  // Waits until no report is in progress; returns at once on the reporting thread.
  void AwaitReport() {
    if (reporting_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return;
    MutexLock lock(&mutex_);
  }

 private:
  Mutex mutex_;
  std::atomic<std::thread::id> reporting_{};  // relaxed: a thread only looks for its own id
};

}  // namespace halles::eventlog

#endif  // HALLES_LIBS_EVENTLOG_REPORT_GATE_H_
