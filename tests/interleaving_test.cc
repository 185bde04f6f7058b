// Views do not depend on the order in which the logs of their sources come: a hundred orders give the same digests.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/host.h"
#include "libs/partition/command.h"
#include "libs/partition/runtime.h"
#include "libs/projection/reactor.h"
#include "libs/projection/source_reader.h"
#include "libs/projection/view_follower.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "services/checkout/definition.h"
#include "services/checkout/test_builders.h"
#include "services/customer_identity/definition.h"

namespace halles {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr uint64_t kWorldSeed = 20;
constexpr int kSales = 150;
constexpr int kInterleavings = 100;

using Digests = std::map<store::FoldId, store::FoldMeta>;
// Every record of every slot.
using Records = std::map<SlotId, std::vector<std::string>>;

host::Definitions Services() {
  host::Definitions definitions;
  checkout::Define(&definitions);
  customer_identity::Define(&definitions);
  return definitions;
}

eventlog::LogIdentity Identity() { return {.install = store::Install(5), .slots_per_service = 4}; }

// Waits for something that is told once.
class Told {
 public:
  void Tell(absl::Status status) {
    MutexLock lock(&mutex_);
    told_ = true;
    status_ = std::move(status);
  }
  absl::Status Await() {
    MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return told_; }, kPatience)) {
      return absl::DeadlineExceededError("waited in vain");
    }
    return status_;
  }

 private:
  Mutex mutex_;
  bool told_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// The logs of a small shop, recorded by the real services: customers under several identifiers that are linked late,
// returns that come before and after their orders, returns that name nobody.
class Shop {
 public:
  explicit Shop(uint64_t seed) : random_(seed), log_(Identity()) {
    auto store = store::Store::Open(dir_.State(), Identity().install, store::Quiet());
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    const host::Definitions definitions = Services();
    partition::RuntimeOptions options;
    options.log = &log_;
    options.store = store_.get();
    options.clock = &clock_;
    options.instance = InstanceId::Random(random_);
    options.services = definitions.services;
    options.counters = &counters_;
    auto runtime = partition::Runtime::Start(std::move(options));
    EXPECT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
    EXPECT_TRUE(runtime_->AwaitSettled(kPatience));
    for (const projection::ReactionDefinition& reaction : definitions.reactions) {
      auto reactor = projection::Reactor::Start(reaction, &log_, runtime_.get());
      EXPECT_TRUE(reactor.ok()) << reactor.status();
      reactors_.push_back(*std::move(reactor));
    }
  }
  ~Shop() {
    for (const auto& reactor : reactors_) reactor->Stop();
    runtime_->Drain(kPatience);
    runtime_.reset();
  }

  void Trade(int sales) {
    for (int i = 0; i < sales; ++i) {
      // A return may name an order that comes later, or never.
      const std::string named = absl::StrCat("order-", random_.Uniform(static_cast<uint64_t>(sales)));
      if (random_.Uniform(3) == 0) {
        const auto record = Sale(absl::StrCat("return-", i), checkout::Back("sku", "1"), i);
        const std::string key = checkout::ReturnIdOf("", record.external()).ToString();
        Submit<checkout::v1::ImportReturnResponse>(key, checkout::ImportReturn(record, named));
      } else {
        const auto record = Sale(absl::StrCat("order-", i), checkout::Sold("sku", "2"), i);
        const std::string key = checkout::OrderIdOf("", record.external()).ToString();
        Submit<checkout::v1::ImportOrderResponse>(key, checkout::Import(record));
      }
    }
    AwaitReactions();
  }

  Records Recorded() {
    Records records;
    for (ServiceId service : {ServiceId::kCheckout, ServiceId::kCustomerIdentity}) {
      for (uint16_t number = 0; number < Identity().slots_per_service; ++number) {
        const SlotId slot{service, number};
        std::vector<eventlog::StoredRecord> stored;
        auto reader = log_.NewReader(slot, 0);
        EXPECT_TRUE((*reader)->Poll({.records_max = 100'000}, &stored).ok());
        for (eventlog::StoredRecord& record : stored) records[slot].push_back(std::move(record.bytes));
      }
    }
    return records;
  }

 private:
  checkout::v1::ImportRecord Sale(const std::string& id, checkout::v1::ImportLine line, int minute) {
    checkout::v1::ImportRecord record = checkout::Record(id, {std::move(line)}, minute * 1000);
    record.set_structure_id(absl::StrCat("shop-", random_.Uniform(3)));
    // Few people, each with a phone and a number; both are seen together only now and then.
    const char who = static_cast<char>('a' + random_.Uniform(8));
    const uint64_t seen = random_.Uniform(6);
    if (seen >= 1) *record.add_identifiers() = checkout::Customer(who);
    if (seen == 2) *record.add_identifiers() = checkout::Phone(who);
    if (seen == 3) *record.mutable_identifiers(0) = checkout::Phone(who);
    return record;
  }

  template <typename Response, typename Request>
  void Submit(const std::string& key, Request request) {
    const auto told = std::make_shared<Told>();
    const typename partition::TypedCommand<Request, Response, checkout::v1::OrderEvent>::DecideFunction decide =
        &checkout::Decide;
    request.set_request_id(absl::StrCat("request-", next_++));
    const std::string id = request.request_id();
    auto command = std::make_unique<partition::TypedCommand<Request, Response, checkout::v1::OrderEvent>>(
        std::move(request), decide, checkout::kOrder,
        [told](absl::StatusOr<Response> response, partition::AnswerPosition) { told->Tell(response.status()); });
    command->envelope.request_id = id;
    runtime_->Submit(runtime_->SlotFor(ServiceId::kCheckout, "", key), std::move(command));
    const absl::Status status = told->Await();
    EXPECT_TRUE(status.ok()) << status;
  }

  void AwaitReactions() {
    // Reactions make records that are reacted to.
    for (bool grown = true; grown;) {
      TokenPositions ends = Ends();
      for (const auto& reactor : reactors_) {
        const auto told = std::make_shared<Told>();
        reactor->WhenReached(ends, absl::Now() + kPatience, [told](absl::Status status) { told->Tell(status); });
        EXPECT_TRUE(told->Await().ok());
      }
      grown = Ends() != ends;
    }
  }
  TokenPositions Ends() {
    TokenPositions ends;
    for (const auto& reactor : reactors_) {
      for (const auto& [slot, unused] : reactor->positions()) ends[slot] = log_.End(slot).value();
    }
    return ends;
  }

  store::TempDir dir_;
  SeededRandom random_;
  ManualClock clock_;
  partition::RuntimeCounters counters_;
  eventlog::MemoryLog log_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<partition::Runtime> runtime_;
  std::vector<std::unique_ptr<projection::Reactor>> reactors_;
  int next_ = 0;
};

// Every view of the services, followed by the real followers from a log that grows as the test says.
class Views {
 public:
  Views() : log_(Identity()) { Start(); }

  void Append(SlotId slot, const std::string& bytes) { log_.Inject(slot, bytes); }
  // Every view has projected all there is.
  void Await() {
    for (const auto& follower : followers_) {
      TokenPositions ends;
      for (const auto& [slot, unused] : follower->positions()) ends[slot] = log_.End(slot).value();
      const auto told = std::make_shared<Told>();
      follower->WhenReached(ends, absl::Now() + kPatience, [told](absl::Status status) { told->Tell(status); });
      EXPECT_TRUE(told->Await().ok()) << follower->definition().FullName();
    }
  }
  // The process ends, with or without a flush before.
  void Restart(bool flush) {
    if (flush) {
      EXPECT_TRUE(store_->FlushNow().ok());
    }
    followers_.clear();
    store_.reset();
    Start();
  }
  Digests Stored() {
    EXPECT_TRUE(store_->FlushNow().ok());
    return store_->LoadMetas().value();
  }

 private:
  void Start() {
    auto store = store::Store::Open(dir_.State(), Identity().install, store::Quiet());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    for (const projection::ViewDefinition& view : Services().views) {
      auto follower = projection::ViewFollower::Start(view, &log_, store_.get());
      ASSERT_TRUE(follower.ok()) << follower.status();
      followers_.push_back(*std::move(follower));
    }
  }

  store::TempDir dir_;
  eventlog::MemoryLog log_;
  std::unique_ptr<store::Store> store_;
  std::vector<std::unique_ptr<projection::ViewFollower>> followers_;
};

// One slot after the other.
Digests InOrder(const Records& records) {
  Views views;
  for (const auto& [slot, bytes] : records) {
    for (const std::string& record : bytes) views.Append(slot, record);
    views.Await();
  }
  return views.Stored();
}

Digests Interleaved(const Records& records, uint64_t seed) {
  SeededRandom random(seed);
  Views views;
  std::map<SlotId, size_t> next;
  std::vector<SlotId> open;
  for (const auto& [slot, bytes] : records) {
    if (!bytes.empty()) open.push_back(slot);
  }
  while (!open.empty()) {
    const size_t pick = random.Uniform(open.size());
    const SlotId slot = open[pick];
    const std::vector<std::string>& bytes = records.at(slot);
    for (uint64_t run = 1 + random.Uniform(12); run > 0 && next[slot] < bytes.size(); --run) {
      views.Append(slot, bytes[next[slot]++]);
    }
    if (next[slot] == bytes.size()) open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    if (random.Uniform(3) == 0) views.Await();
    if (random.Uniform(40) == 0) views.Restart(/*flush=*/random.Uniform(2) == 0);
  }
  views.Await();
  return views.Stored();
}

// What there is in the logs, by name.
std::map<std::string, int> KindsOf(const Records& records) {
  std::map<std::string, int> kinds;
  eventlog::MemoryLog log(Identity());
  for (const auto& [slot, all] : records) {
    for (const std::string& bytes : all) log.Inject(slot, bytes);
    projection::SourceReader reader(&log, slot, eventlog::GenesisCursor(Identity(), slot));
    projection::SourceBatches batches;
    EXPECT_TRUE(reader.Read(100'000, 100'000, &batches).ok());
    for (const auto& record : batches) {
      for (const log::v1::Event& event : record->batch.events()) {
        if (slot.service == ServiceId::kCheckout) {
          checkout::v1::OrderEvent order;
          EXPECT_TRUE(order.ParseFromString(event.payload()));
          if (order.has_order_imported()) ++kinds["order"];
          if (order.has_return_imported()) ++kinds["return"];
          if (order.has_return_awaited()) ++kinds["awaited"];
          if (order.has_return_linked()) ++kinds["linked"];
          if (order.has_return_linked() && order.return_linked().has_customer()) ++kinds["linked to a customer"];
        } else {
          customer_identity::v1::IdentityEvent identity;
          EXPECT_TRUE(identity.ParseFromString(event.payload()));
          if (identity.has_identifier_observed()) ++kinds["observed"];
          if (identity.has_identifiers_linked()) ++kinds["identifiers linked"];
        }
      }
    }
  }
  return kinds;
}

TEST(Interleaving, OfTheSourceLogsDoesNotShowInAnyView) {
  Records records;
  {
    Shop shop(kWorldSeed);
    shop.Trade(kSales);
    records = shop.Recorded();
  }
  const std::map<std::string, int> kinds = KindsOf(records);
  for (const char* kind :
       {"order", "return", "awaited", "linked", "linked to a customer", "observed", "identifiers linked"}) {
    EXPECT_GT(kinds.count(kind) == 0 ? 0 : kinds.at(kind), 2) << kind;
  }

  const Digests expected = InOrder(records);
  ASSERT_EQ(expected.size(), 12u) << "the totals of four slots, the customers of eight";
  size_t with_rows = 0;
  for (const auto& [fold, meta] : expected) with_rows += meta.digest != store::Digest() ? 1 : 0;
  EXPECT_EQ(with_rows, 9u) << "the realm is one slot";
  for (uint64_t seed = 1; seed <= kInterleavings; ++seed) {
    const Digests found = Interleaved(records, seed);
    ASSERT_EQ(found.size(), expected.size()) << "seed " << seed;
    for (const auto& [fold, meta] : expected) {
      ASSERT_EQ(found.at(fold).digest, meta.digest) << "seed " << seed << ": " << fold.ToString();
      ASSERT_EQ(found.at(fold).cursor, meta.cursor) << "seed " << seed << ": " << fold.ToString();
    }
  }
}

}  // namespace
}  // namespace halles
