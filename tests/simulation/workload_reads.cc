// The reads of the clients of a simulated world, and what their answers are compared with.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/host/calls.h"
#include "libs/projection/view_follower.h"
#include "libs/projection/waiters.h"
#include "services/customer_identity/projection.h"
#include "services/customer_identity/state.h"
#include "services/inventory/projection.h"
#include "services/inventory/state.h"
#include "tests/simulation/workload.h"
#include "tests/simulation/world.h"

namespace halles::simulation {
namespace {

constexpr absl::Duration kReadPatience = absl::Seconds(5);
// More than a view lets wait.
constexpr uint64_t kCrowdReaders = projection::kWaitersMax + 200;
constexpr absl::Duration kCrowdPatience = absl::Milliseconds(2);

}  // namespace

void Workload::ReadStateOf() {
  const bool stock = world_.Chance(2);
  const ServiceId service = stock ? ServiceId::kInventory : ServiceId::kCheckout;
  const std::string key = stock ? Sku() : Order();
  const SlotId slot = SlotOf(service, "", key, kSlots);
  Process& process = *world_.processes[world_.random.Uniform(2)];
  if (!process.alive()) return;
  // The token of the newest possible answer.
  const Position token = world_.log.End(slot).value();
  const Position from = world_.interposer == nullptr ? token : world_.interposer->ReadFrom(token);
  process.runtime().Query(
      slot, from, process.host().scheduler().Now() + absl::ToInt64Microseconds(kReadPatience),
      [this, process = &process, service, key, slot, token](absl::StatusOr<const store::RowReader*> rows, Position at) {
        if (!rows.ok()) return;
        process->Work(slot);
        const uint64_t fingerprint = Auditor::FingerprintOf(service, **rows, key);
        if (!(*rows)->status().ok()) return;
        if (at < token) {
          world_.findings.Add(
              "I6", absl::StrCat("a read of ", slot.ToString(), " is at ", at, ", but its token is at ", token));
        }
        world_.auditor.CheckRead(slot, key, at, fingerprint, "state");
      });
}

// Reads the stock of a SKU from the view. Each level must equal that of the state at the same position.
void Workload::ReadStock() {
  const std::string sku = Sku();
  const SlotId slot = SlotOf(ServiceId::kInventory, "", sku, kSlots);
  Process& process = *world_.processes[world_.random.Uniform(2)];
  if (!process.alive()) return;
  const Position token = world_.log.End(slot).value();
  host::ReadView(process.host(), ServiceId::kInventory, inventory::kStockView, {{slot, token}},
                 process.host().scheduler().Now() + absl::ToInt64Microseconds(kReadPatience),
                 [this, sku, slot, token](absl::StatusOr<const store::RowReader*> rows,
                                          const TokenPositions& at) -> std::function<void()> {
                   if (!rows.ok()) return nullptr;
                   store::MemoryRows levels;
                   inventory::kStock.ForEach(
                       **rows,
                       [&levels](const inventory::StockKey& key, const inventory::rows::StockRow& row, Position) {
                         inventory::kLevels.Put(levels, {key.sku, key.location}, row.level());
                         return true;
                       },
                       halles::Sku::FromString(sku));
                   if (!(*rows)->status().ok()) return nullptr;
                   const Position stands = at.at(slot);
                   if (stands < token) {
                     world_.findings.Add("I15", absl::StrCat("a read of the stock view is at ", stands,
                                                             ", but its token is at ", token));
                   }
                   world_.auditor.CheckRead(slot, sku, stands,
                                            Auditor::FingerprintOf(ServiceId::kInventory, levels, sku), "the view");
                   return nullptr;
                 });
}

// Reads the party of a random customer from the view.
void Workload::ReadCustomer() {
  common::v1::Identifier somebody = Somebody();
  const absl::Status hashed = HashIdentifier(world_.identifier_keys, "somebody", &somebody);
  EXPECT_TRUE(hashed.ok()) << hashed;
  ReadParties(world_.processes[world_.random.Uniform(2)].get(), {*customer_identity::KeyOf(somebody)});
}

void Workload::ReadCustomers(Process* process) { ReadParties(process, world_.auditor.LinkedIdentifiers()); }

void Workload::ReadParties(Process* process, std::vector<customer_identity::IdentifierKey> keys) {
  if (!process->alive()) return;
  const SlotId graph = SlotOf(ServiceId::kCustomerIdentity, "", customer_identity::kRealm, kSlots);
  const Position token = world_.log.End(graph).value();
  host::ReadView(process->host(), ServiceId::kCustomerIdentity, customer_identity::kCustomersView, {{graph, token}},
                 process->host().scheduler().Now() + absl::ToInt64Microseconds(kReadPatience),
                 [this, process, graph, keys = std::move(keys)](absl::StatusOr<const store::RowReader*> rows,
                                                                const TokenPositions& at) -> std::function<void()> {
                   if (!rows.ok()) return nullptr;
                   Interposer none;
                   Interposer& between = world_.interposer == nullptr ? none : *world_.interposer;
                   for (const customer_identity::IdentifierKey& key : keys) {
                     const auto party = between.PartyOf(**rows, key);
                     if (!(*rows)->status().ok()) return nullptr;
                     world_.auditor.CheckParty(graph, at.at(graph), key, party, process->name());
                   }
                   return nullptr;
                 });
}

// Many readers ask at once for a position that the log does not have yet. The view lets a limited number of them wait,
// and refuses the others immediately.
void Workload::Crowd() {
  const SlotId slot = SlotOf(ServiceId::kInventory, "", Sku(), kSlots);
  Process& process = *world_.processes[world_.random.Uniform(2)];
  if (!process.alive()) return;
  const Position never = world_.log.End(slot).value() + 1'000'000;
  auto waiting = std::make_shared<uint64_t>(0);  // shared with the waiting callbacks
  const absl::Status open = process.host().With([&](host::Serving& serving) {
    projection::ViewFollower& view = serving.pool->View(ServiceId::kInventory, inventory::kStockView);
    for (uint64_t i = 0; i < kCrowdReaders; ++i) {
      ++*waiting;
      view.WhenReached({{slot, never}}, process.host().scheduler().Now() + absl::ToInt64Microseconds(kCrowdPatience),
                       [this, waiting](const absl::Status& status) {
                         --*waiting;
                         if (absl::IsResourceExhausted(status)) ++world_.overloads;
                       });
    }
  });
  EXPECT_TRUE(open.ok()) << open;
  if (*waiting > projection::kWaitersMax) {
    world_.findings.Add("I19", absl::StrCat(process.name(), " lets ", *waiting, " wait for a view, the limit is ",
                                            projection::kWaitersMax));
  }
}

}  // namespace halles::simulation
