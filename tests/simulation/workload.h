// The clients of a simulated world: they fill carts, order, return, exchange, move goods, import, read, and retry.
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

// Clients that keep a varying number of requests open. Requests go directly to the process that seems to own their
// slot, to the wrong one, or over the network, where they are late, lost, duplicated and reordered. A client without an
// answer, or with an unknown outcome, repeats the request under the same request id.
class Workload {
 public:
  explicit Workload(World* world) : world_(*world) {}

  // Called between two steps of the scheduler; may make a client act.
  void Act();
  // Repeats requests that have waited for long.
  void AskAgain();
  // From now on, no request reaches a process.
  void Close();
  // Reads the party of every linked identifier from the process.
  void ReadCustomers(Process* process);

  uint64_t answers() const { return answers_; }

 private:
  struct Ask {
    std::string request_id;
    std::shared_ptr<google::protobuf::Message> request;  // prepared request
    std::string key;
    SlotId slot;
    bool patient = true;  // is repeated, and counts as open until it is answered
    MonotonicMicros sent = 0;
    uint64_t tries = 0;
    bool answered = false;
    std::function<void()> done;
  };
  using AskPtr = std::shared_ptr<Ask>;  // shared with its copies in transit

  // Prepares the request as a door does, and sends it. Calls `done` at the first success.
  template <typename Request>
  void Submit(Request request, std::function<void()> done = nullptr, bool patient = true);
  void Send(const AskPtr& ask);
  // Submits one copy to a process.
  void Arrive(const AskPtr& ask);

  // Lets a late copy of an earlier request arrive.
  void Late();
  void Visit();
  void Fill();
  void Place();
  void Fulfil();
  void TakeBack();
  void Merge();
  void Hold();
  void Transfer();
  // Flood sends more commands for one SKU than its slot accepts. Crowd makes many readers wait for a position that the
  // log does not have.
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
  std::string NewRequestId();
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
  std::deque<AskPtr> asked_;          // the newest requests, answered or not; late copies of them may arrive
  std::vector<std::string> filled_;   // carts that may be ordered
  std::deque<std::string> unplaced_;  // those of them that no request has placed yet
  std::vector<std::string> placed_;   // orders in any state
  std::map<std::string, std::pair<std::string, std::string>> lines_;  // by cart: id and SKU of the last line
  std::vector<std::pair<std::string, std::string>> imports_;          // order and SKU
  std::vector<std::pair<std::string, std::string>> holds_;            // SKU and id
  std::vector<std::pair<std::string, std::string>> transfers_;        // SKU and id
  std::vector<std::pair<std::string, std::string>> merges_;           // from and into
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_WORKLOAD_H_
