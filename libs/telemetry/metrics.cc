// Cells of hot metrics, merged at a scrape.
#include "libs/telemetry/metrics.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace halles::telemetry {

namespace internal {

size_t ThreadCell() {
  static std::atomic<size_t> next{0};
  thread_local const size_t cell = next.fetch_add(1, std::memory_order_relaxed) % kCellsPerMetric;
  return cell;
}

}  // namespace internal

uint64_t HotCounter::Value() const {
  uint64_t sum = 0;
  for (const Cell& cell : cells_) sum += cell.count.load(std::memory_order_relaxed);
  return sum;
}

HotHistogram::HotHistogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      lines_per_cell_((bounds_.size() + 2 + 7) / 8),
      lines_(std::make_unique<Line[]>(lines_per_cell_ * kCellsPerMetric)) {}

void HotHistogram::Observe(double value) {
  const size_t bucket = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  const size_t cell = internal::ThreadCell();
  Word(cell, bucket).fetch_add(1, std::memory_order_relaxed);
  std::atomic<uint64_t>& sum = Word(cell, bounds_.size() + 1);
  uint64_t before = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(before, std::bit_cast<uint64_t>(std::bit_cast<double>(before) + value),
                                    std::memory_order_relaxed)) {
  }
}

HotHistogram::Reading HotHistogram::Read() const {
  Reading reading;
  reading.counts.resize(bounds_.size() + 1);
  for (size_t cell = 0; cell < kCellsPerMetric; ++cell) {
    for (size_t i = 0; i < reading.counts.size(); ++i) {
      reading.counts[i] += Word(cell, i).load(std::memory_order_relaxed);
    }
    reading.sum += std::bit_cast<double>(Word(cell, bounds_.size() + 1).load(std::memory_order_relaxed));
  }
  for (const uint64_t count : reading.counts) reading.count += count;
  return reading;
}

std::vector<double> LatencyBounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

// The hot metrics and functions, by family.
class Metrics::Hot : public prometheus::Collectable {
 public:
  HotCounter& Counter(const std::string& name, const std::string& help, const Labels& labels) {
    MutexLock lock(&mutex_);
    auto& counter = FamilyOf(name, help, prometheus::MetricType::Counter).counters[labels];
    if (counter == nullptr) counter = std::make_unique<HotCounter>();
    return *counter;
  }

  HotHistogram& Histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                          const Labels& labels) {
    MutexLock lock(&mutex_);
    auto& histogram = FamilyOf(name, help, prometheus::MetricType::Histogram).histograms[labels];
    if (histogram == nullptr) histogram = std::make_unique<HotHistogram>(std::move(bounds));
    return *histogram;
  }

  uint64_t AddFunction(Kind kind, const std::string& name, const std::string& help, const Labels& labels,
                       std::function<double()> function) {
    MutexLock lock(&mutex_);
    const auto type = kind == Kind::kGauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Counter;
    FamilyOf(name, help, type).functions[++last_function_] = {labels, std::move(function)};
    return last_function_;
  }

  void RemoveFunction(const std::string& name, uint64_t number) {
    MutexLock lock(&mutex_);
    families_[name].functions.erase(number);
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> collected;
    MutexLock lock(&mutex_);
    for (const auto& [name, family] : families_) {
      prometheus::MetricFamily& out = collected.emplace_back();
      out.name = name;
      out.help = family.help;
      out.type = family.type;
      for (const auto& [labels, counter] : family.counters) {
        SetValue(static_cast<double>(counter->Value()), &Labelled(labels, &out), family.type);
      }
      for (const auto& [labels, histogram] : family.histograms) SetHistogram(*histogram, &Labelled(labels, &out));
      for (const auto& [number, function] : family.functions) {
        SetValue(function.second(), &Labelled(function.first, &out), family.type);
      }
    }
    return collected;
  }

 private:
  struct Family {
    std::string help;
    prometheus::MetricType type = prometheus::MetricType::Untyped;
    std::map<Labels, std::unique_ptr<HotCounter>> counters;
    std::map<Labels, std::unique_ptr<HotHistogram>> histograms;
    std::map<uint64_t, std::pair<Labels, std::function<double()>>> functions;
  };

  Family& FamilyOf(const std::string& name, const std::string& help, prometheus::MetricType type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Family& family = families_[name];
    if (family.help.empty()) family.help = help;
    if (family.type == prometheus::MetricType::Untyped) family.type = type;
    return family;
  }

  static prometheus::ClientMetric& Labelled(const Labels& labels, prometheus::MetricFamily* family) {
    prometheus::ClientMetric& metric = family->metric.emplace_back();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
  }

  static void SetValue(double value, prometheus::ClientMetric* metric, prometheus::MetricType type) {
    if (type == prometheus::MetricType::Gauge) {
      metric->gauge.value = value;
    } else {
      metric->counter.value = value;
    }
  }

  static void SetHistogram(const HotHistogram& histogram, prometheus::ClientMetric* metric) {
    const HotHistogram::Reading reading = histogram.Read();
    metric->histogram.sample_count = reading.count;
    metric->histogram.sample_sum = reading.sum;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < histogram.bounds().size(); ++i) {
      cumulative += reading.counts[i];
      metric->histogram.bucket.push_back({cumulative, histogram.bounds()[i]});
    }
  }

  mutable Mutex mutex_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_function_ ABSL_GUARDED_BY(mutex_) = 0;
};

Metrics::Metrics() : cold_(std::make_unique<prometheus::Registry>()), hot_(std::make_shared<Hot>()) {}
Metrics::~Metrics() = default;

prometheus::Counter& Metrics::AddCounter(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*cold_).Add(labels);
}

prometheus::Gauge& Metrics::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*cold_).Add(labels);
}

HotCounter& Metrics::AddHotCounter(const std::string& name, const std::string& help, const Labels& labels) {
  return hot_->Counter(name, help, labels);
}

HotHistogram& Metrics::AddHotHistogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                                       const Labels& labels) {
  return hot_->Histogram(name, help, std::move(bounds), labels);
}

std::unique_ptr<Metrics::Handle> Metrics::AddFunction(Kind kind, const std::string& name, const std::string& help,
                                                      const Labels& labels, std::function<double()> function) {
  class FunctionHandle : public Handle {
   public:
    FunctionHandle(std::shared_ptr<Hot> hot, std::string name, uint64_t number)
        : hot_(std::move(hot)), name_(std::move(name)), number_(number) {}
    ~FunctionHandle() override { hot_->RemoveFunction(name_, number_); }

   private:
    const std::shared_ptr<Hot> hot_;  // shared, because a handle may outlive the Metrics
    const std::string name_;
    const uint64_t number_;
  };
  const uint64_t number = hot_->AddFunction(kind, name, help, labels, std::move(function));
  return std::make_unique<FunctionHandle>(hot_, name, number);
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families = cold_->Collect();
  for (prometheus::MetricFamily& family : hot_->Collect()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace halles::telemetry
