// Tests of amounts: the parts of a line add up to its amount, however it is split.
#include "services/checkout/amounts.h"

#include <limits>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout {
namespace {

TEST(PartOf, AddsUpToTheAmountHoweverTheLineIsSplit) {
  for (const int64_t amount : {0, 1, 99, 100, 101, 1000, 99'999}) {
    for (const int64_t all : {1, 2, 3, 7, 12}) {
      for (int64_t piece = 1; piece <= all; ++piece) {
        int64_t sum = 0;
        for (int64_t gone = 0; gone < all; gone += piece) {
          sum += PartOf(amount, all, 0, gone, std::min(piece, all - gone));
        }
        EXPECT_EQ(sum, amount) << amount << " of " << all << " in pieces of " << piece;
      }
    }
  }
}

TEST(PartOf, RoundsHalvesAwayFromZero) {
  EXPECT_EQ(PartOf(101, 2, 0, 0, 1), 51);
  EXPECT_EQ(PartOf(101, 2, 0, 1, 1), 50);
}

TEST(PartOf, AcceptsFractionsAndTheLargestAmounts) {
  EXPECT_EQ(PartOf(1000, 2500, 3, 0, 1), 400);  // 1 of 2.500
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(PartOf(kMost, 1'000'000'000, 0, 0, 1'000'000'000), kMost);
  EXPECT_EQ(PartOf(kMost, 1, 9, 0, 0), 0);
  EXPECT_EQ(PartOf(100, 0, 0, 0, 1), 0);
}

TEST(AmountOf, RoundsHalfUp) {
  EXPECT_EQ(AmountOf(3, Exact("3.333"), "GBP").value(), 1000);
  EXPECT_EQ(AmountOf(1, Exact("0.125"), "GBP").value(), 13);
  EXPECT_FALSE(AmountOf(1'000'000'000, Exact("99999999999"), "GBP").ok());
}

TEST(SnapshotOf, HasTheTotalAndAHashOfAllLines) {
  google::protobuf::RepeatedPtrField<v1::PricedLine> lines;
  *lines.Add()->mutable_amount() = Pence(1000);
  *lines.Add()->mutable_amount() = Pence(250);
  const v1::PriceSnapshot snapshot = SnapshotOf(lines, "GBP").value();
  EXPECT_EQ(snapshot.total().minor_units(), 1250);
  EXPECT_EQ(snapshot.hash().size(), 32u);
  lines[0].set_sku("shoe");
  EXPECT_NE(SnapshotOf(lines, "GBP").value().hash(), snapshot.hash());
  *lines.Add()->mutable_amount() = Pence(std::numeric_limits<int64_t>::max());
  EXPECT_FALSE(SnapshotOf(lines, "GBP").ok());
}

TEST(AddTakenOff, IsRefusedWhenTheNetOverflows) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  v1::SaleRecord document = DocumentOf("d", v1::Origin(), "GBP", {}, 0);
  EXPECT_EQ(AddTakenOff(v1::LINE_KIND_RETURN, "a", "", nullptr, 1, kMost, &document), absl::OkStatus());
  EXPECT_EQ(ReasonOf(AddTakenOff(v1::LINE_KIND_RETURN, "b", "", nullptr, 1, 2, &document)), "AMOUNT_OVERFLOW");
  v1::PriceSnapshot snapshot;
  *snapshot.add_lines()->mutable_amount() = Pence(kMost);
  EXPECT_EQ(AddSold(snapshot, &document), absl::OkStatus());
  EXPECT_EQ(document.net().minor_units(), 0);
  *snapshot.add_lines()->mutable_amount() = Pence(1);
  EXPECT_EQ(ReasonOf(AddSold(snapshot, &document)), "AMOUNT_OVERFLOW");
}

}  // namespace
}  // namespace halles::checkout
