// Writes the rows of timers.
#include "libs/partition/timers.h"

#include "libs/partition/runtime_tables.h"

namespace halles::partition {

void SetTimer(store::Rows& rows, UnixMicros due, absl::string_view key) {
  kTimers.Put(rows, {due, std::string(key)}, {});
}

void ClearTimer(store::Rows& rows, UnixMicros due, absl::string_view key) {
  kTimers.Delete(rows, {due, std::string(key)});
}

void MoveTimer(store::Rows& rows, UnixMicros from, UnixMicros to, absl::string_view key) {
  if (from == to) return;
  if (from != 0) ClearTimer(rows, from, key);
  if (to != 0) SetTimer(rows, to, key);
}

}  // namespace halles::partition
