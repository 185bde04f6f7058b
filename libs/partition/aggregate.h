// One kind of aggregate: the number of its event message and the fold over it.
#ifndef HALLES_LIBS_PARTITION_AGGREGATE_H_
#define HALLES_LIBS_PARTITION_AGGREGATE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "libs/partition/domain.h"
#include "libs/store/rows.h"

namespace halles::partition {

template <typename Event>
struct Aggregate {
  uint32_t type;  // from 1; 0 is the runtime's own. Stored in every record, so it never changes
  absl::Status (*evolve)(store::Rows&, const Event&, const FactContext&);
};

}  // namespace halles::partition

#endif  // HALLES_LIBS_PARTITION_AGGREGATE_H_
