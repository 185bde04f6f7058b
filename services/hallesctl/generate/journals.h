// Generates journals from a seed, with all irregularities of real ones, and their exact totals.
#ifndef HALLES_SERVICES_HALLESCTL_GENERATE_JOURNALS_H_
#define HALLES_SERVICES_HALLESCTL_GENERATE_JOURNALS_H_

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/money.h"
#include "services/hallesctl/json.h"

namespace halles::hallesctl {

// The totals of a journal of a giftware retailer, counted by the generator while it writes.
struct UciTruth {
  int64_t lines = 0;
  int64_t sale = 0, returned = 0, adjustment = 0, service = 0;
  std::map<std::string, int64_t> refused;
  int64_t orders = 0, returns = 0;
  std::set<int64_t> customers;
  Decimal net;
  Decimal refused_net;

  // The fields that `hallesctl import --output=json` prints, without the seconds.
  std::string ToJson() const;
};

// Writes daily files YYYY-MM-DD.csv of `invoices` invoices into the folder `path`, which is made and must hold no CSV
// yet. With at least 100 invoices every irregularity occurs: prices of three decimals, equal lines, sales without a
// customer, whole orders reversed minutes later, returns without their sale, postage, vouchers, fees, manual lines,
// discounts, samples, bad debt, negative quantities outside returns, give-aways, an invoice scattered over lines and
// over midnight, quotes and Latin-1 text. `faults` lines that cannot be read are added. The same bytes for the same
// arguments.
absl::StatusOr<UciTruth> GenerateUciJournal(uint64_t seed, int64_t invoices, int64_t faults, const std::string& path);

// The totals of a grocer's year. Amounts are in cents.
struct RetailTruth {
  struct Household {
    int64_t baskets = 0;
    int64_t sales = 0;
  };
  int64_t lines = 0, baskets = 0;
  int64_t zero_quantity_lines = 0, zero_value_lines = 0;
  std::map<int64_t, Household> households;
  std::set<int64_t> stores;
  int64_t sales = 0, retail_disc = 0, coupon_disc = 0, coupon_match_disc = 0;
  std::array<int64_t, 12> months{};  // sales

  // The totals as JSON, with months such as "2017-01" and the three households that spent most.
  std::string ToJson() const;
};

// Writes the year 2017 of `baskets` baskets in the columns of scripts/fetch-complete-journey to the file `path`, sorted
// by time: households that buy with different frequency, each with preferred stores; discounts of three kinds; lines
// without quantity or value; fuel by volume. The same bytes for the same arguments.
absl::StatusOr<RetailTruth> GenerateRetailWorld(uint64_t seed, int64_t baskets, const std::string& path);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_GENERATE_JOURNALS_H_
