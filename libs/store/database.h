// One generation of the store: a RocksDB that is written by ingesting sorted files and by nothing else.
#ifndef HALLES_LIBS_STORE_DATABASE_H_
#define HALLES_LIBS_STORE_DATABASE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/ids.h"
#include "libs/store/fold.h"
#include "rocksdb/db.h"
#include "rocksdb/sst_file_writer.h"

namespace halles::store {

// Thread safety: reads from any thread; one writer at a time.
class Database {
 public:
  // Opens the database in `path`, or makes a new one of this install when `create`. Errors as Store::Open says.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, const InstallId& install,
                                                        size_t block_cache_bytes, bool create);

  rocksdb::DB* db() const { return db_.get(); }

  // Both read at `snapshot` when there is one.
  absl::StatusOr<std::optional<FoldMeta>> Meta(const FoldId& fold) const;
  absl::StatusOr<std::map<FoldId, FoldMeta>> Metas(const rocksdb::Snapshot* snapshot = nullptr) const;
  absl::StatusOr<bool> HasMetas(const RowSpace& space) const;

  // Writes one file with what `fill` puts in, in order of the keys, and ingests it. `before_ingest` may still stop it.
  // Durability: on OK all of it survives a power cut; on an error all of it or nothing.
  absl::Status Write(absl::FunctionRef<absl::Status(rocksdb::SstFileWriter&)> fill,
                     absl::FunctionRef<absl::Status()> before_ingest);

  // After a failed write: lets RocksDB try again.
  void Resume();

 private:
  Database(std::string path, rocksdb::Options options) : path_(std::move(path)), options_(std::move(options)) {}
  absl::Status CheckIdentity(const InstallId& install);

  const std::string path_;
  const rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_DATABASE_H_
