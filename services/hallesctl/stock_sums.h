// The sum of stock movements, compared with the level shown.
#ifndef HALLES_SERVICES_HALLESCTL_STOCK_SUMS_H_
#define HALLES_SERVICES_HALLESCTL_STOCK_SUMS_H_

#include <cstdint>

#include "halles/inventory/v1/inventory_service.pb.h"

namespace halles::hallesctl {

// The sum of the movements so far.
struct StockSums {
  int64_t on_hand = 0, held = 0, committed = 0, in_transit = 0, backorder = 0;

  void Add(const inventory::v1::StockMovement& movement);
  // On hand plus backorder minus held minus committed, at least 0.
  int64_t available() const;
  // Whether every number of the level equals the sum.
  bool Agrees(const inventory::v1::StockLevel& level) const;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_STOCK_SUMS_H_
