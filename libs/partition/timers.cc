// Writes the rows of timers.
#include "libs/partition/timers.h"

#include "libs/partition/runtime_tables.h"

namespace halles::partition {
namespace {

TimerKey KeyOf(const FactContext& context, UnixMicros due, absl::string_view name) {
  return {due, std::string(context.tenant), context.aggregate_type, std::string(context.aggregate_id),
          std::string(name)};
}

}  // namespace

void SetTimer(store::Rows& rows, const FactContext& context, UnixMicros due, absl::string_view name) {
  kTimers.Put(rows, KeyOf(context, due, name), {});
}

void ClearTimer(store::Rows& rows, const FactContext& context, UnixMicros due, absl::string_view name) {
  kTimers.Delete(rows, KeyOf(context, due, name));
}

void MoveTimer(store::Rows& rows, const FactContext& context, UnixMicros from, UnixMicros to, absl::string_view name) {
  if (from == to) return;
  if (from != 0) ClearTimer(rows, context, from, name);
  if (to != 0) SetTimer(rows, context, to, name);
}

}  // namespace halles::partition
