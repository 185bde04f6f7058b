// Imports seeded orders and returns with many calls in flight, and remembers each with its answer.
#ifndef HALLES_TESTS_DURABILITY_IMPORT_LOAD_H_
#define HALLES_TESTS_DURABILITY_IMPORT_LOAD_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "libs/base/mutex.h"

namespace halles::durability {

// One order or return of the load, and what is known of it.
struct Fact {
  uint64_t number = 0;
  bool is_return = false;
  uint64_t original = 0;  // of a return: the number of its order
  uint32_t customer = 0;
  int64_t net_minor_units = 0;
  int lines = 0;
  // Once it was acknowledged.
  std::string id;
  std::string token;
};

std::string ExternalIdOf(uint64_t number);
std::string CustomerNumber(uint32_t customer);

// Thread safety: any thread.
class ImportLoad {
 public:
  static constexpr uint32_t kCustomers = 97;
  static constexpr size_t kInFlight = 128;

  explicit ImportLoad(uint64_t seed);

  struct Life {
    uint64_t acknowledged = 0;
    size_t in_flight_at_the_end = 0;  // calls without an answer at the moment of the last acknowledgement
    std::vector<Fact> unknown;        // of these, the ones whose answer never came
  };
  // Imports over `channel`, first what is left of the life before, then new facts, until `acknowledgements` came; calls
  // `then` in that very moment, on a thread of gRPC; returns once each call has ended, or at the deadline.
  Life Run(const std::shared_ptr<grpc::Channel>& channel, uint64_t acknowledgements, const std::function<void()>& then,
           absl::Time deadline);
  // Imports what is left, and nothing new.
  Life Finish(const std::shared_ptr<grpc::Channel>& channel, absl::Time deadline);
  // Imports the facts again: the answers must be the ones of the first time.
  Life Again(const std::shared_ptr<grpc::Channel>& channel, std::vector<Fact> facts, absl::Time deadline);

  // Every fact that was acknowledged, by number.
  std::map<uint64_t, Fact> acknowledged() const;
  // What should never have been answered.
  std::vector<std::string> wrong_answers() const;

 private:
  struct Call;

  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(Fact fact) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended(std::unique_ptr<Call> call, const grpc::Status& status);
  Life Await(absl::Time deadline);
  Fact NewFact() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<checkout::v1::CheckoutService::Stub> stub_ ABSL_GUARDED_BY(mutex_);
  std::deque<Fact> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool only_waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = true;
  uint64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;
  const std::function<void()>* then_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Life life_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Fact> acknowledged_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> wrong_answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halles::durability

#endif  // HALLES_TESTS_DURABILITY_IMPORT_LOAD_H_
