// The tables that the runtime keeps in every slot: recorded answers, cursors of reactions, and timers.
#ifndef HALLES_LIBS_PARTITION_RUNTIME_TABLES_H_
#define HALLES_LIBS_PARTITION_RUNTIME_TABLES_H_

#include <array>
#include <cstdint>
#include <string>
#include <tuple>

#include "libs/base/request_id.h"
#include "libs/base/slot.h"
#include "libs/base/unix_time.h"
#include "libs/partition/runtime_rows.pb.h"
#include "libs/partition/timers.h"
#include "libs/store/table.h"

namespace halles::partition {

// Services use table numbers below this.
inline constexpr uint16_t kRuntimeTablesFrom = 0xff00;

// A request id is scoped to its aggregate, the registered (type, key), even if aggregates of two types share a key. In order
// of expiry, so that the answers that are over are the first.
struct DedupeKey {
  UnixMicros expires_us = kNeverExpires;  // of the request id
  std::string tenant;
  uint32_t aggregate_type = 0;
  std::string aggregate_key;
  std::string request_id;
  static constexpr std::array kFieldNames = {"expires", "tenant", "type", "aggregate", "request"};
  auto Fields() const { return std::tie(expires_us, tenant, aggregate_type, aggregate_key, request_id); }
  auto Fields() { return std::tie(expires_us, tenant, aggregate_type, aggregate_key, request_id); }
};

struct ReactionCursorKey {
  SlotId source;
  static constexpr std::array kFieldNames = {"source"};
  auto Fields() const { return std::tie(source); }
  auto Fields() { return std::tie(source); }
};

inline constexpr store::Table<DedupeKey, rows::DedupeRow> kDedupe(kRuntimeTablesFrom, "requests");
inline constexpr store::Table<ReactionCursorKey, rows::ReactionCursorRow> kReactionCursors(kRuntimeTablesFrom + 2,
                                                                                           "reaction_cursors");
inline constexpr store::Table<TimerKey, rows::EmptyRow> kTimers(kRuntimeTablesFrom + 3, "timers");

// The tables of a slot: those of the service and those of the runtime.
inline store::Schema WithRuntimeTables(store::Schema schema) {
  return schema.Add(kDedupe).Add(kReactionCursors).Add(kTimers);
}

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_RUNTIME_TABLES_H_
