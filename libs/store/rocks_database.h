// The database on disk: a RocksDB that is written only by ingesting sorted files.
#ifndef HALLES_LIBS_STORE_ROCKS_DATABASE_H_
#define HALLES_LIBS_STORE_ROCKS_DATABASE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/store/database.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"

namespace halles::store {

// A write waits for another one.
class RocksDatabase : public Database {
 public:
  // Opens the database in `path`, or makes a new one when `create`. Errors as Store::Open says.
  static absl::StatusOr<std::unique_ptr<RocksDatabase>> Open(const std::string& path, size_t block_cache_bytes,
                                                             bool create);

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override;
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override;
  std::unique_ptr<DatabaseSnapshot> TakeSnapshot() const override;
  std::unique_ptr<BaseRows> Rows(const RowSpace& space) const override;
  absl::Status Write(Fill fill, BeforeIngest before_ingest) override;
  DatabaseSize size() const override;

 private:
  class Cursor;
  class Draft;
  class At;

  RocksDatabase(std::string path, rocksdb::Options options) : path_(std::move(path)), options_(std::move(options)) {}

  const std::string path_;
  const rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  Mutex writing_;  // one file at a time has the name
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ROCKS_DATABASE_H_
