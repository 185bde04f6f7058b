// Amounts: currencies, money in minor units, exact decimals and named roundings.
#ifndef HALLES_LIBS_BASE_MONEY_H_
#define HALLES_LIBS_BASE_MONEY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles {

__extension__ using Int128 = __int128;

// A currency of ISO 4217 that has minor units of a known number of decimals.
class Currency {
 public:
  // INVALID_ARGUMENT, reason UNKNOWN_CURRENCY, for anything but three capitals of the table.
  static absl::StatusOr<Currency> Parse(absl::string_view code);

  absl::string_view code() const;
  // Decimals of the minor unit: 2 for GBP, 0 for JPY, 3 for KWD.
  int exponent() const;

  friend bool operator==(const Currency&, const Currency&) = default;
  friend auto operator<=>(const Currency&, const Currency&) = default;

 private:
  explicit Currency(uint8_t index) : index_(index) {}
  uint8_t index_;  // in the table, which is sorted by code
};

// An amount of money: an integer number of minor units of one currency. Results out of int64 are OUT_OF_RANGE, reason
// AMOUNT_OVERFLOW; different currencies are INVALID_ARGUMENT, reason MIXED_CURRENCIES.
class Money {
 public:
  Money(int64_t minor_units, Currency currency) : minor_units_(minor_units), currency_(currency) {}

  int64_t minor_units() const { return minor_units_; }
  Currency currency() const { return currency_; }
  bool negative() const { return minor_units_ < 0; }

  absl::StatusOr<Money> Add(const Money& other) const;
  absl::StatusOr<Money> Sub(const Money& other) const;
  absl::StatusOr<Money> Neg() const;

  // "12.50 GBP".
  std::string ToString() const;

  friend bool operator==(const Money&, const Money&) = default;

 private:
  int64_t minor_units_;
  Currency currency_;
};

// An exact decimal number: unscaled / 10^scale. It keeps its scale: "2.550" stays "2.550".
// Limits: scale 0 to 18, at most 36 digits; what is beyond is OUT_OF_RANGE, reason AMOUNT_OVERFLOW.
class Decimal {
 public:
  static constexpr int kScaleMax = 18;
  static constexpr int kDigitsMax = 36;

  Decimal() = default;  // 0
  static absl::StatusOr<Decimal> FromUnscaled(Int128 unscaled, int scale);
  static Decimal FromInt(int64_t value);
  static Decimal FromMoney(const Money& money);
  // [-]digits[.digits] with at least one digit on each side of the point; INVALID_ARGUMENT, reason MALFORMED_DECIMAL.
  static absl::StatusOr<Decimal> Parse(absl::string_view text);

  Int128 unscaled() const { return unscaled_; }
  int scale() const { return scale_; }
  bool negative() const { return unscaled_ < 0; }
  bool zero() const { return unscaled_ == 0; }
  std::string ToString() const;

  // The scale of a sum or difference is the larger one, that of a product the sum of both.
  absl::StatusOr<Decimal> Add(const Decimal& other) const;
  absl::StatusOr<Decimal> Sub(const Decimal& other) const;
  absl::StatusOr<Decimal> Mul(const Decimal& other) const;
  Decimal Neg() const;

  // -1, 0 or 1 by value: "2.5" and "2.50" compare as 0.
  static int Compare(const Decimal& a, const Decimal& b);

 private:
  Decimal(Int128 unscaled, int scale) : unscaled_(unscaled), scale_(scale) {}
  Int128 unscaled_ = 0;
  int scale_ = 0;
};

enum class Rounding {
  kHalfUp,    // a half goes away from zero: 0.125 -> 0.13, -0.125 -> -0.13
  kHalfEven,  // a half goes to the even neighbour: 0.125 -> 0.12
  kDown,      // towards zero
};

// The amount in minor units of `currency`. AMOUNT_OVERFLOW when it does not fit.
absl::StatusOr<Money> Round(const Decimal& amount, Currency currency, Rounding rounding);

}  // namespace halles

#endif  // HALLES_LIBS_BASE_MONEY_H_
