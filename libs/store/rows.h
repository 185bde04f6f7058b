// The interface of rows that decisions read and folds write: an ordered map of bytes.
#ifndef HALLES_LIBS_STORE_ROWS_H_
#define HALLES_LIBS_STORE_ROWS_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/slot.h"

namespace halles::store {

// A value and the position of the record that last wrote it. The position is kept beside the value and is in no digest.
struct Row {
  std::string value;
  Position position = 0;
};

// Reads rows. A failed read behaves as if the row were absent and sets `status`, which the caller of a decision or a
// fold checks before it uses the result.
// Thread safety: see the implementation.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual std::optional<Row> Get(absl::string_view key) const = 0;

  // Visits rows with `prefix` from `start` (inclusive, must have the prefix or be empty) in order of the bytes of the key,
  // until `visit` returns false. `visit` does not write rows.
  using Visit = absl::FunctionRef<bool(absl::string_view key, const Row& row)>;
  virtual void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const = 0;

  // OK, or the first failure of a read.
  virtual absl::Status status() const = 0;

  // Called by tables for a row that does not parse: sets `status` unless an earlier read failed.
  virtual void Fail(absl::Status status) const = 0;
};

// Reads and writes rows. The implementation sets the position that is stored with each row.
class Rows : public RowReader {
 public:
  virtual void Put(absl::string_view key, std::string value) = 0;
  virtual void Delete(absl::string_view key) = 0;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ROWS_H_
