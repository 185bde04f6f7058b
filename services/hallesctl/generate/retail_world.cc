// Generates a grocer's year.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/hallesctl/generate/journals.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

constexpr int kYear = 2017;
constexpr int64_t kSecondsOfYear = 365 * 86400;
constexpr int64_t kFuelProduct = 6533889;
constexpr int64_t kFirstBasket = 31198437603;
constexpr int kBestHouseholds = 3;

std::string Cents(int64_t cents) { return absl::StrFormat("%d.%02d", cents / 100, cents % 100); }

}  // namespace

std::string RetailTruth::ToJson() const {
  std::vector<std::pair<int64_t, Household>> best(households.begin(), households.end());
  std::stable_sort(best.begin(), best.end(),
                   [](const auto& a, const auto& b) { return a.second.sales > b.second.sales; });
  if (best.size() > kBestHouseholds) best.resize(kBestHouseholds);
  JsonWriter json;
  json.BeginObject().Field("lines", lines).Field("baskets", baskets).Field("households", households.size());
  json.Field("stores", stores.size()).Field("zero_quantity_lines", zero_quantity_lines);
  json.Field("zero_value_lines", zero_value_lines).Field("currency", "USD").Field("sales_minor_units", sales);
  json.Field("retail_disc_minor_units", retail_disc).Field("coupon_disc_minor_units", coupon_disc);
  json.Field("coupon_match_disc_minor_units", coupon_match_disc).Key("months").BeginObject();
  for (size_t month = 0; month < months.size(); ++month) {
    json.Field(absl::StrFormat("%d-%02d", kYear, month + 1), months[month]);
  }
  json.EndObject().Key("best_households").BeginArray();
  for (const auto& [id, household] : best) {
    json.BeginObject().Field("household_id", absl::StrCat(id)).Field("baskets", household.baskets);
    json.Field("sales_minor_units", household.sales).EndObject();
  }
  return json.EndArray().EndObject().text();
}

absl::StatusOr<RetailTruth> GenerateRetailWorld(uint64_t seed, int64_t baskets, const std::string& path) {
  const std::string part = absl::StrCat(path, ".part");
  std::ofstream out(part, std::ios::trunc);
  if (!out)
    return Failure(absl::StatusCode::kPermissionDenied, "FILE_NOT_WRITABLE", absl::StrCat("cannot write ", part));
  out << "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,"
         "week,"
         "transaction_timestamp\n";
  SeededRandom random(seed);
  const auto below = [&](int64_t bound) { return static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(bound))); };
  const auto one_in = [&](int64_t n) { return below(n) == 0; };
  const int64_t household_count = std::max<int64_t>(1, baskets / 63);
  const int64_t store_count = std::max<int64_t>(1, std::min<int64_t>(457, baskets / 20));

  RetailTruth truth;
  int64_t basket_id = kFirstBasket;
  for (int64_t basket = 0; basket < baskets; ++basket) {
    // Times are even over the year, each within its own interval, so that the file is written in order.
    const int64_t stretch = std::max<int64_t>(1, kSecondsOfYear / baskets);
    const int64_t second = basket * kSecondsOfYear / baskets + below(stretch);
    const absl::CivilSecond time = absl::CivilSecond(kYear, 1, 1, 0, 0, 0) + second;
    // The smaller of two draws, so that some households buy often.
    const int64_t household = 1 + std::min(below(household_count), below(household_count));
    const int64_t store = 300 + (household * 7 + (one_in(8) ? below(store_count) : below(2))) % store_count;
    basket_id += 1 + below(50000);
    const int64_t lines = 1 + std::min(below(30), below(30));
    const int64_t week = 1 + second / (7 * 86400);
    RetailTruth::Household& buyer = truth.households[household];
    ++buyer.baskets;
    ++truth.baskets;
    truth.stores.insert(store);
    for (int64_t line = 0; line < lines; ++line) {
      int64_t product = 25671 + below(68509) * 13;
      int64_t quantity = 1 + (one_in(4) ? below(6) : 0);
      int64_t price = 29 + std::min(below(1200), below(1200));
      int64_t sales = 0;
      if (one_in(200)) {  // fuel, by volume
        product = kFuelProduct;
        quantity = 1000 + below(88638);
        sales = quantity * 2 / 10;
      } else if (one_in(160)) {
        quantity = 0;
      } else if (one_in(130)) {
        sales = 0;
      } else {
        sales = quantity * price;
      }
      const int64_t retail_disc = sales > 0 && one_in(2) ? below(1 + sales / 3) : 0;
      const int64_t coupon_disc = sales > 100 && one_in(60) ? 25 + below(100) : 0;
      const int64_t coupon_match_disc = coupon_disc > 0 && one_in(3) ? std::min<int64_t>(coupon_disc, 50) : 0;
      truth.zero_quantity_lines += quantity == 0;
      truth.zero_value_lines += sales == 0;
      ++truth.lines;
      truth.sales += sales;
      truth.retail_disc += retail_disc;
      truth.coupon_disc += coupon_disc;
      truth.coupon_match_disc += coupon_match_disc;
      truth.months[static_cast<size_t>(time.month() - 1)] += sales;
      buyer.sales += sales;
      out << household << ',' << store << ',' << basket_id << ',' << product << ',' << quantity << ',' << Cents(sales)
          << ',' << Cents(retail_disc) << ',' << Cents(coupon_disc) << ',' << Cents(coupon_match_disc) << ',' << week
          << ',' << absl::FormatCivilTime(absl::CivilDay(time)) << ' '
          << absl::StrFormat("%02d:%02d:%02d", time.hour(), time.minute(), time.second()) << '\n';
    }
  }
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path, error);
  if (!out || error) {
    return Failure(absl::StatusCode::kDataLoss, "FILE_NOT_WRITABLE", absl::StrCat("cannot write ", path));
  }
  return truth;
}

}  // namespace halles::hallesctl
