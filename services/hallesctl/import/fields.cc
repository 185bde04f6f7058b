// Strict field parsers: text that they do not understand is refused, never guessed.
#include "services/hallesctl/import/fields.h"

#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

namespace halles::hallesctl {
namespace {

constexpr int kYearMin = 1970;
constexpr int kYearMax = 2199;

// The number in the `count` digits at `at`; -1 when they are not all digits.
int Digits(absl::string_view text, size_t at, size_t count) {
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

std::optional<common::v1::Decimal> ToProto(const Decimal& value) {
  if (value.scale() > kWireScaleMax || value.unscaled() > std::numeric_limits<int64_t>::max() ||
      value.unscaled() < std::numeric_limits<int64_t>::min()) {
    return std::nullopt;
  }
  common::v1::Decimal proto;
  proto.set_unscaled(static_cast<int64_t>(value.unscaled()));
  proto.set_scale(static_cast<uint32_t>(value.scale()));
  return proto;
}

absl::StatusOr<Decimal> FromProto(const common::v1::Decimal& value) {
  if (value.scale() > Decimal::kScaleMax) return InvalidField("scale", "more than 18 decimals");
  return Decimal::FromUnscaled(value.unscaled(), static_cast<int>(value.scale()));
}

std::optional<Decimal> ParseWireDecimal(absl::string_view text) {
  const absl::StatusOr<Decimal> value = Decimal::Parse(absl::StripAsciiWhitespace(text));
  if (!value.ok() || !ToProto(*value).has_value()) return std::nullopt;
  return *value;
}

std::optional<int64_t> ParseTime(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() != 16 && text.size() != 19) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':') return std::nullopt;
  if (text.size() == 19 && text[16] != ':') return std::nullopt;
  const int year = Digits(text, 0, 4);
  const int month = Digits(text, 5, 2);
  const int day = Digits(text, 8, 2);
  const int hour = Digits(text, 11, 2);
  const int minute = Digits(text, 14, 2);
  const int second = text.size() == 19 ? Digits(text, 17, 2) : 0;
  if (year < kYearMin || year > kYearMax || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  const absl::CivilSecond time(year, month, day, hour, minute, second);
  const bool is_as_written = time.month() == month && time.day() == day && time.hour() == hour &&
                             time.minute() == minute && time.second() == second;
  if (!is_as_written) return std::nullopt;
  return time - absl::CivilSecond(1970, 1, 1, 0, 0, 0);
}

std::string ToUtf8(absl::string_view text) {
  std::string plain(absl::StripAsciiWhitespace(text));
  for (char& c : plain) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  if (PrintableLength(plain).has_value()) return plain;
  std::string utf8;
  for (char c : plain) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      utf8.push_back(c);
    } else if (byte < 0xA0) {
      utf8.push_back(' ');  // a control character of Latin-1
    } else {
      utf8.push_back(static_cast<char>(0xC0 | (byte >> 6)));
      utf8.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
  return utf8;
}

bool IsWord(absl::string_view utf8, size_t max) {
  const std::optional<size_t> length = PrintableLength(utf8);
  return length.has_value() && *length >= 1 && *length <= max;
}

absl::StatusOr<Columns> Columns::FromHeader(const CsvRecord& header, absl::Span<const absl::string_view> names,
                                            absl::string_view file) {
  Columns columns;
  columns.field_count_ = header.fields.size();
  std::vector<absl::string_view> missing;
  for (absl::string_view name : names) {
    size_t at = 0;
    while (at < header.fields.size() && absl::StripAsciiWhitespace(header.fields[at]) != name) ++at;
    if (at == header.fields.size()) missing.push_back(name);
    columns.index_.push_back(at);
  }
  if (!missing.empty()) {
    return Failure(absl::StatusCode::kInvalidArgument, "NOT_THIS_JOURNAL",
                   absl::StrCat(file, ":", header.line, ": the header has no column ", absl::StrJoin(missing, ", "),
                                "; expected are ", absl::StrJoin(names, ",")));
  }
  return columns;
}

std::optional<LineRefusal> FaultOf(const CsvRecord& record, const Columns& columns, uint32_t file) {
  LineRefusal refusal{.at = {file, record.line}};
  switch (record.fault) {
    case CsvFault::kUnterminatedQuote:
      refusal.fault = LineFault::kUnterminatedQuote;
      refusal.message = "a quote opens and does not close";
      return refusal;
    case CsvFault::kStrayQuote:
      refusal.fault = LineFault::kStrayQuote;
      refusal.message = "text follows a closing quote";
      return refusal;
    case CsvFault::kTooLong:
      refusal.fault = LineFault::kLineTooLong;
      refusal.message = absl::StrCat("longer than ", CsvReader::kRecordBytesMax, " bytes");
      return refusal;
    case CsvFault::kNone:
      break;
  }
  if (record.fields.size() == columns.field_count()) return std::nullopt;
  refusal.fault = LineFault::kWrongFieldCount;
  refusal.message = absl::StrCat(record.fields.size(), " fields where the header has ", columns.field_count());
  return refusal;
}

}  // namespace halles::hallesctl
