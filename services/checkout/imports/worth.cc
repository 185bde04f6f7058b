// Distributes discounts over lines, and the refunds of imported returns over SKUs.
#include "services/checkout/imports/worth.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/checkout/checks.h"
#include "services/checkout/imports/state.h"

namespace halles::checkout::imports {
namespace {

constexpr Int128 kMost = std::numeric_limits<int64_t>::max();

// Splits `amount` in proportion to weights that are given one after the other. Each part is the difference of two
// rounded sums, so all parts add up exactly to `amount`.
// Limits: `amount` is at most `sum`, the sum of all weights, which fits into 64 bits.
class Split {
 public:
  Split(Int128 amount, Int128 sum) : amount_(amount), sum_(sum) {}

  Int128 Next(Int128 weight) {
    if (sum_ <= 0) return 0;
    const Int128 before = amount_ * weights_ / sum_;
    weights_ += weight;
    return amount_ * weights_ / sum_ - before;
  }

 private:
  const Int128 amount_;
  const Int128 sum_;
  Int128 weights_ = 0;
};

// A line of goods. Its quantity is in billionths, which is exact because quantities have at most 9 decimal places.
struct Goods {
  int64_t worth = 0;
  Int128 quantity = 0;
};

Int128 Billionths(const common::v1::Decimal& quantity) {
  const Decimal exact = ExactOf(quantity).value_or(Decimal());
  Int128 billionths = exact.unscaled();
  for (int scale = exact.scale(); scale < static_cast<int>(kScaleMax); ++scale) billionths *= 10;
  return billionths;
}

// The value of one unit, in billionths of a minor unit.
Int128 ValueOfOne(const Goods& goods) { return Int128{goods.worth} * 1'000'000'000'000'000'000 / goods.quantity; }

// The value of a part of a line.
Int128 ValueOfPart(const Goods& goods, Int128 part, bool round_up) {
  Int128 all = goods.quantity;
  for (; all > kMost; all /= 10) part /= 10;  // the product below must fit into 128 bits
  return (goods.worth * part + (round_up ? all - 1 : 0)) / all;
}

// The least and the greatest value that some units of a SKU can have: that of the cheapest units, rounded down, and
// that of the most expensive units, rounded up.
struct Bounds {
  Int128 least = 0;
  Int128 most = 0;
};

// `lines` are the lines of one SKU, the most expensive first.
Bounds BoundsOf(const std::vector<Goods>& lines, Int128 quantity) {
  Bounds bounds;
  Int128 left = quantity;
  for (auto line = lines.begin(); line != lines.end() && left > 0; ++line) {
    const Int128 part = std::min(left, line->quantity);
    bounds.most += ValueOfPart(*line, part, /*round_up=*/true);
    left -= part;
  }
  left = quantity;
  for (auto line = lines.rbegin(); line != lines.rend() && left > 0; ++line) {
    const Int128 part = std::min(left, line->quantity);
    bounds.least += ValueOfPart(*line, part, /*round_up=*/false);
    left -= part;
  }
  return bounds;
}

// Splits the refund of a return over its SKUs. Each SKU gets its least value, or a share of it if the refund is
// smaller, and a share of the rest up to its greatest value. So a SKU that all lines sold at one price gets exactly its
// value, and the split is exact if at most one SKU has several prices. A refund beyond the greatest values was not for
// goods.
std::vector<Int128> SplitOverSkus(Int128 paid, const std::vector<Bounds>& bounds) {
  Int128 least = 0;
  Int128 most = 0;
  for (const Bounds& of : bounds) {
    least += of.least;
    most += of.most;
  }
  std::vector<Int128> parts;
  parts.reserve(bounds.size());
  if (most > kMost) {  // no order that can be imported today; each SKU may have got all
    for (const Bounds& of : bounds) parts.push_back(std::min(paid, of.most));
    return parts;
  }
  paid = std::min(paid, most);
  Split first(std::min(paid, least), least);
  Split rest(std::max<Int128>(paid - least, 0), most - least);
  for (const Bounds& of : bounds) {
    const Int128 part = first.Next(of.least);
    parts.push_back(part + rest.Next(of.most - of.least));
  }
  return parts;
}

// The refund of a return with this net; 0 if the customer paid.
Int128 PaidBy(const common::v1::Money& net) { return std::max<Int128>(-Int128{net.minor_units()}, 0); }

}  // namespace

std::vector<int64_t> WorthOf(const v1::SaleRecord& sale) {
  Int128 goods = 0;
  std::map<std::pair<v1::LineKind, std::string>, Int128> others;
  for (const v1::RecordedLine& line : sale.lines()) {
    const int64_t amount = line.amount().minor_units();
    if (line.kind() == v1::LINE_KIND_SALE) goods += amount;
    if (line.kind() == v1::LINE_KIND_SERVICE || line.kind() == v1::LINE_KIND_ADJUSTMENT) {
      others[{line.kind(), line.sku()}] += amount;
    }
  }
  Int128 off = 0;
  for (const auto& [code, sum] : others) off += std::max<Int128>(-sum, 0);
  // No order that can be imported today has goods beyond 64 bits.
  Split split(goods > kMost ? 0 : std::min(off, goods), goods);
  std::vector<int64_t> worth;
  worth.reserve(sale.lines_size());
  for (const v1::RecordedLine& line : sale.lines()) {
    const bool sold = line.kind() == v1::LINE_KIND_SALE;
    const int64_t amount = sold ? line.amount().minor_units() : 0;
    worth.push_back(amount - static_cast<int64_t>(split.Next(amount)));
  }
  return worth;
}

Payable::Payable(const store::RowReader& state, const OrderId& order, const v1::SaleRecord& sale,
                 const std::vector<int64_t>& worth)
    : in_all_(sale.net().minor_units()) {
  std::map<std::string, std::vector<Goods>> goods;
  for (int i = 0; i < sale.lines_size(); ++i) {
    const v1::RecordedLine& line = sale.lines(i);
    if (line.kind() == v1::LINE_KIND_RETURN) by_sku_[line.sku()] += line.amount().minor_units();
    if (line.kind() != v1::LINE_KIND_SALE || line.quantity().unscaled() <= 0) continue;
    by_sku_[line.sku()] += worth[i];
    goods[line.sku()].push_back({worth[i], Billionths(line.quantity())});
  }
  for (auto& [sku, lines] : goods) {
    std::stable_sort(lines.begin(), lines.end(),
                     [](const Goods& a, const Goods& b) { return ValueOfOne(a) > ValueOfOne(b); });
  }
  kReturnsHere.ForEach(
      state,
      [&](const LinkKey&, const rows::ReturnRow& row, Position) {
        in_all_ -= PaidBy(row.returned().sale().net());
        for (const v1::RecordedLine& line : row.returned().sale().lines()) {
          by_sku_[line.sku()] -= PaidBy(line.amount());
        }
        return true;
      },
      order);
  kLinks.ForEach(
      state,
      [&](const LinkKey&, const rows::LinkRow& row, Position) {
        const v1::LinkedReturn& linked_return = row.link().linked_return();
        const Int128 paid = PaidBy(linked_return.net());
        in_all_ -= paid;
        std::vector<Bounds> bounds;
        bounds.reserve(linked_return.items_size());
        for (const v1::ReturnedItem& item : linked_return.items()) {
          bounds.push_back(BoundsOf(goods[item.sku()], Billionths(item.quantity())));
        }
        const std::vector<Int128> parts = SplitOverSkus(paid, bounds);
        for (int i = 0; i < linked_return.items_size(); ++i) by_sku_[linked_return.items(i).sku()] -= parts[i];
        return true;
      },
      order);
}

int64_t Payable::Take(const std::string& sku, int64_t amount) {
  Int128& of_sku = by_sku_[sku];
  const Int128 taken = std::max<Int128>(std::min({Int128{amount}, of_sku, in_all_}), 0);
  of_sku -= taken;
  in_all_ -= taken;
  return static_cast<int64_t>(taken);
}

}  // namespace halles::checkout::imports
