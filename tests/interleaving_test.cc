// Views do not depend on the order in which the records of different slots arrive: a hundred orders give the same
// digests.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/host.h"
#include "libs/partition/runtime.h"
#include "libs/projection/follower_pool.h"
#include "libs/projection/source_reader.h"
#include "libs/store/store.h"
#include "libs/store/store_test_util.h"
#include "libs/testing/virtual_scheduler.h"
#include "services/checkout/order/commands.h"
#include "services/checkout/order/state.h"
#include "services/checkout/test_builders.h"
#include "services/customer_identity/projection.h"
#include "services/halles/all_services.h"
#include "services/inventory/commands.h"

namespace halles {
namespace {

constexpr uint64_t kWorldSeed = 20;
constexpr int kSales = 150;
constexpr int kVisits = 320;
constexpr int kInterleavings = 100;

using Digests = std::map<store::FoldId, store::FoldMeta>;
// All records by slot.
using Records = std::map<SlotId, std::vector<std::string>>;

// The number of events by kind, and the number of those that name a customer.
std::map<std::string, int> KindsOf(const Records& records);

eventlog::LogIdentity Identity() { return {.install = store::Install(5), .slots = SlotCounts(4)}; }

absl::StatusOr<std::unique_ptr<store::Store>> OpenStore(const store::TempDir& dir, Scheduler* scheduler) {
  store::StoreOptions options = store::Quiet();
  options.scheduler = scheduler;
  return store::Store::Open(dir.State(), Identity().install, options);
}

// The logs of a small shop, recorded by the real services: customers with several identifiers that are linked late;
// returns that arrive before or after their orders, and anonymous returns; carts that are merged, held for and ordered;
// orders that are handed over, returned and cancelled.
class Shop {
 public:
  explicit Shop(uint64_t seed) : random_(seed), log_(Identity()) {
    host::HostOptions options;
    options.log = &log_;
    options.open_store = [this] { return OpenStore(dir_, &node_); };
    options.scheduler = &node_;
    options.random = &random_;
    options.request_key = "key";
    options.definitions = program::AllServices();
    auto host = host::Host::Open(std::move(options));
    EXPECT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
    Settle();
    EXPECT_TRUE(host_->settled());
  }

  void Trade(int sales) {
    for (int i = 0; i < sales; ++i) {
      // A return may name an order that arrives later or never.
      const std::string named = absl::StrCat("order-", random_.Uniform(static_cast<uint64_t>(sales)));
      if (random_.Uniform(3) == 0) {
        const auto record = Sale(absl::StrCat("return-", i), checkout::Back("sku", "1"), i);
        Submit(checkout::ImportReturn(record, named));
      } else {
        const auto record = Sale(absl::StrCat("order-", i), checkout::Sold("sku", "2"), i);
        Submit(checkout::Import(record));
      }
    }
    Settle();
  }

  // Visitors in the shops and on the site. As in real shops, some of their requests are refused.
  void Open(int visits) {
    for (uint64_t sku = 0; sku < kSkus; ++sku) {
      inventory::v1::ReceiveStockRequest receive;
      receive.set_sku(absl::StrCat("sku-", sku));
      receive.set_location_id("shop-1");
      receive.set_units(60);
      Submit(std::move(receive));
    }
    for (int i = 0; i < visits; ++i) {
      world_.Advance(1'000'000);
      Visit(absl::StrCat("cart-", random_.Uniform(kCarts)));
    }
    world_.Advance(int64_t{3600} * 1'000'000);  // all remaining holds expire
    Settle();
  }

  Records Recorded() {
    Records records;
    for (ServiceId service : {ServiceId::kCheckout, ServiceId::kInventory, ServiceId::kCustomerIdentity}) {
      for (uint16_t number = 0; number < Identity().slots.of(service); ++number) {
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
    // Few people, each with a phone and a customer number, which are seldom seen together.
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
        Submit(std::move(merge));
        return Settle();
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
    Submit(std::move(add));
    checkout::v1::SetCartDeliveryRequest set;
    set.set_cart_id(cart);
    set.mutable_delivery()->mutable_carry_out()->set_location_id("shop-1");
    Submit(std::move(set));
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
    reserve.mutable_expire_time()->set_seconds(node_.clock().Wall() / 1'000'000 + 600);
    inventory::v1::ReleaseHoldRequest release;
    release.set_sku(reserve.sku());
    release.set_hold_id(reserve.hold_id());
    Submit(std::move(reserve));
    if (random_.Uniform(2) == 0) Submit(std::move(release));
  }

  void Place(const std::string& cart) {
    checkout::v1::PlaceOrderRequest place;
    place.set_cart_id(cart);
    Submit(std::move(place));
    Settle();
    ASSERT_NE(StateOf(cart), checkout::v1::ORDER_STATE_PLACING);
    if (StateOf(cart) == checkout::v1::ORDER_STATE_CONFIRMED) placed_.push_back(cart);
  }

  void Fulfil(const std::string& cart) {
    if (random_.Uniform(3) == 0) {
      checkout::v1::CancelOrderRequest cancel;
      cancel.set_order_id(cart);
      Submit(std::move(cancel));
      return;
    }
    if (placed_.empty()) return;
    const std::string order = placed_[random_.Uniform(placed_.size())];
    checkout::v1::CollectFulfilmentRequest collect;
    collect.set_order_id(order);
    collect.set_fulfilment_id("f1");
    Submit(std::move(collect));
    const checkout::rows::OrderRow row = OrderOf(order);
    if (row.lines().empty()) return;
    checkout::v1::ReturnLinesRequest back;
    back.set_order_id(order);
    back.set_return_id(absl::StrCat("r", next_));
    back.mutable_origin()->set_channel(common::v1::CHANNEL_SHOP);
    back.mutable_origin()->set_site_id("shop-2");
    back.set_location_id("shop-2");
    checkout::v1::ReturnedLine& line = *back.add_lines();
    line.set_line_id(row.lines(0).line().line_id());
    line.set_sku(row.lines(0).line().sku());
    line.set_units(1);
    line.set_disposition(checkout::v1::DISPOSITION_RESTOCK);
    Submit(std::move(back));
  }

  checkout::rows::OrderRow OrderOf(const std::string& order) {
    checkout::rows::OrderRow row;
    const absl::Status served = host_->With([&](host::Serving& serving) {
      serving.runtime->Query(serving.runtime->SlotFor(ServiceId::kCheckout, "", order), 0, kNoDeadline,
                             [&row, &order](absl::StatusOr<const store::RowReader*> rows, Position) {
                               ASSERT_TRUE(rows.ok()) << rows.status();
                               const auto found = checkout::order::kOrders.Get(**rows, {OrderId::FromString(order)});
                               if (found.has_value()) row = *found;
                             });
    });
    EXPECT_TRUE(served.ok()) << served;
    world_.RunReady();
    return row;
  }
  checkout::v1::OrderState StateOf(const std::string& order) { return OrderOf(order).state(); }

  // Internal calls have identifiers that are already hashed.
  template <typename Request>
  void Submit(Request request) {
    request.set_request_id(absl::StrCat("request-", next_++));
    const partition::RegisteredCommand& registered = *host_->FindCommand(Request::descriptor());
    const std::string key = registered.command->KeyOf(request);
    absl::Status answer = absl::UnknownError("no answer");
    const absl::Status served = host_->With([&](host::Serving& serving) {
      serving.runtime->Submit(registered, key, std::move(request), {},
                              [&answer](const absl::StatusOr<google::protobuf::Message*>& response,
                                        partition::AnswerPosition) { answer = response.status(); });
    });
    EXPECT_TRUE(served.ok()) << served;
    world_.RunReady();
    EXPECT_TRUE(answer.ok() || answer.code() == absl::StatusCode::kFailedPrecondition) << answer;
  }

  // Records everything that follows from the records: reactions, saga steps, and their consequences.
  void Settle() { world_.Advance(1'000'000); }

  store::TempDir dir_;
  testing::VirtualScheduler world_{kWorldSeed, /*step_micros_max=*/0};
  testing::VirtualScheduler::Node node_{&world_};
  SeededRandom random_;
  eventlog::MemoryLog log_;
  std::unique_ptr<host::Host> host_;
  std::vector<std::string> placed_;
  int next_ = 0;
};

// All views, followed by the real followers from a log that grows under the control of the test.
class Views {
 public:
  Views() : log_(Identity()) { Start(); }

  void Append(SlotId slot, const std::string& bytes) { log_.Inject(slot, bytes); }
  // Returns when every view has projected all records.
  void Await() {
    world_.RunReady();
    EXPECT_TRUE(pool_->caught_up());
  }
  // Ends the process, with or without a flush before.
  void Restart(bool flush) {
    if (flush) Flush();
    End();
    Start();
  }
  Digests Stored() {
    Flush();
    return store_->LoadMetas().value();
  }
  ~Views() { End(); }

 private:
  void Start() {
    auto store = OpenStore(dir_, &node_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    projection::FollowerPoolOptions options;
    options.log = &log_;
    options.store = store_.get();
    options.scheduler = &node_;
    options.views = program::AllServices().views;
    auto pool = projection::FollowerPool::Open(std::move(options));
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    pool_->Start(nullptr);  // no reactions
  }
  void End() {
    pool_->Stop();
    pool_.reset();
    store_.reset();
  }
  void Flush() {
    absl::Status flushed = absl::UnknownError("the flush does not end");
    store_->FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
    world_.RunReady();
    EXPECT_TRUE(flushed.ok()) << flushed;
  }

  store::TempDir dir_;
  testing::VirtualScheduler world_{kWorldSeed, /*step_micros_max=*/0};
  testing::VirtualScheduler::Node node_{&world_};
  eventlog::MemoryLog log_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<projection::FollowerPool> pool_;
};

// One slot after another.
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
  const host::Definitions definitions = program::AllServices();
  for (const auto& [slot, all] : records) {
    for (const std::string& bytes : all) log.Inject(slot, bytes);
    projection::SourceReader reader(&log, slot, eventlog::GenesisCursor(Identity(), slot));
    projection::SourceRecords read;
    EXPECT_TRUE(reader.Read(100'000, 100'000, &read).ok());
    for (const auto& record : read) {
      for (const projection::SourceEvent& event : record->events) {
        for (const partition::ServiceDefinition& service : definitions.services) {
          const partition::AggregateDefinition* aggregate = service.Find(event.type);
          if (service.id != slot.service || aggregate == nullptr) continue;  // of another service, or of the runtime
          const std::unique_ptr<google::protobuf::Message> parsed = aggregate->new_event();
          EXPECT_TRUE(parsed->ParseFromArray(event.payload.data(), static_cast<int>(event.payload.size())));
          std::vector<const google::protobuf::FieldDescriptor*> fields;
          parsed->GetReflection()->ListFields(*parsed, &fields);
          for (const auto* field : fields) ++kinds[field->name()];
          if (const auto* order = dynamic_cast<const checkout::v1::ImportEvent*>(parsed.get());
              order != nullptr && order->return_linked().has_customer()) {
            ++kinds["linked to a customer"];
          }
          if (const auto* stock = dynamic_cast<const inventory::v1::StockEvent*>(parsed.get());
              stock != nullptr && stock->stock_held().owner().has_customer()) {
            ++kinds["held for a customer"];
          }
        }
      }
    }
  }
  return kinds;
}

TEST(Interleaving, DoesNotAffectAnyView) {
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
  for (const projection::ViewDefinition& view : program::AllServices().views) {
    for (const ServiceId service : view.SourceServices()) folds += Identity().slots.of(service);
  }
  ASSERT_EQ(expected.size(), folds);
  std::map<std::pair<uint8_t, ServiceId>, int> with_rows;  // slots with rows in views of customer identity, by source
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
