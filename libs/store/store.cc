// The store: generations, spaces, and requests to the flusher.
#include "libs/store/store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/store/database.h"
#include "libs/store/flusher.h"
#include "libs/store/key_filter.h"
#include "libs/store/snapshot.h"
#include "libs/store/state_dir.h"
#include "libs/store/store_format.h"

namespace halles::store {

class Store::Impl {
 public:
  // The home stays locked while any generation of it is open: hence shared.
  Impl(std::shared_ptr<DatabaseHome> home, uint64_t generation, const InstallId& install, StoreOptions options)
      : home(std::move(home)),
        generation(generation),
        path(this->home->GenerationPath(generation)),
        install(install),
        options(std::move(options)) {}

  ~Impl() {
    {
      // The database may find damage until it is closed.
      MutexLock lock(&damage_mutex);
      started = false;
    }
    flusher.reset();
    database.reset();
    const absl::StatusOr<std::optional<uint64_t>> current = home->Current();
    if (current.ok() && current->has_value() && *current != generation) home->Delete(generation);
  }

  absl::Status Start(bool create) {
    DatabaseOptions database_options;
    database_options.block_cache_bytes = options.block_cache_bytes;
    database_options.scheduler = options.scheduler;
    database_options.on_damage = [this](const RowSpace& space) { OnDamage(space); };
    ASSIGN_OR_RETURN(database, home->OpenGeneration(generation, database_options, create));
    if (create) RETURN_IF_ERROR(database->WriteIdentity(install));
    RETURN_IF_ERROR(database->CheckIdentity(path, install));
    flusher = std::make_unique<Flusher>(database.get(), options);
    MutexLock lock(&damage_mutex);
    started = true;
    for (const RowSpace& space : std::exchange(damaged_at_start, {})) flusher->OnDamage(space);
    return absl::OkStatus();
  }

  void OnDamage(const RowSpace& space) ABSL_LOCKS_EXCLUDED(damage_mutex) {
    MutexLock lock(&damage_mutex);
    if (started) {
      flusher->OnDamage(space);
    } else {
      damaged_at_start.insert(space);
    }
  }

  // Empties the space, which the caller has reserved, and whose rows nobody freezes meanwhile.
  absl::Status DropReserved(const RowSpace& space) const {
    RETURN_IF_ERROR(flusher->ForgetFrozen(space));
    RETURN_IF_ERROR(database->DropSpace(space));
    flusher->Mended(space);
    return absl::OkStatus();
  }

  // Where each fold of the space goes on. A space that is known to be damaged is emptied first.
  absl::StatusOr<std::map<FoldId, FoldStart>> Begin(const OpenSpace& open, const Flusher::Units& frozen) const;

  const std::shared_ptr<DatabaseHome> home;
  const uint64_t generation;
  const std::string path;
  const InstallId install;
  const StoreOptions options;
  Mutex damage_mutex;
  bool started ABSL_GUARDED_BY(damage_mutex) = false;  // there is a flusher
  std::set<RowSpace> damaged_at_start ABSL_GUARDED_BY(damage_mutex);
  std::unique_ptr<Database> database;
  std::unique_ptr<Flusher> flusher;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& dir, const InstallId& install,
                                                   StoreOptions options) {
  ASSIGN_OR_RETURN(std::shared_ptr<StateDir> state_dir, StateDir::Lock(dir));
  return OpenOn(std::move(state_dir), install, std::move(options));
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenOn(const std::shared_ptr<DatabaseHome>& home,
                                                     const InstallId& install, StoreOptions options) {
  ASSIGN_OR_RETURN(const std::optional<uint64_t> current, home->Current());
  ASSIGN_OR_RETURN(const std::vector<uint64_t> generations, home->Generations());
  for (uint64_t generation : generations) {
    if (generation != current) home->Delete(generation);
  }
  auto impl = std::make_unique<Impl>(home, current.value_or(1), install, std::move(options));
  RETURN_IF_ERROR(impl->Start(/*create=*/!current.has_value()));
  if (!current.has_value()) RETURN_IF_ERROR(home->SetCurrent(1));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenBeside(StoreOptions options) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> generations, impl_->home->Generations());
  const uint64_t next =
      generations.empty() ? impl_->generation + 1 : 1 + *std::max_element(generations.begin(), generations.end());
  auto impl = std::make_unique<Impl>(impl_->home, next, impl_->install, std::move(options));
  RETURN_IF_ERROR(impl->Start(/*create=*/true));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::Status Store::SwapIn() { return impl_->home->SetCurrent(impl_->generation); }

absl::StatusOr<std::string> Store::Quarantine(const std::string& dir) { return QuarantineDir(dir); }

absl::StatusOr<std::optional<FoldMeta>> Store::LoadMeta(const FoldId& fold) const {
  return impl_->database->Meta(fold);
}

absl::StatusOr<std::map<FoldId, FoldMeta>> Store::LoadMetas() const { return impl_->database->Metas(); }

StoreOptions OptionsForMemory(uint64_t bytes) {
  const auto share = [bytes](uint64_t part, size_t least, size_t most) {
    return std::clamp(static_cast<size_t>(bytes / part), least, most);
  };
  StoreOptions options;
  options.flush_bytes = share(32, size_t{4} << 20, kFlushBytes);
  options.dirty_bytes_max = kDirtyBytesMax / kFlushBytes * options.flush_bytes;
  options.block_cache_bytes = share(16, size_t{8} << 20, options.block_cache_bytes);
  return options;
}

namespace {

// A write of 32 MiB takes about this long.
constexpr absl::Duration kAdmitRetry = absl::Seconds(1);

absl::Status OtherVersion(const FoldId& fold, uint32_t stored, uint32_t ours) {
  return Failure(absl::StatusCode::kFailedPrecondition, "FOLD_VERSION",
                 absl::StrCat(fold.ToString(), " was folded by version ", stored, ", this build is version ", ours),
                 {{"stored", absl::StrCat(stored)}, {"expected", absl::StrCat(ours)}});
}

absl::Status OtherSources(const FoldId& fold) {
  return Failure(absl::StatusCode::kFailedPrecondition, "FOLD_VERSION",
                 absl::StrCat(fold.ToString(), " is stored, and this build does not fold it"));
}

// Releases a space unless its rows were opened; those release it when they are closed.
class Reservation {
 public:
  Reservation(Flusher* flusher, const RowSpace& space) : flusher_(flusher), space_(space) {}
  ~Reservation() {
    if (flusher_ != nullptr) flusher_->Unregister(space_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  void Keep() { flusher_ = nullptr; }

 private:
  Flusher* flusher_;
  const RowSpace space_;
};

// Where each fold of the space resumes: above its frozen rows, otherwise at its stored ones.
absl::StatusOr<std::map<FoldId, FoldStart>> StartsOf(const Database& database, const OpenSpace& open,
                                                     const Flusher::Units& frozen) {
  std::map<FoldId, FoldStart> starts;
  for (const auto& [fold, unit] : frozen) {
    if (unit.open->fold_version != open.fold_version) {
      return OtherVersion(fold, unit.open->fold_version, open.fold_version);
    }
    starts[fold] = FoldStart{unit.rows->cursor, unit.rows};
  }
  ASSIGN_OR_RETURN(const auto metas, database.Metas(open.space));
  for (const auto& [fold, meta] : metas) {
    if (meta.version != open.fold_version) return OtherVersion(fold, meta.version, open.fold_version);
    starts.try_emplace(fold, FoldStart{meta.cursor, nullptr});
  }
  return starts;
}

}  // namespace

absl::StatusOr<std::map<FoldId, FoldStart>> Store::Impl::Begin(const OpenSpace& open,
                                                               const Flusher::Units& frozen) const {
  auto starts = StartsOf(*database, open, frozen);
  absl::Status read = starts.status();
  // Some readers have found damage that the metas do not show.
  if (read.ok() && flusher->damaged(open.space)) read = database->SpaceDamaged(open.space, "a read failed");
  if (!IsSpaceDamaged(read)) {
    RETURN_IF_ERROR(read);
    return starts;
  }
  RETURN_IF_ERROR(DropReserved(open.space));
  return std::map<FoldId, FoldStart>();
}

absl::StatusOr<std::unique_ptr<SlotRows>> Store::OpenSlot(SlotId slot, SlotOptions options) {
  const RowSpace space = RowSpace::State(slot);
  Flusher* const flusher = impl_->flusher.get();
  auto open = std::make_shared<OpenSpace>();
  open->space = space;
  open->fold_version = options.fold_version;
  open->post = std::move(options.post);
  open->cursor = std::move(options.cursor);
  open->on_damaged = std::move(options.on_damaged);
  ASSIGN_OR_RETURN(const Flusher::Units frozen, flusher->Reserve(open));
  Reservation reservation(flusher, space);
  ASSIGN_OR_RETURN(auto starts, impl_->Begin(*open, frozen));
  FoldStart start = std::move(starts[FoldId::State(slot)]);
  ASSIGN_OR_RETURN(const bool stored, impl_->database->HasMetas(space));
  SpaceFilter filter(options.filtered_tables);
  if (!stored) filter.SetComplete();
  if (start.frozen != nullptr) {
    for (const auto& [key, row] : start.frozen->layer->rows()) filter.Add(key);
  }
  auto rows = std::make_unique<SlotRows>(impl_->database->Rows(space), flusher->meter(), std::move(filter),
                                         std::move(start), [flusher, open] {
                                           {
                                             MutexLock posting(&open->posting);
                                             MutexLock lock(&open->mutex);
                                             open->slot = nullptr;
                                           }
                                           flusher->Unregister(open->space);
                                         });
  reservation.Keep();
  {
    MutexLock lock(&open->mutex);
    open->slot = rows.get();
  }
  flusher->TellDamage();
  return rows;
}

absl::StatusOr<std::unique_ptr<ViewRows>> Store::OpenView(ServiceId service, uint8_t view, uint32_t fold_version,
                                                          absl::Span<const SlotId> sources,
                                                          std::function<void()> on_damaged) {
  const RowSpace space = RowSpace::View(service, view);
  Flusher* const flusher = impl_->flusher.get();
  auto open = std::make_shared<OpenSpace>();
  open->space = space;
  open->fold_version = fold_version;
  open->on_damaged = std::move(on_damaged);
  ASSIGN_OR_RETURN(const Flusher::Units frozen, flusher->Reserve(open));
  Reservation reservation(flusher, space);
  ASSIGN_OR_RETURN(auto starts, impl_->Begin(*open, frozen));
  std::map<SlotId, FoldStart> by_source;
  for (const SlotId source : sources) by_source[source];
  for (auto& [fold, start] : starts) {
    const auto it = by_source.find(fold.source);
    if (it == by_source.end()) return OtherSources(fold);
    it->second = std::move(start);
  }
  auto rows =
      std::make_unique<ViewRows>(impl_->database->Rows(space), flusher->meter(), std::move(by_source), [flusher, open] {
        {
          MutexLock posting(&open->posting);
          MutexLock lock(&open->mutex);
          open->view = nullptr;
        }
        flusher->Unregister(open->space);
      });
  reservation.Keep();
  {
    MutexLock lock(&open->mutex);
    open->view = rows.get();
  }
  flusher->TellDamage();
  return rows;
}

absl::Status Store::Refold(const RowSpace& space) {
  Flusher* const flusher = impl_->flusher.get();
  const std::shared_ptr<OpenSpace> open = flusher->Find(space);
  if (open == nullptr || !flusher->damaged(space)) return absl::OkStatus();
  // No flush freezes rows of a view meanwhile; those of a slot are frozen on the caller's thread.
  MutexLock lock(&open->mutex);
  RETURN_IF_ERROR(impl_->DropReserved(space));
  if (open->slot != nullptr) open->slot->Reset(impl_->database->Rows(space));
  if (open->view != nullptr) open->view->Reset(impl_->database->Rows(space));
  return absl::OkStatus();
}

absl::Status Store::Drop(const RowSpace& space) {
  auto reserved = std::make_shared<OpenSpace>();
  reserved->space = space;
  RETURN_IF_ERROR(impl_->flusher->Reserve(std::move(reserved)).status());
  const Reservation reservation(impl_->flusher.get(), space);
  return impl_->DropReserved(space);
}

void Store::FlushAsync(absl::AnyInvocable<void(absl::Status)> done) {
  HALLES_CHECK(impl_->options.scheduler != nullptr, "a store without a scheduler cannot flush by itself");
  impl_->flusher->FlushAsync(std::move(done));
}

void Store::NoteLogBytes(size_t bytes) { impl_->flusher->meter()->NoteLogBytes(bytes); }

absl::Status Store::FlushNow() { return impl_->flusher->FlushAndWait(); }

bool Store::read_only() const { return impl_->database->read_only(); }

absl::Status Store::CheckRoom() const { return impl_->home->CheckRoom(); }

absl::Status Store::health() const { return impl_->flusher->health(); }

size_t Store::dirty_bytes() const { return impl_->flusher->meter()->bytes(); }

absl::Status Store::Admit() const {
  const size_t dirty = dirty_bytes();
  if (dirty <= impl_->options.dirty_bytes_max) return absl::OkStatus();
  const absl::Status why = health();
  return Overloaded("STATE_STORE_BEHIND",
                    absl::StrCat("the state store has ", dirty, " bytes to write, more than ",
                                 impl_->options.dirty_bytes_max, why.ok() ? "" : ": ", why.message()),
                    kAdmitRetry);
}

bool Store::HasRoomToCatchUp() const { return dirty_bytes() <= kCatchUpFlushes * impl_->options.flush_bytes; }

StoreStats Store::stats() const {
  StoreStats stats;
  impl_->flusher->AddStats(&stats);
  const DatabaseSize size = impl_->database->size();
  stats.level0_files = size.level0_files;
  stats.disk_bytes = size.disk_bytes;
  return stats;
}

absl::StatusOr<std::unique_ptr<Snapshot>> Store::TakeSnapshot() const {
  return Snapshot::Impl::Take(impl_->database.get());
}

const std::string& Store::dir() const { return impl_->path; }

const StoreOptions& Store::options() const { return impl_->options; }

}  // namespace halles::store
