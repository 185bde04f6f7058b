// Prints the processor time of a generated check of limits and of a handwritten one, for a request to hold stock and
// for an order of ten lines.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/base/limits/limits.h"
#include "libs/base/limits/limits_test_requests.limits.h"
#include "libs/base/limits/limits_test_requests.pb.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

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

// Handwritten ---------------------------------------------------------------------------------------------------------

// The same limits as a person would write them without options; paths are built only for an error.
absl::Status Text(const limits::Place& place, absl::string_view text, size_t min, size_t max) {
  return limits::IsText(text, min, max) ? absl::OkStatus() : limits::BadText(place, "as many as asked", text);
}

absl::Status Units(const limits::Place& place, int64_t units, int64_t max) {
  return units >= 1 && units <= max ? absl::OkStatus() : limits::Invalid(place, "must be positive");
}

template <class Locations>
absl::Status Candidates(const limits::Place* in, absl::string_view name, const Locations& locations,
                        std::set<absl::string_view>* seen) {
  for (int i = 0; i < locations.size(); ++i) {
    if (!seen->insert(locations[i]).second) continue;
    RETURN_IF_ERROR(Text({in, name, i}, locations[i], 1, 64));
  }
  return absl::OkStatus();
}

absl::Status ByHand(const ReserveRequest& request) {
  RETURN_IF_ERROR(Text({nullptr, "request_id"}, request.request_id(), 1, 128));
  RETURN_IF_ERROR(Text({nullptr, "sku"}, request.sku(), 1, 64));
  RETURN_IF_ERROR(Text({nullptr, "hold_id"}, request.hold_id(), 1, 128));
  if (request.lines_size() < 1 || request.lines_size() > 100) return limits::Invalid({nullptr, "lines"}, "1 to 100");
  std::set<absl::string_view> seen;
  for (int i = 0; i < request.lines_size(); ++i) {
    const limits::Place line{nullptr, "lines", i};
    RETURN_IF_ERROR(Units({&line, "units"}, request.lines(i).units(), 1'000'000'000'000));
    RETURN_IF_ERROR(Candidates(&line, "candidate_location_ids", request.lines(i).candidate_location_ids(), &seen));
  }
  RETURN_IF_ERROR(Candidates(nullptr, "candidate_location_ids", request.candidate_location_ids(), &seen));
  if (!Purpose_IsValid(request.split())) return limits::Invalid({nullptr, "split"}, "is unknown");
  if (request.purpose() == PURPOSE_UNSPECIFIED || !Purpose_IsValid(request.purpose())) {
    return limits::Invalid({nullptr, "purpose"}, "must be given");
  }
  const limits::Place owner{nullptr, "owner"};
  RETURN_IF_ERROR(Text({&owner, "location_id"}, request.owner().location_id(), 1, 64));
  if (request.has_expire_time() && !limits::IsTime(request.expire_time())) {
    return limits::BadTime({nullptr, "expire_time"});
  }
  RETURN_IF_ERROR(Text({nullptr, "replaces_hold_id"}, request.replaces_hold_id(), 0, 128));
  return Text({nullptr, "replaces_owner_id"}, request.replaces_owner_id(), 0, 128);
}

absl::Status ByHand(const limits::Place& place, const Line& line) {
  RETURN_IF_ERROR(Text({&place, "line_id"}, line.line_id(), 1, 64));
  RETURN_IF_ERROR(Text({&place, "sku"}, line.sku(), 1, 64));
  RETURN_IF_ERROR(Units({&place, "units"}, line.units(), 1'000'000'000));
  if (!line.has_unit_price() || line.unit_price().unscaled() < 0 || line.unit_price().scale() > 9) {
    return limits::Invalid({&place, "unit_price"}, "must be given");
  }
  RETURN_IF_ERROR(Text({&place, "description"}, line.description(), 0, 120));
  return line.origins().empty() ? absl::OkStatus() : limits::Invalid({&place, "origins"}, "is output only");
}

absl::Status ByHand(const PlaceRequest& request) {
  RETURN_IF_ERROR(Text({nullptr, "request_id"}, request.request_id(), 1, 128));
  if (!limits::IsId(request.cart_id(), 1, 64)) return limits::Invalid({nullptr, "cart_id"}, "is none");
  if (request.has_expected_version() && request.expected_version() < 0) {
    return limits::Invalid({nullptr, "expected_version"}, "must not be negative");
  }
  if (!Currency::Parse(request.currency_code()).ok()) return limits::Invalid({nullptr, "currency_code"}, "is none");
  if (request.purpose() == PURPOSE_UNSPECIFIED || !Purpose_IsValid(request.purpose()) ||
      !Purpose_IsValid(request.second_purpose())) {
    return limits::Invalid({nullptr, "purpose"}, "must say what for");
  }
  if (request.lines_size() < 1 || request.lines_size() > 2000) return limits::Invalid({nullptr, "lines"}, "1 to 2,000");
  std::set<absl::string_view> ids;
  for (int i = 0; i < request.lines_size(); ++i) {
    const limits::Place place{nullptr, "lines", i};
    RETURN_IF_ERROR(ByHand(place, request.lines(i)));
    if (!ids.insert(request.lines(i).line_id()).second) return limits::Invalid({&place, "line_id"}, "must come once");
  }
  const limits::Place delivery{nullptr, "delivery"};
  const limits::Place shipment{&delivery, "shipment"};
  std::set<absl::string_view> locations;
  const auto& sources = request.delivery().shipment().location_ids();
  if (sources.size() < 1 || sources.size() > 64) return limits::Invalid({&shipment, "location_ids"}, "1 to 64");
  for (int i = 0; i < sources.size(); ++i) {
    RETURN_IF_ERROR(Text({&shipment, "location_ids", i}, sources[i], 1, 64));
    if (!locations.insert(sources[i]).second) return limits::Invalid({&shipment, "location_ids", i}, "must come once");
  }
  if (!request.has_order_time() || !limits::IsTime(request.order_time())) {
    return limits::BadTime({nullptr, "order_time"});
  }
  if (request.has_promised_time() && !limits::IsTime(request.promised_time())) {
    return limits::BadTime({nullptr, "promised_time"});
  }
  return absl::OkStatus();
}

// Generated -----------------------------------------------------------------------------------------------------------

template <class Check>
double NanosOf(const Check& check) {
  constexpr int kChecks = 500'000;
  int good = 0;
  const std::clock_t start = std::clock();
  for (int i = 0; i < kChecks; ++i) good += check().ok() ? 1 : 0;
  const double took_ns = static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC;
  if (good != kChecks) std::abort();
  return took_ns / kChecks;
}

template <class Request>
void Measure(const char* name, const Request& request) {
  const double by_hand = NanosOf([&] { return ByHand(request); });
  const double generated = NanosOf([&] { return CheckLimits(request); });
  std::printf("%s: %.0f ns by hand, %.0f ns generated: %.2f times\n", name, by_hand, generated, generated / by_hand);
}

}  // namespace
}  // namespace halles::limits_test

int main() {
  halles::limits_test::Measure("a request to hold stock", halles::limits_test::Reserve());
  halles::limits_test::Measure("an order of ten lines", halles::limits_test::Order(10));
}
