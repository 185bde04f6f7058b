// Tests of the rules that are read from options: which are refused, and the text of the tables.
#include "proto/limits/rules.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/limits/misfits_test.pb.h"

namespace halles::limits_test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class Message>
std::string Fault() {
  return RequestRules().Add(*Message::descriptor());
}

TEST(RequestRules, RefusesOptionsThatDoNotFitTheirField) {
  EXPECT_EQ(Fault<MisfitText>(),
            "the limits of halles.limits_test.MisfitText.field do not fit it: text is the limit of a string");
  EXPECT_THAT(Fault<MisfitTextMax>(), HasSubstr("text.max is 0 or below text.min"));
  EXPECT_THAT(Fault<MisfitCurrency>(), HasSubstr("a currency has a length of its own"));
  EXPECT_THAT(Fault<MisfitBytes>(), HasSubstr("bytes is the limit of bytes"));
  EXPECT_THAT(Fault<MisfitNumber>(), HasSubstr("number is the limit of an integer"));
  EXPECT_THAT(Fault<MisfitRange>(), HasSubstr("number.max is below number.min"));
  EXPECT_THAT(Fault<MisfitAmount>(), HasSubstr("it is no Money or Decimal"));
  EXPECT_THAT(Fault<MisfitDecimal>(), HasSubstr("only the sign of a Decimal is limited"));
  EXPECT_THAT(Fault<MisfitItems>(), HasSubstr("items are those of a repeated field"));
  EXPECT_THAT(Fault<MisfitItemsMax>(), HasSubstr("items.max is 0 or below items.min"));
  EXPECT_THAT(Fault<MisfitUnique>(), HasSubstr("unique is for strings"));
  EXPECT_THAT(Fault<MisfitUniqueBy>(), HasSubstr("unique_by names no string of its entries"));
  EXPECT_THAT(Fault<MisfitRequiredText>(), HasSubstr("a text is required by text.min"));
  EXPECT_THAT(Fault<MisfitRequiredItems>(), HasSubstr("a repeated field is required by items.min"));
  EXPECT_THAT(Fault<MisfitRequiredChoice>(), HasSubstr("a oneof is required as a whole"));
  EXPECT_THAT(Fault<MisfitFloat>(), HasSubstr("a request holds no floating point"));
  EXPECT_THAT(Fault<MisfitMap>(), HasSubstr("entries of maps"));
  EXPECT_THAT(Fault<MisfitUnsigned>(), HasSubstr("an unsigned number is never negative"));
  EXPECT_THAT(Fault<MisfitUnlimited>(), HasSubstr("it is limited and unlimited"));
  EXPECT_THAT(Fault<MisfitWithin>(), HasSubstr("MisfitFloat.field"));
}

TEST(RequestRules, RefusesAFieldWithoutALimit) {
  EXPECT_EQ(Fault<LacksText>(),
            "halles.limits_test.LacksText.field has no limit: give it one, or say in `unlimited` why it needs none");
  EXPECT_THAT(Fault<LacksBytes>(), HasSubstr("LacksBytes.field has no limit"));
  EXPECT_THAT(Fault<LacksNumber>(), HasSubstr("LacksNumber.field has no limit"));
  EXPECT_THAT(Fault<LacksItems>(), HasSubstr("LacksItems.field has no limit"));
  EXPECT_THAT(Fault<LacksTextOfItems>(), HasSubstr("LacksTextOfItems.field has no limit"));
  EXPECT_THAT(Fault<LacksWithin>(), HasSubstr("LacksText.field has no limit"));
}

TEST(RequestRules, ReadsTheRequestsOfAFile) {
  RequestRules rules;
  EXPECT_THAT(rules.AddRequests(*SellRequest::descriptor()->file()), IsEmpty());
  ASSERT_EQ(rules.requests().size(), 1);
  EXPECT_EQ(rules.requests().front()->type, SellRequest::descriptor());
  EXPECT_NE(rules.Find(Place::descriptor()), nullptr);
}

TEST(LimitTables, DescribeTheLimitsOfEachField) {
  RequestRules rules;
  EXPECT_THAT(rules.AddRequests(*SellRequest::descriptor()->file()), IsEmpty());
  EXPECT_EQ(LimitTables(rules),
            "### SellRequest\n`halles.limits_test.SellRequest`\n\n| field | limit |\n|---|---|\n"
            "| `place` | required; see `Place` |\n"
            "| `skus` | 1 to 3 entries; each once; at most 64 characters |\n"
            "| `units` | must be 1 to 10^9 |\n"
            "| `currency_code` | a currency of ISO 4217 |\n"
            "| `token` | no limit: only one made here is taken |\n"
            "| `sale_time` | in the years 1970 to 2199 |\n"
            "| `origins` | output only |\n"
            "| `cash`, `card` | one is required |\n\n"
            "### Place\n`halles.limits_test.Place`\n\n| field | limit |\n|---|---|\n"
            "| `location_id` | 1 to 64 characters |\n\n");
}

}  // namespace
}  // namespace halles::limits_test
