// Prints what a check of limits costs, in time of the processor: of a request to hold stock, and of an order of ten lines.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/base/limits/limits.h"
#include "libs/base/limits/limits_test.pb.h"

namespace halles::limits_test {
namespace {

ReserveRequest Reserve() {
  ReserveRequest request;
  request.set_request_id("order/c-81f3/1/reserve/TEA-1");
  request.set_sku("TEA-1");
  request.set_hold_id("order/c-81f3/TEA-1");
  request.add_lines()->set_units(2);
  request.add_candidate_location_ids("lyon");
  request.add_candidate_location_ids("paris");
  request.set_purpose(PURPOSE_ORDER);
  request.mutable_owner()->set_location_id("order/c-81f3");
  return request;
}

PlaceRequest Order(int lines) {
  PlaceRequest request;
  request.set_request_id("shop/order/1");
  request.set_cart_id("c-81f3");
  request.set_currency_code("EUR");
  request.set_purpose(PURPOSE_ORDER);
  for (int i = 0; i < lines; ++i) {
    Line& line = *request.add_lines();
    line.set_line_id(absl::StrCat("line-", i));
    line.set_sku(absl::StrCat("TEA-GREEN-", i));
    line.set_units(2);
    line.mutable_unit_price()->set_unscaled(1990);
    line.set_description("Green tea, loose leaf, 250 g");
  }
  request.mutable_delivery()->mutable_shipment()->add_location_ids("lyon");
  request.mutable_order_time()->set_seconds(1'600'000'000);
  return request;
}

template <class Request>
void Measure(const char* name, const Request& request) {
  constexpr int kChecks = 500'000;
  if (!CheckLimits(request).ok()) std::abort();
  int good = 0;
  const std::clock_t start = std::clock();
  for (int i = 0; i < kChecks; ++i) good += CheckLimits(request).ok() ? 1 : 0;
  const double took_ns = static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC;
  if (good != kChecks) std::abort();
  std::printf("%s: %.0f ns\n", name, took_ns / kChecks);
}

}  // namespace
}  // namespace halles::limits_test

int main() {
  halles::limits_test::Measure("a request to hold stock", halles::limits_test::Reserve());
  halles::limits_test::Measure("an order of ten lines", halles::limits_test::Order(10));
}
