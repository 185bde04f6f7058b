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

// One order or return of the load, and the answer to it.
struct Fact {
  uint64_t number = 0;
  bool is_return = false;
  uint64_t original = 0;  // for a return: the number of its order
  uint32_t customer = 0;
  int64_t net_minor_units = 0;
  int lines = 0;
  // Set once it was acknowledged.
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
    size_t in_flight_at_the_end = 0;  // calls without an answer at the last acknowledgement
    std::vector<Fact> unknown;        // imports among these whose answer never came
  };
  // Imports over `channel`, first the imports left over from before the kill, then new ones, until `acknowledgements`
  // answers came. Calls `then` at that moment, on a gRPC thread. Returns when every call has ended, or at the deadline.
  Life Run(const std::shared_ptr<grpc::Channel>& channel, uint64_t acknowledgements, const std::function<void()>& then,
           absl::Time deadline);
  // Imports the leftovers, and nothing new.
  Life Finish(const std::shared_ptr<grpc::Channel>& channel, absl::Time deadline);
  // Repeats the imports; the answers must equal the first ones.
  Life Again(const std::shared_ptr<grpc::Channel>& channel, std::vector<Fact> facts, absl::Time deadline);

  // Every acknowledged import, by number.
  std::map<uint64_t, Fact> acknowledged() const;
  // Answers that should not have occurred.
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
