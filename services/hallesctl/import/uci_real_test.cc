// Reads the real UCI journal in the folder that HALLES_DATA names and compares it with its published figures.
#include <cstdlib>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "services/hallesctl/import/fields.h"
#include "services/hallesctl/import/source.h"

namespace halles::hallesctl {
namespace {

TEST(UciJournal, AddsUpToItsPublishedFigures) {
  const char* data = std::getenv("HALLES_DATA");
  ASSERT_NE(data, nullptr) << "HALLES_DATA names the folder of real journals";
  auto source = OpenSource("uci", std::string(data) + "/uci-online-retail").value();
  int64_t orders = 0, returns = 0, lines = 0, refused = 0;
  std::set<std::string> customers;
  Decimal net;
  for (auto record = source->Next().value(); record.has_value(); record = source->Next().value()) {
    refused += static_cast<int64_t>(record->refusals.size());
    if (record->record() == nullptr) continue;
    ++(record->request.index() == 2 ? returns : orders);
    lines += static_cast<int64_t>(record->lines.size());
    for (const auto& identifier : record->record()->identifiers()) customers.insert(identifier.value());
    for (const auto& line : record->record()->lines()) net = *net.Add(*ExactAmountOf(line));
  }
  EXPECT_EQ(lines, 77628);
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(orders + returns, 3501);
  EXPECT_EQ(returns, 586);
  EXPECT_EQ(customers.size(), 1369u);
  EXPECT_EQ(Decimal::Compare(net, *Decimal::Parse("1308957.280")), 0) << net.ToString();
}

}  // namespace
}  // namespace halles::hallesctl
