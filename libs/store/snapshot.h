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
  explicit Impl(const Database* database) : database_(*database), at_(database->TakeSnapshot()) {}

  static absl::StatusOr<std::unique_ptr<Snapshot>> Take(const Database* database);

  const std::map<FoldId, FoldMeta>& folds() const { return folds_; }
  const DatabaseSnapshot& at() const { return *at_; }
  const Database& database() const { return database_; }

 private:
  const Database& database_;
  const std::unique_ptr<DatabaseSnapshot> at_;
  std::map<FoldId, FoldMeta> folds_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_SNAPSHOT_H_
