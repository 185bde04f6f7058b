// Versions of carts and orders: the number of their changes.
#ifndef HALLES_SERVICES_CHECKOUT_VERSIONS_H_
#define HALLES_SERVICES_CHECKOUT_VERSIONS_H_

#include <cstdint>

#include "libs/partition/domain.h"

namespace halles::checkout {

// Counts the record of this event; several events of one record count once. `Row` has a version, and the position after
// the last counted record.
template <class Row>
void CountVersion(Row* row, const partition::FactContext& context) {
  if (row->counted_to() == context.position + 1) return;
  row->set_counted_to(context.position + 1);
  row->set_version(row->version() + 1);
}

// The version after the record of this command, which the command returns.
template <class Row>
int64_t NextVersion(const Row& row) {
  return row.version() + 1;
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_VERSIONS_H_
