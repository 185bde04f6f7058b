// The database on disk: a RocksDB that is written only by ingesting sorted files.
#ifndef HALLES_LIBS_STORE_ROCKS_DATABASE_H_
#define HALLES_LIBS_STORE_ROCKS_DATABASE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/mutex.h"
#include "libs/store/database.h"
#include "libs/store/rocks.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"

namespace halles::store {

// Each space has a column family, so files of its own: what is damaged there is dropped without reading it, and rows that
// change often are merged among themselves. The files of one write are ingested into all families or none. Those that are
// written lie in "<path>.write" until then.
//
// A write waits for another one.
class RocksDatabase : public Database {
 public:
  enum class Mode {
    kCreate,    // makes a new one
    kOpen,      // opens what is there
    kReadOnly,  // the same, but writes nothing to disk
  };
  // Opens the database in `path`. Errors as Store::Open returns.
  static absl::StatusOr<std::unique_ptr<RocksDatabase>> Open(const std::string& path, const DatabaseOptions& options,
                                                             Mode mode);
  ~RocksDatabase() override;

  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override;
  std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const override;
  std::unique_ptr<DatabaseSnapshot> TakeSnapshot() const override;
  std::unique_ptr<BaseRows> Rows(const RowSpace& space) const override;
  std::vector<RowSpace> Spaces() const override;
  absl::Status DropSpace(const RowSpace& space) override;
  absl::Status Write(Fill fill, BeforeIngest before_ingest) override;
  DatabaseSize size() const override;
  bool read_only() const override { return mode_ == Mode::kReadOnly; }

 private:
  using Family = std::shared_ptr<SpaceFamily>;
  class Cursor;
  class Draft;
  class At;
  class CompactionWatch;

  RocksDatabase(std::string path, const DatabaseOptions& options, Mode mode);

  // The family of the space; one without a handle while nothing was written to it.
  Family FamilyOf(const RowSpace& space) const ABSL_LOCKS_EXCLUDED(families_mutex_);
  // Null if nobody has asked for it.
  Family Known(const RowSpace& space) const ABSL_LOCKS_EXCLUDED(families_mutex_);
  // Makes the families that have no handle.
  absl::Status Make(const std::vector<Family>& families);
  // An ingestion looks into stored files: when it could not read one, notes whose it is.
  void NoteUnreadable(const rocksdb::Status& status) const;

  // STATE_DISK_FULL while read_only().
  absl::Status CheckWritable() const;

  const std::string path_;
  const Mode mode_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  Mutex writing_;  // one write at a time uses the folder

  mutable Mutex families_mutex_;
  mutable std::map<RowSpace, Family> families_ ABSL_GUARDED_BY(families_mutex_);
};

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_ROCKS_DATABASE_H_
