// Parses the fields of a journal line: decimals, times, and text that protobuf accepts.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_FIELDS_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halles/common/v1/common.pb.h"
#include "libs/base/money.h"
#include "services/hallesctl/import/csv.h"
#include "services/hallesctl/import/source.h"

namespace halles::hallesctl {

// API limits (proto/halles/checkout/v1) that a line is checked against before it is sent.
inline constexpr size_t kExternalIdCharactersMax = 128;
inline constexpr size_t kSkuCharactersMax = 64;
inline constexpr size_t kDescriptionCharactersMax = 120;
inline constexpr int kWireScaleMax = 9;

// Converts to the API message; nullopt if it has more than 9 decimals or does not fit into 64 bits.
std::optional<common::v1::Decimal> ToProto(const Decimal& value);
absl::StatusOr<Decimal> FromProto(const common::v1::Decimal& value);

// Parses a decimal that the API can carry, ignoring blanks around it; nullopt for anything else.
std::optional<Decimal> ParseWireDecimal(absl::string_view text);

// Seconds since 1970 of "2010-12-01 08:26:00", read as UTC; 'T' may replace the blank, and the seconds may be missing.
// nullopt for anything else or outside the years 1970 to 2199.
std::optional<int64_t> ParseTime(absl::string_view text);

// Converts the text to UTF-8 without blanks around it. Invalid UTF-8 is read as Latin-1; control characters become
// blanks.
std::string ToUtf8(absl::string_view text);

// Whether the text has 1 to `max` printable characters.
bool IsWord(absl::string_view utf8, size_t max);

// The columns of a file, by the names in its header.
class Columns {
 public:
  // INVALID_ARGUMENT, reason NOT_THIS_JOURNAL, naming the file and the columns that are missing.
  static absl::StatusOr<Columns> FromHeader(const CsvRecord& header, absl::Span<const absl::string_view> names,
                                            absl::string_view file);

  // The field of column `i`. The record must have field_count() fields.
  absl::string_view Get(const CsvRecord& record, size_t name) const { return record.fields[index_[name]]; }
  size_t field_count() const { return field_count_; }

 private:
  std::vector<size_t> index_;
  size_t field_count_ = 0;
};

// The refusal of a record that is damaged or has a wrong number of fields; nullopt when it can be read.
std::optional<LineRefusal> FaultOf(const CsvRecord& record, const Columns& columns, uint32_t file);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_FIELDS_H_
