// Tests that the importers read generated journals to the totals that the generator states.
#include "services/hallesctl/generate/journals.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/base/status.h"
#include "services/hallesctl/import/source.h"
#include "services/hallesctl/import/summary.h"

namespace halles::hallesctl {
namespace {

namespace fs = std::filesystem;

class Journals : public ::testing::Test {
 protected:
  Journals() : path_(absl::StrCat(::testing::TempDir(), "journals_test_", getpid())) { fs::remove_all(path_); }
  ~Journals() override { fs::remove_all(path_); }

  std::string Imported(const std::string& source) {
    auto journal = OpenSource(source, path_).value();
    ImportSummary summary(*journal);
    for (auto record = journal->Next().value(); record.has_value(); record = journal->Next().value()) {
      for (const LineRefusal& refusal : record->refusals) summary.AddRefused(refusal);
      if (record->record() != nullptr) summary.AddImported(*record);
    }
    return summary.ToJson(0);
  }

  std::string Bytes() {
    std::ostringstream all;
    if (fs::is_directory(path_)) {
      std::set<std::string> files;
      for (const auto& entry : fs::directory_iterator(path_)) files.insert(entry.path());
      for (const std::string& file : files) all << std::ifstream(file).rdbuf();
    } else {
      all << std::ifstream(path_).rdbuf();
    }
    fs::remove_all(path_);
    return all.str();
  }

  const std::string path_;
};

// The fields that the generator's totals and the import summary have in common: all up to the refused net.
std::string Common(const std::string& json) {
  const size_t at = json.find("}", json.find("\"refused_net\""));
  return json.substr(0, at + 1);
}

TEST_F(Journals, OfTheGiftwareRetailerMatchTheirTotals) {
  for (uint64_t seed : {1, 2, 3, 4, 5}) {
    const UciTruth truth = GenerateUciJournal(seed, 300, 6, path_).value();
    EXPECT_EQ(Common(Imported("uci")), Common(truth.ToJson())) << "seed " << seed;
    EXPECT_GT(truth.sale, 0);
    EXPECT_GT(truth.returned, 0);
    EXPECT_GT(truth.adjustment, 0);
    EXPECT_GT(truth.service, 0);
    EXPECT_EQ(truth.refused.size(), 4u);
    fs::remove_all(path_);
  }
}

TEST_F(Journals, OfTheGiftwareRetailerHaveEveryIrregularity) {
  ASSERT_TRUE(GenerateUciJournal(7, 100, 0, path_).ok());
  const std::string bytes = Bytes();
  for (const char* trap : {"POST,", "\nC", "\nA", ",B,Adjust bad debt", "\xA3", "7\"\" SINGLE", "\"TRAY, BREAKFAST",
                           ",0.0,,", ",D,Discount,-1,", "damages?"}) {
    EXPECT_TRUE(absl::StrContains(bytes, trap)) << trap;
  }
}

TEST_F(Journals, OfTheGrocerMatchTheirTotals) {
  for (uint64_t seed : {1, 2, 3}) {
    const RetailTruth truth = GenerateRetailWorld(seed, 3000, path_).value();
    auto journal = OpenSource("complete-journey", path_).value();
    RetailTruth read;
    for (auto record = journal->Next().value(); record.has_value(); record = journal->Next().value()) {
      ASSERT_TRUE(record->refusals.empty());
      const auto& order = *record->record();
      ++read.baskets;
      auto& household = read.households[std::stoll(order.identifiers(0).value())];
      ++household.baskets;
      for (const auto& line : order.lines()) {
        ++read.lines;
        household.sales += line.exact_amount().unscaled();
        read.sales += line.exact_amount().unscaled();
        read.zero_quantity_lines += line.quantity().unscaled() == 0;
        read.zero_value_lines += line.exact_amount().unscaled() == 0;
        for (const auto& discount : line.discounts()) {
          int64_t* const sums[] = {&read.retail_disc, &read.coupon_disc, &read.coupon_match_disc};
          *sums[discount.kind() - 1] += discount.amount().minor_units();
        }
      }
      read.stores.insert(std::stoll(order.site_id().substr(6)));
    }
    read.months = truth.months;
    EXPECT_EQ(read.ToJson(), truth.ToJson()) << "seed " << seed;
    int64_t year = 0;
    for (int64_t month : truth.months) {
      EXPECT_GT(month, 0);
      year += month;
    }
    EXPECT_EQ(year, truth.sales);
    fs::remove_all(path_);
  }
}

TEST_F(Journals, AreTheSameForTheSameSeedOnly) {
  ASSERT_TRUE(GenerateUciJournal(1, 50, 2, path_).ok());
  const std::string first = Bytes();
  ASSERT_TRUE(GenerateUciJournal(1, 50, 2, path_).ok());
  EXPECT_EQ(Bytes(), first);
  ASSERT_TRUE(GenerateUciJournal(2, 50, 2, path_).ok());
  EXPECT_NE(Bytes(), first);
  ASSERT_TRUE(GenerateRetailWorld(1, 50, path_).ok());
  const std::string world = Bytes();
  ASSERT_TRUE(GenerateRetailWorld(1, 50, path_).ok());
  EXPECT_EQ(Bytes(), world);
}

TEST_F(Journals, AreNotWrittenOverOthers) {
  ASSERT_TRUE(GenerateUciJournal(1, 10, 0, path_).ok());
  EXPECT_EQ(ReasonOf(GenerateUciJournal(1, 10, 0, path_).status()), "FOLDER_NOT_EMPTY");
}

}  // namespace
}  // namespace halles::hallesctl
