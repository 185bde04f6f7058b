// Checks texts against their limits and builds the error messages.
#include "libs/base/limits/limits.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "libs/base/money.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles::limits {
namespace {

// The characters that an id may have.
constexpr std::array<bool, 256> IdCharacters(bool upper_case) {
  std::array<bool, 256> characters{};
  for (int c = 'a'; c <= 'z'; ++c) characters[c] = true;
  for (int c = '0'; c <= '9'; ++c) characters[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) characters[c] = upper_case;
  characters['-'] = true;
  characters['_'] = true;
  return characters;
}

bool Consists(absl::string_view text, const std::array<bool, 256>& characters) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return characters[static_cast<unsigned char>(c)]; });
}

}  // namespace

std::string Place::ToString() const {
  std::string path = parent == nullptr ? std::string() : absl::StrCat(parent->ToString(), ".");
  absl::StrAppend(&path, name);
  if (index >= 0) absl::StrAppend(&path, "[", index, "]");
  return path;
}

bool IsText(absl::string_view text, size_t min, size_t max) {
  const std::optional<size_t> length = PrintableLength(text);
  return length.has_value() && IsLength(*length, min, max);
}

bool IsId(absl::string_view text, size_t min, size_t max) {
  static constexpr std::array<bool, 256> kCharacters = IdCharacters(/*upper_case=*/true);
  return IsLength(text.size(), min, max) && Consists(text, kCharacters);
}

bool IsLowerCaseId(absl::string_view text, size_t min, size_t max) {
  static constexpr std::array<bool, 256> kCharacters = IdCharacters(/*upper_case=*/false);
  return IsLength(text.size(), min, max) && Consists(text, kCharacters);
}

bool IsCurrency(absl::string_view text) { return Currency::Parse(text).ok(); }

absl::Status Invalid(const Place& place, absl::string_view description) {
  return InvalidField(place.ToString(), description);
}

absl::Status BadText(const Place& place, absl::string_view range, absl::string_view text) {
  const std::optional<size_t> length = PrintableLength(text);
  if (!length.has_value()) return Invalid(place, "must be printable text");
  return BadLength(place, range, "characters", *length);
}

absl::Status BadLength(const Place& place, absl::string_view range, absl::string_view unit, size_t length) {
  return Invalid(place, absl::StrCat("must have ", range, " ", unit, ", not ", length));
}

absl::Status BadCount(const Place& place, absl::string_view range, int count) {
  return Invalid(place, absl::StrCat("takes ", range, " entries, not ", count));
}

absl::Status BadTime(const Place& place) { return Invalid(place, "must be in the years 1970 to 2199"); }

absl::Status Unknown(const Place& place, int number) {
  return UnknownValue(place.ToString(), absl::StrCat("has the value ", number, ", which is unknown here"));
}

}  // namespace halles::limits
