// Records the calls of concurrent clients to a few hot SKUs of the real halles, kills it in the middle, and checks that
// the history is linearizable.
//
// HALLES_HISTORY_SEED sets the seed; it is printed.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "halles/inventory/v1/inventory_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "tests/durability/program.h"
#include "tests/race/stock_model.h"

namespace halles::race {
namespace {

using durability::FromEnvironment;
using durability::Program;
using durability::Soon;
using inventory::v1::InventoryService;
using testing::Linearizability;
using Verb = StockAsk::Verb;

constexpr uint64_t kDefaultSeed = 20240607;
constexpr int kClients = 10;
constexpr int kLives = 4;                   // runs of the process; all but the last end with SIGKILL
constexpr int64_t kCommandsPerLife = 1500;  // of all clients together
constexpr int kLocations = 3;
constexpr int64_t kUnits = 20;  // at each location
const std::vector<std::string>& Skus() {
  static const auto& skus = *new std::vector<std::string>{"hot-1", "hot-2", "hot-3"};
  return skus;
}

std::string LocationOf(uint8_t location) { return absl::StrCat("shop-", static_cast<int>(location)); }

// State that all clients share.
struct World {
  Program program;
  StockHistory history;
  // Set when the current run has ended; relaxed, because it publishes no other data.
  std::atomic<bool> over{false};
  Mutex mutex;
  int64_t commands ABSL_GUARDED_BY(mutex) = 0;      // answered in the current run
  bool interrupted ABSL_GUARDED_BY(mutex) = false;  // a client got UNAVAILABLE
  std::map<std::string, std::atomic<int>> holds;    // next hold number by SKU; the map itself is immutable
};

// A client with its own connection that sends one command at a time. A command with an unknown outcome is sometimes
// repeated with the same request id, and sometimes abandoned.
class Buyer {
 public:
  Buyer(World* world, int number, uint64_t seed)
      : world_(*world),
        number_(number),
        random_(seed + static_cast<uint64_t>(number)),
        channel_(world->program.NewChannel()),
        stub_(InventoryService::NewStub(channel_)) {}

  void LiveUntilItIsOver() {
    // A connection in backoff after the kill could take too long.
    EXPECT_TRUE(channel_->WaitForConnected(absl::ToChronoTime(Soon())));
    FinishWhatWasUnknown();
    while (!world_.over.load(std::memory_order_relaxed)) Step();
  }
  void FinishWhatWasUnknown() {
    if (!unknown_.has_value()) return;
    const Sent again = *unknown_;
    unknown_.reset();
    Do(again);
  }

 private:
  struct Sent {
    std::string sku;
    StockAsk ask;
    size_t operation = 0;
    std::string request_id;
  };

  void Step() {
    const std::string& sku = Skus()[random_() % Skus().size()];
    std::vector<uint16_t>& mine = mine_[sku];
    StockAsk ask;
    const uint64_t dice = random_() % 100;
    if (dice < 10) {
      ReadWithToken(sku);
      return;
    }
    if (dice < 30) {
      ask.verb = Verb::kRead;
    } else if (dice < 60 || mine.empty()) {
      ask = {Verb::kReserve, static_cast<uint16_t>(world_.holds.at(sku).fetch_add(1)),
             static_cast<int32_t>(1 + random_() % 4), Candidates()};
      mine.push_back(ask.hold);
    } else {
      // One of its own holds. Ended holds stay in the list for a while and are used too.
      const size_t index = random_() % mine.size();
      ask.hold = mine[index];
      if (dice < 70) {
        ask.verb = Verb::kMove;
        ask.candidates = Candidates();
      } else if (dice < 74) {
        ask.verb = Verb::kCommit;
      } else {
        ask.verb = Verb::kRelease;
        if (random_() % 16 != 0) mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(index));
      }
    }
    const size_t operation = world_.history.Invoke(number_, sku, ask);
    Do({sku, ask, operation, absl::StrCat("history/", operation)});
  }

  std::vector<uint8_t> Candidates() {
    std::vector<uint8_t> all;
    for (uint8_t i = 0; i < kLocations; ++i) all.push_back(i);
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(1 + random_() % kLocations);
    return all;
  }

  void Do(const Sent& sent) {
    StockAnswer answer;
    const grpc::Status status = Send(sent, &answer);
    if (status.ok() || status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) {
      answer.refused = !status.ok();
      // Usually forgets holds that were refused; sometimes keeps using them.
      if (answer.refused && sent.ask.verb == Verb::kReserve && random_() % 16 != 0)
        std::erase(mine_[sent.sku], sent.ask.hold);
      world_.history.Answer(sent.operation, answer);
      MutexLock lock(&world_.mutex);
      ++world_.commands;
      return;
    }
    // The outcome is unknown. A lost read says nothing.
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                status.error_code() == grpc::StatusCode::CANCELLED || status.error_code() == grpc::StatusCode::UNKNOWN)
        << status.error_message();
    if (sent.ask.verb != Verb::kRead && random_() % 2 == 0) unknown_ = sent;
    // The process has ended. Its next run begins when every client has noticed.
    world_.over.store(true, std::memory_order_relaxed);
    MutexLock lock(&world_.mutex);
    world_.interrupted = true;
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (InventoryService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(Soon()));
    const grpc::Status status = (stub_.get()->*method)(&context, request, response);
    if (status.ok()) token_[request.sku()] = response->consistency_token();
    return status;
  }

  grpc::Status Send(const Sent& sent, StockAnswer* answer) {
    const std::string hold_id = absl::StrCat("h", sent.ask.hold);
    switch (sent.ask.verb) {
      case Verb::kReserve: {
        inventory::v1::ReserveStockRequest request;
        request.set_request_id(sent.request_id);
        request.set_sku(sent.sku);
        request.set_hold_id(hold_id);
        request.add_lines()->set_units(sent.ask.units);
        for (const uint8_t location : sent.ask.candidates) request.add_candidate_location_ids(LocationOf(location));
        request.set_purpose(inventory::v1::HOLD_PURPOSE_CHECKOUT);
        request.mutable_owner()->set_ref(absl::StrCat("order/", hold_id));
        inventory::v1::ReserveStockResponse response;
        grpc::Status status = Call(&InventoryService::Stub::ReserveStock, request, &response);
        if (status.ok()) answer->location = LocationIn(response.hold());
        return status;
      }
      case Verb::kMove: {
        inventory::v1::MoveHoldRequest request;
        request.set_request_id(sent.request_id);
        request.set_sku(sent.sku);
        request.set_hold_id(hold_id);
        for (const uint8_t location : sent.ask.candidates) request.add_candidate_location_ids(LocationOf(location));
        inventory::v1::MoveHoldResponse response;
        grpc::Status status = Call(&InventoryService::Stub::MoveHold, request, &response);
        if (status.ok()) answer->location = LocationIn(response.hold());
        return status;
      }
      case Verb::kRelease: {
        inventory::v1::ReleaseHoldRequest request;
        request.set_request_id(sent.request_id);
        request.set_sku(sent.sku);
        request.set_hold_id(hold_id);
        inventory::v1::ReleaseHoldResponse response;
        return Call(&InventoryService::Stub::ReleaseHold, request, &response);
      }
      case Verb::kCommit: {
        inventory::v1::CommitHoldRequest request;
        request.set_request_id(sent.request_id);
        request.set_sku(sent.sku);
        request.set_hold_id(hold_id);
        request.set_order_id(absl::StrCat("order-", hold_id));
        inventory::v1::CommitHoldResponse response;
        return Call(&InventoryService::Stub::CommitHold, request, &response);
      }
      case Verb::kRead:
        break;
    }
    inventory::v1::GetAvailabilityRequest request;
    request.set_sku(sent.sku);
    request.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
    inventory::v1::GetAvailabilityResponse response;
    grpc::Status status = Call(&InventoryService::Stub::GetAvailability, request, &response);
    if (status.ok()) answer->levels = LevelsIn(response);
    return status;
  }

  // A read with the token of this client's last answer is never older than that answer.
  void ReadWithToken(const std::string& sku) {
    inventory::v1::GetAvailabilityRequest request;
    request.set_sku(sku);
    request.set_read_mode(inventory::v1::READ_MODE_TOKEN);
    request.set_consistency_token(token_[sku]);
    inventory::v1::GetAvailabilityResponse response;
    if (!Call(&InventoryService::Stub::GetAvailability, request, &response).ok()) return;
    const std::vector<std::string> parts = absl::StrSplit(response.as_of(), '@');
    uint64_t position = 0;
    ASSERT_TRUE(parts.size() == 2 && absl::SimpleAtoi(parts[1], &position)) << response.as_of();
    EXPECT_GE(position, read_at_[sku]) << "a read with a token went back";
    read_at_[sku] = position;
    ++token_reads_;
  }

  static std::optional<uint8_t> LocationIn(const inventory::v1::Hold& hold) {
    EXPECT_EQ(hold.allocations_size(), 1) << hold.ShortDebugString();
    for (uint8_t i = 0; i < kLocations; ++i) {
      if (hold.allocations_size() == 1 && hold.allocations(0).location_id() == LocationOf(i)) return i;
    }
    return std::nullopt;
  }
  static std::vector<StockLevel> LevelsIn(const inventory::v1::GetAvailabilityResponse& response) {
    std::vector<StockLevel> levels;
    for (const inventory::v1::StockLevel& level : response.levels()) {
      levels.push_back({static_cast<int32_t>(level.on_hand_units()), static_cast<int32_t>(level.held_units()),
                        static_cast<int32_t>(level.committed_units())});
    }
    return levels;
  }

  World& world_;
  const int number_;
  std::mt19937_64 random_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<InventoryService::Stub> stub_;
  std::map<std::string, std::vector<uint16_t>> mine_;
  std::map<std::string, std::string> token_;
  std::map<std::string, uint64_t> read_at_;
  std::optional<Sent> unknown_;
  int token_reads_ = 0;
};

void BringIn(const Program& program) {
  InventoryService::Stub stub(program.channel());
  for (const std::string& sku : Skus()) {
    for (uint8_t location = 0; location < kLocations; ++location) {
      inventory::v1::ReceiveStockRequest request;
      request.set_sku(sku);
      request.set_location_id(LocationOf(location));
      request.set_request_id(absl::StrCat("bring-in/", sku, "/", request.location_id()));
      request.set_units(kUnits);
      grpc::ClientContext context;
      inventory::v1::ReceiveStockResponse response;
      ASSERT_TRUE(stub.ReceiveStock(&context, request, &response).ok());
    }
  }
}

TEST(History, OfHotSkusIsLinearizableAcrossKills) {
  const uint64_t seed = FromEnvironment("HALLES_HISTORY_SEED", kDefaultSeed);
  printf("seed %lu (HALLES_HISTORY_SEED)\n", seed);
  World world;
  for (const std::string& sku : Skus()) world.holds[sku] = 0;
  std::vector<std::unique_ptr<Buyer>> buyers;
  for (int life = 0; life < kLives; ++life) {
    ASSERT_NO_FATAL_FAILURE(world.program.Start());
    if (life == 0) {
      ASSERT_NO_FATAL_FAILURE(BringIn(world.program));
      for (int i = 0; i < kClients; ++i) buyers.push_back(std::make_unique<Buyer>(&world, i, seed));
    }
    world.over = false;
    {
      MutexLock lock(&world.mutex);
      world.commands = 0;
      world.interrupted = false;
    }
    std::vector<std::thread> threads;
    for (const auto& buyer : buyers) threads.emplace_back([&buyer] { buyer->LiveUntilItIsOver(); });
    {
      MutexLock lock(&world.mutex);
      const auto enough = [&world]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return world.commands >= kCommandsPerLife || world.interrupted;
      };
      EXPECT_TRUE(world.mutex.AwaitWithTimeout(enough, Soon() - absl::Now())) << "no progress";
      EXPECT_FALSE(world.interrupted) << "a client got UNAVAILABLE";
    }
    if (life + 1 < kLives) {
      world.program.Kill();
      EXPECT_EQ(world.program.AwaitEnd(), -SIGKILL);
    }
    world.over = true;
    for (std::thread& thread : threads) thread.join();
    // In the last run, every repeated command gets an answer.
    if (life + 1 == kLives) {
      for (const auto& buyer : buyers) buyer->FinishWhatWasUnknown();
    }
  }

  std::vector<StockOperation> operations = world.history.operations();
  std::erase_if(operations, [](const StockOperation& operation) {
    return operation.input.verb == Verb::kRead && !operation.output.has_value();
  });
  const StockModel model(std::vector<StockLevel>(kLocations, {static_cast<int32_t>(kUnits), 0, 0}));
  const testing::LinearizabilityResult result = CheckLinearizability(model, operations);
  EXPECT_EQ(result.verdict, Linearizability::kYes) << result.explanation;
  size_t refused = 0;
  for (const StockOperation& operation : operations)
    refused += operation.output.has_value() && operation.output->refused;
  printf("%zu operations of %d clients on %zu SKUs, %zu refused, %zu of unknown outcome, %zu configurations\n",
         result.operations, kClients, Skus().size(), refused, result.unknown, result.configurations);
  EXPECT_GE(result.operations, static_cast<size_t>(kLives) * kCommandsPerLife / 2);
  EXPECT_GT(refused, 50u);
  EXPECT_GT(result.unknown, 0u);

  // The check notices a hold that was never made.
  const auto released = std::find_if(operations.begin(), operations.end(), [](const StockOperation& operation) {
    return operation.input.verb == Verb::kRelease && operation.output.has_value() && !operation.output->refused;
  });
  ASSERT_NE(released, operations.end());
  std::erase_if(operations, [sku = released->key, hold = released->input.hold](const StockOperation& operation) {
    return operation.key == sku && operation.input.verb == Verb::kReserve && operation.input.hold == hold;
  });
  EXPECT_EQ(CheckLinearizability(model, operations).verdict, Linearizability::kNo);
}

}  // namespace
}  // namespace halles::race
