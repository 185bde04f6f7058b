// Tests of the checks of records, at each limit, and of the amounts of their lines.
#include "services/checkout/imports/record.h"

#include <functional>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/checkout/test_builders.h"

namespace halles::checkout::imports {
namespace {

constexpr int64_t kLastSecond = 7'258'118'399;  // the last second of 2199

v1::ImportRecord Good() { return Record("536365", {Sold("85123A", "6"), Sold("71053", "6", "3.39")}); }

// The field that the door names as invalid after `change`; "" if it accepts the record.
std::string FieldOf(const std::function<void(v1::ImportRecord&)>& change) {
  v1::ImportRecord record = Good();
  change(record);
  return MetadataOf(Validate(Import(record)), "field");
}
std::string LineFieldOf(const std::function<void(v1::ImportLine&)>& change) {
  return FieldOf([&](v1::ImportRecord& record) { change(*record.mutable_lines(1)); });
}

common::v1::Money Money(const std::string& currency, int64_t minor_units) {
  common::v1::Money money;
  money.set_currency_code(currency);
  money.set_minor_units(minor_units);
  return money;
}

TEST(Validate, AcceptsAnOrderAndAReturn) {
  EXPECT_TRUE(Validate(Import(Good())).ok());
  EXPECT_TRUE(Validate(ImportReturn(Record("C1", {Back("85123A", "1")}), "536365")).ok());
}

TEST(Validate, ReturnsInvalidArgument) {
  v1::ImportRecord record = Good();
  record.clear_site_id();
  EXPECT_EQ(Validate(Import(record)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Validate, RequiresARequestId) {
  v1::ImportOrderRequest request = Import(Good());
  request.set_request_id("");
  EXPECT_EQ(MetadataOf(Validate(request), "field"), "request_id");
  request.set_request_id(std::string(129, 'x'));
  EXPECT_EQ(MetadataOf(Validate(request), "field"), "request_id");
  request.set_request_id(std::string(128, 'x'));
  EXPECT_TRUE(Validate(request).ok());
}

TEST(Validate, ChecksExternalIds) {
  EXPECT_EQ(FieldOf([](auto& r) { r.clear_external(); }), "order.external");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_source("UCI"); }), "order.external.source");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_source(std::string(33, 'a')); }), "order.external.source");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_source(std::string(32, 'a')); }), "");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_source("halles"); }), "order.external.source");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_external_id(""); }), "order.external.external_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_external_id(std::string(129, 'x')); }),
            "order.external.external_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_external_id("a\nb"); }), "order.external.external_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.mutable_external()->set_external_id(std::string(128, 'x')); }), "");
}

TEST(Validate, AcceptsTheYears1970To2199) {
  const auto at = [](int64_t seconds, int32_t nanos = 0) {
    return FieldOf([=](v1::ImportRecord& r) {
      r.mutable_recorded_time()->set_seconds(seconds);
      r.mutable_recorded_time()->set_nanos(nanos);
    });
  };
  EXPECT_EQ(at(0), "");
  EXPECT_EQ(at(-1), "order.recorded_time");
  EXPECT_EQ(at(kLastSecond, 999'999'999), "");
  EXPECT_EQ(at(kLastSecond + 1), "order.recorded_time");
  EXPECT_EQ(at(1, 1'000'000'000), "order.recorded_time");
  EXPECT_EQ(at(1, -1), "order.recorded_time");
  EXPECT_EQ(FieldOf([](auto& r) { r.clear_recorded_time(); }), "order.recorded_time");
  EXPECT_EQ(Day(2200, 1, 1).seconds(), kLastSecond + 1);
}

TEST(Validate, ChecksChannelSiteAndDevice) {
  EXPECT_EQ(FieldOf([](auto& r) { r.clear_channel(); }), "order.channel");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_channel(static_cast<common::v1::Channel>(99)); }), "order.channel");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_site_id(""); }), "order.site_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_site_id(std::string(65, 'x')); }), "order.site_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_device_id(std::string(65, 'x')); }), "order.device_id");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_device_id(std::string(64, 'x')); }), "");
}

TEST(Validate, ChecksCurrencyAndRounding) {
  EXPECT_EQ(FieldOf([](auto& r) { r.set_currency_code("gbp"); }), "order.currency_code");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_currency_code(""); }), "order.currency_code");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_currency_code("XXX"); }), "order.currency_code");
  EXPECT_EQ(FieldOf([](auto& r) { r.set_rounding(static_cast<common::v1::Rounding>(9)); }), "order.rounding");
}

TEST(Validate, AcceptsHashedIdentifiersOnly) {
  EXPECT_EQ(FieldOf([](auto& r) { *r.add_identifiers() = Customer('a'); }), "");
  EXPECT_EQ(FieldOf([](auto& r) { r.add_identifiers()->set_value("ann@example.com"); }), "order.identifiers[0].value");
  EXPECT_EQ(FieldOf([](auto& r) {
              *r.add_identifiers() = Customer('a');
              r.mutable_identifiers(0)->set_keyed_hash("short");
            }),
            "order.identifiers[0].keyed_hash");
  EXPECT_EQ(FieldOf([](auto& r) {
              for (char c = 'a'; c < 'a' + 9; ++c) *r.add_identifiers() = Customer(c);
            }),
            "order.identifiers");
}

TEST(Validate, AcceptsOneTo2000Lines) {
  const auto lines = [](int count) {
    return FieldOf([=](v1::ImportRecord& r) {
      r.clear_lines();
      for (int i = 0; i < count; ++i) *r.add_lines() = Sold("s", "1");
    });
  };
  EXPECT_EQ(lines(0), "order.lines");
  EXPECT_EQ(lines(2000), "");
  EXPECT_EQ(lines(2000 + 1), "order.lines");
}

TEST(Validate, ChecksEachLine) {
  EXPECT_EQ(LineFieldOf([](auto& l) { l.clear_kind(); }), "order.lines[1].kind");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.set_kind(static_cast<v1::LineKind>(9)); }), "order.lines[1].kind");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.set_sku(""); }), "order.lines[1].sku");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.set_sku(std::string(65, 'x')); }), "order.lines[1].sku");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.clear_quantity(); }), "order.lines[1].quantity");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.mutable_quantity()->set_scale(10); }), "order.lines[1].quantity.scale");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.clear_unit_price(); }), "order.lines[1].unit_price");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.mutable_unit_price()->set_scale(10); }), "order.lines[1].unit_price.scale");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.mutable_exact_amount()->set_scale(10); }), "order.lines[1].exact_amount.scale");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.set_description(std::string(121, 'x')); }), "order.lines[1].description");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.set_description(std::string(120, 'x')); }), "");
}

TEST(Validate, ChecksTheSignsOfEachLine) {
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Sold("s", "-1"); }), "order.lines[1].quantity");
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Sold("s", "0"); }), "");
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Sold("s", "1", "-0.01"); }), "order.lines[1].unit_price");
  EXPECT_EQ(LineFieldOf([](auto& l) { *l.mutable_exact_amount() = Exact("-0.01"); }), "order.lines[1].exact_amount");
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Line(v1::LINE_KIND_RETURN, "s", "1", "1"); }), "order.lines[1].quantity");
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Back("s", "0"); }), "");
  EXPECT_EQ(LineFieldOf([](auto& l) { l = Back("s", "1", "-1"); }), "order.lines[1].unit_price");
  for (const v1::LineKind kind : {v1::LINE_KIND_ADJUSTMENT, v1::LINE_KIND_SERVICE}) {
    EXPECT_EQ(LineFieldOf([=](auto& l) { l = Line(kind, "D", "-1", "27.50"); }), "");
    EXPECT_EQ(LineFieldOf([=](auto& l) { l = Line(kind, "B", "1", "-11062.06"); }), "");
  }
}

TEST(Validate, ChecksDiscounts) {
  const auto discount = [](v1::DiscountKind kind, const common::v1::Money& amount, int count = 1) {
    return LineFieldOf([=](v1::ImportLine& l) {
      for (int i = 0; i < count; ++i) {
        l.add_discounts()->set_kind(kind);
        *l.mutable_discounts(i)->mutable_amount() = amount;
      }
    });
  };
  EXPECT_EQ(discount(v1::DISCOUNT_KIND_COUPON, Pence(10), 8), "");
  EXPECT_EQ(discount(v1::DISCOUNT_KIND_COUPON, Pence(10), 9), "order.lines[1].discounts");
  EXPECT_EQ(discount(v1::DISCOUNT_KIND_UNSPECIFIED, Pence(10)), "order.lines[1].discounts[0].kind");
  EXPECT_EQ(discount(v1::DISCOUNT_KIND_COUPON, Pence(-1)), "order.lines[1].discounts[0].amount.minor_units");
  EXPECT_EQ(discount(v1::DISCOUNT_KIND_COUPON, Money("EUR", 1)), "order.lines[1].discounts[0].amount.currency_code");
  EXPECT_EQ(LineFieldOf([](auto& l) { l.add_discounts()->set_kind(v1::DISCOUNT_KIND_MANUAL); }),
            "order.lines[1].discounts[0].amount");
}

TEST(Validate, ChecksTenders) {
  const auto tender = [](v1::TenderKind kind, const common::v1::Money& amount, int count = 1) {
    return FieldOf([=](v1::ImportRecord& r) {
      for (int i = 0; i < count; ++i) {
        r.add_tenders()->set_kind(kind);
        *r.mutable_tenders(i)->mutable_amount() = amount;
      }
    });
  };
  EXPECT_EQ(tender(v1::TENDER_KIND_CASH, Pence(-10), 16), "");
  EXPECT_EQ(tender(v1::TENDER_KIND_CASH, Pence(10), 17), "order.tenders");
  EXPECT_EQ(tender(v1::TENDER_KIND_UNSPECIFIED, Pence(10)), "order.tenders[0].kind");
  EXPECT_EQ(tender(v1::TENDER_KIND_CASH, Money("USD", 10)), "order.tenders[0].amount.currency_code");
}

TEST(Validate, LimitsTheSizeOfARecord) {
  EXPECT_EQ(FieldOf([](v1::ImportRecord& r) {
              for (int i = 0; i < 1900; ++i) {
                *r.add_lines() = Sold("s", "1");
                r.mutable_lines(r.lines_size() - 1)->set_description(std::string(120, 'x'));
              }
            }),
            "order");
}

TEST(Validate, NamesAmountsThatOverflow) {
  const std::string most = std::to_string(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(LineFieldOf([&](auto& l) { l = Sold("s", most, most); }), "order.lines[1].unit_price");
  EXPECT_EQ(LineFieldOf([&](auto& l) { *l.mutable_exact_amount() = Exact(most); }), "order.lines[1].exact_amount");
  EXPECT_EQ(LineFieldOf([&](auto& l) { l = Sold("s", "0.00001", "0.00001"); }), "order.lines[1].unit_price");
  const std::string half = "50000000000000000.00";
  EXPECT_EQ(LineFieldOf([&](auto& l) { *l.mutable_exact_amount() = Exact(half); }), "");
  EXPECT_EQ(FieldOf([&](v1::ImportRecord& r) {
              for (auto& line : *r.mutable_lines()) *line.mutable_exact_amount() = Exact(half);
            }),
            "order.lines");
  // The sum of the goods alone overflows, although the net fits.
  v1::ImportRecord record =
      Record("536365", {Sold("a", "1"), Sold("b", "1"), Line(v1::LINE_KIND_SERVICE, "D", "-1", "1")});
  for (auto& line : *record.mutable_lines()) *line.mutable_exact_amount() = Exact(half);
  record.mutable_lines(2)->mutable_exact_amount()->set_unscaled(-record.lines(2).exact_amount().unscaled());
  EXPECT_EQ(MetadataOf(Validate(Import(record)), "field"), "order.lines");
}

TEST(Validate, NamesFieldsOfAReturn) {
  v1::ImportReturnRequest request = ImportReturn(Record("C1", {Back("s", "1")}), "536365");
  request.mutable_original()->set_source("");
  EXPECT_EQ(MetadataOf(Validate(request), "field"), "original.source");
  request = ImportReturn(Record("C1", {Line(v1::LINE_KIND_RETURN, "s", "1", "1")}));
  EXPECT_EQ(MetadataOf(Validate(request), "field"), "return_record.lines[0].quantity");
}

TEST(Validate, RefusesAReturnWhoseUnitsOverflow) {
  const std::string most = std::to_string(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(MetadataOf(Validate(ImportReturn(Record("C1", {Back("s", most, "0"), Back("s", "1", "0")}))), "field"),
            "return_record.lines");
}

TEST(BuildSale, KeepsThePriceExactAndRoundsTheLine) {
  const v1::SaleRecord sale = BuildSale("order", Record("1", {Sold("s", "3", "0.425")})).value();
  EXPECT_EQ(sale.lines(0).unit_price().unscaled(), 425);
  EXPECT_EQ(sale.lines(0).unit_price().scale(), 3u);
  EXPECT_EQ(sale.lines(0).exact_amount().unscaled(), 1275);
  EXPECT_EQ(sale.lines(0).exact_amount().scale(), 3u);
  EXPECT_EQ(sale.lines(0).amount().minor_units(), 128);
  EXPECT_EQ(sale.rounding(), common::v1::ROUNDING_HALF_UP_PER_LINE);
}

TEST(BuildSale, RoundsByTheNamedPolicy) {
  const auto pence = [](common::v1::Rounding rounding, const std::string& price) {
    v1::ImportRecord record = Record("1", {Sold("s", "1", price)});
    record.set_rounding(rounding);
    return BuildSale("order", record).value().net().minor_units();
  };
  EXPECT_EQ(pence(common::v1::ROUNDING_HALF_UP_PER_LINE, "0.125"), 13);
  EXPECT_EQ(pence(common::v1::ROUNDING_HALF_EVEN_PER_LINE, "0.125"), 12);
  EXPECT_EQ(pence(common::v1::ROUNDING_HALF_EVEN_PER_LINE, "0.135"), 14);
  EXPECT_EQ(pence(common::v1::ROUNDING_DOWN_PER_LINE, "0.129"), 12);
}

TEST(BuildSale, PrefersTheExactAmountOfTheRequest) {
  v1::ImportLine line = Sold("s", "2", "1.00");
  *line.mutable_exact_amount() = Exact("1.50");
  const v1::SaleRecord sale = BuildSale("order", Record("1", {line, Sold("t", "1", "1")})).value();
  EXPECT_EQ(sale.lines(0).amount().minor_units(), 150);
  EXPECT_EQ(sale.net().minor_units(), 250);
}

TEST(BuildSale, DropsTrailingZerosThatDoNotFit) {
  const v1::SaleRecord sale = BuildSale("order", Record("1", {Sold("s", "2.00000", "1.500000")})).value();
  EXPECT_EQ(sale.lines(0).exact_amount().scale(), 9u);
  EXPECT_EQ(sale.net().minor_units(), 300);
}

TEST(BuildSale, PutsTheStrongestIdentifierFirst) {
  v1::ImportRecord record = Good();
  for (const auto& identifier : {Phone('p'), Customer('b'), Customer('a'), Phone('p')})
    *record.add_identifiers() = identifier;
  const v1::SaleRecord sale = BuildSale("order", record).value();
  ASSERT_EQ(sale.identifiers_size(), 3);
  EXPECT_EQ(sale.identifiers(0).keyed_hash(), std::string(32, 'a'));
  EXPECT_EQ(sale.identifiers(2).type(), common::v1::IDENTIFIER_TYPE_PHONE);
}

TEST(ContentHash, DiffersForOtherContentOrAnotherOriginal) {
  const v1::SaleRecord sale = BuildSale("order", Good()).value();
  const v1::SaleRecord other = BuildSale("order", Record("536365", {Sold("85123A", "7")})).value();
  const v1::ExternalRef original = Ref("1");
  EXPECT_EQ(ContentHash(sale, nullptr), ContentHash(BuildSale("order", Good()).value(), nullptr));
  EXPECT_NE(ContentHash(sale, nullptr), ContentHash(other, nullptr));
  EXPECT_NE(ContentHash(sale, nullptr), ContentHash(sale, &original));
}

TEST(ReturnedItems, AddUpPerSkuAndCountGoodsOnly) {
  const v1::SaleRecord sale =
      BuildSale("r", Record("C1", {Back("b", "1"), Back("a", "2"), Back("b", "0.5"), Back("c", "0"),
                                   Line(v1::LINE_KIND_SERVICE, "D", "-1", "5")}))
          .value();
  const std::vector<v1::ReturnedItem> items = ReturnedItems(sale).value();
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].sku(), "a");
  EXPECT_EQ(items[1].sku(), "b");
  EXPECT_EQ(items[1].quantity().unscaled(), 15);
  EXPECT_EQ(items[1].quantity().scale(), 1u);
}

}  // namespace
}  // namespace halles::checkout::imports
