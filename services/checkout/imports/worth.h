// The value of the goods of an imported order, and how much of it may still be paid back.
#ifndef HALLES_SERVICES_CHECKOUT_IMPORTS_WORTH_H_
#define HALLES_SERVICES_CHECKOUT_IMPORTS_WORTH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "halles/checkout/v1/record.pb.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/store/rows.h"

namespace halles::checkout::imports {

// The value of each line of goods when it comes back, by the index of the line; 0 for other lines. It is the amount of
// the line less its share of what was taken off the order as a whole: lines of kind SERVICE and ADJUSTMENT whose
// amounts, added up by kind and SKU, are below zero. So a charge that was waived takes nothing off. The lines bear
// their shares in proportion to their amounts, and all lines together bear exactly all of it, at most their amounts.
// What was charged besides the goods is not given back with them.
std::vector<int64_t> WorthOf(const v1::SaleRecord& sale);

// The money that may still be paid back for the goods of an order.
class Payable {
 public:
  // `worth` is that of the lines of `sale`; `state` has what was paid back so far. A return that was imported does not
  // say what it paid for each SKU: its net is split between the least and the most that its units can be worth.
  Payable(const store::RowReader& state, const OrderId& order, const v1::SaleRecord& sale,
          const std::vector<int64_t>& worth);

  // Takes `amount` or, if less is left of the SKU or of the order, that; what it took.
  int64_t Take(const std::string& sku, int64_t amount);

 private:
  std::map<std::string, Int128> by_sku_;  // worth less what came back
  Int128 in_all_;                         // net less what came back
};

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_WORTH_H_
