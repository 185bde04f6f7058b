// One process with all services in virtual time, on a log and a disk in memory, for tests of what takes weeks.
#ifndef HALLES_TESTS_SIMULATION_SHOP_H_
#define HALLES_TESTS_SIMULATION_SHOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/random.h"
#include "libs/eventlog/memory_log.h"
#include "libs/host/calls.h"
#include "libs/host/host.h"
#include "libs/store/memory_disk.h"
#include "libs/store/store.h"
#include "libs/testing/virtual_scheduler.h"
#include "services/checkout/order/state.h"
#include "services/checkout/order/work.h"
#include "services/checkout/test_builders.h"
#include "services/halles/all_services.h"

namespace halles::simulation {

inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kWeek = int64_t{7} * 24 * 3600 * kSecond;

// One process in virtual time, whose calls of one method reach nobody while the test wants it.
class Shop : public ::testing::Test, private partition::Calls {
 protected:
  void SetUp() override { Start(); }
  void TearDown() override { End(); }

  void Start() {
    node_ = std::make_unique<testing::VirtualScheduler::Node>(&world_);
    host::HostOptions options;
    options.definitions = program::AllServices();
    options.log = &log_;
    options.open_store = [this]() -> absl::StatusOr<std::unique_ptr<store::Store>> {
      auto home = disk_.Open();
      if (!home.ok()) return home.status();
      store::StoreOptions store_options;
      store_options.scheduler = node_.get();
      return store::Store::OpenOn(*home, log_.identity().install, store_options);
    };
    options.scheduler = node_.get();
    options.random = &random_;
    options.request_key = "key";
    options.calls = this;
    auto host = host::Host::Open(std::move(options));
    ASSERT_TRUE(host.ok()) << host.status();
    host_ = *std::move(host);
    ASSERT_TRUE(host_->With([this](host::Serving& serving) { runtime_ = serving.runtime.get(); }).ok());
    world_.RunReady();
  }
  // As by a crash.
  void End() {
    node_->Kill();
    runtime_ = nullptr;
    host_.reset();
    node_.reset();
  }

  template <typename Request>
  void Submit(Request request) {
    // A UUIDv7, so that nothing is kept for ever for its sake.
    const auto millis = static_cast<uint64_t>(node_->clock().Wall() / 1000);
    request.set_request_id(absl::StrFormat("%08x-%04x-7000-8000-%012x", millis >> 16, millis & 0xffff, ++requests_));
    const partition::RegisteredCommand& registered = *host_->FindCommand(Request::descriptor());
    const std::string key = registered.command->KeyOf(request);
    absl::Status answered = absl::UnknownError("no answer");
    runtime_->Submit(registered, key, std::move(request), {},
                     [&answered](const absl::StatusOr<google::protobuf::Message*>& response,
                                 partition::AnswerPosition) { answered = response.status(); });
    world_.RunReady();
    EXPECT_TRUE(answered.ok()) << answered;
  }
  void Receive(const std::string& sku, int64_t units) {
    inventory::v1::ReceiveStockRequest receive;
    receive.set_sku(sku);
    receive.set_location_id("paris");
    receive.set_units(units);
    Submit(std::move(receive));
  }
  // Orders one of each SKU, of which one is received before.
  void Place(const std::string& cart, const std::vector<std::string>& skus = {"shoe"}) {
    checkout::v1::AddCartLinesRequest add;
    add.set_cart_id(cart);
    add.mutable_origin()->set_channel(common::v1::CHANNEL_WEB);
    add.mutable_origin()->set_site_id("web");
    add.set_currency_code("EUR");
    for (const std::string& sku : skus) {
      Receive(sku, 1);
      *add.add_lines() = checkout::CartLineOf(absl::StrCat("line-", sku), 1, "3.333", sku);
    }
    Submit(std::move(add));
    checkout::v1::SetCartDeliveryRequest set;
    set.set_cart_id(cart);
    set.mutable_delivery()->mutable_carry_out()->set_location_id("paris");
    Submit(std::move(set));
    checkout::v1::PlaceOrderRequest place;
    place.set_cart_id(cart);
    Submit(std::move(place));
  }
  void Collect(const std::string& order) {
    checkout::v1::CollectFulfilmentRequest collect;
    collect.set_order_id(order);
    collect.set_fulfilment_id("f1");
    Submit(std::move(collect));
  }

  Position Records(ServiceId service) {
    Position records = 0;
    for (uint16_t slot = 0; slot < 2; ++slot) records += log_.End({service, slot}).value();
    return records;
  }
  checkout::v1::OrderState StateOf(const std::string& order) {
    checkout::v1::OrderState state = checkout::v1::ORDER_STATE_UNSPECIFIED;
    runtime_->Query(host_->SlotFor(ServiceId::kCheckout, order), 0, kNoDeadline,
                    [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                      state = checkout::order::kOrders.Get(**rows, {OrderId::FromString(order)})
                                  .value_or(checkout::rows::OrderRow())
                                  .state();
                    });
    world_.RunReady();
    return state;
  }
  // The causes in the work queue.
  std::string Work() {
    std::string work;
    host::ReadView(*host_, ServiceId::kCheckout, checkout::order::kWorkView, {}, kNoDeadline,
                   [&](absl::StatusOr<const store::RowReader*> rows, const TokenPositions&) -> std::function<void()> {
                     const auto page = checkout::order::QueryWork(**rows, {}, node_->clock().Wall());
                     for (const auto& item : page->items()) absl::StrAppend(&work, item.order_id(), " ", item.cause());
                     return nullptr;
                   });
    world_.RunReady();
    return work;
  }

  testing::VirtualScheduler world_{1, /*step_micros_max=*/0};
  std::unique_ptr<testing::VirtualScheduler::Node> node_;
  SeededRandom random_{1};
  eventlog::MemoryLog log_{{.install = InstallId::FromBytes({9}), .slots = SlotCounts(2)},
                           eventlog::MemoryLog::Delivery::kAtOnce};
  store::MemoryDisk disk_{"disk"};
  std::unique_ptr<host::Host> host_;
  partition::Runtime* runtime_ = nullptr;
  std::string unanswered_;  // name of a request
  uint64_t lost_ = 0;

 private:
  void Call(partition::OutgoingCall call, const partition::Command::Envelope& from, partition::CallDone done) override {
    if (call.method == unanswered_) {
      ++lost_;
      return;
    }
    runtime_->Call(call, from, done);
  }
  void ExtendToken(SlotId target, TokenPositions sources, partition::ExtendDone done) override {
    runtime_->ExtendToken(target, std::move(sources), done);
  }

  uint64_t requests_ = 0;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_SHOP_H_
