// What a snapshot holds, for the files of this folder.
#ifndef HALLES_LIBS_STORE_SNAPSHOT_H_
#define HALLES_LIBS_STORE_SNAPSHOT_H_

#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "libs/store/database.h"
#include "libs/store/store.h"
#include "rocksdb/iterator.h"
#include "rocksdb/snapshot.h"

namespace halles::store {

class Snapshot::Impl {
 public:
  explicit Impl(const Database* database) : database_(database), at_(database->db()) {}

  static absl::StatusOr<std::unique_ptr<Snapshot>> Take(const Database* database);

  const std::map<FoldId, FoldMeta>& folds() const { return folds_; }
  // Does not outlive the snapshot; not kept in the cache, since everything is read once.
  std::unique_ptr<rocksdb::Iterator> NewIterator(const rocksdb::Slice* end) const;

 private:
  const Database* const database_;
  mutable rocksdb::ManagedSnapshot at_;  // its only method is not const
  std::map<FoldId, FoldMeta> folds_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_SNAPSHOT_H_
