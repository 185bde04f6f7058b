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

// Limits of the API (proto/halles/checkout/v1) that a line is checked against before it is sent.
inline constexpr size_t kExternalIdCharactersMax = 128;
inline constexpr size_t kSkuCharactersMax = 64;
inline constexpr size_t kDescriptionCharactersMax = 120;
inline constexpr int kWireScaleMax = 9;

// A decimal as the API message; nullopt if it has more than 9 decimals or does not fit into 64 bits.
std::optional<common::v1::Decimal> ToProto(const Decimal& value);
absl::StatusOr<Decimal> FromProto(const common::v1::Decimal& value);

// A decimal that fits the contract, blanks around it ignored; nullopt for anything else.
std::optional<Decimal> ParseWireDecimal(absl::string_view text);

// Seconds since 1970 of "2010-12-01 08:26:00" ('T' for the blank and missing seconds are taken too), read as UTC.
// nullopt for what is no such time in the years 1970 to 2199.
std::optional<int64_t> ParseTime(absl::string_view text);

// The same text in UTF-8, blanks around it taken off: what is not valid UTF-8 is taken as Latin-1, and control characters
// become blanks.
std::string ToUtf8(absl::string_view text);

// Whether the text has 1 to `max` printable characters.
bool IsWord(absl::string_view utf8, size_t max);

// The columns of a file, by the names in its header.
class Columns {
 public:
  // INVALID_ARGUMENT, reason NOT_THIS_JOURNAL, naming the file and the columns that are missing.
  static absl::StatusOr<Columns> FromHeader(const CsvRecord& header, absl::Span<const absl::string_view> names,
                                            absl::string_view file);

  // The field of the i-th of `names`. The record has field_count() fields.
  absl::string_view Get(const CsvRecord& record, size_t name) const { return record.fields[index_[name]]; }
  size_t field_count() const { return field_count_; }

 private:
  std::vector<size_t> index_;
  size_t field_count_ = 0;
};

// The refusal that a damaged record or a wrong number of fields stands for; nullopt when it can be read.
std::optional<LineRefusal> FaultOf(const CsvRecord& record, const Columns& columns, uint32_t file);

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_FIELDS_H_
