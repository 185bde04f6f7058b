// Tests of the metrics and of their merging.
#include "libs/telemetry/metrics.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Work>
void OnThreads(int count, Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

TEST(HotCounter, CountsEachThreadOnce) {
  HotCounter counter;
  OnThreads(2 * kCellsPerMetric, [&counter] {
    for (int i = 0; i < 1000; ++i) counter.Add();
  });
  counter.Add(5);
  EXPECT_EQ(counter.Value(), 2 * kCellsPerMetric * 1000 + 5);
}

TEST(HotHistogram, PutsAValueInTheBucketItDoesNotExceed) {
  HotHistogram histogram({1, 2, 4});
  for (double value : {0.5, 1.0, 1.5, 4.0, 4.1, 100.0}) histogram.Observe(value);
  const HotHistogram::Reading reading = histogram.Read();
  EXPECT_THAT(reading.counts, ElementsAre(2, 1, 1, 2));
  EXPECT_EQ(reading.count, 6u);
  EXPECT_DOUBLE_EQ(reading.sum, 111.1);
}

TEST(HotHistogram, MergesAllThreads) {
  HotHistogram histogram(LatencyBounds());
  OnThreads(2 * kCellsPerMetric, [&histogram] {
    for (int i = 0; i < 1000; ++i) histogram.Observe(0.5);
  });
  EXPECT_EQ(histogram.Read().count, 2 * kCellsPerMetric * 1000);
  EXPECT_DOUBLE_EQ(histogram.Read().sum, kCellsPerMetric * 1000);
}

TEST(Metrics, AreUniqueForTheirNameAndLabels) {
  Metrics metrics;
  EXPECT_EQ(&metrics.AddHotCounter("a_total", "A."), &metrics.AddHotCounter("a_total", "A."));
  EXPECT_NE(&metrics.AddHotCounter("a_total", "A."), &metrics.AddHotCounter("a_total", "A.", {{"l", "1"}}));
  EXPECT_EQ(&metrics.AddGauge("g", "G."), &metrics.AddGauge("g", "G."));
  EXPECT_EQ(&metrics.AddHotHistogram("h", "H.", {1}), &metrics.AddHotHistogram("h", "H.", {1, 2}));
}

TEST(Metrics, AreWrittenInTheFormatOfPrometheus) {
  Metrics metrics;
  metrics.AddCounter("cold_total", "Cold.").Increment();
  metrics.AddGauge("depth", "Depth.", {{"queue", "in"}}).Set(7);
  metrics.AddHotCounter("hot_total", "Hot.", {{"code", "OK"}}).Add(3);
  HotHistogram& histogram = metrics.AddHotHistogram("wait_seconds", "Wait.", {0.5, 1});
  histogram.Observe(0.25);
  histogram.Observe(2);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("cold_total 1\n"));
  EXPECT_THAT(text, HasSubstr("depth{queue=\"in\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE hot_total counter\nhot_total{code=\"OK\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_count 2\nwait_seconds_sum 2.25\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{le=\"+Inf\"} 2\n"));
}

TEST(Metrics, CallFunctionsWhileTheirHandleLives) {
  Metrics metrics;
  {
    const auto handle = metrics.AddFunction(Metrics::Kind::kGauge, "asked", "Asked.", {}, [] { return 41.0; });
    EXPECT_THAT(metrics.Text(), HasSubstr("asked 41\n"));
  }
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("asked 41\n")));
}

TEST(Metrics, CanBeReadDuringUpdates) {
  Metrics metrics;
  HotCounter& counter = metrics.AddHotCounter("a_total", "A.");
  std::thread reader([&metrics] {
    for (int i = 0; i < 100; ++i) metrics.Text();
  });
  OnThreads(3, [&] {
    for (int i = 0; i < 1000; ++i) {
      counter.Add();
      metrics.AddHotCounter("b_total", "B.", {{"n", std::to_string(i % 10)}}).Add();
    }
  });
  reader.join();
  EXPECT_EQ(counter.Value(), 3000u);
}

}  // namespace
}  // namespace halles::telemetry
