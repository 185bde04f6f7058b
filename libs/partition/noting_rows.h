// The rows of a record while its events are evolved; they track the timers that are set.
#ifndef HALLES_LIBS_PARTITION_NOTING_ROWS_H_
#define HALLES_LIBS_PARTITION_NOTING_ROWS_H_

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "libs/partition/due_timers.h"
#include "libs/partition/runtime_tables.h"
#include "libs/store/rows.h"

namespace halles::partition {

class NotingRows final : public store::Rows {
 public:
  explicit NotingRows(store::Rows* rows) : rows_(rows) {}

  // Due time of the earliest timer that was set; DueTimers::kNever if none was.
  UnixMicros earliest() const { return earliest_; }

  std::optional<store::Row> Get(absl::string_view key) const override { return rows_->Get(key); }
  void Scan(absl::string_view prefix, absl::string_view start, Visit visit) const override {
    rows_->Scan(prefix, start, visit);
  }
  absl::Status status() const override { return rows_->status(); }
  void Fail(absl::Status status) const override { rows_->Fail(std::move(status)); }
  void Delete(absl::string_view key) override { rows_->Delete(key); }
  void Put(absl::string_view key, std::string value) override {
    if (absl::StartsWith(key, kPrefix)) {
      TimerKey timer;
      if (store::TakeKey(key.substr(kPrefix.size()), &timer)) earliest_ = std::min(earliest_, timer.due_us);
    }
    rows_->Put(key, std::move(value));
  }

 private:
  static constexpr absl::string_view kPrefix = "\xff\x03";
  static_assert(kTimers.id() == 0xff03);

  store::Rows* const rows_;
  UnixMicros earliest_ = DueTimers::kNever;
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_NOTING_ROWS_H_
