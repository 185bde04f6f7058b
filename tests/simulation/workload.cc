// Random requests of the clients of a small shop, drawn from the seed of the world.
#include "tests/simulation/workload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "halles/checkout/v1/cart_service.pb.h"
#include "halles/checkout/v1/checkout_service.pb.h"
#include "halles/checkout/v1/order_service.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/request_id.h"
#include "libs/host/calls.h"
#include "libs/partition/slot_runner.h"
#include "libs/projection/view_follower.h"
#include "libs/projection/waiters.h"
#include "services/checkout/imports/ids.h"
#include "services/checkout/order/state.h"
#include "services/checkout/test_builders.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/state.h"
#include "services/halles/all_services.h"
#include "services/inventory/movements.h"
#include "services/inventory/projection.h"
#include "services/inventory/state.h"
#include "tests/simulation/world.h"

namespace halles::simulation {
namespace {

constexpr uint64_t kSkus = 24;
constexpr uint64_t kLocations = 3;
// Customers come in groups of kPeople. After kIdsPerCircle new ids, the next group takes over.
constexpr uint64_t kPeople = 6;
constexpr uint64_t kIdsPerCircle = 400;
constexpr size_t kRemembered = 200;
constexpr size_t kAskedRemembered = 2'000;
constexpr MonotonicMicros kPatience = 400'000;
constexpr uint64_t kTriesMax = 6;
// From time to time, more arrives at once than a slot or a view accepts: floods of commands and crowds of readers
// alternate.
constexpr uint64_t kFloodEvery = 24'000;
constexpr uint64_t kFloodParcels = partition::kSlotCommandsFromDoorsMax + 200;
constexpr uint64_t kFirstFlood = 6'000;
constexpr uint64_t kFirstCrowd = 18'000;

// A random one of the newest entries, so that clients return to what happened lately.
template <typename T>
const T& Recent(const std::vector<T>& all, SeededRandom& random) {
  const size_t newest = std::min(all.size(), kRemembered);
  return all[all.size() - 1 - random.Uniform(newest)];
}

checkout::v1::Origin Web() {
  checkout::v1::Origin origin;
  origin.set_channel(common::v1::CHANNEL_WEB);
  origin.set_site_id("web");
  return origin;
}

}  // namespace

void Workload::Act() {
  const uint64_t act = acts_++ % kFloodEvery;
  if (act == kFirstFlood) Flood();
  if (act == kFirstCrowd) Crowd();
  if (world_.Chance(2'000)) open_max_ = 1 + world_.random.Uniform(world_.Chance(3) ? 40 : 400);
  if (open_count_ < open_max_ && !world_.Chance(4)) Visit();
}

void Workload::Late() {
  if (!asked_.empty()) Arrive(asked_[world_.random.Uniform(asked_.size())]);
}

void Workload::Visit() {
  if (world_.Chance(30)) Late();
  switch (world_.random.Uniform(27)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return Fill();
    case 5:
    case 6:
    case 7:
      return Place();
    case 8:
    case 9:
    case 10:
      return Fulfil();
    case 11:
    case 12:
      return TakeBack();
    case 13:
      return Merge();
    case 14:
    case 15:
      return Hold();
    case 16:
      return Transfer();
    case 17:
    case 18:
    case 19:
      return Stock();
    case 20:
    case 21:
    case 22:
      return Import();
    case 23:
      return ImportReturn();
    case 24:
      return ReadStateOf();
    case 25:
      return ReadCustomer();
    default:
      return ReadStock();
  }
}

std::string Workload::NewId(absl::string_view kind) { return absl::StrCat(kind, "-", ++next_); }
std::string Workload::Cart() {
  // A few carts are filled by several clients, even after they were ordered.
  if (!filled_.empty() && world_.Chance(4)) return Recent(filled_, world_.random);
  return NewId("cart");
}
std::string Workload::Order() { return placed_.empty() ? std::string("cart-0") : Recent(placed_, world_.random); }
std::string Workload::Sku() { return absl::StrCat("sku-", world_.random.Uniform(kSkus)); }
std::string Workload::Location() { return absl::StrCat("shop-", world_.random.Uniform(kLocations)); }

common::v1::Identifier Workload::Somebody() {
  common::v1::Identifier somebody;
  const uint64_t newest = next_ / kIdsPerCircle;
  const uint64_t circle = world_.Chance(40) ? world_.random.Uniform(newest + 1) : newest;
  const uint64_t who = circle * kPeople + world_.random.Uniform(kPeople);
  if (world_.Chance(3)) {
    somebody.set_type(common::v1::IDENTIFIER_TYPE_PHONE);
    somebody.set_value(absl::StrCat("+44207946", 1000 + who));
  } else {
    somebody.set_type(common::v1::IDENTIFIER_TYPE_EMAIL);
    somebody.set_value(absl::StrCat("customer", who, kClearText));
  }
  return somebody;
}

void Workload::Fill() {
  const std::string cart = Cart();
  checkout::v1::AddCartLinesRequest add;
  add.set_cart_id(cart);
  *add.mutable_origin() = Web();
  add.set_currency_code("GBP");
  for (uint64_t lines = 1 + world_.random.Uniform(2); lines > 0; --lines) {
    checkout::v1::CartLine& line = *add.add_lines();
    line.set_line_id(NewId("line"));
    line.set_sku(Sku());
    line.set_units(static_cast<int64_t>(1 + world_.random.Uniform(3)));
    *line.mutable_unit_price() = checkout::Exact("2.55");
  }
  lines_[cart] = {add.lines(0).line_id(), add.lines(0).sku()};
  if (world_.Chance(3)) *add.add_identifiers() = Somebody();
  if (world_.Chance(8)) *add.add_identifiers() = Somebody();
  Submit(std::move(add));
  checkout::v1::SetCartDeliveryRequest set;
  set.set_cart_id(cart);
  checkout::v1::Delivery& delivery = *set.mutable_delivery();
  switch (world_.random.Uniform(3)) {
    case 0:
      delivery.mutable_carry_out()->set_location_id(Location());
      break;
    case 1:
      delivery.mutable_pickup()->set_location_id(Location());
      break;
    default:
      delivery.mutable_shipment()->set_address_token("token");
      delivery.mutable_shipment()->add_source_location_ids(Location());
      break;
  }
  Submit(std::move(set), [this, cart] {
    filled_.push_back(cart);
    unplaced_.push_back(cart);
  });
  if (world_.Chance(6)) {
    checkout::v1::SetCartCustomerRequest customer;
    customer.set_cart_id(cart);
    *customer.add_identifiers() = Somebody();
    Submit(std::move(customer));
  }
}

void Workload::Place() {
  if (filled_.empty()) return Stock();
  checkout::v1::PlaceOrderRequest place;
  // Mostly a cart that nobody has placed yet.
  if (unplaced_.empty() || world_.Chance(4)) {
    place.set_cart_id(Recent(filled_, world_.random));
  } else {
    place.set_cart_id(unplaced_.front());
    unplaced_.pop_front();
  }
  const std::string order = place.cart_id();
  Submit(std::move(place), [this, order] { placed_.push_back(order); });
}

void Workload::Fulfil() {
  const auto of_fulfilment = [this](auto request) {
    request.set_order_id(Order());
    request.set_fulfilment_id(world_.Chance(8) ? "f2" : "f1");
    return request;
  };
  switch (world_.random.Uniform(10)) {
    case 0: {
      checkout::v1::CancelOrderRequest cancel;
      cancel.set_order_id(Order());
      return Submit(std::move(cancel));
    }
    case 1:
      return Submit(of_fulfilment(checkout::v1::PrepareFulfilmentRequest()));
    case 2:
      return Submit(of_fulfilment(checkout::v1::ReadyFulfilmentRequest()));
    case 3:
    case 4:
      return Submit(of_fulfilment(checkout::v1::CollectFulfilmentRequest()));
    case 5:
      return Submit(of_fulfilment(checkout::v1::ShipFulfilmentRequest()));
    case 6:
      return Submit(of_fulfilment(checkout::v1::CompleteFulfilmentRequest()));
    case 7: {
      auto delay = of_fulfilment(checkout::v1::DelayFulfilmentRequest());
      delay.set_cause("late");
      return Submit(std::move(delay));
    }
    case 8: {
      auto cancel = of_fulfilment(checkout::v1::CancelFulfilmentRequest());
      cancel.set_cause("broken");
      return Submit(std::move(cancel));
    }
    default: {
      auto reroute = of_fulfilment(checkout::v1::RerouteFulfilmentRequest());
      reroute.set_to_location_id(Location());
      return Submit(std::move(reroute));
    }
  }
}

void Workload::TakeBack() {
  if (!imports_.empty() && world_.Chance(3)) {
    const auto& [imported, sku] = Recent(imports_, world_.random);
    checkout::v1::ReturnLinesRequest back;
    back.set_order_id(imported);
    back.set_return_id(NewId("return"));
    *back.mutable_origin() = checkout::InShop("shop-1");
    back.set_location_id(Location());
    *back.add_lines() = checkout::BackOf("1", static_cast<int64_t>(1 + world_.random.Uniform(2)));
    if (world_.Chance(2)) back.mutable_lines(0)->set_sku(sku);
    return Submit(std::move(back));
  }
  // Returns and exchanges of an order share their ids, and some come with one that is taken.
  static const std::string kSameReturn = "same";
  const std::string order = Order();
  const auto line = lines_.find(order);
  if (line == lines_.end()) return Stock();
  const auto fill = [&](checkout::v1::ReturnedLine& back) {
    back.set_line_id(line->second.first);
    back.set_sku(line->second.second);
    back.set_units(1);
    back.set_disposition(checkout::v1::DISPOSITION_RESTOCK);
  };
  if (world_.Chance(2)) {
    checkout::v1::ExchangeLinesRequest exchange;
    exchange.set_order_id(order);
    exchange.set_exchange_id(world_.Chance(3) ? kSameReturn : NewId("exchange"));
    *exchange.mutable_origin() = checkout::InShop("shop-1");
    exchange.set_location_id(Location());
    fill(*exchange.add_returned_lines());
    checkout::v1::ExchangeLine& other = *exchange.add_new_lines();
    other.set_line_id(NewId("line"));
    other.set_sku(Sku());
    other.set_units(1);
    *other.mutable_unit_price() = checkout::Exact("3.10");
    exchange.mutable_delivery()->mutable_carry_out()->set_location_id(Location());
    return Submit(std::move(exchange));
  }
  checkout::v1::ReturnLinesRequest back;
  back.set_order_id(order);
  back.set_return_id(world_.Chance(3) ? kSameReturn : NewId("return"));
  *back.mutable_origin() = checkout::InShop("shop-1");
  back.set_location_id(Location());
  fill(*back.add_lines());
  Submit(std::move(back));
}

void Workload::Merge() {
  if (filled_.size() < 2) return Stock();
  if (!merges_.empty() && world_.Chance(3)) {
    const auto& [from, into] = Recent(merges_, world_.random);
    checkout::v1::UndoMergeCartsRequest undo;
    undo.set_cart_id(into);
    undo.set_from_cart_id(from);
    return Submit(std::move(undo));
  }
  checkout::v1::MergeCartsRequest merge;
  merge.set_cart_id(Recent(filled_, world_.random));
  merge.set_into_cart_id(Recent(filled_, world_.random));
  if (merge.cart_id() == merge.into_cart_id()) return Stock();
  merges_.emplace_back(merge.cart_id(), merge.into_cart_id());
  Submit(std::move(merge));
}

void Workload::Hold() {
  if (!holds_.empty() && world_.Chance(2)) {
    const auto& [sku, id] = Recent(holds_, world_.random);
    if (world_.Chance(3)) {
      inventory::v1::ExtendHoldRequest extend;
      extend.set_sku(sku);
      extend.set_hold_id(id);
      extend.mutable_expire_time()->set_seconds(testing::VirtualScheduler::kWallAtStart / 1'000'000 +
                                                world_.scheduler.now() / 1'000'000 + 120);
      return Submit(std::move(extend));
    }
    inventory::v1::ReleaseHoldRequest release;
    release.set_sku(sku);
    release.set_hold_id(id);
    return Submit(std::move(release));
  }
  inventory::v1::ReserveStockRequest reserve;
  reserve.set_sku(Sku());
  reserve.set_hold_id(NewId("hold"));
  reserve.add_lines()->set_units(static_cast<int64_t>(1 + world_.random.Uniform(4)));
  reserve.add_candidate_location_ids(Location());
  reserve.set_purpose(inventory::v1::HOLD_PURPOSE_DATED_PICKUP);
  reserve.mutable_owner()->set_ref("pickup/1");
  reserve.mutable_expire_time()->set_seconds(testing::VirtualScheduler::kWallAtStart / 1'000'000 +
                                             world_.scheduler.now() / 1'000'000 + 30);
  holds_.emplace_back(reserve.sku(), reserve.hold_id());
  Submit(std::move(reserve));
}

void Workload::Transfer() {
  if (!transfers_.empty() && world_.Chance(2)) {
    const auto& [sku, id] = Recent(transfers_, world_.random);
    inventory::v1::ReceiveTransferRequest arrive;
    arrive.set_sku(sku);
    arrive.set_transfer_id(id);
    arrive.set_units(1);
    arrive.set_lost_units(world_.Chance(4) ? 1 : 0);
    return Submit(std::move(arrive));
  }
  inventory::v1::SendTransferRequest send;
  send.set_sku(Sku());
  send.set_transfer_id(NewId("transfer"));
  send.set_from_location_id(Location());
  send.set_to_location_id(Location());
  if (send.from_location_id() == send.to_location_id()) return Stock();
  send.set_units(2);
  transfers_.emplace_back(send.sku(), send.transfer_id());
  Submit(std::move(send));
}

void Workload::Stock() {
  if (world_.Chance(12)) {
    inventory::v1::AdjustStockRequest adjust;
    adjust.set_sku(Sku());
    adjust.set_location_id(Location());
    adjust.set_delta_units(-1);
    adjust.set_reason(inventory::v1::ADJUST_REASON_DAMAGED);
    return Submit(std::move(adjust));
  }
  if (world_.Chance(12)) {
    inventory::v1::CountStockRequest count;
    count.set_sku(Sku());
    count.set_location_id(Location());
    count.set_counted_units(static_cast<int64_t>(world_.random.Uniform(10)));
    return Submit(std::move(count));
  }
  inventory::v1::ReceiveStockRequest receive;
  receive.set_sku(Sku());
  receive.set_location_id(Location());
  receive.set_units(static_cast<int64_t>(1 + world_.random.Uniform(9)));
  receive.set_reference(NewId("note"));
  Submit(std::move(receive));
}

void Workload::Import() {
  // Prices have more decimal places than the currency, so that the refund of a part of a line is a rounded part of a
  // rounded amount.
  const std::string sku = Sku();
  const std::string units = absl::StrCat(1 + world_.random.Uniform(4));
  const std::string price = absl::StrCat("2.", 101 + world_.random.Uniform(800));
  checkout::v1::ImportRecord record =
      checkout::Record(NewId("import"), {checkout::Sold(sku, units, price)}, static_cast<int>(next_ % 5000));
  *record.add_identifiers() = Somebody();
  if (world_.Chance(2)) *record.add_identifiers() = Somebody();
  const std::string order = checkout::imports::OrderIdOf(checkout::imports::kTenant, record.external()).ToString();
  Submit(checkout::Import(record), [this, order, sku] { imports_.emplace_back(order, sku); });
}

void Workload::ImportReturn() {
  // The order was imported, will be imported, or never is.
  const std::string order = absl::StrCat("import-", 1 + world_.random.Uniform(next_ + 20));
  Submit(checkout::ImportReturn(
      checkout::Record(NewId("back"), {checkout::Back(Sku(), "1")}, static_cast<int>(next_ % 5000)), order));
}

void Workload::Flood() {
  const std::string sku = Sku();
  for (uint64_t i = 0; i < kFloodParcels; ++i) {
    inventory::v1::ReceiveStockRequest receive;
    receive.set_sku(sku);
    receive.set_location_id(Location());
    receive.set_units(1);
    receive.set_reference(NewId("parcel"));
    Submit(std::move(receive), nullptr, /*patient=*/false);
  }
}

// Some ids carry a time, and their answers are soon over: within seconds, or hours of a slot whose owner's clock is ahead.
std::string Workload::NewRequestId() {
  const std::string name = NewId("request");
  if (!world_.Chance(6)) return name;
  const auto life = static_cast<int64_t>(world_.random.Uniform(world_.Chance(2) ? 20'000'000 : 7'200'000'000));
  const UnixMicros made =
      testing::VirtualScheduler::kWallAtStart + world_.scheduler.now() + life - kRequestIdLifeMicros;
  const auto millis = static_cast<uint64_t>(made / 1000);
  return absl::StrFormat("%08x-%04x-7000-8000-%012x", millis >> 16, millis & 0xffff, next_);
}

template <typename Request>
void Workload::Submit(Request request, std::function<void()> done, bool patient) {
  request.set_request_id(NewRequestId());
  auto ask = std::make_shared<Ask>();
  ask->request_id = request.request_id();
  ask->done = std::move(done);
  ask->request = std::make_shared<Request>(std::move(request));
  // Any live process can prepare the request, because all have the same rules.
  for (const auto& process : world_.processes) {
    if (!process->alive()) continue;
    const partition::RegisteredCommand& registered = *process->host().FindCommand(Request::descriptor());
    const absl::Status prepared =
        registered.command->Prepare({.identifier_keys = &world_.identifier_keys}, ask->request.get());
    EXPECT_TRUE(prepared.ok()) << Request::descriptor()->full_name() << ": " << prepared;
    ask->key = registered.command->KeyOf(*ask->request);
    ask->slot = SlotOf(registered.service, "", ask->key, kSlots);
    ask->patient = patient;
    if (patient) {
      ++open_count_;
      open_.push_back(ask);
    }
    asked_.push_back(ask);
    if (asked_.size() > kAskedRemembered) asked_.pop_front();
    Send(ask);
    if (world_.Chance(8)) Send(ask);
    return;
  }
}

void Workload::Send(const AskPtr& ask) {
  ask->sent = world_.scheduler.now();
  ++ask->tries;
  if (!world_.Chance(10)) return Arrive(ask);
  for (uint64_t copies = world_.random.Uniform(3); copies > 0; --copies) {
    world_.network->PostAfter(absl::Microseconds(static_cast<int64_t>(world_.random.Uniform(20'000))),
                              [this, ask] { Arrive(ask); });
  }
}

void Workload::Arrive(const AskPtr& ask) {
  if (closed_) return;
  Process* owner = world_.Chance(200) ? world_.processes[world_.random.Uniform(2)].get() : world_.OwnerOf(ask->slot);
  if (owner == nullptr || !owner->alive()) return;
  std::unique_ptr<google::protobuf::Message> request(ask->request->New());
  request->CopyFrom(*ask->request);
  const partition::RegisteredCommand& registered = *owner->host().FindCommand(request->GetDescriptor());
  owner->Submit(registered, ask->key, std::move(*request),
                [this, ask, id = ask->request_id,
                 aggregate = partition::AggregateRef{registered.command->aggregate_type(), ask->key}](
                    const absl::StatusOr<google::protobuf::Message*>& response, partition::AnswerPosition at) {
                  const bool decided = response.ok() || absl::IsFailedPrecondition(response.status());
                  if (response.ok()) {
                    ++answers_;
                    world_.auditor.CheckAnswer(aggregate, id, (*response)->SerializeAsString(), at);
                  }
                  if (!decided || ask->answered) return;
                  ask->answered = true;
                  if (ask->patient) --open_count_;
                  if (response.ok() && ask->done) ask->done();
                });
}

void Workload::AskAgain() {
  std::deque<AskPtr> open;
  open.swap(open_);
  for (const AskPtr& ask : open) {
    if (ask->answered) continue;
    if (ask->sent + kPatience > world_.scheduler.now()) {
      open_.push_back(ask);
      continue;
    }
    if (ask->tries >= kTriesMax) {
      ask->answered = true;
      --open_count_;
      continue;
    }
    if (world_.interposer != nullptr) {
      const std::string id = world_.interposer->AskAgainAs(ask->request_id);
      if (id != ask->request_id) {
        ask->request_id = id;
        const google::protobuf::FieldDescriptor* field = ask->request->GetDescriptor()->FindFieldByName("request_id");
        ask->request->GetReflection()->SetString(ask->request.get(), field, id);
      }
    }
    Send(ask);
    open_.push_back(ask);
  }
}

void Workload::Close() { closed_ = true; }

// Reads ----------------------------------------------------------------------------------------------------------------

}  // namespace halles::simulation
