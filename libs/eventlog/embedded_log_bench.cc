// Measures the embedded log: durable appends with a given number in flight, next to the fdatasync of the same disk;
// reads.
//
//   embedded_log_bench DIRECTORY [SECONDS]
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/mutex.h"
#include "libs/eventlog/embedded_log.h"
#include "libs/machine/os_random.h"
#include "libs/machine/system_clock.h"

namespace halles::eventlog {
namespace {

constexpr size_t kRecordBytes = 620;
constexpr uint16_t kSlots = 64;

int64_t Percentile(std::vector<int64_t>& values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

// Keeps a fixed number of appends in flight from one thread, as an executor would.
class Client : public ReportSink {
 public:
  Client(EmbeddedLog* log, size_t in_flight) : log_(*log), in_flight_(in_flight), started_(in_flight) {}

  void OnReports(absl::Span<const AppendReport> reports) override {
    MutexLock lock(&mutex_);
    for (const AppendReport& report : reports) {
      if (!report.status.ok()) {
        fprintf(stderr, "%s\n", report.status.ToString().c_str());
        exit(1);
      }
      free_.push_back(report.tag);
    }
    reported_.Signal();
  }

  // Returns records per second.
  double Run(double seconds, std::vector<int64_t>* latencies) {
    const std::string record(kRecordBytes, 'x');
    const int64_t start = clock_.MonotonicMicros();
    const auto end = start + static_cast<int64_t>(seconds * 1e6);
    std::vector<uint64_t> ready(in_flight_);
    for (size_t i = 0; i < in_flight_; ++i) ready[i] = i;
    size_t done = 0;
    size_t flying = 0;
    bool first = true;
    for (;;) {
      const int64_t now = clock_.MonotonicMicros();
      for (uint64_t tag : ready) {
        if (!first) latencies->push_back(now - started_[tag]);
        if (now >= end) continue;
        started_[tag] = now;
        log_.Append({ServiceId::kCheckout, static_cast<uint16_t>(next_slot_++ % kSlots)}, record, tag, this);
        ++flying;
      }
      if (flying == 0) return static_cast<double>(done) * 1e6 / static_cast<double>(clock_.MonotonicMicros() - start);
      first = false;
      ready.clear();
      MutexLock lock(&mutex_);
      while (free_.empty()) reported_.Wait(&mutex_);
      ready.swap(free_);
      flying -= ready.size();
      done += ready.size();
    }
  }

 private:
  EmbeddedLog& log_;
  const size_t in_flight_;
  SystemClock clock_;
  size_t next_slot_ = 0;
  std::vector<int64_t> started_;
  Mutex mutex_;
  CondVar reported_;
  std::vector<uint64_t> free_ ABSL_GUARDED_BY(mutex_);
};

void MeasureSync(const std::string& path, double seconds) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::string zeros(4 << 20, '\0');
  const std::string record(4096, 'x');
  if (fd < 0 || pwrite(fd, zeros.data(), zeros.size(), 0) < 0 || fsync(fd) != 0) {
    perror(path.c_str());
    exit(1);
  }
  SystemClock clock;
  std::vector<int64_t> micros;
  const auto end = clock.MonotonicMicros() + static_cast<int64_t>(seconds * 1e6);
  for (off_t offset = 0; clock.MonotonicMicros() < end; offset = (offset + 4096) % (4 << 20)) {
    const int64_t start = clock.MonotonicMicros();
    if (pwrite(fd, record.data(), record.size(), offset) < 0 || fdatasync(fd) != 0) exit(1);
    micros.push_back(clock.MonotonicMicros() - start);
  }
  close(fd);
  unlink(path.c_str());
  const size_t count = micros.size();
  printf("write 4 KiB + fdatasync   %8.0f /s   p50 %5ld us  p99 %5ld us\n", static_cast<double>(count) / seconds,
         static_cast<long>(Percentile(micros, 0.5)), static_cast<long>(Percentile(micros, 0.99)));
}

std::unique_ptr<EmbeddedLog> OpenOrExit(EmbeddedLogOptions options) {
  auto log = EmbeddedLog::Open(std::move(options));
  if (!log.ok()) {
    fprintf(stderr, "%s\n", log.status().ToString().c_str());
    exit(1);
  }
  return *std::move(log);
}

void Run(const std::string& directory, double seconds) {
  const SystemClock clock;
  OsRandom random;
  MeasureSync(directory + "/sync", seconds);
  const std::string log_directory = directory + "/log";
  std::filesystem::remove_all(log_directory);
  size_t records = 0;
  for (size_t in_flight : {size_t{1}, size_t{16}, size_t{64}, size_t{256}}) {
    size_t commits = 0;
    size_t committed = 0;
    int64_t start = clock.MonotonicMicros();
    auto log = OpenOrExit(
        {.directory = log_directory, .clock = &clock, .random = &random, .on_commit = [&](const CommitStats& stats) {
           ++commits;
           committed += stats.records;
         }});
    const int64_t opened = clock.MonotonicMicros() - start;
    Client client(log.get(), in_flight);
    std::vector<int64_t> latencies;
    const double rate = client.Run(seconds, &latencies);
    log.reset();
    records += committed;
    printf("append, %3zu in flight     %8.0f /s   p50 %5ld us  p99 %5ld us  %5.1f a commit, opened in %ld us\n",
           in_flight, rate, static_cast<long>(Percentile(latencies, 0.5)),
           static_cast<long>(Percentile(latencies, 0.99)),
           static_cast<double>(committed) / static_cast<double>(commits), static_cast<long>(opened));
  }
  const int64_t start = clock.MonotonicMicros();
  auto log = OpenOrExit({.directory = log_directory, .clock = &clock, .random = &random});
  const int64_t opened = clock.MonotonicMicros();
  size_t read = 0;
  std::vector<StoredRecord> some;
  std::vector<std::unique_ptr<LogReader>> readers;
  for (uint16_t slot = 0; slot < kSlots; ++slot) readers.push_back(*log->NewReader({ServiceId::kCheckout, slot}, 0));
  for (bool more = true; more;) {
    more = false;
    for (auto& reader : readers) {
      some.clear();
      const auto result = reader->Poll({}, &some);
      if (!result.ok()) exit(1);
      read += result->count;
      more = more || !result->at_end;
    }
  }
  const auto elapsed = static_cast<double>(clock.MonotonicMicros() - opened);
  printf("read %zu of %zu records by %d readers in turn: %.0f /s; opened in %ld us\n", read, records, kSlots,
         static_cast<double>(read) * 1e6 / elapsed, static_cast<long>(opened - start));
  log.reset();
  std::filesystem::remove_all(log_directory);
}

}  // namespace
}  // namespace halles::eventlog

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s DIRECTORY [SECONDS]\n", argv[0]);
    return 2;
  }
  halles::eventlog::Run(argv[1], argc == 3 ? atof(argv[2]) : 3.0);
  return 0;
}
