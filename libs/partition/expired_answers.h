// Drops the recorded answers that are over: each record's fold drops a few, so that all folds drop the same ones at the same
// record, however many there are.
#ifndef HALLES_LIBS_PARTITION_EXPIRED_ANSWERS_H_
#define HALLES_LIBS_PARTITION_EXPIRED_ANSWERS_H_

#include <cstddef>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/unix_time.h"
#include "libs/store/rows.h"

namespace halles::partition {

// A record adds one answer at most and drops up to so many, so that a slot catches up however busy it is.
inline constexpr size_t kAnswersDroppedPerRecord = 4;

// The first keys of the table of answers, which are in order of time: a fold that has nothing to drop costs a
// comparison, one that has reads rows for every kAheadMax dropped ones. It is a memory of the rows only; without it,
// the same rows go.
// Thread safety: none.
class ExpiredAnswers {
 public:
  // Drops the first answers that are over at `now`, the logical time of the record.
  void Drop(store::Rows& rows, UnixMicros now);

  // An answer was put under this key of the table.
  void OnPut(absl::string_view key);

  // The rows are as they were before the last record.
  void UndoRecord() { BeginAt(first_before_); }

  // The rows may be any: the table is read again.
  void Reset() {
    first_before_.clear();
    BeginAt(std::string());
  }

 private:
  static constexpr size_t kAheadMax = 64;

  void BeginAt(std::string first);
  void Read(const store::Rows& rows);

  std::deque<std::string> ahead_;  // the first keys of the table, in order
  std::string read_to_;            // the table has no other key below this one; empty: nothing is known
  std::string first_before_;       // the table had no key below this one before the last record
  UnixMicros expires_ = 0;         // no answer is over before it
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_EXPIRED_ANSWERS_H_
