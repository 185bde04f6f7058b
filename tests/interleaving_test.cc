// Views do not depend on the order in which the logs of their sources come: a hundred orders give the same digests.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/message.h"
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
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"
#include "services/checkout/test_builders.h"
#include "services/customer_identity/definition.h"
#include "services/customer_identity/projection.h"
#include "services/inventory/commands.h"
#include "services/inventory/definition.h"

namespace halles {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr uint64_t kWorldSeed = 20;
constexpr int kSales = 150;
constexpr int kVisits = 240;
constexpr int kInterleavings = 100;

using Digests = std::map<store::FoldId, store::FoldMeta>;
// Every record of every slot.
using Records = std::map<SlotId, std::vector<std::string>>;

host::Definitions Services() {
  host::Definitions definitions;
  checkout::Define(&definitions);
  customer_identity::Define(&definitions);
  inventory::Define(&definitions);
  return definitions;
}

// What there is in the logs, by the name of its field; and how much of it names a customer.
std::map<std::string, int> KindsOf(const Records& records);

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
// returns that come before and after their orders, returns that name nobody; carts that are merged, held for and ordered,
// orders that are handed over, taken back and cancelled.
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
        Record<checkout::v1::ImportReturnResponse>(key, checkout::ImportReturn(record, named));
      } else {
        const auto record = Sale(absl::StrCat("order-", i), checkout::Sold("sku", "2"), i);
        const std::string key = checkout::OrderIdOf("", record.external()).ToString();
        Record<checkout::v1::ImportOrderResponse>(key, checkout::Import(record));
      }
    }
    AwaitReactions();
  }

  // What people do who come in or look at the site. Some of it is refused, as it is in shops.
  void Open(int visits) {
    for (uint64_t sku = 0; sku < kSkus; ++sku) {
      inventory::v1::ReceiveStockRequest receive;
      receive.set_sku(absl::StrCat("sku-", sku));
      receive.set_location_id("shop-1");
      receive.set_units(60);
      Stock<inventory::v1::ReceiveStockResponse>(std::move(receive));
    }
    for (int i = 0; i < visits; ++i) {
      clock_.Advance(1'000'000);
      Visit(absl::StrCat("cart-", random_.Uniform(kCarts)));
    }
    clock_.Advance(int64_t{3600} * 1'000'000);  // whatever is held still expires
    const absl::Time deadline = absl::Now() + kPatience;
    while (KindsOf(Recorded())["hold_expired"] < 3) {
      ASSERT_LT(absl::Now(), deadline) << "no hold expires";
      std::this_thread::yield();
    }
    AwaitReactions();
  }

  Records Recorded() {
    Records records;
    for (ServiceId service : {ServiceId::kCheckout, ServiceId::kInventory, ServiceId::kCustomerIdentity}) {
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
    record.set_site_id(absl::StrCat("shop-", random_.Uniform(3)));
    // Few people, each with a phone and a number; both are seen together only now and then.
    const char who = static_cast<char>('a' + random_.Uniform(8));
    const uint64_t seen = random_.Uniform(6);
    if (seen >= 1) *record.add_identifiers() = checkout::Customer(who);
    if (seen == 2) *record.add_identifiers() = checkout::Phone(who);
    if (seen == 3) *record.mutable_identifiers(0) = checkout::Phone(who);
    return record;
  }

  static constexpr uint64_t kSkus = 6;
  static constexpr uint64_t kCarts = 24;

  void Visit(const std::string& cart) {
    switch (random_.Uniform(8)) {
      case 0:
      case 1:
      case 2:
        return Fill(cart);
      case 3: {
        checkout::v1::MergeCartsRequest merge;
        merge.set_cart_id(cart);
        merge.set_into_cart_id(absl::StrCat("cart-", random_.Uniform(kCarts)));
        Record<checkout::v1::MergeCartsResponse>(cart, std::move(merge));
        return AwaitReactions();
      }
      case 4:
        return Hold();
      case 5:
      case 6:
        return Place(cart);
      default:
        return Fulfil(cart);
    }
  }

  common::v1::Identifier Somebody() {
    const char who = static_cast<char>('a' + random_.Uniform(8));
    return random_.Uniform(3) == 0 ? checkout::Phone(who) : checkout::Customer(who);
  }

  void Fill(const std::string& cart) {
    checkout::v1::AddCartLinesRequest add;
    add.set_cart_id(cart);
    add.mutable_origin()->set_channel(common::v1::CHANNEL_WEB);
    add.mutable_origin()->set_site_id("web");
    add.set_currency_code("GBP");
    for (uint64_t line = 1 + random_.Uniform(2); line > 0; --line) {
      checkout::v1::CartLine& added = *add.add_lines();
      added.set_line_id(absl::StrCat("line-", next_, "-", line));
      added.set_sku(absl::StrCat("sku-", random_.Uniform(kSkus)));
      added.set_units(static_cast<int64_t>(1 + random_.Uniform(3)));
      *added.mutable_unit_price() = checkout::Exact("2.55");
    }
    if (random_.Uniform(3) > 0) *add.add_identifiers() = Somebody();
    Record<checkout::v1::AddCartLinesResponse>(cart, std::move(add));
    checkout::v1::SetCartDeliveryRequest set;
    set.set_cart_id(cart);
    set.mutable_delivery()->mutable_carry_out()->set_location_id("shop-1");
    Record<checkout::v1::SetCartDeliveryResponse>(cart, std::move(set));
  }

  void Hold() {
    inventory::v1::ReserveStockRequest reserve;
    reserve.set_sku(absl::StrCat("sku-", random_.Uniform(kSkus)));
    reserve.set_hold_id(absl::StrCat("hold-", next_));
    reserve.add_lines()->set_units(1);
    reserve.add_candidate_location_ids("shop-1");
    reserve.set_purpose(inventory::v1::HOLD_PURPOSE_DATED_PICKUP);
    reserve.mutable_owner()->set_ref("pickup/1");
    if (random_.Uniform(4) > 0) *reserve.mutable_owner()->mutable_customer() = Somebody();
    reserve.mutable_expire_time()->set_seconds(clock_.Wall() / 1'000'000 + 600);
    inventory::v1::ReleaseHoldRequest release;
    release.set_sku(reserve.sku());
    release.set_hold_id(reserve.hold_id());
    Stock<inventory::v1::ReserveStockResponse>(std::move(reserve));
    if (random_.Uniform(2) == 0) Stock<inventory::v1::ReleaseHoldResponse>(std::move(release));
  }

  void Place(const std::string& cart) {
    checkout::v1::PlaceOrderRequest place;
    place.set_cart_id(cart);
    Advance<checkout::v1::PlaceOrderResponse>(cart, std::move(place));
    const absl::Time deadline = absl::Now() + kPatience;
    while (StateOf(cart) == checkout::v1::ORDER_STATE_PLACING) ASSERT_LT(absl::Now(), deadline);
    if (StateOf(cart) == checkout::v1::ORDER_STATE_CONFIRMED) placed_.push_back(cart);
  }

  void Fulfil(const std::string& cart) {
    if (random_.Uniform(3) == 0) {
      checkout::v1::CancelOrderRequest cancel;
      cancel.set_order_id(cart);
      Advance<checkout::v1::CancelOrderResponse>(cart, std::move(cancel));
      return;
    }
    if (placed_.empty()) return;
    const std::string order = placed_[random_.Uniform(placed_.size())];
    checkout::v1::CollectFulfilmentRequest collect;
    collect.set_order_id(order);
    collect.set_fulfilment_id("f1");
    Advance<checkout::v1::CollectFulfilmentResponse>(order, std::move(collect));
    const checkout::rows::OrderRow row = OrderOf(order);
    if (row.lines().empty()) return;
    checkout::v1::ReturnLinesRequest back;
    back.set_order_id(order);
    back.set_return_id(absl::StrCat("r", next_));
    back.mutable_origin()->set_channel(common::v1::CHANNEL_SHOP);
    back.mutable_origin()->set_site_id("shop-2");
    checkout::v1::ReturnedLine& line = *back.add_lines();
    line.set_line_id(row.lines(0).line().line_id());
    line.set_sku(row.lines(0).line().sku());
    line.set_units(1);
    line.set_disposition(checkout::v1::DISPOSITION_RESTOCK);
    Advance<checkout::v1::ReturnLinesResponse>(order, std::move(back));
  }

  checkout::rows::OrderRow OrderOf(const std::string& order) {
    const auto told = std::make_shared<Told>();
    const auto row = std::make_shared<checkout::rows::OrderRow>();
    runtime_->Query(runtime_->SlotFor(ServiceId::kCheckout, "", order), 0, absl::Now() + kPatience,
                    [told, row, order](absl::StatusOr<const store::RowReader*> rows, Position) {
                      if (rows.ok()) {
                        const auto found = checkout::order::kOrders.Get(**rows, {OrderId::FromString(order)});
                        if (found.has_value()) *row = *found;
                      }
                      told->Tell(rows.status());
                    });
    EXPECT_TRUE(told->Await().ok());
    return *row;
  }
  checkout::v1::OrderState StateOf(const std::string& order) { return OrderOf(order).state(); }

  template <typename Response, typename Request>
  void Record(const std::string& key, Request request) {
    Submit<Response, checkout::v1::OrderEvent>(ServiceId::kCheckout, key, std::move(request), &checkout::Decide,
                                               checkout::kOrder);
  }
  template <typename Response, typename Request>
  void Advance(const std::string& key, Request request) {
    Submit<Response, checkout::v1::OrderEvent>(ServiceId::kCheckout, key, std::move(request), &checkout::order::Decide,
                                               checkout::kOrder);
  }
  template <typename Response, typename Request>
  void Stock(Request request) {
    const std::string key = request.sku();
    Submit<Response, inventory::v1::StockEvent>(ServiceId::kInventory, key, std::move(request), &inventory::Decide,
                                                inventory::kStockItem);
  }

  template <typename Response, typename Event, typename Request>
  void Submit(ServiceId service, const std::string& key, Request request,
              std::type_identity_t<typename partition::TypedCommand<Request, Response, Event>::DecideFunction> decide,
              partition::Aggregate<Event> aggregate) {
    const auto told = std::make_shared<Told>();
    request.set_request_id(absl::StrCat("request-", next_++));
    const std::string id = request.request_id();
    auto command = std::make_unique<partition::TypedCommand<Request, Response, Event>>(
        std::move(request), decide, aggregate,
        [told](absl::StatusOr<Response> response, partition::AnswerPosition) { told->Tell(response.status()); });
    command->envelope.request_id = id;
    runtime_->Submit(runtime_->SlotFor(service, "", key), std::move(command));
    const absl::Status status = told->Await();
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kFailedPrecondition) << status;
  }

  void AwaitReactions() {
    // Reactions make records that are reacted to.
    for (bool grown = true; grown;) {
      TokenPositions ends = Ends();
      for (const auto& reactor : reactors_) {
        const auto told = std::make_shared<Told>();
        reactor->WhenReached(ends, absl::Now() + kPatience, [told](const absl::Status& status) { told->Tell(status); });
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
  std::vector<std::string> placed_;
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
      follower->WhenReached(ends, absl::Now() + kPatience, [told](const absl::Status& status) { told->Tell(status); });
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
    for (uint64_t run = 1 + random.Uniform(30); run > 0 && next[slot] < bytes.size(); --run) {
      views.Append(slot, bytes[next[slot]++]);
    }
    if (next[slot] == bytes.size()) open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    if (random.Uniform(4) == 0) views.Await();
    if (random.Uniform(30) == 0) views.Restart(/*flush=*/random.Uniform(2) == 0);
  }
  views.Await();
  return views.Stored();
}

std::map<std::string, int> KindsOf(const Records& records) {
  std::map<std::string, int> kinds;
  eventlog::MemoryLog log(Identity());
  for (const auto& [slot, all] : records) {
    for (const std::string& bytes : all) log.Inject(slot, bytes);
    projection::SourceReader reader(&log, slot, eventlog::GenesisCursor(Identity(), slot));
    projection::SourceBatches batches;
    EXPECT_TRUE(reader.Read(100'000, 100'000, &batches).ok());
    for (const auto& record : batches) {
      for (const projection::SourceEvent& event : record->events) {
        checkout::v1::OrderEvent order;
        checkout::v1::NumberSeriesEvent number;
        inventory::v1::StockEvent stock;
        customer_identity::v1::IdentityEvent identity;
        const std::map<std::pair<ServiceId, uint32_t>, google::protobuf::Message*> types = {
            {{ServiceId::kCheckout, checkout::kOrder.type}, &order},
            {{ServiceId::kCheckout, checkout::kNumberSeries.type}, &number},
            {{ServiceId::kInventory, inventory::kStockItem.type}, &stock},
            {{ServiceId::kCustomerIdentity, customer_identity::kGraph.type}, &identity}};
        const auto type = types.find({slot.service, event.type});
        if (type == types.end()) continue;  // of the runtime
        google::protobuf::Message* const parsed = type->second;
        EXPECT_TRUE(parsed->ParseFromArray(event.payload.data(), static_cast<int>(event.payload.size())));
        std::vector<const google::protobuf::FieldDescriptor*> fields;
        parsed->GetReflection()->ListFields(*parsed, &fields);
        for (const auto* field : fields) ++kinds[field->name()];
        if (order.return_linked().has_customer()) ++kinds["linked to a customer"];
        if (stock.stock_held().owner().has_customer()) ++kinds["held for a customer"];
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
    shop.Open(kVisits);
    records = shop.Recorded();
  }
  const std::map<std::string, int> kinds = KindsOf(records);
  for (const char* kind : {"order_imported",       "return_imported",
                           "return_awaited",       "return_linked",
                           "linked to a customer", "identifier_observed",
                           "identifiers_linked",   "cart_lines_added",
                           "cart_customer_set",    "cart_taken",
                           "cart_merged",          "order_confirmed",
                           "order_cancelled",      "fulfilment_handed_over",
                           "goods_returned",       "stock_held",
                           "held for a customer",  "hold_committed",
                           "hold_released",        "hold_expired"}) {
    EXPECT_GT(kinds.count(kind) == 0 ? 0 : kinds.at(kind), 2) << kind;
  }

  const Digests expected = InOrder(records);
  size_t folds = 0;
  for (const projection::ViewDefinition& view : Services().views) {
    folds += view.SourceServices().size() * Identity().slots_per_service;
  }
  ASSERT_EQ(expected.size(), folds);
  std::map<std::pair<uint8_t, ServiceId>, int> with_rows;  // slots of a view of customer identity by source
  for (const auto& [fold, meta] : expected) {
    if (fold.service != ServiceId::kCustomerIdentity || meta.digest == store::Digest()) continue;
    ++with_rows[{fold.view, fold.source.service}];
  }
  EXPECT_EQ(with_rows.size(), 3u) << "the customers follow three logs";
  EXPECT_EQ((with_rows[{customer_identity::kCustomersView, ServiceId::kCustomerIdentity}]), 1)
      << "the realm is one slot";
  EXPECT_EQ((with_rows[{customer_identity::kCustomersView, ServiceId::kCheckout}]), 4);
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
