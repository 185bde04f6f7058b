// Adds up stock movements.
#include "services/hallesctl/stock_sums.h"

#include <algorithm>

namespace halles::hallesctl {

void StockSums::Add(const inventory::v1::StockMovement& movement) {
  on_hand += movement.on_hand_delta();
  held += movement.held_delta();
  committed += movement.committed_delta();
  in_transit += movement.in_transit_delta();
  backorder += movement.backorder_delta();
}

int64_t StockSums::available() const { return std::max<int64_t>(0, on_hand + backorder - held - committed); }

bool StockSums::Agrees(const inventory::v1::StockLevel& level) const {
  return on_hand == level.on_hand_units() && held == level.held_units() && committed == level.committed_units() &&
         in_transit == level.in_transit_units() && backorder == level.backorder_units() &&
         available() == level.available_units();
}

}  // namespace halles::hallesctl
