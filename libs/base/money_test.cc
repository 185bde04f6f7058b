// Tests of money, exact decimals and rounding.
#include "libs/base/money.h"

#include <limits>

#include "gtest/gtest.h"
#include "libs/base/status.h"

namespace halles {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Currency Of(absl::string_view code) { return Currency::Parse(code).value(); }
Money Pounds(int64_t pence) { return Money(pence, Of("GBP")); }
Decimal D(absl::string_view text) { return Decimal::Parse(text).value(); }
int64_t Pence(absl::string_view text, Rounding rounding) { return Round(D(text), Of("GBP"), rounding)->minor_units(); }

TEST(Currency, KnowsItsDecimals) {
  EXPECT_EQ(Of("GBP").exponent(), 2);
  EXPECT_EQ(Of("JPY").exponent(), 0);
  EXPECT_EQ(Of("KWD").exponent(), 3);
  EXPECT_EQ(Of("AED").code(), "AED");
  EXPECT_EQ(Of("ZMW").code(), "ZMW");
}

TEST(Currency, IsUnknownOutsideTheStandard) {
  for (const char* code : {"", "gbp", "GB", "GBPX", "XXX", "ZZZ", "AAA"}) {
    EXPECT_EQ(ReasonOf(Currency::Parse(code).status()), "UNKNOWN_CURRENCY") << code;
  }
}

TEST(Money, AddsUpWithinOneCurrency) {
  EXPECT_EQ(Pounds(150).Add(Pounds(-200)).value(), Pounds(-50));
  EXPECT_EQ(Pounds(150).Sub(Pounds(200)).value(), Pounds(-50));
  EXPECT_EQ(Pounds(150).Neg().value(), Pounds(-150));
  EXPECT_EQ(ReasonOf(Pounds(1).Add(Money(1, Of("EUR"))).status()), "MIXED_CURRENCIES");
  EXPECT_EQ(ReasonOf(Pounds(1).Sub(Money(1, Of("EUR"))).status()), "MIXED_CURRENCIES");
}

TEST(Money, IsRefusedBeyondItsRange) {
  EXPECT_EQ(Pounds(kMax - 1).Add(Pounds(1))->minor_units(), kMax);
  EXPECT_EQ(ReasonOf(Pounds(kMax).Add(Pounds(1)).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(Pounds(kMin).Sub(Pounds(1)).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(Pounds(kMin).Neg().status()), "AMOUNT_OVERFLOW");
}

TEST(Money, IsWrittenWithItsDecimals) {
  EXPECT_EQ(Pounds(-5).ToString(), "-0.05 GBP");
  EXPECT_EQ(Money(1200, Of("JPY")).ToString(), "1200 JPY");
}

TEST(Decimal, KeepsItsScale) {
  for (const char* text : {"0", "2.550", "-0.001", "1308957.280", "123456789012345678901234567890123456", "0.00",
                           "999999999999999999.999999999999999999"}) {
    EXPECT_EQ(D(text).ToString(), text);
  }
  EXPECT_EQ(D("2.550").scale(), 3);
  EXPECT_EQ(D("007").ToString(), "7");
}

TEST(Decimal, RefusesAnythingElse) {
  for (const char* text : {"", "-", ".", ".5", "5.", "1.2.3", "+1", "1e3", " 1", "1,5", "--1", "0x1", "-.5", "nan"}) {
    EXPECT_EQ(ReasonOf(Decimal::Parse(text).status()), "MALFORMED_DECIMAL") << text;
  }
  EXPECT_EQ(ReasonOf(Decimal::Parse("0.0000000000000000001").status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(Decimal::Parse("1234567890123456789012345678901234567").status()), "AMOUNT_OVERFLOW");
}

TEST(Decimal, ComputesExactly) {
  EXPECT_EQ(D("0.1").Add(D("0.25"))->ToString(), "0.35");
  EXPECT_EQ(D("0.1").Sub(D("0.25"))->ToString(), "-0.15");
  EXPECT_EQ(D("-2.550").Mul(D("12"))->ToString(), "-30.600");
  EXPECT_EQ(D("1.5").Mul(D("1.5"))->ToString(), "2.25");
  EXPECT_EQ(D("3.5").Neg().ToString(), "-3.5");
  EXPECT_EQ(Decimal::FromInt(kMin).ToString(), "-9223372036854775808");
  EXPECT_EQ(Decimal::FromMoney(Pounds(-5)).ToString(), "-0.05");
}

TEST(Decimal, IsRefusedBeyondItsDigits) {
  const Decimal largest = D("999999999999999999999999999999999999");
  EXPECT_EQ(ReasonOf(largest.Add(D("1")).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(largest.Add(D("0.1")).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(largest.Neg().Sub(D("1")).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(largest.Mul(D("-2")).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(D("0.0000000001").Mul(D("0.0000000001")).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(largest.Mul(D("1"))->ToString(), largest.ToString());
  EXPECT_FALSE(Decimal::FromUnscaled(1, 19).ok());
  EXPECT_FALSE(Decimal::FromUnscaled(1, -1).ok());
}

TEST(Decimal, IsComparedByValue) {
  EXPECT_EQ(Decimal::Compare(D("2.5"), D("2.50")), 0);
  EXPECT_EQ(Decimal::Compare(D("-0.1"), D("-0.11")), 1);
  EXPECT_EQ(Decimal::Compare(D("999999999999999999999999999999999999"), D("0.000000000000000001")), 1);
  EXPECT_EQ(Decimal::Compare(D("1"), D("1.000000000000000001")), -1);
  EXPECT_EQ(Decimal::Compare(D("0"), D("-0.0")), 0);
}

TEST(Round, HalfUpGoesAwayFromZero) {
  EXPECT_EQ(Pence("0.125", Rounding::kHalfUp), 13);
  EXPECT_EQ(Pence("-0.125", Rounding::kHalfUp), -13);
  EXPECT_EQ(Pence("0.1249", Rounding::kHalfUp), 12);
}

TEST(Round, HalfEvenGoesToTheEvenNeighbour) {
  EXPECT_EQ(Pence("0.125", Rounding::kHalfEven), 12);
  EXPECT_EQ(Pence("0.135", Rounding::kHalfEven), 14);
  EXPECT_EQ(Pence("-0.135", Rounding::kHalfEven), -14);
  EXPECT_EQ(Pence("0.1251", Rounding::kHalfEven), 13);
}

TEST(Round, DownGoesTowardsZero) {
  EXPECT_EQ(Pence("0.129", Rounding::kDown), 12);
  EXPECT_EQ(Pence("-0.129", Rounding::kDown), -12);
}

TEST(Round, KeepsAmountsThatFitTheCurrency) {
  EXPECT_EQ(Pence("7", Rounding::kDown), 700);
  EXPECT_EQ(Round(D("1.25"), Of("KWD"), Rounding::kHalfUp)->minor_units(), 1250);
  EXPECT_EQ(Round(D("1.5"), Of("JPY"), Rounding::kHalfUp)->minor_units(), 2);
}

TEST(Round, IsRefusedBeyondMinorUnits) {
  EXPECT_EQ(Pence("92233720368547758.07", Rounding::kHalfUp), kMax);
  EXPECT_EQ(ReasonOf(Round(D("92233720368547758.075"), Of("GBP"), Rounding::kHalfUp).status()), "AMOUNT_OVERFLOW");
  EXPECT_EQ(ReasonOf(Round(D("999999999999999999999999999999999999"), Of("GBP"), Rounding::kDown).status()),
            "AMOUNT_OVERFLOW");
}

}  // namespace
}  // namespace halles
