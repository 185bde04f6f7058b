// Registers the halles_* metrics. Their names are listed in the README beside this file.
#include "services/halles/gauges.h"

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "libs/machine/open_files.h"

namespace halles::program {
namespace {

// 20 us to 2 s: a sync of a good disk takes 60 to 300 us.
std::vector<double> CommitBounds() {
  return {0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2};
}

std::vector<double> BatchBounds() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096}; }

}  // namespace

void ObserveHost(telemetry::Metrics* metrics, host::InstallationOptions* installation, host::HostOptions* options) {
  telemetry::HotHistogram& commit = metrics->AddHotHistogram(
      "halles_log_commit_seconds", "Time of one write to the log and its sync", CommitBounds());
  telemetry::HotHistogram& batch =
      metrics->AddHotHistogram("halles_log_commit_records", "Records that one sync made durable", BatchBounds());
  telemetry::HotHistogram& command =
      metrics->AddHotHistogram("halles_command_seconds", "Time from submission of a command to its confirmed answer",
                               telemetry::LatencyBounds());
  installation->observe_commit = [&commit, &batch](absl::Duration duration, size_t records) {
    commit.Observe(absl::ToDoubleSeconds(duration));
    batch.Observe(static_cast<double>(records));
  };
  options->observe_command = [&command](absl::Duration duration) { command.Observe(absl::ToDoubleSeconds(duration)); };
}

Gauges::Gauges(telemetry::Metrics* metrics, host::Host* host, std::function<absl::Status()> log_health) {
  using Kind = telemetry::Metrics::Kind;
  const auto add = [&](Kind kind, const std::string& name, const std::string& help, std::function<double()> function,
                       const telemetry::Labels& labels = {}) {
    handles_.push_back(metrics->AddFunction(kind, name, help, labels, std::move(function)));
  };
  const auto count = [&](const std::string& name, const std::string& help, const std::atomic<uint64_t>& counter) {
    add(Kind::kCounter, name, help,
        [&counter] { return static_cast<double>(counter.load(std::memory_order_relaxed)); });
  };
  const partition::RuntimeCounters& counters = host->counters();
  count("halles_commands_total", "Commands that were decided, repeats included", counters.commands);
  count("halles_records_total", "Records that were confirmed", counters.records);
  count("halles_refusals_total", "Commands that were refused by a rule", counters.refusals);
  count("halles_dedupe_hits_total", "Requests answered from a recorded answer", counters.dedupe_hits);
  count("halles_shed_total", "Commands refused because of overload", counters.shed);
  count("halles_unknown_outcomes_total", "Appends whose outcome was unknown, after which the slot was claimed again",
        counters.unknown_outcomes);
  count("halles_lost_records_total", "Records that can never be accepted; their requests were answered NOT_ACCEPTED",
        counters.lost);
  count("halles_replayed_records_total", "Records folded from the log since the start", counters.replayed);
  count("halles_failed_reads_total", "Failed reads of rows in decisions and folds; each was retried",
        counters.failed_reads);
  count("halles_refused_claims_total",
        "Claims of slots that the log refused, for want of space say; each is made again", counters.refused_claims);
  count("halles_calls_total", "Commands sent to other aggregates on behalf of a record, such as steps of sagas",
        counters.calls);
  count("halles_calls_without_record_total",
        "Calls sent again, without a record, because nobody has answered them so far: something is stuck",
        counters.calls_without_record);
  count("halles_timers_total", "Timers that became due", counters.timers);
  add(Kind::kGauge, "halles_stopped_slots", "Slots that stopped; see the log and `hallesctl status`",
      [host] { return static_cast<double>(host->counters().stopped_slots.load(std::memory_order_relaxed)); });
  add(Kind::kGauge, "halles_open_files", "Files and sockets that the process holds open",
      [] { return static_cast<double>(CountOpenFiles()); });
  add(Kind::kGauge, "halles_open_files_max", "Files and sockets that the process may hold open",
      [] { return static_cast<double>(OpenFilesAllowed()); });
  add(Kind::kGauge, "halles_log_healthy", "1, or 0 while the log refuses appends, for example on a full disk",
      [log_health = std::move(log_health)] { return log_health().ok() ? 1.0 : 0.0; });

  // Before the store is open and while it is exchanged, the value is that of before.
  const auto with_store = [host](std::function<double(const store::Store&)> read, double before = 0) {
    return [host, read = std::move(read), last = std::make_shared<std::atomic<double>>(before)] {
      host->With([&](host::Serving& serving) { last->store(read(*serving.store), std::memory_order_relaxed); })
          .IgnoreError();
      return last->load(std::memory_order_relaxed);
    };
  };
  add(Kind::kGauge, "halles_store_dirty_bytes", "Bytes of rows in memory that are not on disk yet",
      with_store([](const store::Store& store) { return static_cast<double>(store.dirty_bytes()); }));
  add(Kind::kGauge, "halles_store_healthy", "1, or 0 if the last flush of rows failed",
      with_store([](const store::Store& store) { return store.health().ok() ? 1.0 : 0.0; }, 1));
  add(Kind::kGauge, "halles_store_disk_bytes", "Size of the state on disk",
      with_store([](const store::Store& store) { return static_cast<double>(store.stats().disk_bytes); }));
  add(Kind::kCounter, "halles_store_flushes_total", "Flushes of rows to disk",
      with_store([](const store::Store& store) { return static_cast<double>(store.stats().flushes); }));
  for (const projection::ViewDefinition& view : host->definitions().views) {
    add(Kind::kGauge, "halles_projection_lag_records", "Records between a view and the end of its sources",
        [host, service = view.service, number = view.view] {
          double lag = 0;
          const absl::Status known = host->With([&](host::Serving& serving) {
            for (const auto& [slot, reached] : serving.pool->View(service, number).positions()) {
              const absl::StatusOr<Position> end = host->log().End(slot);
              if (end.ok() && *end > reached) lag += static_cast<double>(*end - reached);
            }
          });
          return known.ok() ? lag : std::numeric_limits<double>::quiet_NaN();
        },
        {{"view", view.FullName()}});
  }
}

}  // namespace halles::program
