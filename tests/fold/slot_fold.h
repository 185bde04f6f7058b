// Folds one slot record by record, in memory: the state of its service and its part of every view.
#ifndef HALLES_TESTS_FOLD_SLOT_FOLD_H_
#define HALLES_TESTS_FOLD_SLOT_FOLD_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "libs/base/slot.h"
#include "libs/eventlog/adjudicator.h"
#include "libs/eventlog/log.h"
#include "libs/host/host.h"
#include "libs/store/memory_rows.h"

namespace halles::fold {

// The result of one fold.
struct FoldedRows {
  std::string view;  // full name; empty for the state of the slot
  SlotId slot;
  Position next = 0;  // first position that is not in the rows
  std::string digest;
};

// Thread safety: one thread at a time.
// Lifetime: the definitions outlive it.
class SlotFold {
 public:
  SlotFold(const host::Definitions& definitions, const eventlog::LogIdentity& identity, SlotId slot);

  SlotId slot() const { return slot_; }
  Position next() const { return cursor_.next; }

  // Folds the record at `next()`; records that do not count are ignored.
  absl::Status Fold(Position position, absl::string_view bytes);

  // The state first, then the views in the order of their definitions.
  std::vector<FoldedRows> Folded() const;

 private:
  const SlotId slot_;
  const partition::ServiceDefinition* service_ = nullptr;
  eventlog::Cursor cursor_;
  store::MemoryRows state_;
  std::vector<std::pair<const projection::ViewDefinition*, std::unique_ptr<store::MemoryRows>>> views_;
};

}  // namespace halles::fold

#endif  // HALLES_TESTS_FOLD_SLOT_FOLD_H_
