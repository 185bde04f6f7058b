// Tests of the UCI importer against every irregularity of the journal.
#include "services/hallesctl/import/uci.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles::hallesctl {
namespace {

using namespace checkout::v1;  // NOLINT: the vocabulary of the tests
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

// A folder of daily files that is deleted after the test.
class UciImport : public ::testing::Test {
 protected:
  UciImport() : folder_(absl::StrCat(::testing::TempDir(), "uci_test_", getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~UciImport() override { std::filesystem::remove_all(folder_); }

  UciImport& Given(const std::string& name, const std::string& lines) {
    std::ofstream(folder_ + "/" + name) << kHeader << lines;
    return *this;
  }

  std::vector<SourceRecord> Read() {
    std::vector<SourceRecord> records;
    auto source = UciSource::Open(folder_).value();
    for (auto record = source->Next().value(); record.has_value(); record = source->Next().value()) {
      if (record->record() != nullptr) records.push_back(*record);
      refusals_.insert(refusals_.end(), record->refusals.begin(), record->refusals.end());
    }
    EXPECT_EQ(source->bytes_done(), source->bytes_total());
    return records;
  }

  // The name of the only refusal.
  std::string Refusal(const std::string& line) {
    refusals_.clear();
    Given("2010-12-01.csv", line + "\n");
    Read();
    return refusals_.size() == 1 ? std::string(FaultName(refusals_[0].fault)) : absl::StrCat(refusals_.size());
  }

  const std::string folder_;
  std::vector<LineRefusal> refusals_;
};

TEST_F(UciImport, TurnsAnInvoiceIntoAnOrder) {
  Given("2010-12-01.csv",
        "536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.550,17850.0,United Kingdom\n"
        "536365,71053,LANTERN,6,2010-12-01 08:27:00,3.39,17850.0,United Kingdom\n");
  const auto records = Read();
  ASSERT_EQ(records.size(), 1);
  const ImportRecord& order = *records[0].record();
  EXPECT_TRUE(std::holds_alternative<ImportOrderRequest>(records[0].request));
  EXPECT_EQ(order.external().source(), "uci");
  EXPECT_EQ(order.external().external_id(), "536365");
  EXPECT_EQ(order.recorded_time().seconds(), 1291191960);
  EXPECT_EQ(order.channel(), common::v1::CHANNEL_WEB);
  EXPECT_EQ(order.site_id(), "uci-online");
  EXPECT_EQ(order.currency_code(), "GBP");
  ASSERT_EQ(order.identifiers_size(), 1);
  EXPECT_EQ(order.identifiers(0).issuer(), "uci");
  EXPECT_EQ(order.identifiers(0).value(), "17850");
  ASSERT_EQ(order.lines_size(), 2);
  EXPECT_EQ(order.lines(0).kind(), LINE_KIND_SALE);
  EXPECT_EQ(order.lines(0).description(), "HEART, WHITE");
  EXPECT_EQ(order.lines(0).unit_price().unscaled(), 2550);
  EXPECT_EQ(order.lines(0).unit_price().scale(), 3u);
  EXPECT_EQ(records[0].lines[1].line, 3);
}

TEST_F(UciImport, TurnsAnInvoiceWithCIntoAReturn) {
  Given("2010-12-01.csv", "C536379,22556,PLASTERS,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\n");
  const auto records = Read();
  ASSERT_EQ(records.size(), 1);
  EXPECT_TRUE(std::holds_alternative<ImportReturnRequest>(records[0].request));
  EXPECT_FALSE(std::get<ImportReturnRequest>(records[0].request).has_original());
  EXPECT_EQ(records[0].record()->lines(0).kind(), LINE_KIND_RETURN);
}

TEST_F(UciImport, ClassifiesLines) {
  const auto kind = [](absl::string_view invoice, absl::string_view code, const char* quantity, const char* price,
                       bool customer) {
    return UciLineKind(invoice, code, *Decimal::Parse(quantity), *Decimal::Parse(price), customer);
  };
  EXPECT_EQ(kind("536365", "85123A", "6", "2.55", true), LINE_KIND_SALE);
  EXPECT_EQ(kind("536365", "85123A", "6", "2.55", false), LINE_KIND_SALE);
  EXPECT_EQ(kind("537197", "22841", "1", "0.0", true), LINE_KIND_SALE);
  EXPECT_EQ(kind("536414", "22139", "56", "0.0", false), LINE_KIND_ADJUSTMENT);
  EXPECT_EQ(kind("536589", "21777", "-10", "0.0", false), LINE_KIND_ADJUSTMENT);
  EXPECT_EQ(kind("C536391", "22556", "-12", "1.65", true), LINE_KIND_RETURN);
  EXPECT_EQ(kind("C536391", "22556", "12", "1.65", true), LINE_KIND_ADJUSTMENT);
  EXPECT_EQ(kind("C536379", "D", "-1", "27.50", true), LINE_KIND_SERVICE);
  EXPECT_EQ(kind("A563185", "B", "1", "11062.06", false), LINE_KIND_ADJUSTMENT);
  EXPECT_EQ(kind("536365", "B", "1", "-11062.06", false), LINE_KIND_ADJUSTMENT);
  for (const char* code :
       {"POST", "DOT", "C2", "M", "m", "D", "S", "AMAZONFEE", "BANK CHARGES", "CRUK", "gift_0001_40"}) {
    EXPECT_EQ(kind("536370", code, "1", "18.0", true), LINE_KIND_SERVICE) << code;
  }
  for (const char* code : {"DCGS0003", "PADS", "15056BL", "84596b", "C2X"}) {
    EXPECT_EQ(kind("536370", code, "1", "18.0", true), LINE_KIND_SALE) << code;
  }
}

TEST_F(UciImport, KeepsEqualLines) {
  const std::string line = "536409,21866,UNION JACK,1,2010-12-01 11:45:00,1.25,17908.0,United Kingdom\n";
  Given("2010-12-01.csv", line + line);
  EXPECT_EQ(Read()[0].record()->lines_size(), 2);
}

TEST_F(UciImport, LeavesASaleWithoutACustomerAnonymous) {
  Given("2010-12-01.csv", "536544,21773,ROSE,1,2010-12-01 14:32:00,2.51,,United Kingdom\n");
  EXPECT_EQ(Read()[0].record()->identifiers_size(), 0);
}

TEST_F(UciImport, CollectsTheScatteredLinesOfAnInvoice) {
  Given("2010-12-01.csv",
        "1,A1,,1,2010-12-01 23:59:00,1,,UK\n"
        "2,A2,,1,2010-12-01 23:59:00,1,,UK\n"
        "1,A3,,1,2010-12-01 23:59:30,1,,UK\n");
  Given("2010-12-02.csv", "3,A4,,1,2010-12-02 00:00:00,1,,UK\n");
  Given("2010-12-03.csv", "1,A5,,1,2010-12-03 00:00:00,1,7.0,UK\n");
  const auto records = Read();
  ASSERT_EQ(records.size(), 3);
  EXPECT_EQ(records[0].record()->external().external_id(), "2");
  EXPECT_EQ(records[1].record()->external().external_id(), "3");
  const ImportRecord& scattered = *records[2].record();
  ASSERT_EQ(scattered.lines_size(), 3);
  EXPECT_EQ(scattered.lines(2).sku(), "A5");
  EXPECT_EQ(scattered.identifiers(0).value(), "7");
  EXPECT_EQ(records[2].lines[2].file, 2u);
}

TEST_F(UciImport, RefusesEachDamagedLineByItself) {
  EXPECT_EQ(Refusal("536365,85123A,HEART,6,2010-12-01 08:26:00,2.55"), "WRONG_FIELD_COUNT");
  EXPECT_EQ(Refusal("536365,85123A,\"HEART,6,2010-12-01 08:26:00,2.55,,UK"), "UNTERMINATED_QUOTE");
  EXPECT_EQ(Refusal("536365,85123A,\"HEART\"x,6,2010-12-01 08:26:00,2.55,,UK"), "STRAY_QUOTE");
  EXPECT_EQ(Refusal(",85123A,HEART,6,2010-12-01 08:26:00,2.55,,UK"), "BAD_EXTERNAL_ID");
  EXPECT_EQ(Refusal("536365,,HEART,6,2010-12-01 08:26:00,2.55,,UK"), "BAD_SKU");
  EXPECT_EQ(Refusal("536365,85123A," + std::string(121, 'x') + ",6,2010-12-01 08:26:00,2.55,,UK"), "BAD_DESCRIPTION");
  EXPECT_EQ(Refusal("536365,85123A,HEART,six,2010-12-01 08:26:00,2.55,,UK"), "BAD_QUANTITY");
  EXPECT_EQ(Refusal("536365,85123A,HEART,6,2010-12-01 08:26:00,2.5x,,UK"), "BAD_PRICE");
  EXPECT_EQ(Refusal("536365,85123A,HEART,9000000000000,2010-12-01 08:26:00,9000000000000,,UK"), "BAD_AMOUNT");
  EXPECT_EQ(Refusal("536365,85123A,HEART,6,2010-13-01 08:26:00,2.55,,UK"), "BAD_TIME");
  EXPECT_EQ(Refusal("536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,Smith,UK"), "BAD_CUSTOMER");
}

TEST_F(UciImport, RefusesALineOfAnotherCustomerWithinAnInvoice) {
  Given("2010-12-01.csv",
        "1,A1,,1,2010-12-01 08:00:00,1.5,7.0,UK\n"
        "1,A2,,2,2010-12-01 08:00:00,1.5,8.0,UK\n");
  EXPECT_EQ(Read()[0].record()->lines_size(), 1);
  ASSERT_EQ(refusals_.size(), 1);
  EXPECT_EQ(refusals_[0].fault, LineFault::kCustomerDiffers);
  EXPECT_EQ(refusals_[0].at.line, 3);
  EXPECT_EQ(refusals_[0].amount->ToString(), "3.0");
}

TEST_F(UciImport, ReadsLatin1) {
  Given("2010-12-20.csv",
        "539492,gift_0001_40,Voucher \xA3"
        "40,1,2010-12-20 10:14:00,34.04,,United Kingdom\n");
  EXPECT_EQ(Read()[0].record()->lines(0).description(),
            "Voucher \xC2\xA3"
            "40");
}

TEST_F(UciImport, FailsForAnotherKindOfFile) {
  std::ofstream(folder_ + "/x.csv") << "a,b\n1,2\n";
  const auto source = UciSource::Open(folder_);
  EXPECT_EQ(source.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(source.status().message()), HasSubstr("x.csv:1: the header has no column InvoiceNo"));
}

TEST_F(UciImport, FailsForAFolderWithoutCsv) {
  EXPECT_EQ(UciSource::Open(folder_).status().code(), absl::StatusCode::kNotFound);
}

TEST(OpenSource, NamesTheValidKinds) {
  EXPECT_EQ(OpenSource("csv", "/").status().message(),
            "no journal is called \"csv\"; valid are: uci, complete-journey");
}

TEST(RequestId, ComesFromSourceKindAndExternalId) {
  ExternalRef external;
  external.set_source("uci");
  external.set_external_id("C1");
  EXPECT_EQ(RequestIdOf(external, true), "uci/return/C1");
  EXPECT_EQ(RequestIdOf(external, false), "uci/order/C1");
  external.set_external_id(std::string(128, 'x'));
  EXPECT_EQ(RequestIdOf(external, false).size(), 10 + 64);
}

}  // namespace
}  // namespace halles::hallesctl
