// Metrics: a registry that the process owns, and counters and histograms cheap enough for every request.
#ifndef HALLES_LIBS_TELEMETRY_METRICS_H_
#define HALLES_LIBS_TELEMETRY_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/base/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace halles::telemetry {

using Labels = std::map<std::string, std::string>;

// Beyond this number, threads share cells; that costs time, never a count.
inline constexpr size_t kCellsPerMetric = 16;

namespace internal {
// The number of the calling thread's cell.
size_t ThreadCell();
}  // namespace internal

// A counter with one cell per thread; a read sums them up.
// Thread safety: any thread. Relaxed atomics suffice, because no count is compared with another.
class HotCounter {
 public:
  void Add(uint64_t n = 1) { cells_[internal::ThreadCell()].count.fetch_add(n, std::memory_order_relaxed); }
  uint64_t Value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<uint64_t> count{0};
  };
  std::array<Cell, kCellsPerMetric> cells_;
};

// A histogram with one cell per thread; a read merges them.
// Thread safety: as HotCounter; a read may include a value in a bucket and not yet in the sum.
class HotHistogram {
 public:
  // Upper bounds, ascending; values above all of them count as infinite.
  explicit HotHistogram(std::vector<double> bounds);

  void Observe(double value);

  struct Reading {
    std::vector<uint64_t> counts;  // one for each bound and one above, not cumulative
    double sum = 0;
    uint64_t count = 0;
  };
  Reading Read() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  // 8 counters fit a cache line: a cell has as many lines as its counters and its sum need.
  struct alignas(64) Line {
    std::array<std::atomic<uint64_t>, 8> words{};
  };
  std::atomic<uint64_t>& Word(size_t cell, size_t index) const {
    return lines_[cell * lines_per_cell_ + index / 8].words[index % 8];
  }

  const std::vector<double> bounds_;
  const size_t lines_per_cell_;
  const std::unique_ptr<Line[]> lines_;  // per cell: a counter for each bound, one above, the sum as bits of a double
};

// Bounds for the duration of a request, 100 us to 10 s.
std::vector<double> LatencyBounds();

// All metrics of the process. Names follow the conventions of Prometheus; labels never hold ids. Adding a metric with
// an existing name and labels returns the existing one, with its first help and bounds. A name has one kind.
// Thread safety: any thread. Adding takes a lock: keep the reference.
// Lifetime: the returned metrics live as long as the Metrics.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // For rare updates.
  prometheus::Counter& AddCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  prometheus::Gauge& AddGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // For updates with every request or record.
  HotCounter& AddHotCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  HotHistogram& AddHotHistogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                                const Labels& labels = {});

  // A gauge or counter whose value a function computes at each read. The function must not add metrics. After the
  // handle is destroyed, the function neither runs nor will run again.
  class Handle {
   public:
    virtual ~Handle() = default;
  };
  enum class Kind { kGauge, kCounter };
  [[nodiscard]] std::unique_ptr<Handle> AddFunction(Kind kind, const std::string& name, const std::string& help,
                                                    const Labels& labels, std::function<double()> function);

  // All metrics in the text format of Prometheus.
  std::string Text() const;

 private:
  class Hot;
  const std::unique_ptr<prometheus::Registry> cold_;
  const std::shared_ptr<Hot> hot_;  // shared with the handles, which may live longer
};

}  // namespace halles::telemetry

#endif  // HALLES_LIBS_TELEMETRY_METRICS_H_
