// The value of the goods of an imported order, and how much of it may still be refunded.
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

// The refund value of each line of goods, by the index of the line; 0 for other lines. It is the amount of the line
// minus its share of the discounts on the whole order. Such discounts are the lines of kind SERVICE and ADJUSTMENT
// whose amounts, summed by kind and SKU, are negative; so a charge that was waived is no discount. Lines share the
// discounts in proportion to their amounts. The shares add up exactly to the discounts, or to the amounts of all lines
// if these are smaller. Charges besides the goods are not refunded with them.
std::vector<int64_t> WorthOf(const v1::SaleRecord& sale);

// The money that may still be refunded for the goods of an order.
class Payable {
 public:
  // `worth` has the refund values of the lines of `sale`; `state` has the refunds so far. An imported return does not
  // state the refund of each SKU, so its net is split over the SKUs, within the least and the greatest value of their
  // units.
  Payable(const store::RowReader& state, const OrderId& order, const v1::SaleRecord& sale,
          const std::vector<int64_t>& worth);

  // Takes `amount`, or less if less is left of the SKU or of the order. Returns what it took.
  int64_t Take(const std::string& sku, int64_t amount);

 private:
  std::map<std::string, Int128> by_sku_;  // refund value minus refunds
  Int128 in_all_;                         // net minus refunds
};

}  // namespace halles::checkout::imports

#endif  // HALLES_SERVICES_CHECKOUT_IMPORTS_WORTH_H_
