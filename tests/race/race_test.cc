// Thousands of buyers race for ten units of the real halles, which is killed in the middle.
#include "services/hallesctl/race/race.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "halles/inventory/v1/inventory_service.grpc.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/timestamp.h"
#include "tests/durability/program.h"

namespace halles::race {
namespace {

using durability::FromEnvironment;
using durability::Program;
using durability::Soon;
using hallesctl::RaceObserver;
using hallesctl::RaceOptions;
using hallesctl::RaceResult;
using inventory::v1::InventoryService;

constexpr int64_t kUnits = 10;
constexpr int kConnections = 8;
constexpr const char* kLocation = "shop-1";

template <typename Request, typename Response>
Response Ask(const Program& program,
             grpc::Status (InventoryService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
             const Request& request) {
  InventoryService::Stub stub(program.channel());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(Soon()));
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

inventory::v1::StockLevel LevelOf(const Program& program, const std::string& sku) {
  inventory::v1::GetAvailabilityRequest request;
  request.set_sku(sku);
  request.set_read_mode(inventory::v1::READ_MODE_LINEARIZABLE);
  const auto there = Ask(program, &InventoryService::Stub::GetAvailability, request);
  EXPECT_EQ(there.levels_size(), 1);
  return there.levels_size() == 1 ? there.levels(0) : inventory::v1::StockLevel();
}

void BringIn(const Program& program, const std::string& sku) {
  inventory::v1::ReceiveStockRequest request;
  request.set_request_id(absl::StrCat("bring-in/", sku));
  request.set_sku(sku);
  request.set_location_id(kLocation);
  request.set_units(kUnits);
  Ask(program, &InventoryService::Stub::ReceiveStock, request);
}

// A buyer who puts the unit into a cart and never returns.
void TakeAndLeave(const Program& program, const std::string& sku, int who, absl::Duration hold_for) {
  inventory::v1::ReserveStockRequest request;
  request.set_request_id(absl::StrCat("leave/", sku, "/", who));
  request.set_sku(sku);
  request.set_hold_id(absl::StrCat("left-", who));
  request.add_lines()->set_units(1);
  request.add_candidate_location_ids(kLocation);
  request.set_purpose(inventory::v1::HOLD_PURPOSE_CART);
  request.mutable_owner()->set_ref(absl::StrCat("cart/left-", who));
  *request.mutable_expire_time() = TimestampOf(absl::Now() + hold_for);
  Ask(program, &InventoryService::Stub::ReserveStock, request);
}

// Kills the program once, on demand, and restarts it on its own thread.
class Killer {
 public:
  explicit Killer(Program* program) : program_(*program), thread_([this] { Run(); }) {}
  ~Killer() {
    {
      MutexLock lock(&mutex_);
      ended_ = true;
    }
    thread_.join();
  }
  void Now() {
    MutexLock lock(&mutex_);
    asked_ = true;
  }
  // True when the program was killed and serves again; false when no kill was requested in time.
  bool AwaitKilled() {
    MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return killed_; }, Soon() - absl::Now());
  }

 private:
  void Run() {
    {
      MutexLock lock(&mutex_);
      mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return asked_ || ended_; });
      if (!asked_) return;
    }
    program_.Kill();
    EXPECT_EQ(program_.AwaitEnd(), -SIGKILL);
    program_.Start();
    MutexLock lock(&mutex_);
    killed_ = true;
    // PR_SET_PDEATHSIG ends the process with the thread that started it.
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; });
  }

  Program& program_;
  Mutex mutex_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool killed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

RaceResult RaceOn(Program* program, const RaceOptions& options, const RaceObserver& observer) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < kConnections; ++i) channels.push_back(program->NewChannel());
  const absl::StatusOr<RaceResult> result = RunRace(options, channels, observer);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : RaceResult();
}

void ExpectTenSold(const Program& program, const RaceOptions& options, const RaceResult& result) {
  EXPECT_EQ(result.faults, std::vector<std::string>());
  EXPECT_EQ(result.won, kUnits);
  EXPECT_EQ(result.refused, options.buyers - kUnits);
  EXPECT_EQ(result.unanswered, 0);
  const inventory::v1::StockLevel level = LevelOf(program, options.sku);
  EXPECT_EQ(level.on_hand_units(), kUnits);
  EXPECT_EQ(level.committed_units(), kUnits);
  EXPECT_EQ(level.held_units(), 0);
  EXPECT_EQ(level.available_units(), 0);
  // Each unit is committed to one winner.
  for (const std::string& winner : result.winners) {
    inventory::v1::GetHoldRequest request;
    request.set_sku(options.sku);
    request.set_hold_id(winner);
    const auto hold = Ask(program, &InventoryService::Stub::GetHold, request);
    EXPECT_EQ(hold.hold().state(), inventory::v1::HOLD_STATE_COMMITTED) << winner;
  }
  // No further unit can be sold.
  EXPECT_EQ(result.winners.size(), static_cast<size_t>(kUnits));
  printf("%s: %ld buyers, at most %ld calls in flight, %ld calls of which %ld again, %ld copies compared, %s\n",
         options.sku.c_str(), options.buyers, result.in_flight_max, result.calls, result.retries, result.copies,
         absl::FormatDuration(result.took).c_str());
}

TEST(Race, SellsTenUnitsToTenOfFiveThousandBuyersAcrossAKill) {
  Program program;
  ASSERT_NO_FATAL_FAILURE(program.Start());
  RaceOptions options;
  options.sku = "race-1";
  options.location_id = kLocation;
  options.units = 0;
  options.buyers = static_cast<int64_t>(FromEnvironment("HALLES_BUYERS", 5000));
  options.copies_max = 5;
  BringIn(program, options.sku);
  // Abandoned carts hold all units. They are free again after the holds expire, even across a restart.
  for (int i = 0; i < kUnits; ++i) TakeAndLeave(program, options.sku, i, absl::Seconds(5));
  EXPECT_EQ(LevelOf(program, options.sku).held_units(), kUnits);
  program.Kill();
  ASSERT_EQ(program.AwaitEnd(), -SIGKILL);
  ASSERT_NO_FATAL_FAILURE(program.Start());
  for (const absl::Time deadline = Soon(); LevelOf(program, options.sku).held_units() > 0;) {
    ASSERT_LT(absl::Now(), deadline) << "holds do not end";
  }

  Killer killer(&program);
  RaceObserver observer;
  // As soon as a buyer has a hold, when commits and most answers are still outstanding.
  observer.answered = [&killer](int64_t, int64_t held) {
    if (held > 0) killer.Now();
  };
  const RaceResult result = RaceOn(&program, options, observer);
  EXPECT_TRUE(killer.AwaitKilled());
  EXPECT_GT(result.retries, 0);
  EXPECT_GT(result.copies, kUnits);
  ExpectTenSold(program, options, result);
}

TEST(Race, KeepsHoldsWhenKilledBetweenHoldAndCommit) {
  Program program;
  ASSERT_NO_FATAL_FAILURE(program.Start());
  RaceOptions options;
  options.sku = "race-2";
  options.location_id = kLocation;
  options.units = kUnits;
  options.buyers = 50;
  options.think = absl::Seconds(1);
  Killer killer(&program);
  RaceObserver observer;
  observer.answered = [&killer](int64_t, int64_t held) {
    if (held == kUnits) killer.Now();
  };
  const RaceResult result = RaceOn(&program, options, observer);
  EXPECT_TRUE(killer.AwaitKilled());
  ExpectTenSold(program, options, result);
}

TEST(Race, CanBeRunByTheOperator) {
  Program program;
  ASSERT_NO_FATAL_FAILURE(program.Start());
  const auto race = [&program](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {
        durability::Folder("HALLES_BIN") + "/hallesctl", "--target", program.address(), "--output", "json", "race"};
    command.insert(command.end(), flags.begin(), flags.end());
    durability::Process process(command, durability::Process::Read::kOutput);
    std::string json = process.ReadLineWith("won", Soon());
    EXPECT_EQ(process.Wait(Soon()), 0) << process.seen();
    return json;
  };
  const std::string many = race({"--buyers", "200", "--units", "10", "--copies", "3"});
  EXPECT_NE(many.find("\"won\":10,\"refused\":190,\"unanswered\":0,\"in_flight_max\":"), std::string::npos) << many;
  EXPECT_NE(many.find("\"on_hand\":10,\"held\":0,\"committed\":10"), std::string::npos) << many;
  const std::string few = race({"--buyers", "3", "--units", "10"});
  EXPECT_NE(few.find("\"won\":3,\"refused\":0,"), std::string::npos) << few;
}

}  // namespace
}  // namespace halles::race
