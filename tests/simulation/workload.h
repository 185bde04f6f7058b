// What people do in a simulated world: they fill carts, order, return, exchange, move goods, import, ask, and ask again.
#ifndef HALLES_TESTS_SIMULATION_WORKLOAD_H_
#define HALLES_TESTS_SIMULATION_WORKLOAD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/scheduler.h"
#include "libs/partition/domain.h"
#include "services/customer_identity/identifier_key.h"

namespace halles::simulation {

class Process;
class World;

// Clients that keep a number of requests open, which changes with time. Requests go straight to the process that seems to
// own their slot, to the wrong one, or over the network, where they are late, lost, doubled and overtake each other. Who
// hears nothing, or that it is not known what happened, asks again under the same request id.
class Workload {
 public:
  explicit Workload(World* world) : world_(*world) {}

  // Between two steps of the scheduler: perhaps somebody comes in.
  void Act();
  // Asks again for what was not answered for long.
  void AskAgain();
  // Nobody comes any more, and nobody asks again.
  void Close();
  // Asks the process for the party of every identifier that is linked with another.
  void ReadCustomers(Process* process);

  uint64_t answers() const { return answers_; }

 private:
  struct Ask {
    std::string request_id;
    std::shared_ptr<google::protobuf::Message> request;  // prepared
    std::string key;
    SlotId slot;
    bool patient = true;  // asks again, and counts as open until it is answered
    MonotonicMicros sent = 0;
    uint64_t tries = 0;
    bool answered = false;
    std::function<void()> done;
  };
  using AskPtr = std::shared_ptr<Ask>;  // shared with its copies on their way

  // Prepares the request as a door does and sends it. `done` is called with the first success.
  template <typename Request>
  void Submit(Request request, std::function<void()> done = nullptr, bool patient = true);
  void Send(const AskPtr& ask);
  // Hands one copy to a process.
  void Arrive(const AskPtr& ask);

  // A copy of something that was asked earlier arrives.
  void Late();
  void Visit();
  void Fill();
  void Place();
  void Fulfil();
  void TakeBack();
  void Merge();
  void Hold();
  void Transfer();
  // A delivery of many parcels of one SKU, more than its slot takes; a crowd that waits for what is not there yet.
  void Flood();
  void Crowd();
  void Stock();
  void Import();
  void ImportReturn();
  void ReadStateOf();
  void ReadStock();
  void ReadCustomer();
  // Reads the parties of these identifiers.
  void ReadParties(Process* process, std::vector<customer_identity::IdentifierKey> keys);

  std::string NewId(absl::string_view kind);
  std::string Cart();
  std::string Order();
  std::string Sku();
  std::string Location();
  common::v1::Identifier Somebody();
  World& world_;
  uint64_t next_ = 0;
  uint64_t acts_ = 0;
  uint64_t answers_ = 0;
  uint64_t open_max_ = 16;
  bool closed_ = false;
  std::deque<AskPtr> open_;
  uint64_t open_count_ = 0;
  std::deque<AskPtr> asked_;          // the newest, answered or not: copies of them may come late
  std::vector<std::string> filled_;   // carts that may be ordered
  std::deque<std::string> unplaced_;  // those of them that nobody has asked to place since
  std::vector<std::string> placed_;   // orders that may be anything by now
  std::map<std::string, std::pair<std::string, std::string>> lines_;  // of each cart: the last line's id and SKU
  std::vector<std::pair<std::string, std::string>> imports_;          // order and SKU
  std::vector<std::pair<std::string, std::string>> holds_;            // SKU and id
  std::vector<std::pair<std::string, std::string>> transfers_;        // SKU and id
  std::vector<std::pair<std::string, std::string>> merges_;           // from and into
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_WORKLOAD_H_
