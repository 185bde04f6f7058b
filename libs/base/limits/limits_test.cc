// Tests of the generated checks of requests.
#include "libs/base/limits/limits.h"

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "libs/base/limits/limits_test_requests.limits.h"
#include "libs/base/limits/limits_test_requests.pb.h"
#include "libs/base/status.h"

namespace halles::limits_test {
namespace {

PlaceRequest Place() {
  PlaceRequest request;
  request.set_request_id("shop/order/1");
  request.set_cart_id("c-81f3");
  request.set_currency_code("EUR");
  request.set_purpose(PURPOSE_ORDER);
  Line& line = *request.add_lines();
  line.set_line_id("1");
  line.set_sku("TEA-1");
  line.set_units(2);
  line.mutable_unit_price()->set_unscaled(1990);
  request.mutable_delivery()->mutable_pickup()->set_location_id("lyon");
  request.mutable_order_time()->set_seconds(1'600'000'000);
  return request;
}

OddRequest Odd() {
  OddRequest request;
  request.set_hash(std::string(32, 'h'));
  request.set_delta(1);
  request.set_counted(0);
  request.add_names("Ann");
  return request;
}

// "" if the request is valid, otherwise the error message.
template <class Request>
std::string Fault(Request request, const std::function<void(Request&)>& change) {
  change(request);
  const absl::Status status = CheckLimits(request);
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD") << status;
  google::rpc::BadRequest bad;
  EXPECT_TRUE(bad.ParseFromString(std::string(status.GetPayload(kBadRequestUrl).value_or(absl::Cord()))));
  EXPECT_EQ(status.message(),
            absl::StrCat(bad.field_violations(0).field(), ": ", bad.field_violations(0).description()));
  return std::string(status.message());
}

std::string PlaceFault(const std::function<void(PlaceRequest&)>& change) { return Fault(Place(), change); }
std::string OddFault(const std::function<void(OddRequest&)>& change) { return Fault(Odd(), change); }

TEST(CheckLimits, AcceptsRequestsWithinTheLimits) {
  EXPECT_EQ(PlaceFault([](PlaceRequest&) {}), "");
  EXPECT_EQ(OddFault([](OddRequest&) {}), "");
}

TEST(CheckLimits, CountsTheCharactersOfAText) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.clear_request_id(); }),
            "request_id: must have 1 to 128 characters, not 0");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_request_id(std::string(128, 'x')); }), "");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_request_id(std::string(129, 'x')); }),
            "request_id: must have 1 to 128 characters, not 129");
  std::string accents;
  for (int i = 0; i < 128; ++i) accents += "\xc3\xa9";
  EXPECT_EQ(PlaceFault([&](PlaceRequest& r) { r.set_request_id(accents); }), "");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_request_id("a\nb"); }), "request_id: must be printable text");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_request_id("\xff"); }), "request_id: must be printable text");
}

TEST(CheckLimits, AcceptsEmptyTextWhenTheMinimumIsZero) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->set_description(std::string(120, 'x')); }), "");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->set_description(std::string(121, 'x')); }),
            "lines[0].description: must have at most 120 characters, not 121");
}

TEST(CheckLimits, ChecksTheCharactersOfIds) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_cart_id("azAZ09-_"); }), "");
  for (const char* id : {"", "a b", "a/b", "caf\xc3\xa9"}) {
    EXPECT_EQ(PlaceFault([&](PlaceRequest& r) { r.set_cart_id(id); }),
              "cart_id: must have 1 to 64 characters of A-Z, a-z, 0-9, '-' and '_'");
  }
  EXPECT_NE(PlaceFault([](PlaceRequest& r) { r.set_cart_id(std::string(65, 'x')); }), "");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_source("uci-2_x"); }), "");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_source("UCI"); }),
            "source: must have at most 32 characters of a-z, 0-9, '-' and '_'");
}

TEST(CheckLimits, ChecksCurrencies) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_currency_code("JPY"); }), "");
  for (const char* code : {"", "XXQ", "eur", "EURO"}) {
    EXPECT_EQ(PlaceFault([&](PlaceRequest& r) { r.set_currency_code(code); }),
              "currency_code: must be a currency of ISO 4217 such as GBP");
  }
}

TEST(CheckLimits, ChecksOnlyTheLengthOfTokens) {
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_page_token("\x01\x02"); }), "");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_page_token(std::string(17, 'x')); }),
            "page_token: must have at most 16 bytes, not 17");
}

TEST(CheckLimits, CountsBytes) {
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_hash("short"); }), "hash: must have 32 bytes, not 5");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.add_hashes(std::string("\0\xff", 2)); }), "");
  EXPECT_EQ(OddFault([](OddRequest& r) {
              r.add_hashes("ok");
              r.add_hashes("");
            }),
            "hashes[1]: must have 1 to 4 bytes, not 0");
}

TEST(CheckLimits, StatesTheRangeOfANumber) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->set_units(0); }), "lines[0].units: must be 1 to 10^9");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->set_units(1'000'000'000); }), "");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->set_units(1'000'000'001); }),
            "lines[0].units: must be 1 to 10^9");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_page_size(-1); }), "page_size: must not be negative");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_percent(101); }), "percent: must be at most 100");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_large(5001); }), "large: must be at most 5,000");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_large(~uint64_t{0}); }), "large: must be at most 5,000");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_delta(0); }), "delta: must be -10^12 to 10^12 and not 0");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_delta(-1'000'000'000'001); }),
            "delta: must be -10^12 to 10^12 and not 0");
  EXPECT_EQ(OddFault([](OddRequest& r) {
              r.add_numbers(1);
              r.add_numbers(0);
            }),
            "numbers[1]: must be positive");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.add_small_numbers(10); }), "small_numbers[0]: must be at most 9");
}

TEST(CheckLimits, DistinguishesZeroFromAbsent) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_expected_version(0); }), "");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_expected_version(-1); }), "expected_version: must not be negative");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.clear_counted(); }), "counted: must be given");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.set_counted(11); }), "counted: must be 0 to 10");
}

TEST(CheckLimits, ChecksAmounts) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->mutable_unit_price()->set_unscaled(-1); }),
            "lines[0].unit_price: must not be negative");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->mutable_unit_price()->set_scale(10); }),
            "lines[0].unit_price.scale: must be 0 to 9");
  const auto amount_fault = [](const std::string& currency_code, int64_t minor_units) {
    return PlaceFault([&](PlaceRequest& r) {
      r.mutable_lines(0)->mutable_amount()->set_currency_code(currency_code);
      r.mutable_lines(0)->mutable_amount()->set_minor_units(minor_units);
    });
  };
  EXPECT_EQ(amount_fault("EUR", -100), "");
  EXPECT_EQ(amount_fault("EUR", -101), "lines[0].amount.minor_units: must be at least -100 and not 0");
  EXPECT_EQ(amount_fault("EUR", 0), "lines[0].amount.minor_units: must be at least -100 and not 0");
  EXPECT_EQ(amount_fault("", 1), "lines[0].amount.currency_code: must be a currency of ISO 4217 such as GBP");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.add_prices(); }), "prices[0]: must be positive");
}

TEST(CheckLimits, RequiresKnownEnumValues) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.clear_purpose(); }), "purpose: must say what for");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.set_second_purpose(PURPOSE_FAR); }), "");
  for (const int number : {2, 63, 64, 699, -1}) {
    PlaceRequest request = Place();
    request.set_second_purpose(static_cast<Purpose>(number));
    const absl::Status status = CheckLimits(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(status), "UNKNOWN_VALUE");
    EXPECT_EQ(status.message(), absl::StrCat("second_purpose: has the value ", number, ", which is unknown here"));
  }
  OddRequest odd = Odd();
  odd.add_purposes(PURPOSE_UNSPECIFIED);
  EXPECT_TRUE(CheckLimits(odd).ok());
  odd.add_purposes(static_cast<Purpose>(9));
  EXPECT_EQ(MetadataOf(CheckLimits(odd), "field"), "purposes[1]");
}

TEST(CheckLimits, CountsEntries) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.clear_lines(); }), "lines: takes 1 to 2,000 entries, not 0");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.clear_names(); }), "names: must name the customer");
  EXPECT_EQ(OddFault([](OddRequest& r) {
              for (int i = 0; i < 8; ++i) r.add_names("Ann");
            }),
            "names: takes 1 to 8 entries, not 9");
  EXPECT_EQ(OddFault([](OddRequest& r) {
              for (int i = 0; i < 4; ++i) r.add_numbers(1);
            }),
            "numbers: takes at most 3 entries, not 4");
}

TEST(CheckLimits, ChecksEachEntry) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              *r.add_lines() = r.lines(0);
              r.mutable_lines(1)->clear_sku();
            }),
            "lines[1].sku: must have 1 to 64 characters, not 0");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              r.mutable_delivery()->mutable_shipment()->add_location_ids("lyon");
              r.mutable_delivery()->mutable_shipment()->add_location_ids("");
            }),
            "delivery.shipment.location_ids[1]: must have 1 to 64 characters, not 0");
}

TEST(CheckLimits, FindsDuplicates) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              for (const char* id : {"2", "3", "2", "1"}) {
                *r.add_lines() = r.lines(0);
                r.mutable_lines(r.lines_size() - 1)->set_line_id(id);
              }
            }),
            "lines[3].line_id: must come once");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              for (const char* id : {"lyon", "paris", "lyon"}) {
                r.mutable_delivery()->mutable_shipment()->add_location_ids(id);
              }
            }),
            "delivery.shipment.location_ids[2]: must come once");
}

TEST(CheckLimits, FindsTheFirstDuplicateAmongMany) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              for (int i = 2; i <= 40; ++i) {
                *r.add_lines() = r.lines(0);
                r.mutable_lines(r.lines_size() - 1)->set_line_id(absl::StrCat(i == 39 ? 7 : i == 40 ? 3 : i));
              }
            }),
            "lines[38].line_id: must come once");
}

TEST(CheckLimits, RequiresRequiredMessages) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.clear_delivery(); }), "delivery: must be given");
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->clear_unit_price(); }),
            "lines[0].unit_price: must be given");
}

TEST(CheckLimits, RequiresOneFieldOfARequiredOneof) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_delivery()->clear_kind(); }),
            "delivery: must say how the goods reach the customer");
  const auto name_fault = [](const std::function<void(NameRequest&)>& change) { return Fault(NameRequest(), change); };
  EXPECT_EQ(name_fault([](NameRequest&) {}), "name: must be given");
  EXPECT_EQ(name_fault([](NameRequest& r) { r.set_number(1); }), "");
  EXPECT_EQ(name_fault([](NameRequest& r) { r.set_id(""); }), "id: must have 1 to 64 characters, not 0");
}

TEST(CheckLimits, RefusesOutputOnlyFields) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.mutable_lines(0)->add_origins("c-1"); }),
            "lines[0].origins: is output only");
}

TEST(CheckLimits, AcceptsTimesOfTheYears1970To2199) {
  constexpr int64_t kLast = 7'258'118'399;
  const auto at = [](int64_t seconds, int nanos) {
    return PlaceFault([=](PlaceRequest& r) {
      r.mutable_promised_time()->set_seconds(seconds);
      r.mutable_promised_time()->set_nanos(nanos);
    });
  };
  const char* const expected = "promised_time: must be in the years 1970 to 2199";
  EXPECT_EQ(at(0, 0), "");
  EXPECT_EQ(at(kLast, 999'999'999), "");
  EXPECT_EQ(at(-1, 0), expected);
  EXPECT_EQ(at(kLast + 1, 0), expected);
  EXPECT_EQ(at(0, -1), expected);
  EXPECT_EQ(at(0, 1'000'000'000), expected);
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) { r.clear_order_time(); }), "order_time: must be given");
  EXPECT_EQ(OddFault([](OddRequest& r) { r.add_times()->set_seconds(-1); }),
            "times[0]: must be in the years 1970 to 2199");
}

TEST(CheckLimits, ChecksRecursiveMessages) {
  OddRequest request = Odd();
  *request.mutable_inner() = Odd();
  *request.mutable_inner()->mutable_inner() = Odd();
  EXPECT_TRUE(CheckLimits(request).ok());
  request.mutable_inner()->mutable_inner()->set_percent(101);
  EXPECT_EQ(CheckLimits(request).message(), "inner.inner.percent: must be at most 100");
}

TEST(CheckLimits, NamesTheFirstFieldInTheOrderOfTheProto) {
  EXPECT_EQ(PlaceFault([](PlaceRequest& r) {
              r.clear_order_time();
              r.mutable_lines(0)->set_units(0);
              r.clear_delivery();
            }),
            "lines[0].units: must be 1 to 10^9");
}

}  // namespace
}  // namespace halles::limits_test
