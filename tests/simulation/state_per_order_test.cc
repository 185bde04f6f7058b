// Measures what an order leaves in the state for ever: the number in ARCHITECTURE.md.
#include <cstdio>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/request_id.h"
#include "libs/partition/expired_answers.h"
#include "libs/partition/runtime_tables.h"
#include "libs/store/key_codec.h"
#include "tests/simulation/shop.h"

namespace halles::simulation {
namespace {

class StatePerOrder : public Shop {
 protected:
  // The bytes of all rows by table; those of recorded answers that will go are a table of their own.
  std::map<std::string, uint64_t> Bytes() {
    std::map<std::string, uint64_t> bytes;
    const absl::Status open = host_->With([&](host::Serving& serving) {
      absl::Status flushed = absl::UnknownError("no flush");
      serving.store->FlushAsync([&flushed](absl::Status status) { flushed = std::move(status); });
      world_.Advance(kSecond);
      EXPECT_TRUE(flushed.ok()) << flushed;
      const auto snapshot = serving.store->TakeSnapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.status();
      for (const store::RowSpace& space : (*snapshot)->spaces()) {
        const absl::Status walked = (*snapshot)->ForEachRow(space, [&](const store::Snapshot::StoredRow& row) {
          std::string table = host_->definitions().schemas.TableName(space, row.key);
          if (row.key.substr(0, 2) == partition::kDedupe.Prefix()) {
            absl::string_view rest = row.key.substr(2);
            UnixMicros expires = 0;
            EXPECT_TRUE(store::TakeField(&rest, &expires));
            table = expires == kNeverExpires ? "answers kept for ever" : kGoing;
          }
          bytes[table] += row.key.size() + row.value.size();
          return true;
        });
        EXPECT_TRUE(walked.ok()) << walked;
      }
    });
    EXPECT_TRUE(open.ok()) << open;
    return bytes;
  }

  static constexpr char kGoing[] = "answers that go";
};

TEST_F(StatePerOrder, StaysWithinItsBoundAndHoldsNoAnswers) {
  constexpr uint64_t kOrders = 40;
  // Ids of a usual length.
  const auto order = [](uint64_t i) { return absl::StrCat("c-0018f3a2-7b41-4c55-", 1000 + i); };
  for (uint64_t i = 0; i < 10; ++i) Place(order(i), {"sku-100417", "sku-203311"});
  const std::map<std::string, uint64_t> before = Bytes();
  for (uint64_t i = 10; i < 10 + kOrders; ++i) {
    Place(order(i), {"sku-100417", "sku-203311"});
    Collect(order(i));
    ASSERT_EQ(StateOf(order(i)), checkout::v1::ORDER_STATE_COMPLETED);
  }
  std::map<std::string, uint64_t> after = Bytes();
  const uint64_t answers = after[kGoing];
  // Everything that carries a time is over; records that come later drop it.
  world_.Advance(kSagaLifeMicros + kWeek);
  for (int i = 0; i < 200; ++i) {
    for (const std::string sku : {"sku-100417", "sku-203311", "sku-1", "sku-2", "sku-3"}) Receive(sku, 1);
    Place(absl::StrCat("late-", i), {"sku-100417"});
  }
  uint64_t left = 0;
  const UnixMicros now = node_->clock().Wall();
  for (const ServiceId service : {ServiceId::kCheckout, ServiceId::kInventory}) {
    for (uint16_t slot = 0; slot < 2; ++slot) {
      runtime_->Query({service, slot}, 0, kNoDeadline,
                      [&](const absl::StatusOr<const store::RowReader*>& rows, Position) {
                        partition::kDedupe.ForEach(
                            **rows, [&](const partition::DedupeKey& key, const partition::rows::DedupeRow&, Position) {
                              left += key.expires_us <= now ? 1 : 0;
                              return true;
                            });
                      });
    }
  }
  world_.RunReady();
  EXPECT_EQ(left, 0u) << "answers that are over";

  uint64_t all = 0;
  for (const auto& [table, bytes] : after) {
    if (table == kGoing) continue;
    const auto earlier = before.find(table);
    const uint64_t per_order = (bytes - (earlier == before.end() ? 0 : earlier->second)) / kOrders;
    if (per_order > 0) printf("%-60s %6llu bytes\n", table.c_str(), static_cast<unsigned long long>(per_order));
    all += per_order;
  }
  printf("an order of two SKUs leaves %llu bytes for ever, and %llu bytes of answers for 30 days\n",
         static_cast<unsigned long long>(all),
         static_cast<unsigned long long>((answers - before.at(kGoing)) / kOrders));
  EXPECT_EQ(after["answers kept for ever"], 0u);
  EXPECT_LE(all, 6'000u);
}

}  // namespace
}  // namespace halles::simulation
