// Two complete processes that contend for every slot of one log, in virtual time from a seed: records are lost, late,
// doubled and reordered, processes die, slots change hands, clocks jump and disks are slow. In the end both agree.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/eventlog/memory_connection.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/host.h"
#include "libs/partition/calls.h"
#include "libs/store/memory_disk.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "libs/telemetry/log.h"
#include "libs/testing/virtual_scheduler.h"
#include "services/checkout/test_builders.h"
#include "services/halles/all_services.h"
#include "services/inventory/state.h"

namespace halles {
namespace {

constexpr uint32_t kSlots = 2;
constexpr uint64_t kSkus = 4;
constexpr uint64_t kCarts = 40;
constexpr uint64_t kStepsOfTrouble = 60'000;
// Virtual time that a world without faults gets to come to rest.
constexpr int64_t kRestMicros = int64_t{3} * 3600 * 1'000'000;

using testing::VirtualScheduler;

eventlog::LogIdentity Identity() { return {.install = store::Install(5), .slots = SlotCounts(kSlots)}; }

class World;

// One process, which may die and come back with the disk that it had.
class Process {
 public:
  Process(World* world, int number) : world_(*world), number_(number), disk_(absl::StrCat("disk ", number)) {}
  ~Process() { Kill(); }

  void Start(partition::SlotRole role);
  void Kill();
  bool alive() const { return host_ != nullptr; }

  host::Host& host() { return *host_; }
  VirtualScheduler::Node& node() { return *node_; }
  store::MemoryDisk& disk() { return disk_; }
  eventlog::MemoryConnection& connection() { return *connection_; }
  partition::Runtime& runtime() { return *runtime_; }
  store::Store& store() { return *store_; }
  uint64_t life() const { return life_; }

 private:
  class Wire;

  void End();

  World& world_;
  const int number_;
  store::MemoryDisk disk_;
  uint64_t life_ = 0;  // counts starts
  std::unique_ptr<VirtualScheduler::Node> node_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<eventlog::MemoryConnection> connection_;
  std::unique_ptr<partition::Calls> wire_;
  std::unique_ptr<host::Host> host_;
  partition::Runtime* runtime_ = nullptr;
  store::Store* store_ = nullptr;
};

// The log, the network and both processes.
class World {
 public:
  explicit World(uint64_t seed) : random(seed), scheduler(seed), network_node_(&scheduler), log(Identity()) {
    network = network_node_.NewQueue("network");
    faults.append_timeout = absl::Seconds(2);
    for (int i = 0; i < 2; ++i) processes[static_cast<size_t>(i)] = std::make_unique<Process>(this, i);
  }
  ~World() {
    for (auto& process : processes) process.reset();
  }

  // The process that owns the slot, as far as it knows; else any that lives.
  Process* OwnerOf(SlotId slot) {
    for (auto& process : processes) {
      if (process->alive() && process->runtime().serving(slot)) return process.get();
    }
    Process* any = processes[random.Uniform(2)].get();
    return any->alive() ? any : nullptr;
  }

  template <typename Request>
  void Submit(Request request) {
    request.set_request_id(absl::StrCat("request-", next_++));
    Send(request, request.request_id());
    // A client that hears nothing asks again, and some ask twice anyway.
    if (random.Uniform(8) == 0) Send(request, request.request_id());
  }

  // What one visitor does.
  void Visit();
  // One thing that goes wrong.
  void Trouble();

  SeededRandom random;
  VirtualScheduler scheduler;
  VirtualScheduler::Node network_node_;
  std::unique_ptr<TaskQueue> network;
  eventlog::MemoryLog log;
  eventlog::ConnectionFaults faults;
  std::array<std::unique_ptr<Process>, 2> processes;
  std::set<std::pair<SlotId, std::string>> acknowledged;  // requests that must be in their slot's log
  uint64_t answers = 0;

 private:
  template <typename Request>
  void Send(Request request, const std::string& id) {
    for (auto& process : processes) {
      if (!process->alive()) continue;
      const partition::RegisteredCommand& registered = *process->host().FindCommand(Request::descriptor());
      const std::string key = registered.command->KeyOf(request);
      const SlotId slot = SlotOf(registered.service, "", key, kSlots);
      Process* owner = OwnerOf(slot);
      if (owner == nullptr) return;
      // Of these every success is a record of its own.
      constexpr bool kRecorded = std::is_same_v<Request, inventory::v1::ReceiveStockRequest> ||
                                 std::is_same_v<Request, checkout::v1::ImportOrderRequest>;
      owner->runtime().Submit(
          registered, key, std::move(request), {},
          [this, id, slot](const absl::StatusOr<google::protobuf::Message*>& response, partition::AnswerPosition at) {
            if (!response.ok()) return;
            ++answers;
            EXPECT_LE(at.position, log.End(slot).value());
            if (kRecorded) acknowledged.insert({slot, id});
          });
      return;
    }
  }

  uint64_t next_ = 0;
};

// Carries calls to whoever owns their target: late, lost or doubled.
class Process::Wire : public partition::Calls {
 public:
  Wire(World* world, const Process* from) : world_(*world), from_(*from), life_(from->life()) {}
  void Call(partition::OutgoingCall call, const partition::Command::Envelope& from, partition::CallDone done) override {
    partition::Command::Envelope envelope;
    envelope.tenant = from.tenant;
    envelope.actor = from.actor;
    for (uint64_t copies = world_.random.Uniform(20) == 0 ? world_.random.Uniform(3) : 1; copies > 0; --copies) {
      const absl::Duration delay = absl::Microseconds(static_cast<int64_t>(world_.random.Uniform(20'000)));
      world_.network->PostAfter(delay, [world = &world_, from = &from_, life = life_, call, envelope, done] {
        Process* target = world->OwnerOf(SlotOf(call.service, envelope.tenant, call.aggregate_key, kSlots));
        if (target == nullptr) return;
        target->runtime().Call(
            call, envelope,
            [from, life, done](absl::StatusOr<std::string> response, partition::AnswerPosition position) {
              // The answer to a process that is gone reaches nobody.
              if (from->alive() && from->life() == life) done(std::move(response), position);
            });
      });
    }
  }

 private:
  World& world_;
  const Process& from_;
  const uint64_t life_;
};

void Process::Start(partition::SlotRole role) {
  ++life_;
  const uint64_t seed = world_.random.Next64();
  node_ = std::make_unique<VirtualScheduler::Node>(&world_.scheduler);
  random_ = std::make_unique<SeededRandom>(seed);
  connection_ =
      std::make_unique<eventlog::MemoryConnection>(&world_.log, world_.network.get(), node_.get(), seed, world_.faults);
  wire_ = std::make_unique<Wire>(&world_, this);
  host::HostOptions options;
  options.log = connection_.get();
  options.open_store = [this]() -> absl::StatusOr<std::unique_ptr<store::Store>> {
    ASSIGN_OR_RETURN(const std::shared_ptr<store::DatabaseHome> home, disk_.Open());
    store::StoreOptions store_options = store::Quiet();
    store_options.scheduler = node_.get();
    return store::Store::OpenOn(home, Identity().install, store_options);
  };
  options.scheduler = node_.get();
  options.random = random_.get();
  options.request_key = "key";
  options.address = absl::StrCat("process ", number_);
  options.executors = 2;
  options.role = role;
  options.calls = wire_.get();
  options.definitions = program::AllServices();
  auto host = host::Host::Open(std::move(options));
  if (!host.ok()) {
    // A disk that fails while it is opened ends the process; somebody starts it again.
    EXPECT_EQ(host.status().code(), absl::StatusCode::kUnavailable) << host.status();
    End();
    return;
  }
  host_ = *std::move(host);
  ASSERT_TRUE(host_
                  ->With([this](host::Serving& serving) {
                    runtime_ = serving.runtime.get();
                    store_ = serving.store.get();
                  })
                  .ok());
}

void Process::Kill() {
  if (alive()) End();
}

void Process::End() {
  node_->Kill();
  runtime_ = nullptr;
  store_ = nullptr;
  host_.reset();
  connection_.reset();
  wire_.reset();
  random_.reset();
  node_.reset();
}

void World::Visit() {
  const std::string cart = absl::StrCat("cart-", random.Uniform(kCarts));
  const std::string sku = absl::StrCat("sku-", random.Uniform(kSkus));
  switch (random.Uniform(9)) {
    case 0: {
      inventory::v1::ReceiveStockRequest receive;
      receive.set_sku(sku);
      receive.set_location_id("shop-1");
      receive.set_units(static_cast<int64_t>(1 + random.Uniform(9)));
      return Submit(std::move(receive));
    }
    case 1:
    case 2:
    case 3: {
      checkout::v1::AddCartLinesRequest add;
      add.set_cart_id(cart);
      add.mutable_origin()->set_channel(common::v1::CHANNEL_WEB);
      add.mutable_origin()->set_site_id("web");
      add.set_currency_code("GBP");
      checkout::v1::CartLine& added = *add.add_lines();
      added.set_line_id(absl::StrCat("line-", next_));
      added.set_sku(sku);
      added.set_units(static_cast<int64_t>(1 + random.Uniform(3)));
      *added.mutable_unit_price() = checkout::Exact("2.55");
      *add.add_identifiers() = checkout::Customer(static_cast<char>('a' + random.Uniform(8)));
      Submit(std::move(add));
      checkout::v1::SetCartDeliveryRequest set;
      set.set_cart_id(cart);
      set.mutable_delivery()->mutable_carry_out()->set_location_id("shop-1");
      return Submit(std::move(set));
    }
    case 4:
    case 5: {
      checkout::v1::PlaceOrderRequest place;
      place.set_cart_id(cart);
      return Submit(std::move(place));
    }
    case 6: {
      checkout::v1::CollectFulfilmentRequest collect;
      collect.set_order_id(cart);
      collect.set_fulfilment_id("f1");
      return Submit(std::move(collect));
    }
    case 7: {
      checkout::v1::CancelOrderRequest cancel;
      cancel.set_order_id(cart);
      return Submit(std::move(cancel));
    }
    default: {
      checkout::v1::ImportRecord record =
          checkout::Record(absl::StrCat("order-", next_), {checkout::Sold(sku, "2")}, static_cast<int>(next_ % 5000));
      *record.add_identifiers() = checkout::Customer(static_cast<char>('a' + random.Uniform(8)));
      *record.add_identifiers() = checkout::Phone(static_cast<char>('a' + random.Uniform(8)));
      return Submit(checkout::Import(record));
    }
  }
}

void World::Trouble() {
  Process& process = *processes[random.Uniform(2)];
  switch (random.Uniform(8)) {
    case 0:
      process.Kill();
      return;
    case 1:
    case 2:
      if (!process.alive()) {
        process.Start(random.Uniform(2) == 0 ? partition::SlotRole::kOwner : partition::SlotRole::kStandby);
      }
      return;
    case 3:
    case 4: {
      constexpr std::array kServices = {ServiceId::kCheckout, ServiceId::kInventory, ServiceId::kCustomerIdentity};
      if (process.alive()) {
        process.runtime().TakeOver(
            {kServices[random.Uniform(kServices.size())], static_cast<uint16_t>(random.Uniform(kSlots))});
      }
      return;
    }
    case 5:
      if (process.alive()) process.node().JumpWall(static_cast<int64_t>(random.Uniform(2'000'000)) - 1'000'000);
      return;
    case 6:
      process.disk().SetWriteDelay(absl::Milliseconds(static_cast<int64_t>(random.Uniform(50))));
      if (process.alive()) process.store().FlushAsync([](const absl::Status&) {});
      return;
    default:
      if (random.Uniform(2) == 0) {
        process.disk().FailNextRead();
      } else {
        process.disk().FailNextWrite();
      }
      return;
  }
}

// Every accepted batch of a slot.
std::vector<log::v1::Batch> Batches(eventlog::MemoryLog& log, SlotId slot) {
  std::vector<log::v1::Batch> batches;
  std::vector<eventlog::StoredRecord> records;
  auto reader = log.NewReader(slot, 0);
  EXPECT_TRUE((*reader)->Poll({.records_max = 1'000'000, .bytes_max = size_t{1} << 30}, &records).ok());
  eventlog::Cursor cursor = eventlog::GenesisCursor(log.identity(), slot);
  for (const eventlog::StoredRecord& record : records) {
    const auto judgement = eventlog::Adjudicate(record.bytes, record.position, &cursor);
    EXPECT_TRUE(judgement.ok()) << judgement.status();
    if (!judgement.ok()) break;
    log::v1::RecordBody body;
    if (judgement->verdict != eventlog::Verdict::kAccepted ||
        !body.ParseFromArray(judgement->body.data(), static_cast<int>(judgement->body.size())) || !body.has_batch()) {
      continue;
    }
    batches.push_back(std::move(*body.mutable_batch()));
  }
  return batches;
}

class WorldTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(WorldTest, KeepsWhatItAcknowledgedAndComesToOneState) {
  telemetry::SetLogLevel(telemetry::LogLevel::kError);
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  World world(GetParam());
  world.faults.stall = world.faults.lose = world.faults.land_late = 2'000;
  world.faults.land_twice = world.faults.overtake = world.faults.lose_report = 2'000;
  world.faults.hide_position = world.faults.hold_report = world.faults.refuse = 2'000;
  world.faults.reset = 500;
  world.faults.fail_read = 1'000;
  world.processes[0]->Start(partition::SlotRole::kOwner);
  world.processes[1]->Start(partition::SlotRole::kStandby);
  for (uint64_t step = 0; step < kStepsOfTrouble; ++step) {
    if (world.random.Uniform(40) == 0) world.Visit();
    if (world.random.Uniform(2'000) == 0) world.Trouble();
    if (!world.scheduler.Step()) world.Visit();
  }

  // The faults end, both live, and whatever was begun comes to its end.
  world.faults = eventlog::ConnectionFaults();
  for (auto& process : world.processes) {
    process->disk().SetWriteDelay(absl::ZeroDuration());
    while (!process->alive()) process->Start(partition::SlotRole::kStandby);
    process->connection().SetFaults(world.faults);
  }
  world.scheduler.Advance(60'000'000);
  for (const ServiceId service : {ServiceId::kCheckout, ServiceId::kInventory, ServiceId::kCustomerIdentity}) {
    for (uint16_t number = 0; number < kSlots; ++number) {
      const SlotId slot{service, number};
      bool owned = false;
      for (auto& process : world.processes) owned = owned || process->runtime().serving(slot);
      if (!owned) world.processes[0]->runtime().TakeOver(slot);
    }
  }
  world.scheduler.Advance(kRestMicros);

  std::array<std::map<store::FoldId, store::FoldMeta>, 2> metas;
  for (size_t i = 0; i < 2; ++i) {
    Process& process = *world.processes[i];
    EXPECT_EQ(process.host().counters().stopped_slots.load(), 0u) << "process " << i;
    EXPECT_TRUE(process.host().caught_up()) << "process " << i;
    absl::Status flushed = absl::UnknownError("the flush does not end");
    process.store().FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
    world.scheduler.Advance(1'000'000);
    EXPECT_TRUE(flushed.ok()) << flushed;
    metas[i] = process.store().LoadMetas().value();
  }
  ASSERT_EQ(metas[0].size(), metas[1].size());
  for (const auto& [fold, meta] : metas[0]) {
    EXPECT_EQ(meta.cursor.next, metas[1].at(fold).cursor.next) << fold.ToString();
    EXPECT_EQ(meta.digest, metas[1].at(fold).digest) << fold.ToString();
  }

  size_t records = 0;
  std::map<SlotId, std::set<std::string>> requests;
  for (const ServiceId service : {ServiceId::kCheckout, ServiceId::kInventory, ServiceId::kCustomerIdentity}) {
    for (uint16_t number = 0; number < kSlots; ++number) {
      const SlotId slot{service, number};
      // A request id is executed once by its aggregate.
      std::map<std::string, int> executed;
      for (const log::v1::Batch& batch : Batches(world.log, slot)) {
        ++records;
        if (batch.request_id().empty() || batch.events().empty()) continue;
        requests[slot].insert(batch.request_id());
        EXPECT_EQ(++executed[absl::StrCat(batch.events(0).aggregate_id(), " ", batch.request_id())], 1);
      }
    }
  }
  for (const auto& [slot, request] : world.acknowledged) {
    EXPECT_TRUE(requests[slot].contains(request)) << slot.ToString() << " has lost " << request;
  }
  // Held plus committed is at most what is on hand, at every location of every SKU.
  for (auto& process : world.processes) {
    for (uint64_t sku = 0; sku < kSkus; ++sku) {
      const std::string name = absl::StrCat("sku-", sku);
      process->runtime().Query(process->runtime().SlotFor(ServiceId::kInventory, "", name), 0, kNoDeadline,
                               [&name](absl::StatusOr<const store::RowReader*> rows, Position) {
                                 ASSERT_TRUE(rows.ok()) << rows.status();
                                 inventory::kLevels.ForEach(
                                     **rows,
                                     [&](const inventory::LevelKey&, const inventory::rows::LevelRow& level, Position) {
                                       EXPECT_LE(level.held() + level.committed(), level.on_hand()) << name;
                                       return true;
                                     },
                                     Sku::FromString(name));
                               });
    }
  }
  world.scheduler.RunReady();
  EXPECT_GT(world.answers, 0u);
  printf("seed %llu: %llu steps, %zu records, %llu answers, %zu acknowledged\n",
         static_cast<unsigned long long>(GetParam()), static_cast<unsigned long long>(world.scheduler.steps()), records,
         static_cast<unsigned long long>(world.answers), world.acknowledged.size());
}

// HALLES_WORLD_SEEDS=FROM:COUNT runs others.
std::vector<uint64_t> Seeds() {
  uint64_t from = 1;
  uint64_t count = 4;
  if (const char* asked = std::getenv("HALLES_WORLD_SEEDS"); asked != nullptr) {
    const std::string text = asked;
    const size_t colon = text.find(':');
    if (!absl::SimpleAtoi(text.substr(0, colon), &from)) from = 1;
    if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &count)) count = 1;
  }
  std::vector<uint64_t> seeds;
  for (uint64_t i = 0; i < count; ++i) seeds.push_back(from + i);
  return seeds;
}

INSTANTIATE_TEST_SUITE_P(Seeds, WorldTest, ::testing::ValuesIn(Seeds()));

}  // namespace
}  // namespace halles
