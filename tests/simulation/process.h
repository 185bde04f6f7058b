// One process of a simulated world: a complete host that dies, and restarts on its disk.
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

// The fate of a call on its way to the owner of its target.
enum class CallFate {
  kTravels,        // late, lost or duplicated at random
  kSwallowed,      // never sent, but reported as successful
  kRefused,        // sent, but reported as refused
  kNeverAnswered,  // sent, but never reported
};

// A layer between a host and its world. It changes nothing unless it plants a fault (planted_faults.h).
// Lifetime: outlives the world.
class Interposer {
 public:
  virtual ~Interposer() = default;

  // Replaces the connection of the process; null keeps it.
  virtual std::unique_ptr<eventlog::EventLog> Log(eventlog::EventLog* connection, Process* process);
  // Replaces its disk.
  virtual std::shared_ptr<store::DatabaseHome> Disk(std::shared_ptr<store::DatabaseHome> disk, Process* process);
  // Replaces its machine; null keeps it.
  virtual std::unique_ptr<Scheduler> Machine(Scheduler* machine, Process* process);
  // Changes the definitions of its services.
  virtual void Define(host::Definitions* definitions, Process* process);
  virtual CallFate OnCall(const partition::OutgoingCall& call, Process* from);
  // Replaces the position of the token of a client's read.
  virtual Position ReadFrom(Position token) { return token; }
  // Finds a party in the view of a process.
  virtual absl::StatusOr<customer_identity::Party> PartyOf(const store::RowReader& view,
                                                           const customer_identity::IdentifierKey& key) {
    return customer_identity::PartyFinder(view).Find(key);
  }
  // Changes the envelope that a door gives to a client's command.
  virtual void Hand(partition::Command::Envelope*) {}
  // The request id under which a client repeats a request without an answer, or with an unknown outcome.
  virtual std::string AskAgainAs(const std::string& request_id) { return request_id; }
};

// Thread safety: none; everything runs on the thread of the scheduler.
class Process {
 public:
  Process(World* world, int number);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Opens a host on the disk of the previous life. If the disk fails meanwhile, the life ends immediately.
  void Start(partition::SlotRole role);
  // Everything that is not on the disk or in the log is lost.
  void Kill();
  bool alive() const { return host_ != nullptr; }
  bool Serves(SlotId slot) const { return alive() && runtime_->serving(slot); }

  // These are valid while the process is alive.
  host::Host& host() { return *host_; }
  // Sets its wall clock to so much ahead of the scheduler's.
  void SetWallOffset(int64_t micros);
  eventlog::MemoryConnection& connection() { return *connection_; }
  partition::Runtime& runtime() { return *runtime_; }
  store::Store& store() { return *store_; }

  store::MemoryDisk& disk() { return disk_; }
  World& world() { return world_; }
  // Number of starts.
  uint64_t life() const { return life_; }
  // Such as "process 0, life 3".
  std::string name() const;

  // Submits the command to the host, as its door does. Checks that the decisions of a slot are answered in the order in
  // which its commands were submitted.
  using Reply = std::function<void(absl::StatusOr<google::protobuf::Message*> response, partition::AnswerPosition at)>;
  void Submit(const partition::RegisteredCommand& registered, const std::string& key,
              google::protobuf::Message&& request, Reply reply);

  // The positions of its views and reactions, and the errors that stopped them.
  std::vector<projection::SourceState> SourceStates();

  // Reports that a rule, fold or read works on the slot now.
  void Work(SlotId slot) { turns_->Work(slot); }

  // Flushes, then checks the stored rows.
  void FlushAndCheck();
  // Compares the stored rows with the log, and their digests with the rows.
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
  int64_t wall_offset_ = 0;
  std::unique_ptr<SlotTurns> turns_;
  std::unique_ptr<Scheduler> interposed_machine_;  // may be null
  std::unique_ptr<Scheduler> machine_;             // the machine of the host, watched
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
