// Freeze, write, ingest, release.
#include "libs/store/flusher.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "libs/base/status.h"
#include "libs/store/fold_writer.h"

namespace halles::store {
namespace {

constexpr int kNice = 10;
constexpr int kBackoffDoublingsMax = 5;

}  // namespace

// Waits for functions that were posted to other threads, and collects what they froze.
class Flusher::Gathering {
 public:
  // A posted function holds a share; when the last copy is gone, run or dropped, it counts as done.
  class Share {
   public:
    explicit Share(Gathering* gathering) : gathering_(gathering) {
      MutexLock lock(&gathering_->mutex_);
      ++gathering_->waiting_;
    }
    ~Share() { Done(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    void Deliver(const RowSpace& space, Unit unit) {
      MutexLock lock(&gathering_->mutex_);
      gathering_->units_.emplace(space, std::move(unit));
    }
    void Done() {
      if (gathering_ == nullptr) return;
      Gathering* const gathering = std::exchange(gathering_, nullptr);
      MutexLock lock(&gathering->mutex_);
      --gathering->waiting_;
    }

   private:
    Gathering* gathering_;
  };

  Units Wait() {
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return waiting_ == 0; });
    return std::move(units_);
  }

 private:
  Mutex mutex_;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  Units units_ ABSL_GUARDED_BY(mutex_);
};

Flusher::Flusher(Database* database, const StoreOptions& options)
    : database_(database), options_(options), meter_(options.flush_bytes, options.dirty_bytes_max / 2) {
  const auto wake = [this](Priority priority) {
    MutexLock lock(&mutex_);
    wake_[static_cast<int>(priority)] = true;
  };
  meter_.OnEnough([wake] { wake(Priority::kLow); });
  meter_.OnMany([wake] { wake(Priority::kFull); });
  if (!options_.background) return;
  for (Priority priority : {Priority::kLow, Priority::kFull}) {
    threads_.emplace_back([this, priority] { Run(priority); });
  }
}

Flusher::~Flusher() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

bool Flusher::Register(std::shared_ptr<OpenSpace> space) {
  MutexLock lock(&mutex_);
  const RowSpace key = space->space;
  return open_.emplace(key, std::move(space)).second;
}

void Flusher::Unregister(const RowSpace& space) {
  MutexLock lock(&mutex_);
  open_.erase(space);
}

bool Flusher::IsOpen(const RowSpace& space) const {
  MutexLock lock(&mutex_);
  return open_.count(space) > 0;
}

void Flusher::Run(Priority priority) {
  const bool low = priority == Priority::kLow;
  pthread_setname_np(pthread_self(), low ? "halles-flush" : "halles-flush-up");
  if (low) setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  // The one of full priority moves only when it is woken, or to try again.
  const size_t enough = low ? options_.flush_bytes : options_.dirty_bytes_max / 2;
  int failures = 0;
  bool worked = false;
  for (;;) {
    {
      MutexLock lock(&mutex_);
      absl::Duration wait = options_.flush_age * (1 << std::min(failures, kBackoffDoublingsMax));
      if (!low && failures == 0) wait = absl::InfiniteDuration();
      bool& wake = wake_[static_cast<int>(priority)];
      const bool hurry = worked && meter_.bytes() >= enough;
      if (!hurry) {
        mutex_.AwaitWithTimeout([this, &wake, failures]()
                                    ABSL_NO_THREAD_SAFETY_ANALYSIS { return stop_ || (wake && failures == 0); },
                                wait);
      }
      if (stop_) return;
      wake = false;
    }
    MutexLock flush(&flushes_);
    const absl::StatusOr<bool> flushed = Flush();
    failures = flushed.ok() ? 0 : failures + 1;
    worked = flushed.value_or(false);
  }
}

absl::Status Flusher::FlushAll() {
  MutexLock flush(&flushes_);
  // What an earlier flush left frozen hides newer rows of the same space: they take a second round.
  const bool twice = !frozen_.empty();
  absl::StatusOr<bool> flushed = Flush();
  if (flushed.ok() && twice) flushed = Flush();
  return flushed.status();
}

absl::Status Flusher::Step(FlushStep step) const {
  return options_.on_flush_step ? options_.on_flush_step(step) : absl::OkStatus();
}

absl::StatusOr<bool> Flusher::Flush() {
  Freeze();
  if (frozen_.empty()) return false;
  absl::Status status = WriteUnits();
  {
    MutexLock lock(&mutex_);
    health_ = status;
    ++(status.ok() ? flushes_done_ : flushes_failed_);
  }
  if (!status.ok()) {
    database_->Resume();
    return status;
  }
  Release();
  RETURN_IF_ERROR(Step(FlushStep::kReleased));
  return true;
}

void Flusher::Freeze() {
  std::vector<std::shared_ptr<OpenSpace>> spaces;
  {
    MutexLock lock(&mutex_);
    for (const auto& [space, open] : open_) {
      if (frozen_.count(space) == 0) spaces.push_back(open);
    }
  }
  Gathering gathering;
  for (const std::shared_ptr<OpenSpace>& open : spaces) {
    bool post = false;
    {
      MutexLock lock(&open->mutex);
      if (open->view != nullptr && open->view->dirty()) {
        std::shared_ptr<const FrozenRows> rows = open->view->Freeze();
        if (rows != nullptr) frozen_.emplace(open->space, Unit{open, std::move(rows)});
      }
      post = open->slot != nullptr && open->slot->dirty();
    }
    if (!post) continue;
    const auto share = std::make_shared<Gathering::Share>(&gathering);
    open->post([open, share] {
      SlotRows* rows = nullptr;
      {
        MutexLock lock(&open->mutex);
        rows = open->slot;
      }
      if (rows != nullptr) {
        const SlotId slot{open->space.service, open->space.slot};
        share->Deliver(open->space, Unit{open, rows->Freeze(slot, open->cursor())});
      }
      share->Done();
    });
  }
  frozen_.merge(gathering.Wait());
}

absl::Status Flusher::WriteUnits() {
  RETURN_IF_ERROR(Step(FlushStep::kFrozen));
  uint64_t rows = 0;
  const auto fill = [&](rocksdb::SstFileWriter& file) ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    FoldWriter writer(database_, &file);
    for (const auto& [space, unit] : frozen_) {
      RETURN_IF_ERROR(writer.WriteRows(space, unit.open->fold_version, *unit.rows));
    }
    rows = writer.rows();
    return writer.WriteMetas();
  };
  RETURN_IF_ERROR(database_->Write(fill, [this] { return Step(FlushStep::kFileWritten); }));
  RETURN_IF_ERROR(Step(FlushStep::kIngested));
  MutexLock lock(&mutex_);
  rows_flushed_ += rows;
  return absl::OkStatus();
}

void Flusher::Release() {
  Gathering gathering;
  for (const auto& [space, unit] : frozen_) {
    const std::shared_ptr<OpenSpace>& open = unit.open;
    bool post = false;
    {
      MutexLock lock(&open->mutex);
      if (open->view != nullptr) open->view->ReleaseFrozen();
      post = open->slot != nullptr;
    }
    if (!post) continue;
    const auto share = std::make_shared<Gathering::Share>(&gathering);
    open->post([open, share] {
      SlotRows* rows = nullptr;
      {
        MutexLock lock(&open->mutex);
        rows = open->slot;
      }
      if (rows != nullptr) rows->ReleaseFrozen();
      share->Done();
    });
  }
  gathering.Wait();
  // The last owner of the rows, so that freeing them burdens no thread but this one.
  frozen_.clear();
}

absl::Status Flusher::health() const {
  MutexLock lock(&mutex_);
  return health_;
}

void Flusher::AddStats(StoreStats* stats) const {
  stats->dirty_bytes = meter_.bytes();
  MutexLock lock(&mutex_);
  stats->flushes = flushes_done_;
  stats->failed_flushes = flushes_failed_;
  stats->rows_flushed = rows_flushed_;
}

}  // namespace halles::store
