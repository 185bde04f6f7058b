// The content of a snapshot, for the files of this folder.
#ifndef HALLES_LIBS_STORE_SNAPSHOT_H_
#define HALLES_LIBS_STORE_SNAPSHOT_H_

#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "libs/store/database.h"
#include "libs/store/store.h"

namespace halles::store {

class Snapshot::Impl {
 public:
  explicit Impl(std::unique_ptr<DatabaseSnapshot> at) : at_(std::move(at)) {}

  static absl::StatusOr<std::unique_ptr<Snapshot>> Take(const Database* database);

  const std::map<FoldId, FoldMeta>& folds() const { return folds_; }
  const DatabaseSnapshot& at() const { return *at_; }

 private:
  const std::unique_ptr<DatabaseSnapshot> at_;
  std::map<FoldId, FoldMeta> folds_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_SNAPSHOT_H_
