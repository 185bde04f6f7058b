// Keeps a number of calls in flight over some channels, and measures their rate and latency.
#ifndef HALLES_TESTS_LOAD_LOAD_CLIENT_H_
#define HALLES_TESTS_LOAD_LOAD_CLIENT_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "libs/base/mutex.h"

namespace halles::load {

// One measured run.
struct Run {
  double seconds = 0;
  uint64_t done = 0;
  uint64_t failed = 0;
  std::string first_error;
  std::vector<int64_t> micros;  // of each call, sorted

  double PerSecond() const { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }
  int64_t Percentile(double p) const {
    if (micros.empty()) return 0;
    const size_t index = static_cast<size_t>(p * static_cast<double>(micros.size()));
    return micros[std::min(index, micros.size() - 1)];
  }
};

// `count` connections to the target, the same ones for every caller. They are kept until the process ends: a thread
// that runs callbacks must not destroy the last channel, because it would wait for itself.
inline std::vector<std::shared_ptr<grpc::Channel>> Channels(const std::string& target, int count) {
  static auto& kept = *new std::map<std::string, std::vector<std::shared_ptr<grpc::Channel>>>;
  std::vector<std::shared_ptr<grpc::Channel>>& channels = kept[target];
  while (static_cast<int>(channels.size()) < count) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    channels.push_back(grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
  }
  return {channels.begin(), channels.begin() + count};
}

// Keeps `in_flight` calls going for `duration`. `call(n, channel, done)` starts the n-th call and calls `done` once with its
// status.
// Lifetime: shared, because the callback of the last call may still be returning when the run is over.
class Load : public std::enable_shared_from_this<Load> {
 public:
  using Done = std::function<void(const grpc::Status&)>;
  using Call = std::function<void(uint64_t n, size_t channel, Done done)>;

  Load(int in_flight, size_t channels, absl::Duration duration, uint64_t first, Call call)
      : in_flight_(in_flight), channels_(channels), duration_(duration), next_(first), call_(std::move(call)) {}

  Run Measure() {
    const absl::Time start = absl::Now();
    end_ = start + duration_;
    {
      MutexLock lock(&mutex_);
      running_ = in_flight_;
    }
    for (int i = 0; i < in_flight_; ++i) Next(static_cast<size_t>(i) % channels_);
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return running_ == 0; });
    run_.seconds = absl::ToDoubleSeconds(absl::Now() - start);
    std::sort(run_.micros.begin(), run_.micros.end());
    return std::move(run_);
  }

  uint64_t next() const { return next_.load(); }

 private:
  void Next(size_t channel) {
    const absl::Time start = absl::Now();
    if (start >= end_) {
      MutexLock lock(&mutex_);
      --running_;
      return;
    }
    call_(next_.fetch_add(1), channel, [self = shared_from_this(), this, channel, start](const grpc::Status& status) {
      {
        MutexLock lock(&mutex_);
        if (status.ok()) {
          ++run_.done;
          run_.micros.push_back(absl::ToInt64Microseconds(absl::Now() - start));
        } else {
          ++run_.failed;
          if (run_.first_error.empty()) run_.first_error = status.error_message();
        }
      }
      Next(channel);
    });
  }

  const int in_flight_;
  const size_t channels_;
  const absl::Duration duration_;
  std::atomic<uint64_t> next_;
  const Call call_;
  absl::Time end_;

  Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  Run run_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::load

#endif  // HALLES_TESTS_LOAD_LOAD_CLIENT_H_
