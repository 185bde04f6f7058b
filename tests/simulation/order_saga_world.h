// Checkout and inventory with their real rules on rows in memory. The wire between them loses, duplicates and delays
// messages.
#ifndef HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_
#define HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/clock.h"
#include "libs/base/hash.h"
#include "libs/partition/domain.h"
#include "libs/store/memory_rows.h"
#include "services/checkout/rows.pb.h"

namespace halles::simulation {

// How often each optional step may still happen.
struct Budget {
  int losses = 0;    // a message is lost
  int doubles = 0;   // a message is duplicated
  int crashes = 0;   // the process crashes, and all messages on the wire are lost
  int timers = 0;    // a timer is due while messages are on the wire
  int receipts = 0;  // one unit of the last SKU is received
};

struct Scenario {
  std::vector<int64_t> stock = {1, 1};  // of SKUs "sku-0" and so on at "paris"; the order asks for one of each
  Budget budget;
  bool forget_tombstones = false;  // a fault: inventory forgets which requests were cancelled
  bool forget_answers = false;     // a fault: a repeated request is decided again
};

// A message on the wire: a call to a service, or its outcome.
struct Message {
  bool is_call = false;
  partition::OutgoingCall call;
  std::string outcome;  // a serialised halles.checkout.v1.CallOutcome

  std::string Bytes() const;
};

// The whole state at one moment. It is copied to try different next steps.
class World {
 public:
  // Begins to place the order, so that its first calls are on the wire.
  explicit World(const Scenario& scenario);

  // The number of possible next steps. Choose takes one of them, by its number from 0.
  int choices() const;
  void Choose(int choice);
  // The step as text, for the report of a failure.
  std::string Describe(int choice) const;

  // Staff move the confirmed order to another place: the first calls are on the wire.
  void Reroute(const std::string& place);
  // Somebody releases what is held of a SKU, past the order.
  void ReleaseHold(size_t sku);
  // How the last reroute ended; null before.
  std::optional<checkout::rows::OutcomeRow> Rerouted() const;

  // Takes the mandatory steps until none is left: messages arrive in order, reactions follow, timers become due.
  void Finish();
  // True if no mandatory step is left.
  bool quiet() const;

  // The violation in this state; empty if there is none. If the world is quiet, its outcome is checked too.
  std::string Fault() const;

  // Equal for worlds with the same future.
  Hash128 Fingerprint() const;
  bool confirmed() const;

 private:
  enum class Act { kDeliver, kLose, kDouble, kCrash, kTimer, kGiveUp, kReact, kReceive };
  struct Choice {
    Act act;
    size_t message = 0;
  };
  std::vector<Choice> Choices() const;

  template <typename Request>
  void Command(const Request& request);
  template <typename Event>
  void Record(const std::vector<partition::Fact<Event>>& facts);
  void Send(const std::vector<partition::OutgoingCall>& calls);
  void Execute(const partition::OutgoingCall& call);
  template <typename Request, typename Decide, typename Evolve>
  void Answer(const partition::OutgoingCall& call, store::MemoryRows* rows, SlotId slot, Decide decide, Evolve evolve);
  void Deliver(size_t index);
  template <typename Request>
  void Stock(const Request& request);
  void FireTimer();
  void React();
  void Receive(const std::string& sku, int64_t units);
  void ForgetTombstones();
  int64_t SagaDue() const;

  Scenario scenario_;
  store::MemoryRows checkout_;
  store::MemoryRows stock_;
  Position next_checkout_ = 0;
  std::map<std::string, std::string> answers_;  // recorded answers, by request id
  std::vector<Message> wire_;
  std::vector<checkout::v1::OrderEvent> facts_;  // events that inventory may react to
  size_t reacted_ = 0;
  UnixMicros now_ = 1'700'000'000'000'000;
  std::string fault_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_
