// Measures durable commands and their latency, the delay of a view, and the rebuild, each against a reference in the
// same run.
//
//   halles_load echo                          serves the echo; prints its address
//   halles_load run ECHO HALLES DIR SECONDS   measures; prints one JSON object; DIR is on the disk of the log
//   halles_load batches ECHO HALLES SECONDS   only ReserveStock in batches, in the same form
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "halles/admin/v1/admin_service.grpc.pb.h"
#include "halles/checkout/v1/cart_service.grpc.pb.h"
#include "halles/checkout/v1/checkout_service.grpc.pb.h"
#include "halles/checkout/v1/order_service.grpc.pb.h"
#include "halles/customer_identity/v1/customer_identity_service.grpc.pb.h"
#include "halles/inventory/v1/inventory_service.grpc.pb.h"
#include "libs/base/slot.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "tests/load/batches.h"
#include "tests/load/echo.grpc.pb.h"
#include "tests/load/load_client.h"

namespace halles::load {
namespace {

constexpr int kRounds = 3;
constexpr int kLines = 3;
constexpr int kCustomers = 2000;
constexpr int kOrdersInFlight = 64;
constexpr int kSkus = 2000;
constexpr int kBatchesInFlight = 8;
constexpr int64_t kStockUnits = 1'000'000'000;
constexpr int kParseEvents = 200'000;

std::string ExternalId(uint64_t run, uint64_t n) { return absl::StrCat(run, "-", n); }

checkout::v1::ImportOrderRequest Order(uint64_t run, uint64_t n) {
  checkout::v1::ImportOrderRequest request;
  request.set_request_id(absl::StrCat("load/", ExternalId(run, n)));
  checkout::v1::ImportRecord& order = *request.mutable_order();
  order.mutable_external()->set_source("load");
  order.mutable_external()->set_external_id(ExternalId(run, n));
  order.mutable_recorded_time()->set_seconds(1'700'000'000 + static_cast<int64_t>(n));
  order.set_channel(common::v1::CHANNEL_SHOP);
  order.set_site_id(absl::StrCat("store-", n % 50));
  order.set_currency_code("EUR");
  common::v1::Identifier& customer = *order.add_identifiers();
  customer.set_type(common::v1::IDENTIFIER_TYPE_LOYALTY_CARD);
  customer.set_issuer("load");
  customer.set_value(absl::StrCat("customer-", n % kCustomers));
  for (int i = 0; i < kLines; ++i) {
    checkout::v1::ImportLine& line = *order.add_lines();
    line.set_kind(checkout::v1::LINE_KIND_SALE);
    line.set_sku(absl::StrCat("sku-", (n * 7 + static_cast<uint64_t>(i)) % 5000));
    line.mutable_quantity()->set_unscaled(1 + i);
    line.mutable_unit_price()->set_unscaled(1299 + i);
    line.mutable_unit_price()->set_scale(2);
  }
  return request;
}

std::string Sku(uint64_t n) { return absl::StrCat("load-sku-", n % kSkus); }

// The request that the saga of an order sends for one SKU.
inventory::v1::ReserveStockRequest Reserve(uint64_t run, uint64_t n, const std::string& sku) {
  inventory::v1::ReserveStockRequest request;
  request.set_request_id(absl::StrCat("load/", run, "-", n));
  request.set_sku(sku);
  request.set_hold_id(absl::StrCat(run, "-", n));
  request.add_lines()->set_units(1);
  request.add_candidate_location_ids("warehouse-1");
  request.set_purpose(inventory::v1::HOLD_PURPOSE_CHECKOUT);
  request.mutable_owner()->set_ref(absl::StrCat("order/", run, "-", n));
  return request;
}

class EchoDoor final : public v1::EchoService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const checkout::v1::ImportOrderRequest* request,
                                 checkout::v1::ImportOrderResponse* response) override {
    // As long as a real answer, with an id, a net and the token of one slot.
    response->set_order_id("ord-00000000000000000000000000");
    response->mutable_net()->set_currency_code("EUR");
    response->mutable_net()->set_minor_units(static_cast<int64_t>(request->order().lines_size()) * 1299);
    response->set_consistency_token(std::string(60, 'A'));
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* EchoReserve(grpc::CallbackServerContext* context,
                                        const inventory::v1::ReserveStockRequest* request,
                                        inventory::v1::ReserveStockResponse* response) override {
    inventory::v1::Hold& hold = *response->mutable_hold();
    hold.set_hold_id(request->hold_id());
    hold.set_sku(request->sku());
    hold.set_state(inventory::v1::HOLD_STATE_HELD);
    hold.set_purpose(request->purpose());
    *hold.mutable_owner() = request->owner();
    inventory::v1::Allocation& allocation = *hold.add_allocations();
    allocation.set_location_id(request->candidate_location_ids(0));
    allocation.set_units(request->lines(0).units());
    *response->add_line_plans()->add_allocations() = allocation;
    response->set_consistency_token(std::string(60, 'A'));
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int ServeEcho() {
  EchoDoor door;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&door);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "127.0.0.1:" << port << std::endl;
  server->Wait();
  return 0;
}

// Sends the requests that `make(n)` returns with `start(stub, context, request, response, done)`.
template <typename Stub, typename Request, typename Response, typename Start>
Run Measure(const std::string& target, int channels, int in_flight, absl::Duration duration,
            const std::function<Request(uint64_t n)>& make, Start start) {
  std::vector<std::unique_ptr<Stub>> stubs;
  for (const auto& channel : Channels(target, channels)) stubs.push_back(std::make_unique<Stub>(channel));
  struct Pending {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  return std::make_shared<Load>(in_flight, stubs.size(), duration, 0,
                                [&](uint64_t n, size_t channel, Load::Done done) {
                                  auto pending = std::make_shared<Pending>();
                                  pending->request = make(n);
                                  start(
                                      *stubs[channel], &pending->context, &pending->request, &pending->response,
                                      [pending, done = std::move(done)](const grpc::Status& status) { done(status); });
                                })
      ->Measure();
}

uint64_t NewRun() { return static_cast<uint64_t>(absl::GetCurrentTimeNanos()); }

using checkout::v1::CheckoutService;
using checkout::v1::ImportOrderRequest;
using checkout::v1::ImportOrderResponse;
using inventory::v1::InventoryService;
using inventory::v1::ReserveStockRequest;
using inventory::v1::ReserveStockResponse;

Run MeasureEcho(const std::string& target, int channels, int in_flight, absl::Duration duration) {
  return Measure<v1::EchoService::Stub, ImportOrderRequest, ImportOrderResponse>(
      target, channels, in_flight, duration, [](uint64_t n) { return Order(0, n); },
      [](auto& stub, auto* context, auto* request, auto* response, auto done) {
        stub.async()->Echo(context, request, response, std::move(done));
      });
}

Run MeasureImport(const std::string& target, int channels, int in_flight, absl::Duration duration) {
  return Measure<CheckoutService::Stub, ImportOrderRequest, ImportOrderResponse>(
      target, channels, in_flight, duration, [run = NewRun()](uint64_t n) { return Order(run, n); },
      [](auto& stub, auto* context, auto* request, auto* response, auto done) {
        stub.async()->ImportOrder(context, request, response, std::move(done));
      });
}

Run MeasureReserveEcho(const std::string& target, int channels, int in_flight, absl::Duration duration) {
  return Measure<v1::EchoService::Stub, ReserveStockRequest, ReserveStockResponse>(
      target, channels, in_flight, duration, [run = NewRun()](uint64_t n) { return Reserve(run, n, Sku(n * 7)); },
      [](auto& stub, auto* context, auto* request, auto* response, auto done) {
        stub.async()->EchoReserve(context, request, response, std::move(done));
      });
}

// Reserves stock of the SKUs that `sku(n)` returns.
Run MeasureReserveOf(const std::string& target, int channels, int in_flight, absl::Duration duration,
                     const std::function<std::string(uint64_t n)>& sku) {
  return Measure<InventoryService::Stub, ReserveStockRequest, ReserveStockResponse>(
      target, channels, in_flight, duration, [run = NewRun(), &sku](uint64_t n) { return Reserve(run, n, sku(n)); },
      [](auto& stub, auto* context, auto* request, auto* response, auto done) {
        stub.async()->ReserveStock(context, request, response, std::move(done));
      });
}

Run MeasureReserve(const std::string& target, int channels, int in_flight, absl::Duration duration) {
  return MeasureReserveOf(target, channels, in_flight, duration, [](uint64_t n) { return Sku(n * 7); });
}

// The SKUs of one slot of inventory; empty if the number of its slots is unknown.
std::vector<std::string> SkusOfOneSlot(const std::string& target) {
  admin::v1::AdminService::Stub admin(Channels(target, 1)[0]);
  grpc::ClientContext context;
  admin::v1::GetStatusResponse status;
  std::vector<std::string> skus;
  if (!admin.GetStatus(&context, {}, &status).ok()) return skus;
  const absl::string_view inventory = ServiceName(ServiceId::kInventory);
  const auto count = std::count_if(status.slots().begin(), status.slots().end(),
                                   [inventory](const auto& slot) { return slot.service() == inventory; });
  for (uint64_t i = 0; i < kSkus && count > 0; ++i) {
    if (SlotOf(ServiceId::kInventory, "", Sku(i), static_cast<uint32_t>(count)).slot == 0) skus.push_back(Sku(i));
  }
  return skus;
}

// Puts plenty of every SKU into the warehouse.
grpc::Status ReceiveStock(const std::string& target) {
  InventoryService::Stub stub(Channels(target, 1)[0]);
  for (int i = 0; i < kSkus; ++i) {
    inventory::v1::ReceiveStockRequest request;
    request.set_sku(Sku(static_cast<uint64_t>(i)));
    request.set_request_id(absl::StrCat("load/receive/", request.sku()));
    request.set_location_id("warehouse-1");
    request.set_units(kStockUnits);
    grpc::ClientContext context;
    inventory::v1::ReceiveStockResponse response;
    if (grpc::Status status = stub.ReceiveStock(&context, request, &response); !status.ok()) return status;
  }
  return grpc::Status::OK;
}

// The calls of a storefront for one order of two SKUs, one after the other.
struct Purchase {
  checkout::v1::AddCartLinesRequest add;
  checkout::v1::AddCartLinesResponse added;
  checkout::v1::SetCartDeliveryRequest deliver;
  checkout::v1::SetCartDeliveryResponse delivered;
  checkout::v1::PlaceOrderRequest place;
  checkout::v1::PlaceOrderResponse placed;
  grpc::ClientContext adding, delivering, placing;

  Purchase(uint64_t run, uint64_t n) {
    const std::string cart = absl::StrCat("load-", run, "-", n);
    add.set_request_id(absl::StrCat(cart, "/add"));
    add.set_cart_id(cart);
    add.mutable_origin()->set_channel(common::v1::CHANNEL_WEB);
    add.mutable_origin()->set_site_id(absl::StrCat("store-", n % 50));
    add.set_currency_code("EUR");
    for (uint64_t i = 0; i < 2; ++i) {
      checkout::v1::CartLine& line = *add.add_lines();
      line.set_line_id(absl::StrCat(i + 1));
      line.set_sku(Sku(n * 7 + i * 911));
      line.set_units(1);
      line.mutable_unit_price()->set_unscaled(1299);
      line.mutable_unit_price()->set_scale(2);
    }
    deliver.set_request_id(absl::StrCat(cart, "/deliver"));
    deliver.set_cart_id(cart);
    deliver.mutable_delivery()->mutable_pickup()->set_location_id("warehouse-1");
    place.set_request_id(absl::StrCat(cart, "/place"));
    place.set_cart_id(cart);
  }
};

Run MeasureOrders(const std::string& target, int in_flight, absl::Duration duration) {
  const auto channel = Channels(target, 1)[0];
  checkout::v1::CartService::Stub carts(channel);
  checkout::v1::OrderService::Stub orders(channel);
  return std::make_shared<Load>(
             in_flight, 1, duration, 0,
             [&, run = NewRun()](uint64_t n, size_t, const Load::Done& done) {
               auto bought = std::make_shared<Purchase>(run, n);
               const auto place = [&orders, bought, done](const grpc::Status& status) {
                 if (!status.ok()) return done(status);
                 orders.async()->PlaceOrder(&bought->placing, &bought->place, &bought->placed,
                                            [bought, done](const grpc::Status& placed) { done(placed); });
               };
               const auto deliver = [&carts, bought, done, place](const grpc::Status& status) {
                 if (!status.ok()) return done(status);
                 carts.async()->SetCartDelivery(&bought->delivering, &bought->deliver, &bought->delivered, place);
               };
               carts.async()->AddCartLines(&bought->adding, &bought->add, &bought->added, deliver);
             })
      ->Measure();
}

// The number of records in all logs, after all views and reactions have caught up; 0 if that is unknown.
uint64_t Records(const std::string& target) {
  admin::v1::AdminService::Stub admin(Channels(target, 1)[0]);
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  admin::v1::GetStatusResponse status;
  do {
    grpc::ClientContext context;
    if (absl::Now() > give_up || !admin.GetStatus(&context, {}, &status).ok()) return 0;
  } while (!status.caught_up());
  uint64_t records = 0;
  for (const admin::v1::SlotStatus& slot : status.slots()) records += slot.position();
  return records;
}

// p99 of a 4 KiB write and fdatasync into zero-filled space, on an idle machine.
int64_t IdleSyncP99(const std::string& dir, int64_t* p50) {
  const std::string path = dir + "/sync.probe";
  const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return 0;
  const std::string block(4096, 'x');
  constexpr int kWrites = 1000;
  const std::string zeros(4096, '\0');
  for (int i = 0; i < kWrites; ++i) {
    if (pwrite(fd, zeros.data(), zeros.size(), i * 4096) < 0) break;
  }
  fsync(fd);
  Run run;
  for (int i = 0; i < kWrites; ++i) {
    const absl::Time start = absl::Now();
    if (pwrite(fd, block.data(), block.size(), i * 4096) < 0 || fdatasync(fd) != 0) break;
    run.micros.push_back(absl::ToInt64Microseconds(absl::Now() - start));
  }
  close(fd);
  unlink(path.c_str());
  std::sort(run.micros.begin(), run.micros.end());
  *p50 = run.Percentile(0.5);
  return run.Percentile(0.99);
}

// Measures the time from the acknowledgement of an event to the answer of a view that shows it, at half of the top
// rate.
Run MeasureView(const std::string& target, double rate, absl::Duration duration, Run* plain) {
  const auto channels = Channels(target, 2);
  checkout::v1::CheckoutService::Stub orders(channels[0]);
  customer_identity::v1::CustomerIdentityService::Stub customers(channels[1]);
  const uint64_t run = static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  struct Open {
    Mutex mutex;
    int calls ABSL_GUARDED_BY(mutex) = 0;
  };
  // Shared, because the last callback may still be returning after it was counted.
  const auto open = std::make_shared<Open>();
  const absl::Time start = absl::Now();
  struct Pending {
    grpc::ClientContext context;
    checkout::v1::ImportOrderRequest request;
    checkout::v1::ImportOrderResponse response;
  };
  const auto ask = [&](const checkout::v1::ImportOrderRequest& order, const std::string& token) {
    grpc::ClientContext context;
    customer_identity::v1::GetCustomerViewRequest request;
    *request.mutable_customer()->mutable_identifier() = order.order().identifiers(0);
    request.set_consistency_token(token);
    customer_identity::v1::GetCustomerViewResponse response;
    const absl::Time asked = absl::Now();
    const grpc::Status status = customers.GetCustomerView(&context, request, &response);
    return status.ok() ? absl::ToInt64Microseconds(absl::Now() - asked) : int64_t{-1};
  };
  Run with_token;
  uint64_t sent = 0;
  while (absl::Now() - start < duration) {
    // Open loop: sends all calls that are due, however long the answers take.
    const uint64_t due = static_cast<uint64_t>(absl::ToDoubleSeconds(absl::Now() - start) * rate);
    for (; sent < due; ++sent) {
      auto pending = std::make_shared<Pending>();
      pending->request = Order(run, sent);
      {
        MutexLock lock(&open->mutex);
        ++open->calls;
      }
      orders.async()->ImportOrder(&pending->context, &pending->request, &pending->response,
                                  [pending, open](const grpc::Status&) {
                                    MutexLock lock(&open->mutex);
                                    --open->calls;
                                  });
    }
    // One probe at a time, acknowledged before the clock starts.
    grpc::ClientContext context;
    checkout::v1::ImportOrderRequest probe = Order(run + 1, sent);
    checkout::v1::ImportOrderResponse response;
    if (!orders.ImportOrder(&context, probe, &response).ok()) continue;
    const int64_t seen = ask(probe, response.consistency_token());
    const int64_t bare = ask(probe, "");
    if (seen < 0 || bare < 0) {
      ++with_token.failed;
      continue;
    }
    with_token.micros.push_back(seen);
    plain->micros.push_back(bare);
  }
  MutexLock lock(&open->mutex);
  open->mutex.Await([&open]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return open->calls == 0; });
  std::sort(with_token.micros.begin(), with_token.micros.end());
  std::sort(plain->micros.begin(), plain->micros.end());
  return with_token;
}

// Events per second of the simplest fold: parses each event and puts one row, in batches of 1,000 into a memtable.
double ParseAndPut(const std::string& dir) {
  checkout::v1::OrderImported event;
  const checkout::v1::ImportOrderRequest order = Order(1, 1);
  checkout::v1::SaleRecord& sale = *event.mutable_sale();
  *sale.mutable_external() = order.order().external();
  *sale.mutable_identifiers() = order.order().identifiers();
  for (const checkout::v1::ImportLine& line : order.order().lines()) {
    checkout::v1::RecordedLine& out = *sale.add_lines();
    out.set_sku(line.sku());
    *out.mutable_quantity() = line.quantity();
    *out.mutable_unit_price() = line.unit_price();
    *out.mutable_exact_amount() = line.unit_price();
    out.mutable_amount()->set_currency_code("EUR");
    out.mutable_amount()->set_minor_units(1299);
  }
  const std::string bytes = event.SerializeAsString();
  rocksdb::Options options;
  options.create_if_missing = true;
  std::unique_ptr<rocksdb::DB> db;
  {
    rocksdb::DB* raw = nullptr;
    if (!rocksdb::DB::Open(options, dir + "/reference", &raw).ok()) return 0;
    db.reset(raw);
  }
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  const absl::Time start = absl::Now();
  rocksdb::WriteBatch batch;
  for (int i = 0; i < kParseEvents; ++i) {
    checkout::v1::OrderImported parsed;
    if (!parsed.ParseFromString(bytes)) return 0;
    // The keys have no order, like hashes of ids.
    batch.Put(absl::StrCat("order-", absl::Hex(static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u)),
              parsed.SerializeAsString());
    if (batch.Count() == 1000) {
      if (!db->Write(write, &batch).ok()) return 0;
      batch.Clear();
    }
  }
  return kParseEvents / absl::ToDoubleSeconds(absl::Now() - start);
}

// Events per second of a verify, which folds all states and views again from the whole log.
double Rebuild(const std::string& target, uint64_t* events) {
  admin::v1::AdminService::Stub admin(Channels(target, 1)[0]);
  grpc::ClientContext context;
  const absl::Time start = absl::Now();
  auto stream = admin.Verify(&context, {});
  admin::v1::VerifyResponse response;
  bool equal = false;
  while (stream->Read(&response)) {
    if (response.has_result()) {
      equal = response.result().equal();
      *events = response.result().events();
    }
  }
  if (!stream->Finish().ok() || !equal) return 0;
  return static_cast<double>(*events) / absl::ToDoubleSeconds(absl::Now() - start);
}

template <typename T>
T Median(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? T() : values[values.size() / 2];
}

// ReserveStock in batches over one stream beside the unary echo of one, each in turn: the medians, as fields of JSON.
std::string CompareBatches(const std::string& echo, const std::string& halles, absl::Duration duration,
                           const std::function<void(const Run&)>& note) {
  std::vector<double> echoed, done, ratios;
  for (int round = 0; round < kRounds; ++round) {
    const Run reference = MeasureReserveEcho(echo, 1, 256, duration);
    const Run durable = SubmitBatches(halles, kBatchesInFlight, duration,
                                      [run = NewRun()](uint64_t n) { return Reserve(run, n, Sku(n * 7)); });
    note(reference);
    note(durable);
    echoed.push_back(reference.PerSecond());
    done.push_back(durable.PerSecond());
    ratios.push_back(durable.PerSecond() / std::max(1.0, reference.PerSecond()));
  }
  return absl::StrFormat("\"reserve_batches\":%.0f,\"reserve_batches_echo\":%.0f,\"reserve_batches_ratio\":%.2f",
                         Median(done), Median(echoed), Median(ratios));
}

int MeasureBatches(const std::string& echo, const std::string& halles, double seconds) {
  uint64_t failed = 0;
  failed += ReceiveStock(halles).ok() ? 0 : 1;
  const std::string fields = CompareBatches(echo, halles, absl::Seconds(seconds), [&failed](const Run& run) {
    failed += run.failed;
    if (run.failed > 0) std::cerr << run.failed << " calls failed, such as: " << run.first_error << "\n";
  });
  std::cout << "{" << fields << ",\"failed\":" << failed << "}" << std::endl;
  return failed == 0 ? 0 : 1;
}

int Measure(const std::string& echo, const std::string& halles, const std::string& dir, double seconds) {
  const absl::Duration duration = absl::Seconds(seconds);
  std::string out = absl::StrFormat("{\"request_bytes\":%d", Order(1, 1).ByteSizeLong());
  uint64_t failed = 0;
  double top = 0;
  const auto note = [&](const Run& run) {
    failed += run.failed;
    if (run.failed > 0) std::cerr << run.failed << " calls failed, such as: " << run.first_error << "\n";
  };
  // Each durable run follows the echo that it is compared with.
  const auto compare = [&](absl::string_view what, int channels, auto reference_of, auto durable_of) {
    std::vector<double> echoed, done, ratios;
    for (int round = 0; round < kRounds; ++round) {
      const Run reference = reference_of(echo, channels, 256, duration);
      const Run durable = durable_of(halles, channels, 256, duration);
      note(reference);
      note(durable);
      echoed.push_back(reference.PerSecond());
      done.push_back(durable.PerSecond());
      ratios.push_back(durable.PerSecond() / std::max(1.0, reference.PerSecond()));
    }
    absl::StrAppendFormat(&out, ",\"%s_echo_256_%d\":%.0f,\"%s_256_%d\":%.0f,\"%s_ratio_256_%d\":%.3f", what, channels,
                          Median(echoed), what, channels, Median(done), what, channels, Median(ratios));
    return Median(done);
  };
  if (const grpc::Status received = ReceiveStock(halles); !received.ok()) {
    std::cerr << "cannot receive stock: " << received.error_message() << "\n";
    return 1;
  }
  for (int channels : {1, 4}) {
    compare("reserve", channels, MeasureReserveEcho, MeasureReserve);
    const double imported = compare("import", channels, MeasureEcho, MeasureImport);
    if (channels == 1) top = imported;
  }
  const std::vector<std::string> of_one_slot = SkusOfOneSlot(halles);
  if (of_one_slot.empty()) {
    std::cerr << "cannot read the number of slots of inventory\n";
    return 1;
  }
  const Run one_slot = MeasureReserveOf(halles, 4, 256, duration,
                                        [&of_one_slot](uint64_t n) { return of_one_slot[n % of_one_slot.size()]; });
  note(one_slot);
  absl::StrAppendFormat(&out, ",\"reserve_one_slot_per_s\":%.0f,\"reserve_one_slot_p99_us\":%d", one_slot.PerSecond(),
                        one_slot.Percentile(0.99));
  absl::StrAppend(&out, ",", CompareBatches(echo, halles, duration, note));
  const uint64_t records_before = Records(halles);
  const Run orders = MeasureOrders(halles, kOrdersInFlight, duration);
  note(orders);
  absl::StrAppendFormat(
      &out, ",\"orders_per_s\":%.0f,\"order_p50_us\":%d,\"order_p99_us\":%d,\"records_per_order\":%.2f",
      orders.PerSecond(), orders.Percentile(0.5), orders.Percentile(0.99),
      static_cast<double>(Records(halles) - records_before) / static_cast<double>(std::max<uint64_t>(1, orders.done)));
  int64_t sync_p50 = 0;
  const int64_t sync_p99 = IdleSyncP99(dir, &sync_p50);
  std::vector<int64_t> echo_p99, import_p99, import_p50;
  for (int round = 0; round < kRounds; ++round) {
    const Run reference = MeasureEcho(echo, 1, 16, duration);
    const Run durable = MeasureImport(halles, 1, 16, duration);
    note(reference);
    note(durable);
    echo_p99.push_back(reference.Percentile(0.99));
    import_p99.push_back(durable.Percentile(0.99));
    import_p50.push_back(durable.Percentile(0.5));
  }
  absl::StrAppendFormat(
      &out,
      ",\"sync_p50_us\":%d,\"sync_p99_us\":%d,\"echo_16_p99_us\":%d,\"import_16_p50_us\":%d,"
      "\"import_16_p99_us\":%d,\"ratio_16_p99\":%.2f",
      sync_p50, sync_p99, Median(echo_p99), Median(import_p50), Median(import_p99),
      static_cast<double>(Median(import_p99)) / static_cast<double>(std::max<int64_t>(1, sync_p99 + Median(echo_p99))));
  Run plain;
  const Run view = MeasureView(halles, top / 2, duration * kRounds, &plain);
  failed += view.failed;
  absl::StrAppendFormat(&out,
                        ",\"view_rate\":%.0f,\"view_with_token_p50_us\":%d,\"view_with_token_p99_us\":%d,"
                        "\"view_plain_p50_us\":%d,\"view_plain_p99_us\":%d",
                        top / 2, view.Percentile(0.5), view.Percentile(0.99), plain.Percentile(0.5),
                        plain.Percentile(0.99));
  uint64_t events = 0;
  const double rebuilt = Rebuild(halles, &events);
  const double reference = ParseAndPut(dir);
  absl::StrAppendFormat(&out,
                        ",\"rebuild_events\":%d,\"rebuild_per_s\":%.0f,\"parse_put_per_s\":%.0f,\"ratio_rebuild\":%.2f",
                        events, rebuilt, reference, rebuilt / std::max(1.0, reference));
  absl::StrAppendFormat(&out, ",\"failed\":%d}", failed);
  std::cout << out << std::endl;
  return failed == 0 && rebuilt > 0 ? 0 : 1;
}

}  // namespace
}  // namespace halles::load

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "echo" && argc == 2) return halles::load::ServeEcho();
  double seconds = 0;
  if (verb == "run" && argc == 6 && absl::SimpleAtod(argv[5], &seconds) && seconds > 0) {
    return halles::load::Measure(argv[2], argv[3], argv[4], seconds);
  }
  if (verb == "batches" && argc == 5 && absl::SimpleAtod(argv[4], &seconds) && seconds > 0) {
    return halles::load::MeasureBatches(argv[2], argv[3], seconds);
  }
  std::cerr << "usage: halles_load echo | halles_load run ECHO HALLES DIR SECONDS\n"
               "       halles_load batches ECHO HALLES SECONDS\n";
  return 2;
}
