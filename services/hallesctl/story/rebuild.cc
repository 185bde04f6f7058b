// T14: rebuilds state and views from the log while clients write to it.
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/hallesctl/story/shop.h"
#include "services/hallesctl/story/stories.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

using admin::v1::AdminService;
using admin::v1::GetStatusResponse;
using admin::v1::VerifyResult;
using checkout::v1::CheckoutService;
using inventory::v1::InventoryService;

constexpr int kWriters = 4;

// A client that receives goods and imports orders until told to stop, and counts the answers.
struct Writer {
  std::string sku;
  std::atomic<int64_t> answered{0};  // counters only
  std::atomic<int64_t> broken{0};
};

void WriteOn(Script& script, const std::atomic<bool>& end, Writer* writer) {
  Client client(OpenChannel(script.client().target), script.client().target, script.client().timeout);
  for (int64_t i = 0; !end; ++i) {
    inventory::v1::ReceiveStockRequest goods;
    goods.set_request_id(absl::StrCat("story/", writer->sku, "/", i));
    goods.set_sku(writer->sku);
    goods.set_location_id(kShopA);
    goods.set_units(1);
    checkout::v1::ImportOrderRequest sale;
    sale.set_request_id(goods.request_id());
    checkout::v1::ImportRecord& order = *sale.mutable_order();
    order.mutable_external()->set_source(writer->sku);
    order.mutable_external()->set_external_id(absl::StrCat(i));
    order.mutable_recorded_time()->set_seconds(1'700'000'000 + i);
    order.set_channel(common::v1::CHANNEL_WEB);
    order.set_site_id(writer->sku);
    order.set_currency_code("EUR");
    *order.add_identifiers() = LoyaltyCard(absl::StrCat(writer->sku, "-", i % 10));
    checkout::v1::ImportLine& line = *order.add_lines();
    line.set_kind(checkout::v1::LINE_KIND_SALE);
    line.set_sku(writer->sku);
    line.mutable_quantity()->set_unscaled(1);
    line.mutable_exact_amount()->set_unscaled(1);
    const bool done = Insist(client, &InventoryService::Stub::ReceiveStock, *client.inventory, goods).ok() &&
                      Insist(client, &CheckoutService::Stub::ImportOrder, *client.checkout, sale).ok();
    ++(done ? writer->answered : writer->broken);
  }
}

// Rebuilds and prints the result, which is empty when the call failed.
VerifyResult Rebuild(Script& script, absl::string_view says) {
  if (script.failed()) return {};
  grpc::ClientContext context;
  const absl::Time began = absl::Now();
  const auto reader = script.client().admin->Rebuild(&context, {});
  admin::v1::RebuildResponse update;
  VerifyResult result;
  while (reader->Read(&update)) {
    if (update.has_result()) result = update.result();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    script.Fail(absl::StrCat("Rebuild ended: ", script.client().ErrorOf(status).message()));
    return {};
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  script.Show(absl::StrCat(says, ": ", Thousands(static_cast<int64_t>(result.events())), " events, ",
                           Thousands(static_cast<int64_t>(result.rows())), " rows, ",
                           Thousands(static_cast<int64_t>(static_cast<double>(result.events()) / seconds)),
                           " events a second"));
  return result;
}

GetStatusResponse Settled(Script& script) {
  GetStatusResponse status;
  script.Await(
      "views have caught up",
      [&] {
        status = script.Ask(&AdminService::Stub::GetStatus, *script.client().admin, admin::v1::GetStatusRequest());
        return status.caught_up() ? 1 : 0;
      },
      1);
  return status;
}

// Position and digest of every fold by its name.
std::map<std::string, std::pair<uint64_t, std::string>> Folds(const GetStatusResponse& status) {
  std::map<std::string, std::pair<uint64_t, std::string>> folds;
  for (const auto& slot : status.slots()) {
    folds[absl::StrCat(slot.service(), "/", slot.slot())] = {slot.position(), slot.digest()};
  }
  for (const auto& view : status.views()) {
    folds[absl::StrCat(view.view(), " of ", view.service(), "/", view.slot())] = {view.position(), view.digest()};
  }
  return folds;
}

}  // namespace

void TellRebuild(Script& script, const StoryOptions& /*options*/) {
  std::vector<Writer> writers(kWriters);
  std::vector<std::thread> threads;
  std::atomic<bool> end{false};  // no ordering needed: the threads are joined
  for (int i = 0; i < kWriters; ++i) {
    writers[static_cast<size_t>(i)].sku = script.Own(absl::StrCat("writer-", i));
    threads.emplace_back([&, i] { WriteOn(script, end, &writers[static_cast<size_t>(i)]); });
  }
  script.Show(absl::StrCat(kWriters, " clients receive goods and record sales, each one request after the other"));
  const auto answered = [&] {
    int64_t sum = 0;
    for (const Writer& writer : writers) sum += writer.answered;
    return sum;
  };
  script.Await(
      "they have begun", [&] { return answered() >= 2 * kWriters ? 1 : 0; }, 1);
  const int64_t before = answered();
  const VerifyResult under_load = Rebuild(script, "meanwhile everything is rebuilt from the log");
  const int64_t meanwhile = answered() - before;
  end = true;
  for (std::thread& thread : threads) thread.join();
  script.Show(absl::StrCat(meanwhile, " goods receipts and sales were answered during the rebuild"));
  script.Expect("rows that differ", static_cast<int64_t>(under_load.difference_count()), 0);
  script.Expect("digests are equal (1: yes)", under_load.equal() ? 1 : 0, 1);
  script.Expect("clients wrote during the rebuild (1: yes)", meanwhile > 0 ? 1 : 0, 1);
  Shop shop(script);
  for (const Writer& writer : writers) {
    script.Expect(absl::StrCat("writes of ", writer.sku, " that failed"), writer.broken, 0);
    script.Expect(absl::StrCat("goods of ", writer.sku, ", one for each answer"),
                  shop.Level(writer.sku, kShopA).on_hand_units(), writer.answered);
    checkout::v1::GetTotalsRequest request;
    request.set_site_id(writer.sku);
    script.Await(
        absl::StrCat("sales of ", writer.sku, ", one for each answer"),
        [&] {
          const auto totals = script.Ask(&CheckoutService::Stub::GetTotals, *script.client().checkout, request);
          return totals.rows().empty() ? 0 : totals.rows(0).totals().orders();
        },
        writer.answered);
  }
  const auto first = Folds(Settled(script));
  const VerifyResult at_rest = Rebuild(script, "rebuilt once more, without writes");
  script.Expect("digests are equal (1: yes)", at_rest.equal() ? 1 : 0, 1);
  const auto second = Folds(Settled(script));
  int64_t same = 0;
  int64_t comparable = 0;
  for (const auto& [name, fold] : first) {
    const auto now = second.find(name);
    // A rebuilt slot writes one record, its claim. More records mean that another client wrote.
    if (now == second.end() || now->second.first > fold.first + 1) continue;
    ++comparable;
    same += now->second.second == fold.second ? 1 : 0;
  }
  script.Expect(absl::StrCat("unchanged digests of slots and views, of ", first.size()), same, comparable);
  script.Expect("there were some to compare (1: yes)", comparable > 0 ? 1 : 0, 1);
}

}  // namespace halles::hallesctl
