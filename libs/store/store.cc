// The store: generations, spaces, and what the flusher is asked for.
#include "libs/store/store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/store/database.h"
#include "libs/store/flusher.h"
#include "libs/store/key_filter.h"
#include "libs/store/rocks.h"
#include "libs/store/snapshot.h"
#include "libs/store/state_dir.h"
#include "libs/store/store_format.h"

namespace halles::store {

class Store::Impl {
 public:
  // The directory stays locked while any generation of it is open: hence shared.
  Impl(std::shared_ptr<StateDir> dir, uint64_t generation, const InstallId& install, StoreOptions options)
      : state_dir(std::move(dir)),
        generation(generation),
        path(state_dir->GenerationPath(generation)),
        install(install),
        options(std::move(options)),
        filter(this->options.key_filter_bytes) {}

  ~Impl() {
    flusher.reset();
    database.reset();
    const absl::StatusOr<std::optional<uint64_t>> current = state_dir->Current();
    if (current.ok() && current->has_value() && *current != generation) state_dir->Delete(generation);
  }

  absl::Status Start(bool create) {
    ASSIGN_OR_RETURN(database, Database::Open(path, install, options.block_cache_bytes, create));
    flusher = std::make_unique<Flusher>(database.get(), options);
    return absl::OkStatus();
  }

  const std::shared_ptr<StateDir> state_dir;
  const uint64_t generation;
  const std::string path;
  const InstallId install;
  const StoreOptions options;
  KeyFilter filter;
  std::unique_ptr<Database> database;
  std::unique_ptr<Flusher> flusher;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& dir, const InstallId& install,
                                                   StoreOptions options) {
  ASSIGN_OR_RETURN(std::shared_ptr<StateDir> state_dir, StateDir::Lock(dir));
  ASSIGN_OR_RETURN(const std::optional<uint64_t> current, state_dir->Current());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> generations, state_dir->Generations());
  for (uint64_t generation : generations) {
    if (generation != current) state_dir->Delete(generation);
  }
  auto impl = std::make_unique<Impl>(state_dir, current.value_or(1), install, std::move(options));
  RETURN_IF_ERROR(impl->Start(/*create=*/!current.has_value()));
  if (!current.has_value()) RETURN_IF_ERROR(state_dir->SetCurrent(1));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenBeside(StoreOptions options) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> generations, impl_->state_dir->Generations());
  const uint64_t next =
      generations.empty() ? impl_->generation + 1 : 1 + *std::max_element(generations.begin(), generations.end());
  auto impl = std::make_unique<Impl>(impl_->state_dir, next, impl_->install, std::move(options));
  RETURN_IF_ERROR(impl->Start(/*create=*/true));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::Status Store::SwapIn() { return impl_->state_dir->SetCurrent(impl_->generation); }

absl::StatusOr<std::string> Store::Quarantine(const std::string& dir) { return QuarantineDir(dir); }

absl::StatusOr<std::optional<FoldMeta>> Store::LoadMeta(const FoldId& fold) const {
  return impl_->database->Meta(fold);
}

absl::StatusOr<std::map<FoldId, FoldMeta>> Store::LoadMetas() const { return impl_->database->Metas(); }

namespace {

absl::Status AlreadyOpen(const RowSpace& space) {
  return Failure(absl::StatusCode::kFailedPrecondition, "ALREADY_OPEN",
                 absl::StrCat("the rows of ", space.ToString(), " are open already"));
}

absl::Status OtherVersion(const FoldId& fold, uint32_t stored, uint32_t ours) {
  return Failure(absl::StatusCode::kFailedPrecondition, "FOLD_VERSION",
                 absl::StrCat(fold.ToString(), " was folded by version ", stored, ", this build is version ", ours),
                 {{"stored", absl::StrCat(stored)}, {"expected", absl::StrCat(ours)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<SlotRows>> Store::OpenSlot(SlotId slot, SlotOptions options) {
  const RowSpace space = RowSpace::State(slot);
  Flusher* const flusher = impl_->flusher.get();
  std::vector<std::string> tables;
  for (uint16_t table : options.filtered_tables) AppendField(table, &tables.emplace_back());

  MutexLock flushes(&flusher->flushes());
  if (flusher->IsOpen(space)) return AlreadyOpen(space);
  flusher->Forget(space);
  ASSIGN_OR_RETURN(std::optional<FoldMeta> meta, impl_->database->Meta(FoldId::State(slot)));
  if (meta.has_value() && meta->version != options.fold_version) {
    return OtherVersion(FoldId::State(slot), meta->version, options.fold_version);
  }
  auto base = std::make_unique<RocksRows>(impl_->database->db(), space);
  const SpaceFilter filter(&impl_->filter, SpacePrefix(space), std::move(tables));
  for (const std::string& table : filter.tables()) {
    const std::unique_ptr<BaseCursor> cursor = base->Seek(table, "");
    for (; cursor->Valid(); cursor->Next()) filter.Add(cursor->key());
    RETURN_IF_ERROR(cursor->status());
  }

  auto open = std::make_shared<OpenSpace>();
  open->space = space;
  open->fold_version = options.fold_version;
  open->post = std::move(options.post);
  open->cursor = std::move(options.cursor);
  auto rows = std::make_unique<SlotRows>(std::move(base), flusher->meter(), filter, std::move(meta), [flusher, open] {
    flusher->Unregister(open->space);
    MutexLock lock(&open->mutex);
    open->slot = nullptr;
  });
  {
    MutexLock lock(&open->mutex);
    open->slot = rows.get();
  }
  flusher->Register(std::move(open));
  return rows;
}

absl::StatusOr<std::unique_ptr<ViewRows>> Store::OpenView(ServiceId service, uint8_t view, uint32_t fold_version) {
  const RowSpace space = RowSpace::View(service, view);
  Flusher* const flusher = impl_->flusher.get();
  MutexLock flushes(&flusher->flushes());
  if (flusher->IsOpen(space)) return AlreadyOpen(space);
  flusher->Forget(space);
  ASSIGN_OR_RETURN(const auto metas, impl_->database->Metas());
  std::map<SlotId, FoldCursor> cursors;
  for (const auto& [fold, meta] : metas) {
    if (RowSpace::Of(fold) != space) continue;
    if (meta.version != fold_version) return OtherVersion(fold, meta.version, fold_version);
    cursors.emplace(fold.source, meta.cursor);
  }
  auto open = std::make_shared<OpenSpace>();
  open->space = space;
  open->fold_version = fold_version;
  auto rows = std::make_unique<ViewRows>(std::make_unique<RocksRows>(impl_->database->db(), space), flusher->meter(),
                                         cursors, [flusher, open] {
                                           flusher->Unregister(open->space);
                                           MutexLock lock(&open->mutex);
                                           open->view = nullptr;
                                         });
  {
    MutexLock lock(&open->mutex);
    open->view = rows.get();
  }
  flusher->Register(std::move(open));
  return rows;
}

absl::Status Store::Drop(const RowSpace& space) {
  MutexLock flushes(&impl_->flusher->flushes());
  if (impl_->flusher->IsOpen(space)) return AlreadyOpen(space);
  impl_->flusher->Forget(space);
  const auto fill = [&](rocksdb::SstFileWriter& file) -> absl::Status {
    for (const std::string& prefix : {SpacePrefix(space), MetaPrefix(space)}) {
      RETURN_IF_ERROR(FromRocks(file.DeleteRange(prefix, PrefixEnd(prefix)), "STORE_WRITE_FAILED",
                                absl::StrCat("cannot drop ", space.ToString())));
    }
    return absl::OkStatus();
  };
  return impl_->database->Write(fill, [] { return absl::OkStatus(); });
}

absl::Status Store::FlushNow() { return impl_->flusher->FlushAll(); }

absl::Status Store::health() const { return impl_->flusher->health(); }

size_t Store::dirty_bytes() const { return impl_->flusher->meter()->bytes(); }

absl::Status Store::Admit() const {
  const size_t dirty = dirty_bytes();
  if (dirty <= impl_->options.dirty_bytes_max) return absl::OkStatus();
  const absl::Status why = health();
  return Overloaded("STATE_STORE_BEHIND",
                    absl::StrCat("the state store has ", dirty, " bytes to write, more than ",
                                 impl_->options.dirty_bytes_max, why.ok() ? "" : ": ", why.message()),
                    std::max(impl_->options.flush_age, absl::Milliseconds(100)));
}

StoreStats Store::stats() const {
  StoreStats stats;
  impl_->flusher->AddStats(&stats);
  rocksdb::DB* const db = impl_->database->db();
  db->GetIntProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &stats.level0_files);
  db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &stats.disk_bytes);
  return stats;
}

absl::StatusOr<std::unique_ptr<Snapshot>> Store::TakeSnapshot() const {
  return Snapshot::Impl::Take(impl_->database.get());
}

const std::string& Store::dir() const { return impl_->path; }

}  // namespace halles::store
