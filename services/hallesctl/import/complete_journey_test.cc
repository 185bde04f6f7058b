// Tests of the importer of the grocer's year.
#include "services/hallesctl/import/complete_journey.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

using namespace checkout::v1;  // NOLINT: the vocabulary of the tests

constexpr char kHeader[] =
    "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,"
    "transaction_timestamp\n";

class CompleteJourney : public ::testing::Test {
 protected:
  CompleteJourney() : path_(absl::StrCat(::testing::TempDir(), "cj_test_", getpid(), ".csv")) {}
  ~CompleteJourney() override { std::remove(path_.c_str()); }

  std::vector<SourceRecord> Read(const std::string& lines) {
    std::ofstream(path_) << kHeader << lines;
    auto source = CompleteJourneySource::Open(path_).value();
    std::vector<SourceRecord> records;
    for (auto record = source->Next().value(); record.has_value(); record = source->Next().value()) {
      records.push_back(*record);
    }
    EXPECT_EQ(source->bytes_done(), source->bytes_total());
    return records;
  }

  std::string Refusal(const std::string& line) {
    const auto records = Read(line + "\n");
    return records.size() == 1 && records[0].refusals.size() == 1 ? std::string(FaultName(records[0].refusals[0].fault))
                                                                  : "none";
  }

  const std::string path_;
};

TEST_F(CompleteJourney, TurnsABasketIntoAnOrder) {
  const auto records = Read(
      "1023,330,31198570044,1095275,2,0.50,0.10,0.25,0.05,1,2017-01-01 11:53:26\n"
      "1023,330,31198570044,9878513,89638,0.99,0.00,0.00,0.00,1,2017-01-01 11:53:26\n"
      "7,406,31198655051,1041453,0,0.00,0.00,0.00,0.00,1,2017-01-01 12:26:30\n");
  ASSERT_EQ(records.size(), 2);
  const ImportRecord& order = *records[0].record();
  EXPECT_EQ(order.external().source(), "complete-journey");
  EXPECT_EQ(order.external().external_id(), "31198570044");
  EXPECT_EQ(order.recorded_time().seconds(), 1483271606);
  EXPECT_EQ(order.channel(), common::v1::CHANNEL_SHOP);
  EXPECT_EQ(order.site_id(), "store-330");
  EXPECT_EQ(order.currency_code(), "USD");
  EXPECT_EQ(order.identifiers(0).value(), "1023");
  ASSERT_EQ(order.lines_size(), 2);
  const ImportLine& line = order.lines(0);
  EXPECT_EQ(line.kind(), LINE_KIND_SALE);
  EXPECT_EQ(line.sku(), "1095275");
  EXPECT_EQ(line.quantity().unscaled(), 2);
  EXPECT_FALSE(line.has_unit_price());
  EXPECT_EQ(line.exact_amount().unscaled(), 50);
  EXPECT_EQ(line.exact_amount().scale(), 2u);
  ASSERT_EQ(line.discounts_size(), 3);
  EXPECT_EQ(line.discounts(0).kind(), DISCOUNT_KIND_RETAILER);
  EXPECT_EQ(line.discounts(1).amount().minor_units(), 25);
  EXPECT_EQ(line.discounts(2).kind(), DISCOUNT_KIND_COUPON_MATCH);
  EXPECT_EQ(order.lines(1).discounts_size(), 0);
  EXPECT_EQ(records[1].record()->lines(0).kind(), LINE_KIND_SALE);
  EXPECT_EQ(records[1].lines[0].line, 4);
}

TEST_F(CompleteJourney, RefusesEachDamagedLineByItself) {
  EXPECT_EQ(Refusal("1,2,3,4,1,1.00,0,0,0,1"), "WRONG_FIELD_COUNT");
  EXPECT_EQ(Refusal("1,2,,4,1,1.00,0,0,0,1,2017-01-01 11:53:26"), "BAD_EXTERNAL_ID");
  EXPECT_EQ(Refusal("1,2,3,,1,1.00,0,0,0,1,2017-01-01 11:53:26"), "BAD_SKU");
  EXPECT_EQ(Refusal("1,2,3,4,-1,1.00,0,0,0,1,2017-01-01 11:53:26"), "BAD_QUANTITY");
  EXPECT_EQ(Refusal("1,2,3,4,1,x,0,0,0,1,2017-01-01 11:53:26"), "BAD_AMOUNT");
  EXPECT_EQ(Refusal("1,,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:26"), "BAD_SITE");
  EXPECT_EQ(Refusal(",2,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:26"), "BAD_CUSTOMER");
  EXPECT_EQ(Refusal("1,2,3,4,1,1.00,0,0,0,1,yesterday"), "BAD_TIME");
  EXPECT_EQ(Refusal("1,2,3,4,1,1.00,0.001,0,0,1,2017-01-01 11:53:26"), "BAD_DISCOUNT");
  EXPECT_EQ(Refusal("1,2,3,4,1,1.00,0,-1,0,1,2017-01-01 11:53:26"), "BAD_DISCOUNT");
}

TEST_F(CompleteJourney, RefusesLinesThatDifferWithinABasketAndKeepsTheRest) {
  const auto records = Read(
      "1,2,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:26\n"
      "9,2,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:26\n"
      "1,9,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:26\n"
      "1,2,3,4,1,1.00,0,0,0,1,2017-01-01 11:53:27\n"
      "1,2,3,5,1,1.00,0,0,0,1,2017-01-01 11:53:26\n");
  ASSERT_EQ(records.size(), 1);
  EXPECT_EQ(records[0].record()->lines_size(), 2);
  ASSERT_EQ(records[0].refusals.size(), 3);
  EXPECT_EQ(records[0].refusals[0].fault, LineFault::kCustomerDiffers);
  EXPECT_EQ(records[0].refusals[1].fault, LineFault::kBadSite);
  EXPECT_EQ(records[0].refusals[2].fault, LineFault::kBadTime);
  EXPECT_EQ(records[0].refusals[2].amount->ToString(), "1.00");
}

TEST_F(CompleteJourney, FailsForAnotherKindOfFile) {
  std::ofstream(path_) << "a,b\n";
  EXPECT_EQ(CompleteJourneySource::Open(path_).status().code(), absl::StatusCode::kInvalidArgument);
  std::ofstream(path_, std::ios::trunc) << "";
  EXPECT_EQ(CompleteJourneySource::Open(path_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace halles::hallesctl
