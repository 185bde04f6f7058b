// Exact decimals on 128-bit integers.
#include <array>

#include "absl/strings/str_cat.h"
#include "libs/base/money.h"
#include "libs/base/status.h"

namespace halles {
namespace {

constexpr int kPowers = Decimal::kDigitsMax + 1;
constexpr std::array<Int128, kPowers> MakePowersOfTen() {
  std::array<Int128, kPowers> powers{};
  powers[0] = 1;
  for (int i = 1; i < kPowers; ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr std::array<Int128, kPowers> kPowerOfTen = MakePowersOfTen();
constexpr Int128 kUnscaledMax = kPowerOfTen[Decimal::kDigitsMax] - 1;

Int128 Magnitude(Int128 value) { return value < 0 ? -value : value; }

absl::Status Overflow(absl::string_view what) {
  return Failure(absl::StatusCode::kOutOfRange, "AMOUNT_OVERFLOW", absl::StrCat(what, " is too large to be exact"));
}

absl::Status Malformed(absl::string_view text) {
  return Failure(absl::StatusCode::kInvalidArgument, "MALFORMED_DECIMAL",
                 absl::StrCat("\"", text, "\" is no decimal number such as -12.50"));
}

// unscaled * 10^digits; false when the product has too many digits.
bool ScaleUp(Int128 unscaled, int digits, Int128* out) {
  if (Magnitude(unscaled) > kUnscaledMax / kPowerOfTen[digits]) return false;
  *out = unscaled * kPowerOfTen[digits];
  return true;
}

// The whole part and the fraction of a decimal; both have its sign.
Int128 Whole(const Decimal& d) { return d.unscaled() / kPowerOfTen[d.scale()]; }
Int128 Fraction(const Decimal& d) { return d.unscaled() % kPowerOfTen[d.scale()]; }

}  // namespace

absl::StatusOr<Decimal> Decimal::FromUnscaled(Int128 unscaled, int scale) {
  if (scale < 0 || scale > kScaleMax || unscaled > kUnscaledMax || unscaled < -kUnscaledMax) {
    return Overflow("a decimal of more than 36 digits or 18 decimals");
  }
  return Decimal(unscaled, scale);
}

Decimal Decimal::FromInt(int64_t value) { return Decimal(value, 0); }

Decimal Decimal::FromMoney(const Money& money) { return Decimal(money.minor_units(), money.currency().exponent()); }

absl::StatusOr<Decimal> Decimal::Parse(absl::string_view text) {
  absl::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (negative) rest.remove_prefix(1);
  const size_t point = rest.find('.');
  const size_t fraction_size = point == absl::string_view::npos ? 0 : rest.size() - point - 1;
  if (rest.empty() || point == 0 || (point != absl::string_view::npos && fraction_size == 0)) return Malformed(text);
  Int128 unscaled = 0;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (i == point) continue;
    if (rest[i] < '0' || rest[i] > '9') return Malformed(text);
    if (unscaled > (kUnscaledMax - (rest[i] - '0')) / 10) return Overflow(text);
    unscaled = unscaled * 10 + (rest[i] - '0');
  }
  if (fraction_size > kScaleMax) return Overflow(text);
  return Decimal(negative ? -unscaled : unscaled, static_cast<int>(fraction_size));
}

std::string Decimal::ToString() const {
  std::string digits;
  for (Int128 rest = Magnitude(unscaled_); rest > 0 || static_cast<int>(digits.size()) <= scale_; rest /= 10) {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  }
  std::string text(digits.rbegin(), digits.rend());
  if (scale_ > 0) text.insert(text.size() - static_cast<size_t>(scale_), ".");
  return negative() ? absl::StrCat("-", text) : text;
}

absl::StatusOr<Decimal> Decimal::Add(const Decimal& other) const {
  const int scale = scale_ > other.scale_ ? scale_ : other.scale_;
  Int128 a, b;
  if (!ScaleUp(unscaled_, scale - scale_, &a) || !ScaleUp(other.unscaled_, scale - other.scale_, &b)) {
    return Overflow("the sum");
  }
  // Both are at most 10^36 by magnitude, so their sum fits 128 bits.
  if (Magnitude(a + b) > kUnscaledMax) return Overflow("the sum");
  return Decimal(a + b, scale);
}

absl::StatusOr<Decimal> Decimal::Sub(const Decimal& other) const { return Add(other.Neg()); }

absl::StatusOr<Decimal> Decimal::Mul(const Decimal& other) const {
  const Int128 a = Magnitude(unscaled_);
  const Int128 b = Magnitude(other.unscaled_);
  if (scale_ + other.scale_ > kScaleMax || (a != 0 && b > kUnscaledMax / a)) return Overflow("the product");
  return Decimal(unscaled_ * other.unscaled_, scale_ + other.scale_);
}

Decimal Decimal::Neg() const { return Decimal(-unscaled_, scale_); }

int Decimal::Compare(const Decimal& a, const Decimal& b) {
  const Int128 whole_a = Whole(a);
  const Int128 whole_b = Whole(b);
  if (whole_a != whole_b) return whole_a < whole_b ? -1 : 1;
  // Fractions are below 10^18 of their own scale; brought to scale 18 they fit easily.
  const Int128 fraction_a = Fraction(a) * kPowerOfTen[kScaleMax - a.scale()];
  const Int128 fraction_b = Fraction(b) * kPowerOfTen[kScaleMax - b.scale()];
  return fraction_a < fraction_b ? -1 : fraction_a > fraction_b ? 1 : 0;
}

absl::StatusOr<Money> Round(const Decimal& amount, Currency currency, Rounding rounding) {
  Int128 minor = 0;
  if (amount.scale() <= currency.exponent()) {
    if (!ScaleUp(amount.unscaled(), currency.exponent() - amount.scale(), &minor)) return Overflow(amount.ToString());
  } else {
    const Int128 unit = kPowerOfTen[amount.scale() - currency.exponent()];
    minor = amount.unscaled() / unit;
    const Int128 rest_twice = 2 * Magnitude(amount.unscaled() % unit);
    bool away = false;
    switch (rounding) {
      case Rounding::kHalfUp:
        away = rest_twice >= unit;
        break;
      case Rounding::kHalfEven:
        away = rest_twice > unit || (rest_twice == unit && minor % 2 != 0);
        break;
      case Rounding::kDown:
        break;
    }
    if (away) minor += amount.negative() ? -1 : 1;
  }
  if (minor > INT64_MAX || minor < INT64_MIN) return Overflow(amount.ToString());
  return Money(static_cast<int64_t>(minor), currency);
}

}  // namespace halles
