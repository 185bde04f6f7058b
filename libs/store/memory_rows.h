// Rows in a std::map, for tests of domain code.
#ifndef HALLES_LIBS_STORE_MEMORY_ROWS_H_
#define HALLES_LIBS_STORE_MEMORY_ROWS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/store/rows.h"

namespace halles::store {

// Thread safety: one thread at a time.
class MemoryRows : public Rows {
 public:
  // Rows put from now on carry this position.
  void set_position(Position position) { position_ = position; }

  // Every read fails with `status` from now on, as after disk damage.
  void FailReads(absl::Status status) { read_failure_ = std::move(status); }

  std::optional<Row> Get(absl::string_view key) const override;
  void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override;
  absl::Status status() const override { return status_; }
  void Fail(absl::Status status) const override { status_.Update(std::move(status)); }
  void Put(absl::string_view key, std::string value) override;
  void Delete(absl::string_view key) override;

  size_t size() const { return rows_.size(); }
  const std::map<std::string, Row, std::less<>>& rows() const { return rows_; }

 private:
  std::map<std::string, Row, std::less<>> rows_;
  Position position_ = 0;
  absl::Status read_failure_;
  mutable absl::Status status_;
};

// Equal if the keys and values are; positions do not count, as in digests.
bool SameContent(const MemoryRows& a, const MemoryRows& b);

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_MEMORY_ROWS_H_
