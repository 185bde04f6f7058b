// The database interface of the store: ordered keys and values, written atomically, in generations.
#ifndef HALLES_LIBS_STORE_DATABASE_H_
#define HALLES_LIBS_STORE_DATABASE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "libs/base/ids.h"
#include "libs/base/scheduler.h"
#include "libs/store/fold.h"
#include "libs/store/layer.h"

namespace halles::store {

// Walks stored keys in order. Later writes are not visible.
// Thread safety: one thread at a time.
// Lifetime: the database outlives it.
class DatabaseCursor {
 public:
  virtual ~DatabaseCursor() = default;
  virtual bool Valid() const = 0;
  // Both are valid until Next.
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual void Next() = 0;
  // OK, or the error because of which Valid() is false too early.
  virtual absl::Status status() const = 0;
};

// A snapshot of the whole database.
// Thread safety: may be shared.
// Lifetime: the database outlives it, and it outlives its cursors.
class DatabaseSnapshot {
 public:
  virtual ~DatabaseSnapshot() = default;
  // At the first key that begins with `prefix`, which lies within one space or in none; walks those that do.
  virtual std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const = 0;
  // The spaces that something may be stored of, in order.
  virtual std::vector<RowSpace> Spaces() const = 0;
};

// One write before it is stored in the database.
// Thread safety: one thread at a time.
class DatabaseDraft {
 public:
  virtual ~DatabaseDraft() = default;

  // One space after the other, and the keys of each in ascending order, each once: the rows, then the metas. Otherwise the
  // write fails.
  virtual absl::Status Put(absl::string_view key, absl::string_view value) = 0;
  virtual absl::Status Delete(absl::string_view key) = 0;

  // Visits the stored value of each of the ascending keys of one space, nullopt if there is none; changes of this draft are
  // not visible. Ends with the first error of `visit`.
  using VisitStored = absl::FunctionRef<absl::Status(size_t index, std::optional<absl::string_view> value)>;
  virtual absl::Status ReadStored(absl::Span<const std::string> keys, VisitStored visit) = 0;
};

// Size of the database files in bytes.
struct DatabaseSize {
  uint64_t level0_files = 0;
  uint64_t disk_bytes = 0;
};

struct DatabaseOptions {
  size_t block_cache_bytes = 0;
  Scheduler* scheduler = nullptr;  // may be null
  // Called when stored bytes of the space turn out to be damaged, perhaps again and again. From any thread, under any lock
  // of whoever reads: it must not block, and must not call the database. May be empty.
  std::function<void(const RowSpace&)> on_damage;
};

// One generation of the store. The layout of its keys is drawn in store.h. What is stored of one space is apart from what
// is stored of the others: damage in one space does not reach another, and a damaged space can be dropped.
//
// Reads of a damaged space fail with SPACE_DAMAGED (UNAVAILABLE): an error that passes, since the space is dropped and
// folded again. What belongs to no space is the identity; without it the database does not open.
// Thread safety: all methods may be called from any thread.
class Database {
 public:
  using Fill = absl::FunctionRef<absl::Status(DatabaseDraft&)>;
  using BeforeIngest = absl::FunctionRef<absl::Status()>;
  using Done = absl::AnyInvocable<void(absl::Status)>;

  explicit Database(std::function<void(const RowSpace&)> on_damage) : on_damage_(std::move(on_damage)) {}
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;
  // At the first key that begins with `prefix`, which lies within one space or in none; walks those that do.
  virtual std::unique_ptr<DatabaseCursor> Seek(absl::string_view prefix) const = 0;
  virtual std::unique_ptr<DatabaseSnapshot> TakeSnapshot() const = 0;
  // The rows of one space, without the prefix of its keys and the header of its values. Does not outlive the database, and
  // is not used any more when the space is dropped.
  virtual std::unique_ptr<BaseRows> Rows(const RowSpace& space) const = 0;
  // The spaces that something may be stored of, in order.
  virtual std::vector<RowSpace> Spaces() const = 0;

  // Deletes everything that is stored of the space, damaged or not, without reading it. No write of it is under way.
  // Durability: on OK it is gone for good; on an error all of it is there.
  virtual absl::Status DropSpace(const RowSpace& space) = 0;

  // Atomically stores what `fill` puts into the draft, at least one key. An error of `before_ingest` prevents it.
  // Durability: on OK all of it survives a power failure; on an error all of it or nothing.
  virtual absl::Status Write(Fill fill, BeforeIngest before_ingest) = 0;
  // The same, but a database may take its time after `before_ingest`, and then `done` is called on a queue of the
  // scheduler. `done` is dropped if the database is closed before. One at a time.
  virtual void WriteAsync(Fill fill, BeforeIngest before_ingest, Done done) { done(Write(fill, before_ingest)); }

  virtual DatabaseSize size() const = 0;

  // Whether it was opened for reading only, because there was no space: writes fail with STATE_DISK_FULL
  // (RESOURCE_EXHAUSTED) until it is opened again.
  virtual bool read_only() const { return false; }

  absl::StatusOr<std::optional<FoldMeta>> Meta(const FoldId& fold) const;
  // Those of damaged spaces are left out.
  absl::StatusOr<std::map<FoldId, FoldMeta>> Metas() const;
  absl::StatusOr<std::map<FoldId, FoldMeta>> Metas(const DatabaseSnapshot& snapshot) const;
  absl::StatusOr<std::map<FoldId, FoldMeta>> Metas(const RowSpace& space) const;
  absl::StatusOr<bool> HasMetas(const RowSpace& space) const;

  // Notes that the space is damaged, and returns the error that says so.
  absl::Status SpaceDamaged(const RowSpace& space, absl::string_view what) const;

  absl::Status WriteIdentity(const InstallId& install);
  // Errors as Store::Open returns. `name` is for log messages and errors.
  absl::Status CheckIdentity(absl::string_view name, const InstallId& install) const;

 private:
  const std::function<void(const RowSpace&)> on_damage_;
};

// The directory of the generations of one store; only one process at a time holds it.
// Thread safety: may be shared.
// Lifetime: outlives the databases that it opened.
class DatabaseHome {
 public:
  virtual ~DatabaseHome() = default;

  // The location of a generation, for log messages and errors.
  virtual std::string GenerationPath(uint64_t generation) const = 0;
  // The generation that the next start opens; nullopt in a new home. STORE_DAMAGED if it cannot be determined.
  virtual absl::StatusOr<std::optional<uint64_t>> Current() const = 0;
  // Atomic and durable.
  virtual absl::Status SetCurrent(uint64_t generation) = 0;
  virtual absl::StatusOr<std::vector<uint64_t>> Generations() const = 0;
  // Best effort: a later call deletes the rest.
  virtual void Delete(uint64_t generation) = 0;
  // STATE_DISK_FULL (RESOURCE_EXHAUSTED) while there is no space to open a generation for writing.
  virtual absl::Status CheckRoom() const { return absl::OkStatus(); }
  // Opens a generation, or makes an empty one without an identity if `create`. Without space, one that exists is opened for
  // reading only. Errors as Store::Open returns.
  virtual absl::StatusOr<std::unique_ptr<Database>> OpenGeneration(uint64_t generation, const DatabaseOptions& options,
                                                                   bool create) = 0;
};

// DATA_LOSS with STORE_DAMAGED: nothing of the store can be used.
absl::Status Damaged(absl::string_view what);

// UNAVAILABLE with SPACE_DAMAGED: the rows of the space cannot be used until they are folded again.
absl::Status SpaceDamage(const RowSpace& space, absl::string_view what);

// Whether the error says that a space is damaged.
bool IsSpaceDamaged(const absl::Status& status);

// Says in SpaceDamaged that a stored row is too short for its header.
inline constexpr absl::string_view kShortRow = "a stored row is too short";

}  // namespace halles::store

#endif  // HALLES_LIBS_STORE_DATABASE_H_
