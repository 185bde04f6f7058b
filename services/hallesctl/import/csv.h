// Reads CSV files as RFC 4180 describes them. A damaged line is reported with its line number and does not end the
// file.
#ifndef HALLES_SERVICES_HALLESCTL_IMPORT_CSV_H_
#define HALLES_SERVICES_HALLESCTL_IMPORT_CSV_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halles::hallesctl {

// The faults of a record.
enum class CsvFault {
  kNone,
  kUnterminatedQuote,  // a quote opens and does not close within the limits below
  kStrayQuote,         // something other than a comma or the end of the line follows a closing quote
  kTooLong,            // more than kRecordBytesMax
};

struct CsvRecord {
  int64_t line = 0;  // where the record starts, from 1
  CsvFault fault = CsvFault::kNone;
  // Unquoted; empty when there is a fault. Valid until the next call of Next().
  std::vector<absl::string_view> fields;
};

// The records of one file, in order. Lines end in LF or CRLF; the last one may lack its end. A byte order mark and
// blank lines are skipped. A quoted field may contain commas, line ends and doubled quotes; a quote in an unquoted
// field is an ordinary character. After a fault, reading continues with the next line, so a missing quote costs one
// line.
// Limits: a record has at most kRecordBytesMax bytes and, for quotes, kRecordLinesMax lines.
// Thread safety: one thread at a time.
class CsvReader {
 public:
  static constexpr size_t kRecordBytesMax = 64 * 1024;
  static constexpr int kRecordLinesMax = 16;

  // NOT_FOUND or PERMISSION_DENIED that names the path.
  static absl::StatusOr<std::unique_ptr<CsvReader>> OpenFile(const std::string& path);
  static std::unique_ptr<CsvReader> FromString(std::string text);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  // False at the end of the file. Fails when the file cannot be read any further.
  absl::StatusOr<bool> Next(CsvRecord* record);

  // Bytes consumed so far.
  uint64_t offset() const { return consumed_ + begin_; }

 private:
  struct Field {
    size_t begin, end;
    bool quoted;   // begin and end exclude the quotes
    bool doubled;  // contains doubled quotes
  };
  enum class Scan { kRecord, kFault, kMore };

  CsvReader(int fd, std::string text, std::string path);
  // Finds the fields of the record at begin_ and the start of the next one. kMore: the record continues beyond the
  // buffer.
  Scan ScanRecord(CsvRecord* record);
  absl::Status Refill();

  const int fd_;  // -1: the buffer holds the whole text from the start
  const std::string path_;
  bool at_end_;  // true if the buffer holds the last byte of the file
  std::string buffer_;
  size_t begin_ = 0;       // start of the unread bytes
  uint64_t consumed_ = 0;  // bytes of the file before the buffer
  int64_t line_ = 1;       // at begin_
  size_t next_ = 0;        // set by ScanRecord
  int64_t next_line_ = 1;
  std::vector<Field> fields_;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_IMPORT_CSV_H_
