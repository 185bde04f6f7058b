// One process of a simulated world: a complete host that dies and comes back with the disk that it had.
#ifndef HALLES_TESTS_SIMULATION_PROCESS_H_
#define HALLES_TESTS_SIMULATION_PROCESS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_connection.h"
#include "libs/host/host.h"
#include "libs/partition/calls.h"
#include "libs/partition/command.h"
#include "libs/store/database.h"
#include "libs/store/memory_disk.h"
#include "libs/store/store.h"
#include "libs/testing/virtual_scheduler.h"
#include "services/customer_identity/identifier_key.h"
#include "services/customer_identity/party.h"
#include "tests/simulation/slot_turns.h"

namespace halles::simulation {

class Process;
class World;

// What becomes of a call on its way to the owner of its target.
enum class CallFate {
  kTravels,        // late, lost or doubled, as chance has it
  kSwallowed,      // told that it was done, and never sent
  kRefused,        // sent, and told that it was refused
  kNeverAnswered,  // sent, and nothing is told
};

// What stands between a host and its world: nothing, unless a fault is planted there (planted_faults.h).
// Lifetime: outlives the world.
class Interposer {
 public:
  virtual ~Interposer() = default;

  // What the process gets in the place of its connection; null: the connection.
  virtual std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process* process);
  // In the place of its disk.
  virtual std::shared_ptr<store::DatabaseHome> Disk(std::shared_ptr<store::DatabaseHome> disk, Process* process);
  // In the place of its machine; null: the machine.
  virtual std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process* process);
  // Changes what its services define.
  virtual void Define(host::Definitions* definitions, Process* process);
  virtual CallFate OnCall(const partition::OutgoingCall& call, Process* from);
  // What a client's read names in the place of the position of its token.
  virtual Position ReadFrom(Position token) { return token; }
  // How a process finds a party in its view.
  virtual absl::StatusOr<customer_identity::Party> PartyOf(const store::RowReader& view,
                                                           const customer_identity::IdentifierKey& key) {
    return customer_identity::PartyFinder(view).Find(key);
  }
  // Changes what a door says of a client's command.
  virtual void Hand(partition::Command::Envelope*) {}
  // The id under which a client asks again after no or an unknown answer.
  virtual std::string AskAgainAs(const std::string& request_id) { return request_id; }
};

// Thread safety: none; everything happens on the thread of the scheduler.
class Process {
 public:
  Process(World* world, int number);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Opens a host on the disk of the life before. A disk that fails meanwhile ends the life at once.
  void Start(partition::SlotRole role);
  // Whatever is not on the disk or in the log is gone.
  void Kill();
  bool alive() const { return host_ != nullptr; }
  bool Serves(SlotId slot) const { return alive() && runtime_->serving(slot); }

  // Of the process that lives.
  host::Host& host() { return *host_; }
  testing::VirtualScheduler::Node& node() { return *node_; }
  eventlog::MemoryConnection& connection() { return *connection_; }
  partition::Runtime& runtime() { return *runtime_; }
  store::Store& store() { return *store_; }

  store::MemoryDisk& disk() { return disk_; }
  World& world() { return world_; }
  // Counts starts.
  uint64_t life() const { return life_; }
  // "process 0, life 3"
  std::string name() const;

  // Gives the command to the host, as its door does, and holds against each other in which order commands of a slot were
  // handed in and in which their decisions are told.
  using Reply = std::function<void(absl::StatusOr<google::protobuf::Message*> response, partition::AnswerPosition at)>;
  void Submit(const partition::RegisteredCommand& registered, const std::string& key,
              google::protobuf::Message&& request, Reply reply);

  // How far its views and reactions are, and why they stopped.
  std::vector<projection::SourceState> SourceStates();

  // A rule, fold or read works on the slot now.
  void Work(SlotId slot) { turns_->Work(slot); }

  // Flushes, then holds what is stored against the log.
  void FlushAndCheck();
  // Holds what is stored against the log, digests that were computed anew included.
  void CheckStored();

 private:
  class Wire;
  class ObservedLog;

  void End();

  World& world_;
  const int number_;
  store::MemoryDisk disk_;
  uint64_t life_ = 0;
  std::map<SlotId, uint64_t> handed_in_;
  std::map<SlotId, uint64_t> told_;
  std::map<SlotId, size_t> unanswered_;
  std::unique_ptr<testing::VirtualScheduler::Node> node_;
  std::unique_ptr<SlotTurns> turns_;
  std::unique_ptr<Scheduler> interposed_machine_;  // may be null
  std::unique_ptr<Scheduler> machine_;             // the host's, watched
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<eventlog::MemoryConnection> connection_;
  std::unique_ptr<eventlog::EventLog> observed_;
  std::unique_ptr<eventlog::EventLog> interposed_;  // may be null
  std::unique_ptr<partition::Calls> wire_;
  std::unique_ptr<host::Host> host_;
  partition::Runtime* runtime_ = nullptr;
  store::Store* store_ = nullptr;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_PROCESS_H_
