// Checkout and inventory with their real rules on rows in memory, and a wire between them that loses, doubles and delays.
#ifndef HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_
#define HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "halles/checkout/v1/order_events.pb.h"
#include "libs/base/clock.h"
#include "libs/base/hash.h"
#include "libs/partition/domain.h"
#include "libs/store/memory_rows.h"

namespace halles::simulation {

// What may still happen that need not.
struct Budget {
  int losses = 0;    // of one message
  int doubles = 0;   // of one message
  int crashes = 0;   // of the process: all that is on the wire is lost
  int timers = 0;    // that are due while messages are still on their way
  int receipts = 0;  // of one unit of the last SKU
};

struct Scenario {
  std::vector<int64_t> stock = {1, 1};  // of SKUs "sku-0" and so on at "paris"; the order asks for one of each
  Budget budget;
  bool forget_tombstones = false;  // a fault: inventory forgets which requests were cancelled
  bool forget_answers = false;     // a fault: a repeated request is decided again
};

// A message on its way: a call to a service, or what became of it.
struct Message {
  bool is_call = false;
  partition::OutgoingCall call;
  std::string outcome;  // a serialised halles.checkout.v1.CallOutcome

  std::string Bytes() const;
};

// Everything, at one moment. Copied to try what may happen next.
class World {
 public:
  // The order is being placed: its first calls are on the wire.
  explicit World(const Scenario& scenario);

  // Things that may happen next, by number; each changes the world. A number that cannot happen does nothing.
  int choices() const;
  void Choose(int choice);
  // In words, for who reads a failure.
  std::string Describe(int choice) const;

  // Lets happen what must: messages arrive in order, timers are due, reactions follow, until nothing is left.
  void Finish();
  // Nothing is left that must happen.
  bool quiet() const;

  // What is wrong now; empty: nothing. When it is quiet, the outcome is judged too.
  std::string Fault() const;

  // Equal for worlds that go on in the same way.
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
  void FireTimer();
  void React();
  void Receive(const std::string& sku, int64_t units);
  void ForgetTombstones();
  int64_t SagaDue() const;

  Scenario scenario_;
  store::MemoryRows checkout_;
  store::MemoryRows stock_;
  Position next_checkout_ = 0;
  std::map<std::string, std::string> answers_;  // recorded, by request id
  std::vector<Message> wire_;
  std::vector<checkout::v1::OrderEvent> facts_;  // that inventory may react to
  size_t reacted_ = 0;
  UnixMicros now_ = 1'700'000'000'000'000;
  std::string fault_;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_ORDER_SAGA_WORLD_H_
