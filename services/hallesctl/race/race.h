// Lets many buyers request the same few units at the same moment, and reports who got them.
#ifndef HALLES_SERVICES_HALLESCTL_RACE_RACE_H_
#define HALLES_SERVICES_HALLESCTL_RACE_RACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "halles/inventory/v1/inventory_service.pb.h"

namespace halles::hallesctl {

struct RaceOptions {
  std::string sku;
  std::string location_id = "race";
  int64_t units = 10;  // received before the race; 0: use the stock that is there
  int64_t buyers = 50;
  // A request of buyer n is sent 1 + n % copies_max times at once, each time over another connection.
  int copies_max = 1;
  absl::Duration think = absl::ZeroDuration();      // from the hold to the commit
  absl::Duration hold_for = absl::Minutes(15);      // expiry of a hold that is not committed
  absl::Duration call_timeout = absl::Seconds(10);  // of one attempt
  absl::Duration retry_for = absl::Seconds(60);     // from the start; then a buyer without an answer gives up
  absl::Duration backoff_min = absl::Milliseconds(20);
  absl::Duration backoff_max = absl::Milliseconds(500);
};

// Notifications of a race. Called on gRPC threads, so they must not block.
struct RaceObserver {
  // All first requests have been sent.
  std::function<void()> released = [] {};
  // `answered` calls have their last answer, and `held` of the buyers got a hold.
  std::function<void(int64_t answered, int64_t held)> answered = [](int64_t, int64_t) {};
};

struct RaceResult {
  int64_t won = 0;         // buyers with a sale
  int64_t refused = 0;     // buyers who were told that there is too little stock
  int64_t unanswered = 0;  // buyers that gave up; their outcome is unknown
  int64_t in_flight_max = 0;
  int64_t calls = 0;
  int64_t retries = 0;  // of these calls, repeats of a request without an answer
  int64_t copies = 0;   // answers of accepted requests that were compared with the first answer
  // The first 20 wrong answers: different answers to copies of an accepted request, or refusals for another reason.
  std::vector<std::string> faults;
  std::vector<std::string> winners;  // hold ids of the winners, sorted
  inventory::v1::StockLevel level;   // after the race
  absl::Duration took;               // from the release to the last answer
};

// Receives the units and starts all buyers at the same moment over the channels (at least one), each with a sending
// thread. A buyer holds one unit and, if it gets one, commits it. A request without an answer is sent again with the
// same request id, so a race survives a restart of the server. UNAVAILABLE if the target does not answer before the
// race.
absl::StatusOr<RaceResult> RunRace(const RaceOptions& options,
                                   const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                                   const RaceObserver& observer);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_RACE_RACE_H_
