// Tests of sums of stock movements.
#include "services/hallesctl/stock_sums.h"

#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

inventory::v1::StockMovement Moved(int64_t on_hand, int64_t held, int64_t committed, int64_t in_transit,
                                   int64_t backorder) {
  inventory::v1::StockMovement movement;
  movement.set_on_hand_delta(on_hand);
  movement.set_held_delta(held);
  movement.set_committed_delta(committed);
  movement.set_in_transit_delta(in_transit);
  movement.set_backorder_delta(backorder);
  return movement;
}

inventory::v1::StockLevel Level(int64_t on_hand, int64_t held, int64_t committed, int64_t in_transit, int64_t backorder,
                                int64_t available) {
  inventory::v1::StockLevel level;
  level.set_on_hand_units(on_hand);
  level.set_held_units(held);
  level.set_committed_units(committed);
  level.set_in_transit_units(in_transit);
  level.set_backorder_units(backorder);
  level.set_available_units(available);
  return level;
}

TEST(StockSums, AgreeWithTheLevelOfTheirMovements) {
  StockSums sums;
  EXPECT_TRUE(sums.Agrees(Level(0, 0, 0, 0, 0, 0)));
  sums.Add(Moved(10, 0, 0, 0, 0));
  sums.Add(Moved(0, 4, 0, 0, 0));
  sums.Add(Moved(0, -3, 3, 2, 1));
  EXPECT_TRUE(sums.Agrees(Level(10, 1, 3, 2, 1, 7)));
}

TEST(StockSums, DisagreeWhenAnyNumberDiffers) {
  StockSums sums;
  sums.Add(Moved(10, 1, 3, 2, 1));
  EXPECT_FALSE(sums.Agrees(Level(11, 1, 3, 2, 1, 7)));
  EXPECT_FALSE(sums.Agrees(Level(10, 2, 3, 2, 1, 7)));
  EXPECT_FALSE(sums.Agrees(Level(10, 1, 4, 2, 1, 7)));
  EXPECT_FALSE(sums.Agrees(Level(10, 1, 3, 3, 1, 7)));
  EXPECT_FALSE(sums.Agrees(Level(10, 1, 3, 2, 2, 7)));
  EXPECT_FALSE(sums.Agrees(Level(10, 1, 3, 2, 1, 8)));
}

TEST(StockSums, HaveNothingAvailableWhenHoldsAreBroken) {
  StockSums sums;
  sums.Add(Moved(1, 3, 0, 0, 0));
  EXPECT_EQ(sums.available(), 0);
  EXPECT_TRUE(sums.Agrees(Level(1, 3, 0, 0, 0, 0)));
}

}  // namespace
}  // namespace halles::hallesctl
