// Versions of carts and orders: how often each was changed.
#ifndef HALLES_SERVICES_CHECKOUT_VERSIONS_H_
#define HALLES_SERVICES_CHECKOUT_VERSIONS_H_

#include <cstdint>

#include "libs/partition/domain.h"

namespace halles::checkout {

// Counts the record of this fact. The facts of one record count once. `Row` has a version, and the position behind the
// record that was counted last.
template <class Row>
void CountVersion(Row* row, const partition::FactContext& context) {
  if (row->counted_to() == context.position + 1) return;
  row->set_counted_to(context.position + 1);
  row->set_version(row->version() + 1);
}

// The version once a record that changes it is folded: what a command that changes it answers with.
template <class Row>
int64_t NextVersion(const Row& row) {
  return row.version() + 1;
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_VERSIONS_H_
